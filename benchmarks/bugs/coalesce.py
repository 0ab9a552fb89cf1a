"""Write coalescing: small writes wait a little, and go to the disk as one.

A batch is closed when it is taken, not when it is written. Batches of one block must stay in order,
and the timer that ends the waiting may fire when there is nothing to wait for any more.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, get, lock_if, memory, put, together
from blkdebug_async import Disk

KIND: Final = "write coalescing"
DELAY_S: Final = 0.01


class Coalescer:
    """Gathers letters, and appends them to the word in block 0."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.pending: list[str] = []
        self.word = ""

    async def flush(self) -> None:
        """Write what is pending."""
        batch = self.pending
        if self.fixed:
            self.pending = []
        self.word += "".join(batch)
        await put(self.disk, 0, self.word)
        if not self.fixed:
            self.pending.clear()


async def joined_too_late(*, fixed: bool) -> None:
    """Add a letter while those before it are being written."""
    async with memory(2) as disk:
        writes = Coalescer(disk, fixed=fixed)
        writes.pending.append("a")

        async def add() -> None:
            await busy(disk)
            writes.pending.append("b")

        await together(flusher=writes.flush(), adder=add())
        await writes.flush()
        assert await get(disk, 0) == "ab", "a letter was dropped"


class TwoBatches:
    """Sends a batch off before the one before it has arrived."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.batch: dict[int, str] = {}
        self.sending = lock_if(fixed)

    async def send(self) -> None:
        """Write the batch, block by block."""
        async with self.sending:
            batch, self.batch = self.batch, {}
            for block, word in sorted(batch.items()):
                await put(self.disk, block, word)


async def overtaken_batch(*, fixed: bool) -> None:
    """Write a block again in the next batch."""
    async with memory(3) as disk:
        writes = TwoBatches(disk, fixed=fixed)
        writes.batch = {0: "x", 1: "old"}

        async def next_batch() -> None:
            await busy(disk, 2)
            writes.batch[1] = "new"
            await writes.send()

        await together(first=writes.send(), second=next_batch())
        assert await get(disk, 1) == "new", "the batch before came last"


class Plugged:
    """Writes a batch when it is full or old enough, whichever comes first."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.batch = ["a", "b"]
        self.in_flight = 2

    async def when_full(self) -> None:
        """Write, for there are two."""
        await busy(self.disk)
        await self.write()

    async def when_old(self) -> None:
        """Write what there is after a while."""
        await asyncio.sleep(DELAY_S)
        if self.batch:
            await self.write()

    async def write(self) -> None:
        """Write the batch and count it as done."""
        batch = self.batch
        if self.fixed:
            self.batch = []
        await put(self.disk, 0, "".join(batch))
        self.in_flight -= len(batch)
        self.batch = []


async def written_twice(*, fixed: bool) -> None:
    """Let the timer fire while the full batch is being written."""
    async with memory(2) as disk:
        writes = Plugged(disk, fixed=fixed)
        await together(full=writes.when_full(), old=writes.when_old())
        assert writes.in_flight == 0, "requests were completed twice"


class Merger:
    """Merges a write into one of the same block that still waits, and forgets who waits for it."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.queued: dict[int, tuple[str, list[asyncio.Event]]] = {}
        self.wake = asyncio.Event()
        self.writers = 2

    async def write(self, block: int, word: str) -> None:
        """Write a block; the newest word wins."""
        event = asyncio.Event()
        waiting = self.queued[block][1] if block in self.queued and self.fixed else []
        self.queued[block] = (word, [*waiting, event])
        self.wake.set()
        await event.wait()
        self.writers -= 1
        self.wake.set()

    async def serve(self) -> None:
        """Write what is queued until there are no more writers."""
        while self.writers or self.queued:
            await self.wake.wait()
            self.wake.clear()
            await busy(self.disk)
            for block in list(self.queued):
                word, waiting = self.queued.pop(block)
                await put(self.disk, block, word)
                for event in waiting:
                    event.set()


async def merged_and_forgotten(*, fixed: bool) -> None:
    """Write a block again before the first write of it was begun."""
    async with memory(2) as disk:
        merger = Merger(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk, 3)
            await merger.write(0, "b")

        await together(first=merger.write(0, "a"), server=merger.serve(), second=later())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        joined_too_late,
        KIND,
        Needs.SCHEDULE,
        1,
        "What joins a batch while it is being written is dropped with it.",
    ),
    bug(
        overtaken_batch,
        KIND,
        Needs.COMPLETION,
        2,
        "Two batches with the same block are in flight, and the older one arrives last.",
    ),
    bug(
        written_twice,
        KIND,
        Needs.TIMER,
        1,
        "The timer that waits for a full batch fires while that is being written.",
    ),
    bug(
        merged_and_forgotten,
        KIND,
        Needs.COMPLETION,
        3,
        "A write merged into one that waits is answered, and the one that waited never is.",
    ),
)
