"""Cancellation in a critical section.

Every await is a place where a task may end. What was begun has to be ended or undone on that way
too; what is on its way to the disk arrives all the same; and a cancellation is not an error that
one may take note of and go on.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, cancelled, get, memory, put, together
from blkdebug_async import Disk

KIND: Final = "cancellation"


class Busy:
    """Allows one change at a time, by a flag that everybody waits for."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.idle = asyncio.Event()
        self.idle.set()

    async def write(self, word: str) -> None:
        """Write while nobody else does."""
        while not self.idle.is_set():
            await self.idle.wait()
        self.idle.clear()
        try:
            await put(self.disk, 0, word)
        except asyncio.CancelledError:
            if self.fixed:
                self.idle.set()
            raise
        self.idle.set()


async def busy_for_ever(*, fixed: bool) -> None:
    """Write after a write was cancelled."""
    async with memory(3) as disk:
        part = Busy(disk, fixed=fixed)
        await cancelled(part.write("a"), after=busy(disk, 2))
        await together(next=part.write("b"))


class Pair:
    """Two blocks that always say the same. The fix is to end what was begun."""

    def __init__(self, disk: Disk, group: asyncio.TaskGroup, *, fixed: bool) -> None:
        self.disk = disk
        self.group = group
        self.fixed = fixed

    async def write(self, word: str) -> None:
        """Write both, or neither."""
        if not self.fixed:
            await self.write_both(word)
            return
        writing = self.group.create_task(self.write_both(word), name=f"write {word}")
        await asyncio.shield(writing)

    async def write_both(self, word: str) -> None:
        """Write one after the other."""
        await put(self.disk, 0, word)
        await put(self.disk, 1, word)


async def half_of_two(*, fixed: bool) -> None:
    """Cancel a change of two blocks."""
    async with memory(3) as disk:
        async with asyncio.TaskGroup() as group:
            pair = Pair(disk, group, fixed=fixed)
            await cancelled(pair.write("word"), after=busy(disk, 3))
        assert await get(disk, 0) == await get(disk, 1), "half of a change is there"


class Shielded:
    """Lets a write go on when who asked for it is cancelled, and frees the block too early."""

    def __init__(self, disk: Disk, group: asyncio.TaskGroup, *, fixed: bool) -> None:
        self.disk = disk
        self.group = group
        self.fixed = fixed
        self.lock = asyncio.Lock()

    async def write(self, word: str) -> None:
        """Write while nobody else does."""
        async with self.lock:
            inner = self.group.create_task(self.write_twice(word), name=f"write {word}")
            try:
                await asyncio.shield(inner)
            except asyncio.CancelledError:
                if self.fixed:
                    await inner
                raise

    async def write_twice(self, word: str) -> None:
        """Write two blocks, whatever happens."""
        await put(self.disk, 0, word)
        await put(self.disk, 1, word)


async def lock_freed_too_early(*, fixed: bool) -> None:
    """Write after a write was cancelled that goes on all the same."""
    async with memory(3) as disk:
        async with asyncio.TaskGroup() as group:
            part = Shielded(disk, group, fixed=fixed)
            await cancelled(part.write("a"), next=part.write("b"), after=busy(disk, 2))
        assert await get(disk, 0) == await get(disk, 1), "two writes were mixed"


class Worker:
    """Writes what comes, until it is cancelled, and takes everything else for an error."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.queue: asyncio.Queue[str] = asyncio.Queue()
        self.failed: list[str] = []

    async def work(self) -> None:
        """Serve the queue."""
        while True:
            word = await self.queue.get()
            try:
                await put(self.disk, 0, word)
            except (OSError, asyncio.CancelledError) as error:
                if self.fixed and not isinstance(error, OSError):
                    raise
                self.failed.append(word)


async def cancellation_swallowed(*, fixed: bool) -> None:
    """Stop a worker that may be writing."""
    async with memory(3) as disk:
        worker = Worker(disk, fixed=fixed)
        worker.queue.put_nowait("a")
        await cancelled(worker.work(), after=busy(disk, 2))


class Pipeline:
    """Takes words out of a list, and puts those back that it could not write."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.todo = ["a", "b"]
        self.done: list[str] = []

    async def work(self) -> None:
        """Write everything that is to do."""
        while self.todo:
            word = self.todo[0] if self.fixed else self.todo.pop(0)
            await put(self.disk, len(self.done), word)
            if self.fixed:
                self.todo.pop(0)
            self.done.append(word)


async def lost_in_hand(*, fixed: bool) -> None:
    """Cancel a worker and let another one go on where it was."""
    async with memory(4) as disk:
        pipeline = Pipeline(disk, fixed=fixed)
        await cancelled(pipeline.work(), after=busy(disk, 3))
        await together(next=pipeline.work())
        assert pipeline.done == ["a", "b"], "what was in hand is lost"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        busy_for_ever,
        KIND,
        Needs.CANCEL,
        2,
        "A flag that says busy is not taken back when the task is cancelled.",
    ),
    bug(
        half_of_two,
        KIND,
        Needs.CANCEL,
        3,
        "A task is cancelled between two writes that belong together.",
    ),
    bug(
        lock_freed_too_early,
        KIND,
        Needs.CANCEL,
        2,
        "A cancelled task frees the lock while its shielded write goes on.",
    ),
    bug(
        cancellation_swallowed,
        KIND,
        Needs.CANCEL,
        2,
        "A worker takes its own cancellation for a failed write, and goes on for ever.",
    ),
    bug(
        lost_in_hand,
        KIND,
        Needs.CANCEL,
        2,
        "A task is cancelled that has taken a word out of the list and not written it yet.",
    ),
)
