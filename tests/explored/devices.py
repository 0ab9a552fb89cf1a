"""Devices that tests here look into."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from errno import EIO
from typing import ClassVar

from blkdebug_async import BlockError
from blkdebug_async.block.driver import Pace
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.explore import choose, fails


class VolatileDriver(MemoryDriver):
    """A memory disk whose writes are safe after the next flush that does not fail."""

    name: ClassVar[str] = "volatile"
    pace = Pace.AT_ONCE

    def __init__(self, size: int, *, may_fail: bool = False, align: int = 1) -> None:
        super().__init__(size)
        self._align = align
        self.write_flags = 0
        self.zero_flags = 0
        self.may_fail = may_fail
        #: How often the device itself was asked to flush.
        self.flushes = 0
        #: Where writes began that are safe, and that are not yet.
        self.safe: set[int] = set()
        self.volatile: set[int] = set()

    def refresh_limits(self, limits: Limits) -> Limits:
        return replace(limits, request_alignment=self._align)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await super().pwritev(offset, length, iov, flags, request)
        self.volatile.add(offset)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        await super().pwrite_zeroes(offset, length, flags, request)
        self.volatile.add(offset)

    async def flush_to_disk(self, request: Request) -> None:
        self.flushes += 1
        if self.may_fail and fails("flush"):
            raise BlockError(EIO, "injected")
        self.safe |= self.volatile
        self.volatile.clear()


class FailingFlushFilter(BlkdebugDriver):
    """Fails each flush of its own after a while, and is asked for one at a time."""

    flushing = False

    async def flush_to_disk(self, request: Request) -> None:
        assert not self.flushing
        self.flushing = True
        await asyncio.sleep(0)
        self.flushing = False
        raise BlockError(EIO, "never safe")


class GuardedDriver(MemoryDriver):
    """A memory disk that nobody may use after it was closed, nor in a drained section.

    The flush on closing is what may still come.
    """

    name: ClassVar[str] = "guarded"
    pace = Pace.AT_ONCE

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.closed = False
        self.drained = False

    def drain_begin(self) -> None:
        assert not self.drained
        self.drained = True

    def drain_end(self) -> None:
        assert self.drained
        self.drained = False

    async def close(self) -> None:
        assert not self.closed
        self.closed = True
        await super().close()

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self._check(request)
        await super().preadv(offset, length, iov, flags, request)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self._check(request)
        await super().pwritev(offset, length, iov, flags, request)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        self._check(request)
        await super().pwrite_zeroes(offset, length, flags, request)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        self._check(request)
        await super().pdiscard(offset, length, request)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        self._check(request)
        await super().truncate(size, how, request)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        self._check(request)
        return await super().block_status(offset, length, want_zero, request)

    async def flush_to_disk(self, request: Request) -> None:
        assert not self.closed

    def _check(self, request: Request) -> None:
        assert not self.closed, request.describe()


class WaitingDriver(MemoryDriver):
    """A memory disk that answers at once or takes a turn or two, as is chosen."""

    name: ClassVar[str] = "waiting"
    pace = Pace.OWN_TIME
    #: How many writes there were.
    written = 0

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await asyncio.sleep(0)
        await super().preadv(offset, length, iov, flags, request)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await asyncio.sleep(0)
        await super().pwritev(offset, length, iov, flags, request)
        self.written += 1
        await asyncio.sleep(0)

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        if choose(2, "read takes time"):
            return False
        return super().preadv_nowait(offset, length, iov)

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        if choose(2, "write takes time"):
            return False
        self.written += 1
        return super().pwritev_nowait(offset, length, iov, flags)
