"""Make a part of a file read as zeros, or give it up: whatever the file system can do best.

QEMU: block/file-posix.c, handle_aiocb_write_zeroes(), handle_aiocb_discard().
"""

from __future__ import annotations

import fcntl
import importlib
import os
import struct
from collections.abc import Callable
from errno import EBUSY, EINVAL, ENODEV, ENOSYS, ENOTSUP, ENOTTY, EOPNOTSUPP
from functools import cache
from typing import Final, TypeAlias

from blkdebug_async.block.flags import MAY_UNMAP, NO_FALLBACK

_Fallocate: TypeAlias = Callable[[int, int, int, int], None]

# Of linux/falloc.h.
_KEEP_SIZE: Final = 0x01
_PUNCH_HOLE: Final = 0x02
_ZERO_RANGE: Final = 0x10
# Of linux/fs.h: they take a pair of offset and length.
_BLKDISCARD: Final = 0x1277
_BLKZEROOUT: Final = 0x127F
_RANGE: Final = struct.Struct("@QQ")
_CANNOT: Final = frozenset({ENODEV, ENOSYS, ENOTSUP, ENOTTY, EOPNOTSUPP})


@cache
def _fallocate() -> _Fallocate:
    # ctypes costs 5 ms, and many disks never see a zero write.
    module = importlib.import_module("blkdebug_async.drivers.file.fallocate")
    function: _Fallocate = module.fallocate
    return function


class Zeroing:
    """What one file is known to be able to do; it is not asked twice for what it cannot do.

    All methods block, and raise an OSError: ENOTSUP, or the kernel's.

    Args:
        is_device: Whether it is a device and no regular file.
        zero_range: Whether to let the file zero a range by itself.
    """

    def __init__(self, *, is_device: bool, zero_range: bool) -> None:
        self._is_device = is_device
        self._zero_range = zero_range
        self._punch = True
        self._allocate = not is_device

    def write_zeroes(self, fd: int, offset: int, length: int, flags: int) -> None:
        """Make a range read as zeros; a regular file grows if it must.

        Args:
            fd: The file.
            offset: First byte.
            length: Bytes.
            flags: MAY_UNMAP: rather give the space back, and then do not grow. NO_FALLBACK: only
                if it is quick.
        """
        if flags & MAY_UNMAP and self._unmap(fd, offset, length):
            return
        if self._is_device:
            self._zero_device(fd, offset, length, flags)
        elif not (
            self._try_zero_range(fd, offset, length)
            or self._try_punch(fd, offset, length)
            or self._try_extend(fd, offset, length)
        ):
            raise _cannot()

    def discard(self, fd: int, offset: int, length: int) -> None:
        """Give the space of a range back."""
        if not self._punch:
            raise _cannot()
        try:
            if self._is_device:
                _range_ioctl(fd, _BLKDISCARD, offset, length)
            else:
                _fallocate()(fd, _PUNCH_HOLE | _KEEP_SIZE, offset, length)
        except OSError as error:
            if error.errno == ENOTSUP:
                self._punch = False
            raise

    def _unmap(self, fd: int, offset: int, length: int) -> bool:
        mode = _PUNCH_HOLE | _KEEP_SIZE
        return not _refusal(fd, mode, offset, length, {ENOTSUP, EINVAL, EBUSY})

    def _zero_device(self, fd: int, offset: int, length: int, flags: int) -> None:
        # The kernel may fall back to writing zeros without telling.
        if not self._zero_range or flags & NO_FALLBACK:
            raise _cannot()
        try:
            _range_ioctl(fd, _BLKZEROOUT, offset, length)
        except OSError as error:
            if error.errno == ENOTSUP:
                self._zero_range = False
            raise

    def _try_zero_range(self, fd: int, offset: int, length: int) -> bool:
        if not self._zero_range:
            return False
        # Some file systems refuse what is not aligned, though they should not.
        refusal = _refusal(fd, _ZERO_RANGE, offset, length, {ENOTSUP, EINVAL})
        self._zero_range = refusal != ENOTSUP
        return not refusal

    def _try_punch(self, fd: int, offset: int, length: int) -> bool:
        if not (self._punch and self._allocate):
            return False
        refusal = _refusal(fd, _PUNCH_HOLE | _KEEP_SIZE, offset, length, {ENOTSUP, EINVAL})
        self._punch = refusal != ENOTSUP
        return not refusal and self._try_allocate(fd, offset, length)

    def _try_extend(self, fd: int, offset: int, length: int) -> bool:
        # Space past the end is zero as soon as it is there.
        if not self._allocate or offset < os.lseek(fd, 0, os.SEEK_END):
            return False
        return self._try_allocate(fd, offset, length)

    def _try_allocate(self, fd: int, offset: int, length: int) -> bool:
        self._allocate = not _refusal(fd, 0, offset, length, {ENOTSUP})
        return self._allocate


def _refusal(fd: int, mode: int, offset: int, length: int, expected: set[int]) -> int:
    # 0 if it was done; other errors than the expected ones come up.
    try:
        _fallocate()(fd, mode, offset, length)
    except OSError as error:
        if error.errno not in expected:
            raise
        return error.errno or ENOTSUP
    return 0


def _range_ioctl(fd: int, request: int, offset: int, length: int) -> None:
    try:
        fcntl.ioctl(fd, request, _RANGE.pack(offset, length))
    except OSError as error:
        if error.errno in _CANNOT:
            raise _cannot() from error
        raise


def _cannot() -> OSError:
    return OSError(ENOTSUP, os.strerror(ENOTSUP))
