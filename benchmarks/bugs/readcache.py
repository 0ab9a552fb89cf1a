"""A read cache: what was read once is not read again until somebody writes it.

A fill is old news by the time it arrives. Who invalidates must also reach the fills that are on
their way, and who orders cache and disk must order them for all writers alike.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, fill, get, lock_if, memory, put, together
from blkdebug_async import Disk

KIND: Final = "read cache"


class Cache:
    """Reads through, and drops what is written. The fix counts invalidations."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.words: dict[int, str] = {}
        self.generation = 0

    async def read(self, block: int) -> str:
        """Give a word, from memory if it is there."""
        if block in self.words:
            return self.words[block]
        generation = self.generation
        word = await get(self.disk, block)
        if not self.fixed or generation == self.generation:
            self.words[block] = word
        return word

    async def write(self, block: int, word: str) -> None:
        """Write, and forget what was there."""
        await put(self.disk, block, word)
        self.generation += 1
        self.words.pop(block, None)


async def stale_fill(*, fixed: bool) -> None:
    """Let a reader fill the cache with what it read before a write was done."""
    async with memory(1) as disk:
        await fill(disk, "old")
        cache = Cache(disk, fixed=fixed)
        await together(reader=cache.read(0), writer=cache.write(0, "new"))
        assert await cache.read(0) == "new", "the cache kept a stale word"


class SharingCache:
    """Readers of one block share one fetch, a stale one too. A fetch reads a word and its seal."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.fetching: dict[int, asyncio.Future[str]] = {}

    async def read(self, block: int) -> str:
        """Give a word."""
        if block in self.fetching:
            return await self.fetching[block]
        fetch = self.fetching[block] = asyncio.get_running_loop().create_future()
        word = await get(self.disk, block)
        await get(self.disk, block + 1)
        fetch.set_result(word)
        if self.fetching.get(block) is fetch:
            del self.fetching[block]
        return word

    async def write(self, block: int, word: str) -> None:
        """Write, and let nobody join a fetch that began before."""
        await put(self.disk, block, word)
        if self.fixed:
            self.fetching.pop(block, None)


async def joined_a_stale_fetch(*, fixed: bool) -> None:
    """Write and read back, while somebody's fetch of the same block is half done."""
    async with memory(3) as disk:
        await fill(disk, "old", "seal")
        cache = SharingCache(disk, fixed=fixed)

        async def write_and_read() -> None:
            await busy(disk)
            await cache.write(0, "new")
            assert await cache.read(0) == "new", "a task did not read what it had written"

        await together(reader=cache.read(0), writer=write_and_read())


class WriteThrough:
    """Keeps what is written too, in the order in which it was asked for."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.words: dict[int, str] = {}
        self.writing = lock_if(fixed)

    async def write(self, block: int, word: str) -> None:
        """Write to memory and disk."""
        async with self.writing:
            self.words[block] = word
            await put(self.disk, block, word)


async def cache_and_disk_disagree(*, fixed: bool) -> None:
    """Let two writes of one block arrive in the other order than they were made."""
    async with memory(1) as disk:
        cache = WriteThrough(disk, fixed=fixed)
        await together(first=cache.write(0, "a"), second=cache.write(0, "b"))
        assert cache.words[0] == await get(disk, 0), "cache and disk disagree for good"


class ReadAhead:
    """Prefetches the next block, over what was written there meanwhile."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.words: dict[int, str] = {}

    async def prefetch(self, block: int) -> None:
        """Bring a block in before anybody asks."""
        if block in self.words:
            return
        word = await get(self.disk, block)
        if not self.fixed or block not in self.words:
            self.words[block] = word

    async def read(self, block: int) -> str:
        """Give a word and prefetch the next."""
        word = self.words.get(block) or await get(self.disk, block)
        await self.prefetch(block + 1)
        return word

    async def write(self, block: int, word: str) -> None:
        """Write to memory at once, and then to disk."""
        self.words[block] = word
        await put(self.disk, block, word)


async def prefetch_over_a_write(*, fixed: bool) -> None:
    """Write a block that is being prefetched, and read it back from memory."""
    async with memory(4) as disk:
        await fill(disk, "x", "old")
        cache = ReadAhead(disk, fixed=fixed)

        async def write() -> None:
            await busy(disk, 3)
            await cache.write(1, "new")

        await together(reader=cache.read(0), writer=write())
        assert cache.words[1] == "new", "a prefetch undid a write"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        stale_fill,
        KIND,
        Needs.COMPLETION,
        2,
        "A reader fills the cache with what it read before the block was invalidated.",
    ),
    bug(
        joined_a_stale_fetch,
        KIND,
        Needs.SCHEDULE,
        1,
        "A reader joins a fetch that has read its word before the reader's own write.",
    ),
    bug(
        cache_and_disk_disagree,
        KIND,
        Needs.COMPLETION,
        1,
        "Two writes of one block reach the cache in one order and the disk in the other.",
    ),
    bug(
        prefetch_over_a_write,
        KIND,
        Needs.COMPLETION,
        2,
        "A prefetch puts what it has read over what was written while it was reading.",
    ),
)
