"""All bytes of a vector by way of an io_uring, however often the kernel must be asked.

What transfer.py is for threads.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Awaitable
from errno import EINVAL
from typing import Final

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.drivers.file.address import address_of
from blkdebug_async.drivers.file.bounce import SHORT, BouncePool, is_aligned_memory
from blkdebug_async.drivers.file.direct import Alignment
from blkdebug_async.drivers.file.rings import ASYNC, FSYNC, READ, READV, WRITE, WRITEV
from blkdebug_async.drivers.file.transfer import progress, remaining
from blkdebug_async.drivers.file.uring import Uring
from blkdebug_async.errors import OptionError
from blkdebug_async.units import GIB, MIB

#: Longest request past the page cache that is copied in one piece, in bytes.
_LONGEST_BOUNCE: Final = MIB
#: Longest request that may be copied while it is submitted, if the page cache has it, in bytes.
_LONGEST_INLINE: Final = MIB
#: Longest piece that the kernel is asked for without a vector, in bytes; it has 32 bits for that.
_LONGEST: Final = GIB
_VECTORED: Final = {READ: READV, WRITE: WRITEV}


class RingTransfer:
    """Reads and writes of one file.

    Args:
        ring: Where they go; closed with this.
    """

    __slots__ = ("_pool", "_ring")

    def __init__(self, ring: Uring) -> None:
        self._ring = ring
        self._pool = BouncePool()

    def close(self) -> None:
        """Give the ring back."""
        self._ring.close()

    async def sync(self, fd: int) -> None:
        """Do as fdatasync() does."""
        await self._ring.move(FSYNC, fd, 0, 0, 0, None)

    def read(self, fd: int, iov: Iovec, offset: int, done: int) -> Awaitable[None]:
        """Read until the vector is full; what lies past the end of the file becomes zero.

        Args:
            fd: The file.
            iov: Where the bytes go.
            offset: Where the first byte of the vector is in the file.
            done: How many bytes the vector has already.

        Raises:
            OSError: The kernel's.
        """
        return self._read(fd, iov, offset, done, aligned=False)

    async def _read(self, fd: int, iov: Iovec, offset: int, done: int, *, aligned: bool) -> None:
        flags = _how(iov.length - done)
        while done < iov.length:
            try:
                count = await self._move(READ, fd, remaining(iov, done), offset + done, flags)
            except OSError as error:
                # With O_DIRECT the offset after a short read is not aligned any more. Only the
                # end of the file makes a read short, so that is where we are.
                if error.errno != EINVAL or done == 0 or not aligned:
                    raise
                count = 0
            if count == 0:
                iov.slice(done, iov.length - done).fill(0)
                return
            done += count

    async def write(self, fd: int, iov: Iovec, offset: int, done: int) -> None:
        """Write until nothing of the vector is left; arguments as for read()."""
        flags = _how(iov.length - done)
        while done < iov.length:
            count = await self._move(WRITE, fd, remaining(iov, done), offset + done, flags)
            done += progress(count)

    def read_direct(
        self, fd: int, iov: Iovec, offset: int, alignment: Alignment
    ) -> Awaitable[None]:
        """Read from a file opened with O_DIRECT; copies unless the memory is aligned as it must be.

        Args:
            fd: The file.
            iov: Where the bytes go.
            offset: Where to begin, aligned.
            alignment: What the file needs.
        """
        if 0 < iov.length <= SHORT:
            return self._read_bounced(fd, iov, offset)
        if not iov.length or is_aligned_memory(iov.views, *alignment):
            return self._read(fd, iov, offset, 0, aligned=True)
        return self._read_in_parts(fd, iov, offset)

    def write_direct(
        self, fd: int, iov: Iovec, offset: int, alignment: Alignment
    ) -> Awaitable[None]:
        """Write to a file opened with O_DIRECT; arguments as for read_direct()."""
        if 0 < iov.length <= SHORT:
            return self._write_bounced(fd, iov, offset)
        if not iov.length or is_aligned_memory(iov.views, *alignment):
            return self.write(fd, iov, offset, 0)
        return self._write_in_parts(fd, iov, offset)

    async def _read_in_parts(self, fd: int, iov: Iovec, offset: int) -> None:
        for start in range(0, iov.length, _LONGEST_BOUNCE):
            part = iov.slice(start, min(iov.length - start, _LONGEST_BOUNCE))
            await self._read_bounced(fd, part, offset + start)

    async def _read_bounced(self, fd: int, iov: Iovec, offset: int) -> None:
        length = iov.length
        bounce = self._pool.take(length)
        # A buffer is not given back if this fails: then it is not certain who uses it.
        count = await self._ring.move(READ, fd, offset, bounce.address, length, bounce)
        if count < length:
            await self._read(fd, Iovec([bounce.view], length), offset, count, aligned=True)
        if len(iov.views) == 1:
            iov.views[0][:] = bounce.view
        else:
            iov.copy_from(bounce.view)
        self._pool.give_back(bounce, length)

    async def _write_in_parts(self, fd: int, iov: Iovec, offset: int) -> None:
        for start in range(0, iov.length, _LONGEST_BOUNCE):
            part = iov.slice(start, min(iov.length - start, _LONGEST_BOUNCE))
            await self._write_bounced(fd, part, offset + start)

    async def _write_bounced(self, fd: int, iov: Iovec, offset: int) -> None:
        length = iov.length
        bounce = self._pool.take(length)
        bounce.view[:] = iov.views[0] if len(iov.views) == 1 else iov.tobytes()
        count = await self._ring.move(WRITE, fd, offset, bounce.address, length, bounce)
        if count < length:
            await self.write(fd, Iovec([bounce.view], length), offset, progress(count))
        self._pool.give_back(bounce, length)

    def _move(
        self, operation: int, fd: int, views: list[memoryview], offset: int, flags: int
    ) -> Awaitable[int]:
        if len(views) == 1:
            view = views[0]
            length = min(len(view), _LONGEST)
            return self._ring.move(operation, fd, offset, address_of(view), length, view, flags)
        parts = [part for view in views for part in (address_of(view), len(view))]
        vector = struct.pack(f"@{len(parts)}N", *parts)
        address = address_of(memoryview(vector))
        memory = (vector, views)
        return self._ring.move(_VECTORED[operation], fd, offset, address, len(views), memory, flags)


def _how(length: int) -> int:
    """Let a thread of the kernel do at once what would be a long copy while it is submitted."""
    return ASYNC if length > _LONGEST_INLINE else 0


def open_ring(max_batch: int) -> RingTransfer:
    """Get an io_uring for a file.

    Args:
        max_batch: Most requests that are submitted together; 0: as many as is good.

    Raises:
        OptionError: EINVAL; the system gives none.

    QEMU: block/file-posix.c, raw_open_common(); block/io_uring.c, luring_init().
    """
    try:
        ring = Uring(max_batch=max_batch)
    except OSError as error:
        raise OptionError(
            "Unable to use io_uring: failed to init linux io_uring ring: "
            f"{os.strerror(error.errno or 0)}"
        ) from error
    return RingTransfer(ring)
