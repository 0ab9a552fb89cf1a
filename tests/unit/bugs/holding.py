from __future__ import annotations

import asyncio
from collections.abc import Callable

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.target import Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from tests.unit.bugs.stepping import StepLoop


class HoldingDriver(MemoryDriver):
    """A memory disk each of whose requests waits until the loop lets it take effect."""

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await _hold(f"read {offset}", lambda: self._read(offset, iov))

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await _hold(f"write {offset}", lambda: self._write(offset, iov))

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        await _hold(f"zero {offset}", lambda: self._clear(offset, offset + length))

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        await _hold(f"discard {offset}", lambda: self._clear(offset, offset + length))

    async def flush_to_disk(self, request: Request) -> None:
        await _hold("flush", _nothing)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        def resize() -> None:
            if size < self._size:
                self._clear(size, self._size)
            self._size = size

        await _hold(f"truncate {size}", resize)


async def _hold(what: str, effect: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StepLoop)
    await loop.hold(what, effect)


def _nothing() -> None:
    """A flush changes no byte."""
