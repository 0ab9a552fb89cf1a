"""Trying again after an error.

The second try comes later than one thinks: something newer may be there by then. What may have
worked the first time must do no harm the second time, and who gives up must say so.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, faulty, get, lock_if, may_fail, memory, put, together
from blkdebug_async import Disk

KIND: Final = "retry"
PATIENCE_S: Final = 0.01


class Retrying:
    """Writes one after the other, and tries again later what has failed."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.writing = asyncio.Lock()

    async def write(self, block: int, word: str) -> None:
        """Write, at the second try if need be."""
        async with self.writing:
            try:
                await put(self.disk, block, word)
            except OSError:
                if self.fixed:
                    await self.try_again(block, word)
            else:
                return
        if not self.fixed:
            await self.try_again(block, word)

    async def try_again(self, block: int, word: str) -> None:
        """Wait a little and write."""
        await busy(self.disk)
        await put(self.disk, block, word)


async def retried_over_the_newer(*, fixed: bool) -> None:
    """Write a block again whose first write has failed and is tried again."""
    async with faulty(2) as disk:
        retrying = Retrying(disk, fixed=fixed)
        begun = asyncio.Event()

        async def older() -> None:
            begun.set()
            await retrying.write(0, "old")

        async def newer() -> None:
            await begun.wait()
            await busy(disk, 2)
            await retrying.write(0, "new")

        may_fail(disk, 0)
        await together(older=older(), newer=newer())
        assert await get(disk, 0) == "new", "a second try undid a newer write"


class Appender:
    """Appends with a time limit, and tries once more. The first try may have worked."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.tail = 0

    async def append(self, word: str) -> None:
        """Append a word."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                await put(self.disk, self.tail, word)
                self.tail += 1
                await put(self.disk, 3, str(self.tail))
        except TimeoutError:
            if not self.fixed:
                await put(self.disk, self.tail, word)
                self.tail += 1
            await put(self.disk, 3, str(self.tail))


async def appended_twice(*, fixed: bool) -> None:
    """Let the time run out when the word is there already."""
    async with memory(4) as disk:
        appender = Appender(disk, fixed=fixed)
        await together(appender=appender.append("a"))
        words = [await get(disk, block) for block in range(appender.tail)]
        assert words in (["a"], []), "a word is there twice"


class Optimist:
    """Tries twice, and takes it that it worked."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed

    async def write(self, block: int, word: str) -> bool:
        """Write; tell whether it worked."""
        for _ in range(2):
            may_fail(self.disk, block)
            try:
                await put(self.disk, block, word)
            except OSError:
                continue
            return True
        return not self.fixed


async def gave_up_silently(*, fixed: bool) -> None:
    """Fail both tries."""
    async with faulty(1) as disk:
        if await Optimist(disk, fixed=fixed).write(0, "word"):
            assert await get(disk, 0) == "word", "it is said to have worked"


class Failover:
    """Goes over to a spare disk when a write fails, and copies what there is."""

    def __init__(self, disk: Disk, spare: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.spare = spare
        self.using = disk
        self.switching = lock_if(fixed)

    async def write(self, block: int, word: str) -> None:
        """Write to the disk that is in use."""
        async with self.switching:
            try:
                await put(self.using, block, word)
            except OSError:
                await put(self.spare, 1 - block, await get(self.disk, 1 - block))
                self.using = self.spare
                await put(self.spare, block, word)


async def written_to_the_disk_left(*, fixed: bool) -> None:
    """Write while all is copied to the spare disk."""
    async with faulty(3) as disk, memory(2) as spare:
        failover = Failover(disk, spare, fixed=fixed)

        async def other() -> None:
            await busy(disk, 2)
            await failover.write(1, "b")

        may_fail(disk, 0)
        await together(failing=failover.write(0, "a"), other=other())
        assert await get(failover.using, 1) == "b", "a write went to the disk that was left"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        retried_over_the_newer,
        KIND,
        Needs.FAULT,
        3,
        "A write is tried again after the lock was freed, over a newer one of the same block.",
    ),
    bug(
        appended_twice,
        KIND,
        Needs.TIMER,
        1,
        "A word is appended again after a time limit, although the first try had worked.",
    ),
    bug(
        gave_up_silently,
        KIND,
        Needs.FAULT,
        2,
        "When the last try has failed too, nobody is told.",
    ),
    bug(
        written_to_the_disk_left,
        KIND,
        Needs.FAULT,
        2,
        "While all is copied to the spare disk, others still write to the one that failed.",
    ),
)
