"""Changing the length while requests are on their way.

A length that was looked at is old news after a wait: who checks a bound, or computes a new length,
must do so again or keep others from changing it. And a length that is published promises that
everything below it can be read.
"""

from __future__ import annotations

from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import BLOCK, busy, fill, get, lock_if, memory, put, together
from blkdebug_async import Disk

KIND: Final = "resize"


class Resizable:
    """A disk that shrinks and grows. The fix is one lock for requests and resizing."""

    def __init__(self, disk: Disk, other: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.other = other
        self.changing = lock_if(fixed)

    async def write(self, block: int, word: str) -> bool:
        """Write, if the block is still there. A log entry goes before."""
        async with self.changing:
            if (block + 1) * BLOCK > self.disk.length:
                return False
            await put(self.other, 0, f"about to write {block}")
            await put(self.disk, block, word)
            return True

    async def shrink(self, blocks: int) -> None:
        """Cut off the end."""
        async with self.changing:
            await self.disk.truncate(blocks * BLOCK)

    async def grow(self, blocks: int) -> None:
        """Add so many blocks at the end."""
        async with self.changing:
            length = self.disk.length
            await put(self.other, 0, "about to grow")
            await self.disk.truncate(length + blocks * BLOCK)


async def written_past_the_end(*, fixed: bool) -> None:
    """Shrink a disk between the check of a write and the write."""
    async with memory(2) as disk, memory(2) as other:
        resizable = Resizable(disk, other, fixed=fixed)

        async def write() -> None:
            await busy(other, 2)
            await resizable.write(1, "word")

        await together(shrinker=resizable.shrink(1), writer=write())


async def grown_to_less(*, fixed: bool) -> None:
    """Grow a disk in two tasks."""
    async with memory(1) as disk, memory(2) as other:
        resizable = Resizable(disk, other, fixed=fixed)

        async def later() -> None:
            await busy(other, 2)
            await resizable.grow(1)

        await together(first=resizable.grow(2), second=later())
        assert disk.length == 4 * BLOCK, "one growth was undone by the other"


class Published:
    """Appends to a table whose length readers know. Free blocks hold garbage."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.length = 1

    async def append(self, word: str) -> None:
        """Add a word."""
        if not self.fixed:
            self.length += 1
        await put(self.disk, 1, word)
        if self.fixed:
            self.length += 1

    async def last(self) -> str:
        """Read the last word."""
        return await get(self.disk, self.length - 1)


async def published_too_early(*, fixed: bool) -> None:
    """Read the last word while another one is being added."""
    async with memory(3) as disk:
        await fill(disk, "a", "garbage")
        table = Published(disk, fixed=fixed)

        async def read() -> None:
            await busy(disk)
            assert await table.last() in ("a", "b"), "read what was never added"

        await together(writer=table.append("b"), reader=read())


class Shrinking:
    """Moves the last word to the front before it cuts off the end."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.changing = lock_if(fixed)
        self.place = 1

    async def shrink(self) -> None:
        """Bring everything into one block."""
        async with self.changing:
            word = await get(self.disk, self.place)
            await put(self.disk, 0, word)
            self.place = 0
            await self.disk.truncate(BLOCK)

    async def update(self, word: str) -> None:
        """Write the word anew, where it is."""
        async with self.changing:
            await put(self.disk, self.place, word)

    async def read(self) -> str:
        """Read it."""
        return await get(self.disk, self.place)


async def updated_where_it_was(*, fixed: bool) -> None:
    """Update a word that is being moved away from the end."""
    async with memory(2) as disk, memory(1) as other:
        await fill(disk, "", "old")
        table = Shrinking(disk, fixed=fixed)

        async def shrink() -> None:
            await busy(other, 2)
            await table.shrink()

        await together(writer=table.update("new"), shrinker=shrink())
        assert await table.read() == "new", "an update was cut off with the end"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        written_past_the_end,
        KIND,
        Needs.COMPLETION,
        2,
        "The bound is checked, then the disk shrinks, then the write fails.",
    ),
    bug(
        grown_to_less,
        KIND,
        Needs.SCHEDULE,
        1,
        "Two growths add to the same old length, and the smaller one comes last.",
    ),
    bug(
        published_too_early,
        KIND,
        Needs.COMPLETION,
        2,
        "The new length is there before what it promises.",
    ),
    bug(
        updated_where_it_was,
        KIND,
        Needs.COMPLETION,
        3,
        "A word is updated in the place from which it has just been copied away.",
    ),
)
