"""A table that is read from the disk when it is first needed.

"Is it loaded?" and "it is loaded" must not have a wait between them that others can use. Who loads
for others must also fail, and be cancelled, for them.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import (
    busy,
    cancelled,
    faulty,
    get,
    lock_if,
    may_fail,
    memory,
    pause,
    put,
    together,
)
from blkdebug_async import Disk, IoType

KIND: Final = "lazily loaded table"


class Table:
    """A set of letters, kept as one word in block 0."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.letters: set[str] | None = None
        self.loading = lock_if(fixed)

    async def load(self) -> set[str]:
        """Give the letters, from the disk the first time."""
        async with self.loading:
            if self.letters is None:
                word = await get(self.disk, 0)
                self.letters = set(word)
            return self.letters


async def loaded_twice(*, fixed: bool) -> None:
    """Need the table for the first time in two tasks."""
    async with memory(2) as disk:
        await put(disk, 0, "a")
        table = Table(disk, fixed=fixed)

        async def add(letter: str, after: int) -> None:
            await busy(disk, after)
            (await table.load()).add(letter)

        await together(first=add("b", 0), second=add("c", 1))
        assert await table.load() == {"a", "b", "c"}, "a change went to a table that nobody has"


class EarlyFlag:
    """Says that it is ready before it is. Knows its letters without a disk."""

    def __init__(self, *, fixed: bool) -> None:
        self.fixed = fixed
        self.ready = False
        self.letters: set[str] = set()

    async def load(self) -> None:
        """Get ready, unless it is."""
        if self.ready:
            return
        self.ready = not self.fixed
        await pause()
        self.letters = {"a"}
        self.ready = True


async def ready_too_early(*, fixed: bool) -> None:
    """Need the table while another task has just begun to load it."""
    table = EarlyFlag(fixed=fixed)

    async def look() -> None:
        await pause(2)
        await table.load()
        assert table.letters == {"a"}, "ready, and nothing in it"

    await together(first=table.load(), second=look())


class EmptyOnError(Table):
    """Has an empty table while it loads, and after that has failed."""

    async def load(self) -> set[str]:
        if self.letters is None:
            if self.fixed:
                self.letters = set(await get(self.disk, 0))
            else:
                self.letters = set()
                self.letters |= set(await get(self.disk, 0))
        return self.letters


async def empty_after_an_error(*, fixed: bool) -> None:
    """Add a letter after loading the table has failed once."""
    async with faulty(1) as disk:
        await put(disk, 0, "a")
        table = EmptyOnError(disk, fixed=fixed)
        may_fail(disk, 0, IoType.READ)
        try:
            await table.load()
        except OSError:
            await table.load()
        table.letters = await table.load() | {"b"}
        await put(disk, 0, "".join(sorted(table.letters)))
        assert await get(disk, 0) == "ab", "what could not be read was overwritten"


class SharedLoad(Table):
    """The first one loads, the others wait for it; but the first one may be cancelled."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.coming: asyncio.Event | None = None

    async def load(self) -> set[str]:
        while self.letters is None:
            if self.coming is not None:
                await self.coming.wait()
                continue
            coming = self.coming = asyncio.Event()
            try:
                self.letters = set(await get(self.disk, 0))
                self.arrive(coming)
            except asyncio.CancelledError:
                if self.fixed:
                    self.arrive(coming)
                raise
        return self.letters

    def arrive(self, coming: asyncio.Event) -> None:
        """Wake who waits, to look again."""
        self.coming = None
        coming.set()


async def cancelled_while_others_wait(*, fixed: bool) -> None:
    """Cancel the task that loads the table for another one too."""
    async with memory(2) as disk:
        await put(disk, 0, "a")
        table = SharedLoad(disk, fixed=fixed)
        await cancelled(table.load(), after=busy(disk, 2), patient=table.load())
        assert table.letters == {"a"}


class Evicted(Table):
    """Gives its letters up when memory is short, also those that are not on the disk yet."""

    async def add(self, letter: str) -> None:
        """Add a letter, here and on the disk."""
        letters = await self.load()
        letters.add(letter)
        async with self.loading:
            await put(self.disk, 0, "".join(sorted(letters)))

    async def evict(self) -> None:
        """Give the memory back."""
        async with self.loading:
            self.letters = None


async def evicted_while_dirty(*, fixed: bool) -> None:
    """Give the table up while a change to it is being written, and change it again."""
    async with memory(2) as disk:
        table = Evicted(disk, fixed=fixed)
        await table.load()

        async def evict_and_add() -> None:
            await busy(disk)
            await table.evict()
            await table.add("b")

        await together(first=table.add("a"), second=evict_and_add())
        assert await get(disk, 0) == "ab", "a change was lost with the memory that held it"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        loaded_twice,
        KIND,
        Needs.SCHEDULE,
        1,
        "Two tasks find nothing loaded, both load, and the second throws away the first's table.",
    ),
    bug(
        ready_too_early,
        KIND,
        Needs.SCHEDULE,
        2,
        "The table is marked as loaded before loading it is over.",
        io=False,
    ),
    bug(
        empty_after_an_error,
        KIND,
        Needs.FAULT,
        1,
        "A table that could not be loaded stays behind as an empty one and is written back.",
    ),
    bug(
        cancelled_while_others_wait,
        KIND,
        Needs.CANCEL,
        2,
        "Whoever loads for the others is cancelled, and nobody ever wakes them.",
    ),
    bug(
        evicted_while_dirty,
        KIND,
        Needs.COMPLETION,
        2,
        "The table is given up while a change is on its way to the disk, and read too early.",
    ),
)
