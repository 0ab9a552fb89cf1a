"""fallocate(2), which Python does not have.

Loading ctypes takes longer than importing all other drivers, so this module is only loaded when
the first zero write or discard comes: see zeroing.py.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from errno import EINTR, ENODEV, ENOSYS, ENOTSUP, ENOTTY, EOPNOTSUPP

_libc = ctypes.CDLL(None, use_errno=True)
#: 64-bit offsets whatever the size of a pointer; absent where the system has no such call.
_call: Callable[[int, int, int, int], int] | None = None
if sys.platform == "linux":
    _function = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)
    if _function is not None:
        _function.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        _function.restype = ctypes.c_int
        _call = _function


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    """Change what is allocated for a range of a file; blocks.

    Raises:
        OSError: ENOTSUP: the system or the file system cannot do this. Else the kernel's.
    """
    if _call is None:
        raise OSError(ENOTSUP, os.strerror(ENOTSUP))
    while _call(fd, mode, offset, length) != 0:
        errno = ctypes.get_errno()
        if errno != EINTR:
            raise translate(errno)


def translate(errno: int) -> OSError:
    """Make an error; all the ways to say that something cannot be done become ENOTSUP."""
    if errno in (ENODEV, ENOSYS, EOPNOTSUPP, ENOTTY):
        errno = ENOTSUP
    return OSError(errno, os.strerror(errno))
