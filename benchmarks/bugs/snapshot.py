"""A snapshot while the disk is written to: what is overwritten is copied away first.

The guest's writer and the background copier both copy, and each may find the other at work. "It is
being copied" is not "it is copied", and all blocks have to be of one moment.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, fill, get, lock_if, memory, put, together
from blkdebug_async import Disk

KIND: Final = "snapshot"


class Snapshot:
    """Keeps what a disk had, in another one. The fix is to hold the block while it is copied."""

    def __init__(self, disk: Disk, saved: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.saved = saved
        self.fixed = fixed
        self.copied: set[int] = set()
        self.copying = lock_if(fixed)

    async def save(self, block: int) -> None:
        """Copy a block away, unless it is."""
        async with self.copying:
            if block not in self.copied:
                word = await get(self.disk, block)
                await put(self.saved, block, word)
                self.copied.add(block)

    async def write(self, block: int, word: str) -> None:
        """Write for the guest."""
        await self.save(block)
        await put(self.disk, block, word)


async def copier_saves_the_new(*, fixed: bool) -> None:
    """Write a block that the copier has found to be still there."""
    async with memory(2) as disk, memory(1) as saved:
        await fill(disk, "old")
        snapshot = Snapshot(disk, saved, fixed=fixed)

        async def copy() -> None:
            await busy(disk, 2)
            await snapshot.save(0)

        await together(writer=snapshot.write(0, "new"), copier=copy())
        assert await get(saved, 0) == "old", "the snapshot has what was written after it"


class EarlyMark(Snapshot):
    """Marks a block as copied when it begins to copy it."""

    def __init__(self, disk: Disk, saved: Disk, *, fixed: bool) -> None:
        super().__init__(disk, saved, fixed=fixed)
        self.arrived = asyncio.Event()

    async def save(self, block: int) -> None:
        if block in self.copied:
            if self.fixed:
                await self.arrived.wait()
            return
        self.copied.add(block)
        word = await get(self.disk, block)
        await put(self.saved, block, word)
        self.arrived.set()


async def marked_before_it_is_saved(*, fixed: bool) -> None:
    """Write a block that another writer has just begun to save."""
    async with memory(2) as disk, memory(1) as saved:
        await fill(disk, "old")
        snapshot = EarlyMark(disk, saved, fixed=fixed)

        async def later() -> None:
            await busy(disk)
            await snapshot.write(0, "newer")

        await together(first=snapshot.write(0, "new"), second=later())
        assert await get(saved, 0) == "old", "the snapshot has what was written after it"


class Transfers:
    """Moves one coin at a time from block 0 to block 1. The fix is to stop for a snapshot."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.coins = [3, 0]
        self.moving = lock_if(fixed)

    async def move(self) -> None:
        """Move a coin."""
        async with self.moving:
            self.coins[0] -= 1
            await put(self.disk, 0, str(self.coins[0]))
            self.coins[1] += 1
            await put(self.disk, 1, str(self.coins[1]))

    async def count(self) -> int:
        """Read both blocks and add them up."""
        async with self.moving:
            return int(await get(self.disk, 0)) + int(await get(self.disk, 1))


async def coins_of_two_moments(*, fixed: bool) -> None:
    """Count the coins while one is moved."""
    async with memory(3) as disk:
        await fill(disk, "3", "0")
        transfers = Transfers(disk, fixed=fixed)

        async def count() -> None:
            await busy(disk, 3)
            assert await transfers.count() == 3, "a coin was nowhere, or twice"

        await together(mover=transfers.move(), counter=count())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        copier_saves_the_new,
        KIND,
        Needs.COMPLETION,
        2,
        "The copier finds a block not saved yet, and saves what the guest writes in between.",
    ),
    bug(
        marked_before_it_is_saved,
        KIND,
        Needs.COMPLETION,
        2,
        "A block is marked as saved too early, so that the next writer does not wait for that.",
    ),
    bug(
        coins_of_two_moments,
        KIND,
        Needs.COMPLETION,
        4,
        "A snapshot reads its blocks one by one, while a change of two of them is half done.",
    ),
)
