"""A driver that holds all writes until it is told to let them go.

So that any number of requests is in flight at once, without a clock having a say in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ClassVar, Self

from blkdebug_async import BlkdebugConfig, BlkdebugDriver, Disk, open_disk
from blkdebug_async.block import Driver, Iovec, Opener, OptionReader, Request

SIZE = 1 << 30
BLOCK = 4096
SECTOR = 512

#: Number of a request to where it writes, and how much.
Place = Callable[[int], tuple[int, int]]


class GateDriver(Driver):
    """Reads give what is in the buffer; writes wait for the gate to open."""

    name: ClassVar[str] = "gate"
    is_protocol: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        #: How many writes are waiting.
        self.held = 0

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        return cls()

    async def open(self, opener: Opener) -> None:
        """Nothing is below."""

    def length(self) -> int:
        return SIZE

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        """Nothing is stored."""

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self.held += 1
        await self.gate.wait()
        self.held -= 1


def aligned(number: int) -> tuple[int, int]:
    """Each request has a block to itself, and fills it."""
    return number * BLOCK, BLOCK


def apart(number: int) -> tuple[int, int]:
    """Each request has a part of a block to itself, so it reads, changes and writes."""
    return number * BLOCK + SECTOR, SECTOR


def together(number: int) -> tuple[int, int]:
    """All requests want the same part of the same block."""
    return SECTOR, SECTOR


class Crowd:
    """Requests that are in flight together.

    Args:
        size: How many.
        place: Where each of them writes.
        driven: How many of them get as far as the driver; the others wait for these.
    """

    def __init__(self, size: int, place: Place, driven: int | None = None) -> None:
        self._places = [place(number) for number in range(size)]
        self._driven = size if driven is None else driven
        self._buffers = {length: (bytes(length),) for _, length in self._places}

    async def gather_and_disperse(
        self, times: int, when_gathered: Callable[[], None] = lambda: None
    ) -> float:
        """Start all and finish all, several times; gives how long it took, in seconds."""
        driver = GateDriver()
        source = BlkdebugDriver(driver, config=BlkdebugConfig(align=BLOCK))
        async with open_disk(source) as disk:
            start = time.perf_counter()
            for _ in range(times):
                await self._once(disk, driver, when_gathered)
            return time.perf_counter() - start

    async def _once(
        self, disk: Disk, driver: GateDriver, when_gathered: Callable[[], None]
    ) -> None:
        driver.gate = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for offset, length in self._places:
                group.create_task(disk.pwritev(offset, self._buffers[length]))
            # One turn of the loop starts them all, and each goes as far as it can.
            await asyncio.sleep(0)
            assert driver.held == self._driven
            when_gathered()
            driver.gate.set()


class Waiters:
    """Tasks that wait for an event, with no disk at all: what a crowd costs before it is ours.

    Args:
        size: How many.
    """

    def __init__(self, size: int) -> None:
        self._size = size

    async def gather_and_disperse(
        self, times: int, when_gathered: Callable[[], None] = lambda: None
    ) -> float:
        """Start all and finish all, as a crowd does."""
        start = time.perf_counter()
        for _ in range(times):
            gate = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                for _ in range(self._size):
                    group.create_task(gate.wait())
                await asyncio.sleep(0)
                when_gathered()
                gate.set()
        return time.perf_counter() - start
