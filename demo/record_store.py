"""A small storage class with a bug that is easy to write and hard to see."""

from __future__ import annotations

from blkdebug_async import Disk

BLOCK_SIZE = 4096
RECORD_SIZE = 512


class RecordStore:
    """Keeps records of 512 bytes, eight to a block. It writes whole blocks only.

    The bug: between reading a block and writing it back somebody else may change it. put() forgot
    its lock.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def put(self, number: int, record: bytes) -> None:
        """Store a record of RECORD_SIZE bytes under a number."""
        inside = number * RECORD_SIZE % BLOCK_SIZE
        start = number * RECORD_SIZE - inside
        block = bytearray(await self._disk.pread(start, BLOCK_SIZE))
        block[inside : inside + RECORD_SIZE] = record
        await self._disk.pwrite(start, block)

    async def get(self, number: int) -> bytes:
        """Give the record that is stored under a number."""
        return await self._disk.pread(number * RECORD_SIZE, RECORD_SIZE)
