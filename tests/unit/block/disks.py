from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from blkdebug_async.block.driver import Driver
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.opening import open_disk
from blkdebug_async.options.reader import OptionReader

KIB = 1024
CONTENT = bytes(1 + index % 251 for index in range(64 * KIB))


class PlainDriver(Driver):
    # Reads and writes, and nothing that is optional.

    name = "plain"
    is_protocol = True

    def __init__(self, size: int = 64 * KIB) -> None:
        super().__init__()
        self.content = bytearray(size)

    @classmethod
    def from_options(cls, reader: OptionReader) -> PlainDriver:
        return cls()

    def length(self) -> int:
        return len(self.content)

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        iov.copy_from(self.content[offset : offset + length])

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self.content[offset : offset + length] = iov.tobytes()


@asynccontextmanager
async def opened(
    driver: Driver, *, read_only: bool = False, cache: str = "writeback", compat: str | None = None
) -> AsyncIterator[Disk]:
    async with open_disk(driver, read_only=read_only, cache=cache, compat=compat) as disk:
        yield disk


async def path_read(disk: Disk, offset: int, length: int, flags: int = 0) -> bytes:
    # Below the user's disk, where bytes past the end can be reached.
    buffer = bytearray(b"\xee" * length)
    await disk.root.path.preadv(offset, length, Iovec.over(buffer), flags, None)
    return bytes(buffer)


async def path_write(disk: Disk, offset: int, data: bytes, flags: int = 0) -> None:
    await disk.root.path.pwritev(offset, len(data), Iovec.of([data]), flags, None)


async def settle() -> None:
    # Whatever can go on without anybody's help has done so after a few turns of the loop.
    for _ in range(20):
        await asyncio.sleep(0)
