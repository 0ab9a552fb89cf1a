"""Where a file has data and where it has holes.

QEMU: block/file-posix.c, find_allocation(), raw_co_block_status().
"""

from __future__ import annotations

import os
from errno import ENXIO
from typing import Final

from blkdebug_async.block.flags import DATA, ZERO
from blkdebug_async.units import align_up

#: Absent where the system cannot tell.
_SEEK_DATA: Final[int | None] = getattr(os, "SEEK_DATA", None)
_SEEK_HOLE: Final[int | None] = getattr(os, "SEEK_HOLE", None)


def find_extent(fd: int, offset: int, length: int, align: int) -> tuple[int, int]:
    """Tell what a file has from offset on. Moves the file's position.

    Args:
        fd: The file.
        offset: First byte, a multiple of align.
        length: Bytes, a multiple of align, > 0.
        align: The answer's length is a multiple of this, even if the file ends in between.

    Returns:
        DATA or ZERO, and how many bytes are so: maybe more than length. When in doubt, DATA.
    """
    if _SEEK_DATA is None or _SEEK_HOLE is None:
        return DATA, length
    try:
        data = os.lseek(fd, offset, _SEEK_DATA)
        if data > offset:
            return ZERO, data - offset
        hole = os.lseek(fd, offset, _SEEK_HOLE)
    except OSError as error:
        # ENXIO: there is no more data up to the end of the file.
        return (ZERO if error.errno == ENXIO else DATA), length
    if data < offset or hole <= offset:
        # Somebody else changes the file, or the file system contradicts itself.
        return DATA, length
    return DATA, align_up(hole - offset, align)
