"""Leases, idle flushes and time limits: what a clock starts comes when it likes.

A lease that is checked and then used may have ended in between. A timer that is put off may have
fired already; and a time limit ends a task at any of its waits.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, get, memory, put, together
from blkdebug_async import Disk

KIND: Final = "timers"
LEASE_S: Final = 0.01


class Lease:
    """Whoever has the lease may write; it ends by itself."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.holder = "a"
        self.writing = 0
        self.idle = asyncio.Event()

    async def write(self, name: str) -> None:
        """Write in one's own name, if one has the lease."""
        if self.holder == name:
            self.writing += 1
            await put(self.disk, 0, name)
            self.writing -= 1
            self.idle.set()

    async def take_over(self, name: str) -> None:
        """Take the lease when it has ended, and write."""
        await asyncio.sleep(LEASE_S)
        self.holder = name
        if self.fixed:
            while self.writing:
                self.idle.clear()
                await self.idle.wait()
        await self.write(name)


async def written_after_the_lease(*, fixed: bool) -> None:
    """Let the lease end while its holder writes."""
    async with memory(2) as disk:
        lease = Lease(disk, fixed=fixed)

        async def hold() -> None:
            await busy(disk)
            await lease.write("a")

        await together(holder=hold(), next=lease.take_over("b"))
        assert await get(disk, 0) == "b", "written by one whose lease has ended"


class IdleFlush:
    """Writes the cache out when nothing happens for a while, and when it is closed."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.dirty = ["a", "b"]
        self.closing = asyncio.Event()
        self.writing = asyncio.Lock()

    async def flush_when_idle(self) -> None:
        """Wait a while, or until it is closed, and write."""
        try:
            async with asyncio.timeout(LEASE_S):
                await self.closing.wait()
        except TimeoutError:
            await self.flush()

    async def flush(self) -> None:
        """Write everything."""
        async with self.writing:
            batch, self.dirty = self.dirty, []
            for word in batch:
                await put(self.disk, 0, word)

    async def close(self) -> None:
        """Write what is there and close the disk."""
        self.closing.set()
        if self.fixed or self.dirty:
            await self.flush()
        await self.disk.close()


async def closed_under_the_flush(*, fixed: bool) -> None:
    """Close while the idle flush is half done."""
    async with memory(3) as other:
        disk = await memory(2)
        cache = IdleFlush(disk, fixed=fixed)

        async def close() -> None:
            await busy(other, 2)
            await cache.close()

        await together(idle=cache.flush_when_idle(), closer=close())
        assert not cache.dirty, "closed with something dirty"


class Limited:
    """Gives up waiting for a lock, or for the disk under it, after a while."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.lock = asyncio.Lock()

    async def write(self, word: str) -> None:
        """Write, if it does not take too long."""
        try:
            async with asyncio.timeout(LEASE_S):
                await self.lock.acquire()
                await put(self.disk, 0, word)
                self.lock.release()
        except TimeoutError:
            if self.fixed and self.lock.locked():
                self.lock.release()


async def time_limit_keeps_the_lock(*, fixed: bool) -> None:
    """Let the time run out under the lock, and write again."""
    async with memory(1) as disk:
        part = Limited(disk, fixed=fixed)
        await together(first=part.write("a"))
        async with part.lock:
            await put(disk, 0, "b")


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        written_after_the_lease,
        KIND,
        Needs.TIMER,
        2,
        "A lease is checked before a write that arrives when it has ended.",
    ),
    bug(
        closed_under_the_flush,
        KIND,
        Needs.TIMER,
        1,
        "Closing finds nothing dirty and does not wait for the flush that has taken it all.",
    ),
    bug(
        time_limit_keeps_the_lock,
        KIND,
        Needs.TIMER,
        1,
        "A time limit ends a task under a lock, which it never releases.",
    ),
)
