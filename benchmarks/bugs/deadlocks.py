"""Waiting in a circle.

Locks are taken in one order by all or by none. Who holds one thing must not wait for another of the
same kind; who waits until all requests are done must not hold what a request still needs.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, memory, pause, put, together
from blkdebug_async import Disk

KIND: Final = "deadlock"


async def locks_in_two_orders(*, fixed: bool) -> None:
    """Copy from left to right in one task, and from right to left in another."""
    locks = [asyncio.Lock(), asyncio.Lock()]

    async def copy(source: int, target: int, after: int) -> None:
        await pause(after)
        first, second = sorted((source, target)) if fixed else (source, target)
        async with locks[first]:
            await pause()
            async with locks[second]:
                await pause()

    await together(there=copy(0, 1, 0), back=copy(1, 0, 4))


async def three_in_a_circle(*, fixed: bool) -> None:
    """Hold one of three locks each, and want the next one's."""
    locks = [asyncio.Lock(), asyncio.Lock(), asyncio.Lock()]

    async def use(mine: int, after: int) -> None:
        await pause(after)
        first, second = mine, (mine + 1) % 3
        if fixed:
            first, second = sorted((first, second))
        async with locks[first]:
            await pause()
            async with locks[second]:
                await pause()

    await together(a=use(0, 0), b=use(1, 1), c=use(2, 3))


class Buffers:
    """Two buffers in a pool; a copy needs two, a parity update too."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.pool = asyncio.Semaphore(2)
        self.taking = asyncio.Lock()

    async def copy(self, block: int) -> None:
        """Take one buffer, read, take another one, write."""
        if self.fixed:
            async with self.taking:
                await self.pool.acquire()
                await self.pool.acquire()
            await busy(self.disk)
        else:
            await self.pool.acquire()
            await busy(self.disk)
            await self.pool.acquire()
        await put(self.disk, block, "copy")
        self.pool.release()
        self.pool.release()


async def a_buffer_each(*, fixed: bool) -> None:
    """Copy in two tasks."""
    async with memory(3) as disk:
        buffers = Buffers(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk, 2)
            await buffers.copy(1)

        await together(first=buffers.copy(0), second=later())


class Drained:
    """Lets nobody in while it waits for those inside. A write has a second part inside it."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.inside = 0
        self.open = asyncio.Event()
        self.open.set()
        self.changed = asyncio.Event()

    async def enter(self) -> None:
        """Wait until the door is open."""
        while not self.open.is_set():
            await self.open.wait()
        self.inside += 1

    def leave(self) -> None:
        """Tell who drains."""
        self.inside -= 1
        self.changed.set()

    async def write(self, block: int) -> None:
        """Write a word, and an entry in a table, which is a request of its own."""
        await self.enter()
        await put(self.disk, block, "word")
        if not self.fixed:
            await self.enter()
        await put(self.disk, block + 1, "entry")
        if not self.fixed:
            self.leave()
        self.leave()

    async def drain(self) -> None:
        """Wait until nobody is inside."""
        self.open.clear()
        while self.inside:
            self.changed.clear()
            await self.changed.wait()
        self.open.set()


async def drained_between_two_parts(*, fixed: bool) -> None:
    """Drain while a write is between its two parts."""
    async with memory(3) as disk:
        door = Drained(disk, fixed=fixed)

        async def drain() -> None:
            await busy(disk, 3)
            await door.drain()

        await together(writer=door.write(0), drainer=drain())


class Upgrade:
    """Many readers or one writer; a reader may become the writer."""

    def __init__(self, *, fixed: bool) -> None:
        self.fixed = fixed
        self.readers = 0
        self.changed = asyncio.Condition()

    async def read_then_write(self) -> None:
        """Look, and then change what was looked at."""
        async with self.changed:
            self.readers += 1
        await pause()
        async with self.changed:
            if self.fixed:
                # Nothing is kept that another one may wait for; one has to look again.
                self.readers -= 1
                self.changed.notify_all()
                await self.changed.wait_for(lambda: self.readers == 0)
            else:
                await self.changed.wait_for(lambda: self.readers == 1)
                self.readers -= 1
                self.changed.notify_all()


async def two_upgrades(*, fixed: bool) -> None:
    """Have two readers that both want to write."""
    lock = Upgrade(fixed=fixed)

    async def later() -> None:
        await pause(3)
        await lock.read_then_write()

    await together(first=lock.read_then_write(), second=later())


class Evicting:
    """A full cache evicts under its lock; what is evicted may want to come back in."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.cache = asyncio.Lock()
        self.table = asyncio.Lock()

    async def evict(self) -> None:
        """Write a block out: the cache, then the table."""
        async with self.cache:
            await put(self.disk, 0, "word")
            if not self.fixed:
                await self.update_table()
        if self.fixed:
            await self.update_table()

    async def update_table(self) -> None:
        """Write an entry."""
        async with self.table:
            await put(self.disk, 1, "entry")

    async def look_up(self) -> None:
        """Read an entry: the table, then the cache."""
        async with self.table:
            await busy(self.disk)
            async with self.cache:
                await busy(self.disk)


async def cache_and_table(*, fixed: bool) -> None:
    """Look something up while a block is being written out."""
    async with memory(3) as disk:
        part = Evicting(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk, 2)
            await part.look_up()

        await together(evictor=part.evict(), reader=later())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        locks_in_two_orders,
        KIND,
        Needs.SCHEDULE,
        4,
        "Two tasks take the same two locks in opposite order.",
        io=False,
    ),
    bug(
        three_in_a_circle,
        KIND,
        Needs.SCHEDULE,
        3,
        "Three tasks hold a lock each and wait for the next one's.",
        io=False,
    ),
    bug(
        a_buffer_each,
        KIND,
        Needs.COMPLETION,
        2,
        "Two tasks have one of two buffers each, and wait for the other's.",
    ),
    bug(
        drained_between_two_parts,
        KIND,
        Needs.COMPLETION,
        3,
        "Draining waits for a request whose second part waits for the end of draining.",
    ),
    bug(
        two_upgrades,
        KIND,
        Needs.SCHEDULE,
        3,
        "Two readers wait until they are the only one, each of them for the other.",
        io=False,
    ),
    bug(
        cache_and_table,
        KIND,
        Needs.COMPLETION,
        2,
        "Writing out locks the cache and then the table, looking up the other way round.",
    ),
)
