"""Open files and devices, saying clearly why not.

QEMU: block/file-posix.c, raw_open_common(); util/osdep.c, qemu_open_internal().
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import struct
import sys
from errno import EACCES, EINVAL, EIO, EROFS
from typing import Final

from blkdebug_async.errors import BlockError, OptionError

#: Where there is none, writes at least go to the disk at once, as in QEMU.
_O_DIRECT: Final = getattr(os, "O_DIRECT", os.O_SYNC)
#: Of linux/fs.h.
_BLKROGET: Final = 0x125E
_INT: Final = struct.Struct("@i")


def open_file(path: str, *, writable: bool, direct: bool) -> int:
    """Open a file that exists.

    Args:
        path: Its name.
        writable: For reading and writing, rather than for reading.
        direct: Past the page cache.

    Returns:
        The descriptor.

    Raises:
        BlockError: The errno of open(2), but EACCES for EROFS.
    """
    flags = os.O_CLOEXEC | (os.O_RDWR if writable else os.O_RDONLY)
    try:
        if not writable and stat.S_ISFIFO(os.stat(path).st_mode):
            # To open it would wait for somebody who writes. It will be refused for what it is.
            flags |= os.O_NONBLOCK
        fd = os.open(path, flags | (_O_DIRECT if direct else 0))
    except ValueError:
        # A name that the system cannot have: with a zero byte, for instance.
        raise BlockError(EINVAL, f"Could not open {path!r}: {os.strerror(EINVAL)}") from None
    except OSError as error:
        if error.errno == EINVAL and direct and _can_open(path, flags):
            message = f"Could not open '{path}': filesystem does not support O_DIRECT"
            raise BlockError(EINVAL, message) from error
        errno = EACCES if error.errno == EROFS else error.errno or EIO
        raise BlockError(errno, f"Could not open '{path}': {error.strerror}") from error
    try:
        if writable:
            _check_writable(fd)
    except OSError:
        os.close(fd)
        raise
    return fd


def check_kind(fd: int, path: str, driver: str, *, device: bool) -> None:
    """Refuse what is not of the kind that a driver is for.

    Args:
        fd: The file.
        path: Its name, for the message.
        driver: The driver's name, for the message.
        device: Whether a device is wanted, rather than a regular file.

    Raises:
        OptionError: EINVAL; it is something else.
    """
    mode = os.fstat(fd).st_mode
    if device and not (stat.S_ISCHR(mode) or stat.S_ISBLK(mode)):
        raise OptionError(
            f"'{driver}' driver requires '{path}' to be either a character or block device"
        )
    if not device and not stat.S_ISREG(mode):
        raise OptionError(f"'{driver}' driver requires '{path}' to be a regular file")


def _can_open(path: str, flags: int) -> bool:
    try:
        os.close(os.open(path, flags))
    except OSError:
        return False
    return True


def _check_writable(fd: int) -> None:
    # A block device may be switched to read-only whatever its node's permissions say.
    if sys.platform != "linux" or not stat.S_ISBLK(os.fstat(fd).st_mode):
        return
    read_only = 0
    with contextlib.suppress(OSError):
        read_only = _INT.unpack(fcntl.ioctl(fd, _BLKROGET, bytes(_INT.size)))[0]
    if read_only:
        raise BlockError(EACCES, f"The device is not writable: {os.strerror(EACCES)}")
