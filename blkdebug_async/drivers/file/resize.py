"""Change the length of a file, and fill new space as one wants it. All of this blocks.

QEMU: block/file-posix.c, handle_aiocb_truncate(), allocate_first_block().
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from errno import EIO, ENOTSUP
from mmap import mmap
from typing import Final

from blkdebug_async.errors import BlockError
from blkdebug_async.units import KIB, SECTOR_SIZE

_BLOCK: Final = 4 * KIB
_CHUNK: Final = 64 * KIB


def resize(fd: int, size: int, preallocation: str) -> None:
    """Make a file size bytes long.

    Args:
        fd: A regular file.
        size: Bytes.
        preallocation: `off`: new space is a hole. `falloc`: it is allocated. `full`: it is
            written.

    Raises:
        BlockError: ENOTSUP: no such mode, or the file would shrink. Else the kernel's; the file
            is as long as before then.
    """
    with _saying("Could not stat file"):
        before = os.fstat(fd).st_size
    if size < before and preallocation != "off":
        raise BlockError(ENOTSUP, "Cannot use preallocation for shrinking files")
    match preallocation:
        case "off":
            with _saying("Could not resize file"):
                os.ftruncate(fd, size)
        case "falloc" if hasattr(os, "posix_fallocate"):
            if size != before:
                with _restoring(fd, before), _saying("Could not preallocate new data"):
                    os.posix_fallocate(fd, before, size - before)
        case "full":
            with _restoring(fd, before):
                _write_zeros(fd, before, size)
            return
        case _:
            raise BlockError(ENOTSUP, f"Unsupported preallocation mode: {preallocation}")
    if before == 0 and size > 0:
        _allocate_first_block(fd, size)


def _write_zeros(fd: int, start: int, end: int) -> None:
    with _saying("Could not resize file"):
        os.ftruncate(fd, end)
    # Aligned, as O_DIRECT wants it.
    zeros = memoryview(mmap(-1, _CHUNK))
    with _saying("Could not write zeros for preallocation"):
        while start < end:
            start += os.pwrite(fd, zeros[: end - start], start)
    with _saying("Could not flush file to disk"):
        os.fsync(fd)


def _allocate_first_block(fd: int, size: int) -> None:
    # O_DIRECT reads of a hole may succeed whatever their alignment, so that probing for the
    # alignment next time would learn nothing. As in QEMU, a file of less than a sector grows to
    # one by this.
    zeros = memoryview(mmap(-1, _BLOCK))
    with contextlib.suppress(OSError):
        os.pwrite(fd, zeros[: SECTOR_SIZE if size < _BLOCK else _BLOCK], 0)


@contextlib.contextmanager
def _restoring(fd: int, size: int) -> Iterator[None]:
    try:
        yield
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, size)
        raise


@contextlib.contextmanager
def _saying(message: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BlockError(error.errno or EIO, f"{message}: {error.strerror}") from error
