"""Reads and writes that are tried without leaving the event loop.

A trip to a thread costs 90 to 130 us, a copy from or to the page cache 1 to 10 us. Reads say
RWF_NOWAIT, so the kernel never waits for the disk. Few file systems take that for writes (ext4
does not), and without it the kernel may wait: to read the rest of a page, or because too much is
dirty already. Measured on ext4, Linux 6.18, writes of 4 KiB in place: 3 us (median), 35 us
(99.9 %); beside two processes that wrote and synced as fast as the disk could: 5 us, 0.6 ms, at
worst 4 ms.

So a write is made in place if it is short, no page of it must be read first, and the kernel makes
no writers wait at the moment, as far as it tells (see writeback.py); a longer one is made in
pieces. If a piece took longer than SLOW_S nevertheless, writes stay away for PAUSE times as long as
it took. That is the bound: writes hold the loop for no more than 1/PAUSE of the time beyond what
SLOW_S allows each, and one of them at most for as long as the kernel makes one writer of a local
file system wait (0.2 s, when far too much is dirty). SLOW_S is above what a process loses when
another gets its turn, which looks the same from here and says nothing about the disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EAGAIN, EOPNOTSUPP
from mmap import PAGESIZE
from time import perf_counter
from typing import Final

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.drivers.file.writeback import Writeback
from blkdebug_async.units import KIB, MIB

#: Longest read or write in place, in bytes; copying that much takes 0.1 ms.
LONGEST: Final = MIB
#: Longer writes are made in pieces of so many bytes, and given up between two of them.
_PIECE: Final = 256 * KIB
#: A write that takes longer has waited for the disk, in seconds.
SLOW_S: Final = 0.010
#: How many times as long as it took writes stay away after that.
PAUSE: Final = 20
#: 0 where there is no such flag, as on macOS.
NOWAIT: Final[int] = getattr(os, "RWF_NOWAIT", 0)


def takes_nowait(fd: int) -> bool:
    """Tell whether a file can say that a read would wait.

    Local file systems with a page cache can. Network file systems, FUSE and devices that talk
    cannot: they may wait for anything, even for this very process.
    """
    if not NOWAIT:
        return False
    try:
        os.preadv(fd, [bytearray(1)], 0, NOWAIT)
    except OSError as error:
        return error.errno == EAGAIN
    return True


class InPlaceWriter:
    """Writes to one file in place, if that is a good idea at the moment.

    Args:
        nowait: Flag with which the kernel is asked not to wait, until it refuses; 0: none.
        clock: Gives seconds. Not the loop's: that of uvloop stands still within a turn.
        writeback: Whether the kernel makes writers wait; None: ask the kernel.
    """

    __slots__ = ("_calm_at_s", "_clock", "_nowait", "_probe", "_writeback")

    def __init__(
        self,
        *,
        nowait: int = NOWAIT,
        clock: Callable[[], float] = perf_counter,
        writeback: Writeback | None = None,
    ) -> None:
        self._nowait = nowait
        self._clock = clock
        #: When writes may come back.
        self._calm_at_s = 0.0
        self._probe = bytearray(1)
        self._writeback = writeback or Writeback()

    def write(self, fd: int, views: list[memoryview], offset: int, length: int) -> int:
        """Write what can be written at once.

        Returns:
            How many bytes were written. Errors count as nothing: a thread will meet them again.
        """
        try:
            if self._nowait:
                return os.pwritev(fd, views, offset, self._nowait)
        except OSError as error:
            if error.errno != EOPNOTSUPP:
                return 0
            self._nowait = 0
        if length <= _PIECE:
            return self._write_piece(fd, views, offset, length)
        iov = Iovec(views, length)
        done = 0
        while done < length:
            piece = iov.slice(done, min(_PIECE, length - done))
            written = self._write_piece(fd, piece.views, offset + done, piece.length)
            done += written
            if written < piece.length:
                break
        return done

    def _write_piece(self, fd: int, views: list[memoryview], offset: int, length: int) -> int:
        start_s = self._clock()
        if (
            start_s < self._calm_at_s
            or self._writeback.holds_up(start_s)
            or not self._edges_are_cached(fd, offset, offset + length)
        ):
            return 0
        try:
            written = os.pwritev(fd, views, offset)
        except OSError:
            return 0
        end_s = self._clock()
        if end_s - start_s > SLOW_S:
            self._calm_at_s = end_s + PAUSE * (end_s - start_s)
        return written

    def _edges_are_cached(self, fd: int, start: int, end: int) -> bool:
        # Pages that are written from end to end need not be read.
        return (start % PAGESIZE == 0 or self._is_cached(fd, start)) and (
            end % PAGESIZE == 0 or self._is_cached(fd, end - 1)
        )

    def _is_cached(self, fd: int, offset: int) -> bool:
        try:
            os.preadv(fd, [self._probe], offset, NOWAIT)
        except OSError:
            return False
        # What lies past the end of the file is cached as well as can be.
        return True
