"""Flushing: what was written before is safe afterwards, and in the right order.

A flush covers what was written before it began, not before it ended. So whoever shares one that is
running may have come too late for it, whoever clears a flag does so before, and what must not
arrive without something else needs a flush in between.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, memory, together
from benchmarks.bugs.platter import Platter
from blkdebug_async import Disk

KIND: Final = "flush ordering"


class Sharing:
    """One flush at a time; who comes meanwhile waits for it. The fix is to flush again."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.platter = Platter(disk)
        self.fixed = fixed
        self.running: asyncio.Event | None = None

    async def write_safely(self, block: int, word: str) -> None:
        """Write and flush."""
        await self.platter.put(block, word)
        await self.flush()
        assert self.platter.safe.get(block) == word, "flushed, and not safe"

    async def flush(self) -> None:
        """Make everything safe that was written before."""
        while self.running is not None:
            await self.running.wait()
            if not self.fixed:
                return
        self.running = asyncio.Event()
        try:
            await self.platter.flush()
        finally:
            self.running.set()
            self.running = None


async def shared_a_flush_too_late(*, fixed: bool) -> None:
    """Write while a flush is running, and wait for that one."""
    async with memory(3) as disk:
        flushes = Sharing(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk, 2)
            await flushes.write_safely(1, "b")

        await together(first=flushes.write_safely(0, "a"), second=later())


class Lazy:
    """Flushes only if something was written."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.platter = Platter(disk)
        self.fixed = fixed
        self.dirty = False

    async def put(self, block: int, word: str) -> None:
        """Write a word."""
        await self.platter.put(block, word)
        self.dirty = True

    async def flush(self) -> None:
        """Make everything safe that was written before."""
        if not self.dirty:
            return
        if self.fixed:
            self.dirty = False
        await self.platter.flush()
        self.dirty = self.dirty and self.fixed


async def clean_by_mistake(*, fixed: bool) -> None:
    """Write while a flush is running, and flush after that."""
    async with memory(3) as disk:
        lazy = Lazy(disk, fixed=fixed)
        await lazy.put(0, "a")

        async def write() -> None:
            await busy(disk)
            await lazy.put(1, "b")

        await together(flusher=lazy.flush(), writer=write())
        await lazy.flush()
        assert lazy.platter.safe.get(1) == "b", "flushed, and not safe"


async def superblock_first(*, fixed: bool) -> None:
    """Cut the power after a superblock was written that points to data."""
    async with memory(2) as disk:
        platter = Platter(disk)

        async def write() -> None:
            await platter.put(1, "data")
            if fixed:
                await platter.flush()
            await platter.put(0, "1")

        await together(writer=write())
        left = platter.power_cut()
        if left.get(0) == "1":
            assert left.get(1) == "data", "the superblock points to nothing"


class Barrier:
    """Two writers, and a commit that says how many words are there.

    The commit flushes before it counts; the fix is to count before it flushes.
    """

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.platter = Platter(disk)
        self.fixed = fixed
        self.written = 0

    async def write(self) -> None:
        """Write the next word; only one task does."""
        await self.platter.put(1 + self.written, "word")
        self.written += 1

    async def commit(self) -> None:
        """Say in block 0 how many words there are."""
        count = self.written
        await self.platter.flush()
        if not self.fixed:
            count = self.written
        await self.platter.put(0, str(count))


async def counted_after_the_flush(*, fixed: bool) -> None:
    """Write a word during the flush of a commit, and cut the power."""
    async with memory(5) as disk:
        words = Barrier(disk, fixed=fixed)
        await words.write()

        async def write() -> None:
            await busy(disk, 2)
            await words.write()

        async def commit() -> None:
            await words.commit()
            left = words.platter.power_cut()
            if 0 in left:
                there = [left.get(1 + place) for place in range(int(left[0]))]
                assert None not in there, "a word counts that was lost"

        await together(committer=commit(), writer=write())


class Deferred:
    """A table in block 0, a cluster in block 1, which is free when a flush has covered that."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.platter = Platter(disk)
        self.fixed = fixed
        self.dropped: list[int] = []
        self.free: list[int] = []

    async def drop(self) -> None:
        """Let the table point nowhere."""
        await self.platter.put(0, "-")
        self.dropped.append(1)

    async def flush(self) -> None:
        """Flush; what was dropped before is free."""
        dropped = self.dropped
        if self.fixed:
            self.dropped = []
        await self.platter.flush()
        self.free += dropped
        if not self.fixed:
            self.dropped = []

    async def reuse(self, word: str) -> None:
        """Write to a free cluster, if there is one."""
        if self.free:
            await self.platter.put(self.free.pop(), word)


async def freed_by_the_flush_before(*, fixed: bool) -> None:
    """Drop a cluster during a flush, use it for something else, and cut the power."""
    async with memory(4) as disk:
        clusters = Deferred(disk, fixed=fixed)
        await clusters.platter.put(0, "1")
        await clusters.platter.put(1, "mine")
        await clusters.platter.flush()
        await clusters.platter.put(2, "something")

        async def drop() -> None:
            await busy(disk)
            await clusters.drop()

        async def reuse() -> None:
            await clusters.flush()
            await clusters.reuse("yours")

        await together(user=reuse(), dropper=drop())
        left = clusters.platter.power_cut()
        if left[0] == "1":
            assert left[1] == "mine", "a file has another file's data"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        shared_a_flush_too_late,
        KIND,
        Needs.COMPLETION,
        2,
        "A flush is shared with one that began before the write that it is to cover.",
    ),
    bug(
        clean_by_mistake,
        KIND,
        Needs.COMPLETION,
        2,
        "The dirty flag is cleared when a flush is over, for what was written meanwhile too.",
    ),
    bug(
        superblock_first,
        KIND,
        Needs.FAULT,
        1,
        "There is no flush between data and the superblock that points to it.",
    ),
    bug(
        counted_after_the_flush,
        KIND,
        Needs.FAULT,
        4,
        "A commit counts what was written during its flush, and that is not safe yet.",
    ),
    bug(
        freed_by_the_flush_before,
        KIND,
        Needs.FAULT,
        3,
        "A flush frees what was dropped while it ran, and so is not safe yet.",
    ),
)
