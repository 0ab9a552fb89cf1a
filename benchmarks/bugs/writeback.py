"""A write-back cache: writes are answered at once and reach the disk later.

The trouble is the moment between handing a block to the disk and its arrival there. Who forgets
the block too early lets readers see the disk's old one; who forgets it too late, or without a
second look, forgets what was written meanwhile; and "nothing is dirty" does not mean "all is safe".
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, faulty, fill, get, lock_if, may_fail, memory, put, together
from blkdebug_async import Disk

KIND: Final = "write-back cache"


class Cache:
    """Holds dirty words until somebody flushes."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.dirty: dict[int, str] = {}
        self.flushing = lock_if(fixed)

    def write(self, block: int, word: str) -> None:
        """Take a word."""
        self.dirty[block] = word

    async def read(self, block: int) -> str:
        """Give the newest word."""
        if block in self.dirty:
            return self.dirty[block]
        return await get(self.disk, block)


class ForgetfulCache(Cache):
    """Takes what it has just written for clean, whatever was written meanwhile."""

    async def flush(self) -> None:
        """Write everything out."""
        for block, word in list(self.dirty.items()):
            await put(self.disk, block, word)
            if not self.fixed or self.dirty[block] == word:
                del self.dirty[block]


async def write_during_flush(*, fixed: bool) -> None:
    """Write a block anew while its old word is on its way to the disk."""
    async with memory(2) as disk:
        cache = ForgetfulCache(disk, fixed=fixed)
        cache.write(0, "old")

        async def write_again() -> None:
            await busy(disk)
            cache.write(0, "new")

        await together(flusher=cache.flush(), writer=write_again())
        assert await cache.read(0) == "new", "a write was forgotten"


class EvictingCache(Cache):
    """Gives a block up before the disk has it."""

    async def evict(self, block: int) -> None:
        """Make room."""
        word = self.dirty[block] if self.fixed else self.dirty.pop(block)
        await put(self.disk, block, word)
        if self.fixed:
            del self.dirty[block]


async def read_during_eviction(*, fixed: bool) -> None:
    """Read a block that is neither in the cache any more nor on the disk yet."""
    async with memory(2) as disk:
        await fill(disk, "old")
        cache = EvictingCache(disk, fixed=fixed)
        cache.write(0, "new")

        async def read() -> None:
            await busy(disk)
            assert await cache.read(0) == "new", "a write was seen and then was not"

        await together(evictor=cache.evict(0), reader=read())


class HastyCache(Cache):
    """A flush that finds nothing dirty does not wait for one that is still writing."""

    async def flush(self) -> None:
        """Write everything out; it is on the disk afterwards."""
        async with self.flushing:
            batch, self.dirty = self.dirty, {}
            for block, word in batch.items():
                await put(self.disk, block, word)


async def second_flush_returns_early(*, fixed: bool) -> None:
    """Flush while somebody else's flush has taken everything and written half of it."""
    async with memory(4) as disk:
        cache = HastyCache(disk, fixed=fixed)
        cache.write(0, "a")
        cache.write(1, "b")

        async def flush_and_look() -> None:
            await busy(disk, 2)
            await cache.flush()
            assert await get(disk, 1) == "b", "flushed, and yet not on the disk"

        await together(first=cache.flush(), second=flush_and_look())


class CarelessCache(Cache):
    """A block whose write has failed counts as clean."""

    async def flush(self) -> None:
        """Write everything out."""
        for block, word in list(self.dirty.items()):
            may_fail(self.disk, block)
            if not self.fixed:
                del self.dirty[block]
            await put(self.disk, block, word)
            self.dirty.pop(block, None)


async def failed_write_is_clean(*, fixed: bool) -> None:
    """Flush again after a flush has failed."""
    async with faulty(2) as disk:
        cache = CarelessCache(disk, fixed=fixed)
        cache.write(0, "a")
        cache.write(1, "b")
        try:
            await cache.flush()
        except OSError:
            for block, word in list(cache.dirty.items()):
                await put(disk, block, word)
        assert [await get(disk, 0), await get(disk, 1)] == ["a", "b"], "a write was lost"


class LimitedCache(Cache):
    """Makes writers wait while it is full, and forgets to look again when one is woken."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.room = asyncio.Event()

    async def take(self, block: int, word: str) -> None:
        """Take a word when there is room for it."""
        while self.dirty:
            self.room.clear()
            await self.room.wait()
            if not self.fixed:
                break
        assert not self.dirty, "more is dirty than there is room for"
        self.dirty[block] = word

    async def clean(self) -> None:
        """Write one block out."""
        block, word = next(iter(self.dirty.items()))
        await put(self.disk, block, word)
        del self.dirty[block]
        self.room.set()


async def room_for_one_taken_by_two(*, fixed: bool) -> None:
    """Let a newcomer take the room that a waiting writer was woken for."""
    async with memory(4) as disk:
        cache = LimitedCache(disk, fixed=fixed)
        cache.write(0, "a")

        async def newcomer() -> None:
            await busy(disk, 2)
            if not cache.dirty:
                await cache.take(2, "c")
                await cache.clean()

        async def patient() -> None:
            await cache.take(1, "b")
            await cache.clean()

        await together(patient=patient(), cleaner=cache.clean(), newcomer=newcomer())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        write_during_flush,
        KIND,
        Needs.SCHEDULE,
        1,
        "A flush takes a block for clean after writing it, although it was written anew meanwhile.",
    ),
    bug(
        read_during_eviction,
        KIND,
        Needs.COMPLETION,
        2,
        "A block leaves the cache before the disk has it, so that a reader sees the one before.",
    ),
    bug(
        second_flush_returns_early,
        KIND,
        Needs.COMPLETION,
        2,
        "A flush that finds nothing dirty returns while another one is still writing.",
    ),
    bug(
        failed_write_is_clean,
        KIND,
        Needs.FAULT,
        1,
        "A block is marked clean before its write has succeeded, so that it is never tried again.",
    ),
    bug(
        room_for_one_taken_by_two,
        KIND,
        Needs.COMPLETION,
        2,
        "A writer that waited for room does not look again whether there still is any.",
    ),
)
