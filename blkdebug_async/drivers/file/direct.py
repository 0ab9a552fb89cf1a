"""How requests and buffers must be aligned for a file opened with O_DIRECT.

The kernel hardly ever says, so it is tried out. All of this blocks.

QEMU: block/file-posix.c, raw_probe_alignment().
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import sys
from errno import EINVAL
from mmap import PAGESIZE, mmap
from typing import Final, NamedTuple

from blkdebug_async.errors import OptionError
from blkdebug_async.units import KIB

# Of linux/fs.h, and of the XFS headers: a struct of three 32-bit numbers, of which the second is
# the shortest request.
_BLKSSZGET: Final = 0x1268
_XFS_IOC_DIOINFO: Final = 0x800C581E
_INT: Final = struct.Struct("@i")
_DIOINFO: Final = struct.Struct("@III")

_CANDIDATES: Final = (1, 512, 1024, 2048, 4096)
#: Safe for all that is known.
_LARGEST: Final = max(4 * KIB, PAGESIZE)


class Alignment(NamedTuple):
    """Powers of two, in bytes."""

    #: Of offsets and lengths.
    request: int
    #: Of the address of a buffer.
    memory: int


#: What files need that the page cache stands in front of.
NO_ALIGNMENT: Final = Alignment(1, 1)


def probe_alignment(fd: int) -> Alignment:
    """Find out what a file needs.

    Raises:
        OptionError: EINVAL; nothing that was tried is good enough.
    """
    buffer = memoryview(mmap(-1, 2 * _LARGEST))
    request = _told_alignment(fd)
    if not request:
        request = next((n for n in _CANDIDATES if _is_accepted(fd, buffer[:n])), 0)
        # A file that takes single bytes has not told anything, for instance because of a hole.
        request = _LARGEST if request == 1 else request
    memory = next((n for n in _CANDIDATES if _is_accepted(fd, buffer[n : n + _LARGEST])), 0)
    memory = request if memory == 1 else memory
    if not request or not memory:
        raise OptionError("Could not find working O_DIRECT alignment", hint="Try cache.direct=off")
    return Alignment(request, memory)


def _told_alignment(fd: int) -> int:
    if sys.platform != "linux":
        return 0
    found = 0
    with contextlib.suppress(OSError):
        found = _INT.unpack(fcntl.ioctl(fd, _BLKSSZGET, bytes(_INT.size)))[0]
    with contextlib.suppress(OSError):
        found = _DIOINFO.unpack(fcntl.ioctl(fd, _XFS_IOC_DIOINFO, bytes(_DIOINFO.size)))[1]
    return found


def _is_accepted(fd: int, buffer: memoryview) -> bool:
    try:
        os.preadv(fd, [buffer], 0)
    except OSError as error:
        # Only EINVAL is about alignment; a broken disk is none of our business here.
        return sys.platform == "linux" and error.errno != EINVAL
    return True
