from __future__ import annotations

from pathlib import Path

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.permissions import Permissions
from blkdebug_async.drivers.file.driver import FileDriver
from tests.unit.drivers.fakes import REQUEST, FakeOpener

READ = Permissions(perms.CONSISTENT_READ, perms.ALL)
WRITE = Permissions(perms.CONSISTENT_READ | perms.WRITE, perms.ALL)
SIZE = 200_000


async def opened(path: Path | str, flags: OpenFlags | None = None, **options: str) -> FileDriver:
    driver = FileDriver(path, **options)
    await driver.open(FakeOpener(flags=flags))
    return driver


async def read(driver: FileDriver, offset: int, length: int) -> bytes:
    buffer = bytearray(b"\xee" * length)
    await driver.preadv(offset, length, Iovec.over(buffer), 0, REQUEST)
    return bytes(buffer)


async def write(driver: FileDriver, offset: int, data: bytes) -> None:
    await driver.pwritev(offset, len(data), Iovec.of([bytearray(data)]), 0, REQUEST)


def contents(path: Path) -> bytes:
    return path.read_bytes()
