"""All bytes of a vector by way of an io_uring, however often the kernel must be asked.

What transfer.py is for threads.
"""

from __future__ import annotations

import os
from errno import EINVAL
from typing import Final

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.drivers.file.bounce import SHORT, BouncePool, is_aligned_memory
from blkdebug_async.drivers.file.direct import Alignment
from blkdebug_async.drivers.file.liburing import load_liburing
from blkdebug_async.drivers.file.transfer import IOV_MAX, progress
from blkdebug_async.drivers.file.uring import MAX_BATCH, Uring
from blkdebug_async.errors import OptionError
from blkdebug_async.units import MIB

#: Longest request past the page cache that is copied in one piece, in bytes.
_LONGEST_BOUNCE: Final = MIB


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
        await self._ring.sync(fd)

    async def read(self, fd: int, iov: Iovec, offset: int, done: int) -> None:
        """Read until the vector is full; what lies past the end of the file becomes zero.

        Args:
            fd: The file.
            iov: Where the bytes go.
            offset: Where the first byte of the vector is in the file.
            done: How many bytes the vector has already.

        Raises:
            OSError: The kernel's.
        """
        while done < iov.length:
            rest = iov.slice(done, iov.length - done)
            try:
                count = await self._ring.read(fd, rest.views[:IOV_MAX], offset + done)
            except OSError as error:
                # With O_DIRECT the offset after a short read is not aligned any more. Only the
                # end of the file makes a read short, so that is where we are.
                if error.errno != EINVAL or done == 0:
                    raise
                count = 0
            if count == 0:
                rest.fill(0)
                return
            done += count

    async def write(self, fd: int, iov: Iovec, offset: int, done: int) -> None:
        """Write until nothing of the vector is left; arguments as for read()."""
        while done < iov.length:
            views = iov.slice(done, iov.length - done).views[:IOV_MAX]
            done += progress(await self._ring.write(fd, views, offset + done))

    async def read_direct(self, fd: int, iov: Iovec, offset: int, alignment: Alignment) -> None:
        """Read from a file opened with O_DIRECT; copies unless the memory is aligned as it must be.

        Args:
            fd: The file.
            iov: Where the bytes go.
            offset: Where to begin, aligned.
            alignment: What the file needs.
        """
        length = iov.length
        if length > SHORT and is_aligned_memory(iov.views, *alignment):
            await self.read(fd, iov, offset, 0)
            return
        for start in range(0, length, _LONGEST_BOUNCE):
            part = iov.slice(start, min(length - start, _LONGEST_BOUNCE))
            bounce = self._pool.take(part.length)
            # A buffer is not given back if this fails: then it is not certain who uses it.
            count = await self._ring.read(fd, bounce, offset + start)
            if count < part.length:
                await self.read(fd, Iovec(bounce, part.length), offset + start, count)
            if len(part.views) == 1:
                part.views[0][:] = bounce[0]
            else:
                part.copy_from(bounce[0])
            self._pool.give_back(bounce)

    async def write_direct(self, fd: int, iov: Iovec, offset: int, alignment: Alignment) -> None:
        """Write to a file opened with O_DIRECT; arguments as for read_direct()."""
        length = iov.length
        if length > SHORT and is_aligned_memory(iov.views, *alignment):
            await self.write(fd, iov, offset, 0)
            return
        for start in range(0, length, _LONGEST_BOUNCE):
            part = iov.slice(start, min(length - start, _LONGEST_BOUNCE))
            bounce = self._pool.take(part.length)
            if len(part.views) == 1:
                bounce[0][:] = part.views[0]
            else:
                bounce[0][:] = part.tobytes()
            await self.write(fd, Iovec(bounce, part.length), offset + start, 0)
            self._pool.give_back(bounce)


def open_ring(max_batch: int) -> RingTransfer:
    """Get an io_uring for a file.

    Args:
        max_batch: Most requests that are submitted together; 0: as many as is good.

    Raises:
        OptionError: EINVAL; there is no package, or the kernel gives none.

    QEMU: block/file-posix.c, raw_open_common(); block/io_uring.c, luring_init().
    """
    try:
        calls = load_liburing()
    except ImportError as error:
        raise OptionError(
            "aio=io_uring was specified, but is not supported in this build.",
            hint="The extra 'io-uring' of this package brings it: x86-64 Linux only",
        ) from error
    try:
        ring = Uring(calls, max_batch=max_batch or MAX_BATCH)
    except OSError as error:
        raise OptionError(
            "Unable to use io_uring: failed to init linux io_uring ring: "
            f"{os.strerror(error.errno or 0)}"
        ) from error
    return RingTransfer(ring)
