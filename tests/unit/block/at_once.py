from __future__ import annotations

from blkdebug_async.block.driver import Driver
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import Rule
from blkdebug_async.units import KIB
from tests.unit.noting import NotingDriver

SIZE = 16 * KIB
BLOCK = 4 * KIB


def noting() -> NotingDriver:
    return NotingDriver(SIZE)


def blocks(below: Driver | None = None, *rules: Rule, max_transfer: int | None = None) -> Driver:
    # Whole blocks of 4 KiB, and whatever rules.
    config = BlkdebugConfig(align=BLOCK, max_transfer=max_transfer)
    return BlkdebugDriver(below or noting(), rules, config=config)


def reads(disk: Disk, offset: int = 0, length: int = 512) -> bool:
    return disk.preadv_nowait(offset, [bytearray(length)])


def writes(disk: Disk, offset: int = 0, length: int = 512, flags: int = 0) -> bool:
    return disk.pwritev_nowait(offset, [b"w" * length], flags)
