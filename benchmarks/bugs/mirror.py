"""A mirror: two disks that have the same, reads go to either.

A write is done when both have it, both must get writes of one block in one order, a leg that has
failed must not be read from that moment on, and copying a leg anew must not undo what is written
meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import (
    busy,
    faulty,
    fill,
    get,
    lock_if,
    may_fail,
    memory,
    put,
    together,
)
from blkdebug_async import Disk

KIND: Final = "mirror"


class Mirror:
    """Two legs; reads take turns."""

    def __init__(self, left: Disk, right: Disk, *, fixed: bool) -> None:
        self.legs = [left, right]
        self.fixed = fixed
        self.turn = 0
        self.writing = lock_if(fixed)

    async def read(self, block: int) -> str:
        """Read from the leg whose turn it is."""
        leg = self.legs[self.turn % len(self.legs)]
        self.turn += 1
        return await get(leg, block)

    async def write(self, block: int, word: str) -> None:
        """Write to both at once."""
        async with self.writing:
            left, right = (put(leg, block, word) for leg in self.legs)
            await together(**{f"left {word}": left, f"right {word}": right})


async def legs_differ(*, fixed: bool) -> None:
    """Write one block in two tasks."""
    async with memory(1) as left, memory(1) as right:
        mirror = Mirror(left, right, fixed=fixed)
        await together(first=mirror.write(0, "a"), second=mirror.write(0, "b"))
        assert await get(left, 0) == await get(right, 0), "the legs differ for good"


class EagerMirror(Mirror):
    """Calls a write done when one leg has it; the other one follows."""

    def __init__(self, left: Disk, right: Disk, *, fixed: bool) -> None:
        super().__init__(left, right, fixed=fixed)
        self.behind: dict[int, str] = {}

    async def write(self, block: int, word: str) -> None:
        await put(self.legs[0], block, word)
        self.behind[block] = word
        if self.fixed:
            await self.catch_up()

    async def catch_up(self) -> None:
        """Write to the second leg what the first one has."""
        while self.behind:
            await put(self.legs[1], *self.behind.popitem())


async def read_from_the_leg_behind(*, fixed: bool) -> None:
    """Read a block back from the other leg than the one that has it."""
    async with memory(1) as left, memory(2) as right:
        mirror = EagerMirror(left, right, fixed=fixed)
        await mirror.write(0, "word")

        async def read() -> None:
            await busy(right)
            mirror.turn = 1
            assert await mirror.read(0) == "word", "done, and not there"

        await together(follower=mirror.catch_up(), reader=read())


class FailingMirror(Mirror):
    """Goes on with one leg when the other one fails, which somebody else writes down."""

    def __init__(self, left: Disk, right: Disk, *, fixed: bool) -> None:
        super().__init__(left, right, fixed=fixed)
        self.failed = asyncio.Event()

    async def write(self, block: int, word: str) -> None:
        await put(self.legs[0], block, word)
        try:
            may_fail(self.legs[1], block)
            await put(self.legs[1], block, word)
        except OSError:
            if self.fixed:
                del self.legs[1]
            self.failed.set()

    async def write_failure_down(self) -> None:
        """Note on the first leg that the second one is not to be used."""
        await self.failed.wait()
        await put(self.legs[0], 1, "right failed")
        self.legs = self.legs[:1]


async def read_from_the_failed_leg(*, fixed: bool) -> None:
    """Read what was written while the failure of a leg is being written down."""
    async with faulty(3) as left, faulty(3) as right:
        mirror = FailingMirror(left, right, fixed=fixed)

        async def write_and_read() -> None:
            await mirror.write(0, "word")
            await busy(left, 2)
            mirror.turn = 1
            assert await mirror.read(0) == "word", "read from the leg that missed it"
            mirror.failed.set()

        await together(recorder=mirror.write_failure_down(), user=write_and_read())


class Resyncing(Mirror):
    """Copies the first leg to the second, while both are in use."""

    async def resync(self, blocks: int) -> None:
        """Make the second leg like the first."""
        for block in range(blocks):
            async with self.writing:
                await put(self.legs[1], block, await get(self.legs[0], block))


async def resync_undoes_a_write(*, fixed: bool) -> None:
    """Write a block while the mirror is being resynchronised."""
    async with memory(2) as left, memory(2) as right:
        await fill(left, "old")
        mirror = Resyncing(left, right, fixed=fixed)

        async def resync() -> None:
            await busy(left, 2)
            await mirror.resync(1)

        await together(writer=mirror.write(0, "new"), resync=resync())
        assert await get(right, 0) == "new", "resynchronised with what was there before"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        legs_differ,
        KIND,
        Needs.SCHEDULE,
        1,
        "Two writes of one block reach the two legs in different order.",
    ),
    bug(
        read_from_the_leg_behind,
        KIND,
        Needs.COMPLETION,
        2,
        "A write is done when one leg has it, and the next read goes to the other.",
    ),
    bug(
        read_from_the_failed_leg,
        KIND,
        Needs.FAULT,
        2,
        "A leg that has missed a write is read from until its failure is written down.",
    ),
    bug(
        resync_undoes_a_write,
        KIND,
        Needs.COMPLETION,
        2,
        "Resynchronising reads one leg and writes the other, with a write in between.",
    ),
)
