"""Discarding blocks that others want to write.

A discard is a write of nothing that may come late. Until it is done the block must not be given
away; and one that was decided upon must be taken back if somebody has written meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import (
    BLOCK,
    busy,
    faulty,
    get,
    lock_if,
    may_fail,
    memory,
    put,
    together,
)
from blkdebug_async import Disk, IoType

KIND: Final = "discard"


class FreeList:
    """Discards blocks and gives them away again."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.free: list[int] = [1]

    async def release(self, block: int) -> None:
        """Give a block back."""
        if not self.fixed:
            self.free.insert(0, block)
        await self.disk.pdiscard(block * BLOCK, BLOCK)
        if self.fixed:
            self.free.insert(0, block)

    async def store(self, word: str) -> int:
        """Write a word to a free block, and say to which."""
        block = self.free.pop(0)
        await put(self.disk, block, word)
        return block


async def discarded_under_the_next_owner(*, fixed: bool) -> None:
    """Store a word while a block is being given back."""
    async with memory(3) as disk:
        blocks = FreeList(disk, fixed=fixed)

        async def store() -> None:
            await busy(disk)
            block = await blocks.store("word")
            await busy(disk)
            assert await get(disk, block) == "word", "discarded by the last owner"

        await together(giver=blocks.release(0), writer=store())


class Trimmer:
    """Discards, now and then, what nobody uses."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.used: set[int] = set()
        self.changing = lock_if(fixed)

    async def trim(self, blocks: int) -> None:
        """Discard unused blocks."""
        unused = [block for block in range(blocks) if block not in self.used]
        for block in unused:
            async with self.changing:
                if not self.fixed or block not in self.used:
                    await self.disk.pdiscard(block * BLOCK, BLOCK)

    async def write(self, block: int, word: str) -> None:
        """Write a block; it is in use from now on."""
        async with self.changing:
            self.used.add(block)
            await put(self.disk, block, word)


async def trimmed_by_an_old_list(*, fixed: bool) -> None:
    """Write a block that was unused when trimming began."""
    async with memory(4) as disk:
        trimmer = Trimmer(disk, fixed=fixed)

        async def write() -> None:
            await busy(disk, 2)
            await trimmer.write(1, "word")

        await together(trimmer=trimmer.trim(2), writer=write())
        assert await get(disk, 1) == "word", "discarded although it is in use"


class Zeroer:
    """Makes blocks empty by a discard, and by writing if that does not work."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.changing = asyncio.Lock()

    async def clear(self, block: int) -> None:
        """Make a block empty, unless it is."""
        async with self.changing:
            if not await get(self.disk, block):
                return
            try:
                await self.disk.pdiscard(block * BLOCK, BLOCK)
            except OSError:
                if self.fixed:
                    await put(self.disk, block, "")
            else:
                return
        if not self.fixed:
            await put(self.disk, block, "")

    async def write(self, block: int, word: str) -> None:
        """Write a block."""
        async with self.changing:
            await put(self.disk, block, word)


async def cleared_the_slow_way(*, fixed: bool) -> None:
    """Write a block anew after clearing it was asked for, and the discard did not work."""
    async with faulty(2) as disk:
        await put(disk, 0, "before")
        zeroer = Zeroer(disk, fixed=fixed)
        begun = asyncio.Event()

        async def clear() -> None:
            begun.set()
            await zeroer.clear(0)

        async def write() -> None:
            await begun.wait()
            await busy(disk, 2)
            await zeroer.write(0, "word")

        may_fail(disk, 0, IoType.DISCARD)
        await together(clearer=clear(), writer=write())
        assert await get(disk, 0) == "word", "cleared after it was written"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        discarded_under_the_next_owner,
        KIND,
        Needs.COMPLETION,
        2,
        "A block can be taken again before the discard of its last life is done.",
    ),
    bug(
        trimmed_by_an_old_list,
        KIND,
        Needs.COMPLETION,
        2,
        "Trimming goes by a list made at its beginning, and discards what is in use by now.",
    ),
    bug(
        cleared_the_slow_way,
        KIND,
        Needs.FAULT,
        3,
        "When a discard fails, zeros are written instead, but not under the lock any more.",
    ),
)
