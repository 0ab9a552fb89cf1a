"""Devices that tests here look into."""

from __future__ import annotations

from typing import ClassVar

from blkdebug_async import BlockError
from blkdebug_async.block.driver import Pace
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.explore import fails


class VolatileDriver(MemoryDriver):
    """A memory disk whose writes are safe after the next flush that does not fail."""

    name: ClassVar[str] = "volatile"
    pace = Pace.AT_ONCE

    def __init__(self, size: int, *, may_fail: bool = False) -> None:
        super().__init__(size)
        self.write_flags = 0
        self.may_fail = may_fail
        #: How often the device itself was asked to flush.
        self.flushes = 0
        #: Where writes began that are safe, and that are not yet.
        self.safe: set[int] = set()
        self.volatile: set[int] = set()

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await super().pwritev(offset, length, iov, flags, request)
        self.volatile.add(offset)

    async def flush_to_disk(self, request: Request) -> None:
        self.flushes += 1
        if self.may_fail and fails("flush"):
            raise BlockError(5, "injected")
        self.safe |= self.volatile
        self.volatile.clear()
