"""A small cache with a bug that shows only when a write takes its time, and one without it."""

from __future__ import annotations

from blkdebug_async import Disk


class WriteBackCache:
    """Keeps what is written in memory, until somebody flushes it.

    The bug: while a block is on its way to the disk somebody may write it again. flush() forgets
    the block that is there by then, which was never written.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._dirty: dict[int, bytes] = {}

    def write(self, offset: int, data: bytes) -> None:
        """Keep a block."""
        self._dirty[offset] = data

    async def flush(self) -> None:
        """Write to the disk what is kept."""
        for offset, data in list(self._dirty.items()):
            await self._disk.pwrite(offset, data)
            self._forget(offset, data)
        await self._disk.flush()

    def _forget(self, offset: int, written: bytes) -> None:
        del self._dirty[offset]


class MendedCache(WriteBackCache):
    """Forgets a block only if it is still the one that was written."""

    def _forget(self, offset: int, written: bytes) -> None:
        if self._dirty.get(offset) is written:
            del self._dirty[offset]
