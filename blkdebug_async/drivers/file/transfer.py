"""Move all bytes of a vector from or to a file, however often the kernel must be asked.

These block, so they run in threads.

QEMU: block/file-posix.c, handle_aiocb_rw().
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EINVAL
from itertools import islice
from mmap import mmap
from typing import Final

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.errors import BlockError
from blkdebug_async.units import MAX_BOUNCE

#: Most vector entries per call; Linux and macOS both have 1024.
IOV_MAX: Final = os.sysconf("SC_IOV_MAX")


def read_rest(fd: int, iov: Iovec, offset: int, done: int) -> None:
    """Read until the vector is full; what lies past the end of the file becomes zero.

    Args:
        fd: The file.
        iov: Where the bytes go.
        offset: Where the first byte of the vector is in the file.
        done: How many bytes the vector has already.
    """
    while done < iov.length:
        count = os.preadv(fd, remaining(iov, done), offset + done)
        if count == 0:
            iov.slice(done, iov.length - done).fill(0)
            return
        done += count


def write_rest(fd: int, iov: Iovec, offset: int, done: int) -> None:
    """Write until nothing of the vector is left; arguments as for read_rest()."""
    while done < iov.length:
        done += progress(os.pwritev(fd, remaining(iov, done), offset + done))


def read_direct(fd: int, iov: Iovec, offset: int) -> None:
    """Read from a file opened with O_DIRECT, through a buffer that is aligned as it must be.

    Python cannot tell where a caller's buffer lies, so every request is copied.
    """
    for start, bounce in _bounces(iov.length):
        target = iov.slice(start, len(bounce))
        done = 0
        while done < len(bounce):
            try:
                count = os.preadv(fd, [bounce[done:]], offset + start + done)
            except OSError as error:
                # After a short read the offset is not aligned any more. Only the end of the file
                # makes a read short, so that is where we are.
                if error.errno != EINVAL or done == 0:
                    raise
                break
            if count == 0:
                break
            done += count
        target.copy_from(bounce[:done].tobytes() + bytes(len(bounce) - done))


def write_direct(fd: int, iov: Iovec, offset: int) -> None:
    """Write to a file opened with O_DIRECT, through an aligned buffer."""
    for start, bounce in _bounces(iov.length):
        bounce[:] = iov.slice(start, len(bounce)).tobytes()
        done = 0
        while done < len(bounce):
            done += progress(os.pwritev(fd, [bounce[done:]], offset + start + done))


def _bounces(length: int) -> Iterator[tuple[int, memoryview]]:
    # An anonymous mapping starts at a page. It is given back when its last view is gone.
    if length:
        whole = memoryview(mmap(-1, min(length, MAX_BOUNCE)))
        for start in range(0, length, MAX_BOUNCE):
            yield start, whole[: length - start]


def remaining(iov: Iovec, done: int) -> list[memoryview]:
    """Give what the kernel is to be asked for next: views that have room, no more than it takes.

    Args:
        iov: The memory of a request.
        done: How many bytes of it are done with.
    """
    views = iov.slice(done, iov.length - done).views
    if len(views) == 1:
        return views
    # Without empty ones: 0 bytes mean that there are none.
    return list(islice((view for view in views if view), IOV_MAX))


def progress(count: int) -> int:
    """Give back how many bytes a write took.

    Raises:
        BlockError: EINVAL; none, which would go on for ever.
    """
    if count == 0:
        raise BlockError(EINVAL, "The file took no more bytes, and did not say why")
    return count
