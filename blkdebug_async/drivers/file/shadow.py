"""What a run under exploration has made of a file, which itself stays as it was.

Pages that were written are kept in memory; all else is read from the file. Whoever opens the same
file in the same run has the same shadow. Nothing here waits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import ENOTSUP
from typing import Final

from blkdebug_async.block.flags import DATA, ZERO
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.ranges import Ranges
from blkdebug_async.drivers.file.extents import find_extent
from blkdebug_async.drivers.file.transfer import read_rest
from blkdebug_async.errors import BlockError
from blkdebug_async.units import KIB, align_up

#: Bytes per page, as of most file systems, so that both tell the same about what is allocated.
PAGE_SIZE: Final = 4 * KIB


class Shadow:
    """A file as a run sees it.

    Args:
        fd: The file, open for reading; stays with the shadow, until close().
        name: What the run calls it.
    """

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name
        #: Why its length cannot be told, if it cannot.
        self.unknown: OSError | None = None
        self._size = 0
        try:
            # Unlike fstat() it refuses what only looks like a regular file: most of /proc.
            self._size = os.lseek(fd, 0, os.SEEK_END)
        except OSError as error:
            self.unknown = error
        #: So many bytes at the beginning are in the file, if they are not here.
        self._shown = self._size
        #: Number to PAGE_SIZE bytes that were written; bytes past the end are zero.
        self._pages: dict[int, bytearray] = {}
        #: Numbers of pages that are zero where nothing was written.
        self._zeros = Ranges()

    def close(self) -> None:
        """Give the file back; the shadow is of no use any more."""
        os.close(self.fd)

    def length(self) -> int:
        """Tell the length in bytes.

        Raises:
            OSError: The file does not tell its own.
        """
        if self.unknown is not None:
            raise self.unknown
        return self._size

    def read(self, offset: int, iov: Iovec) -> None:
        """Read; what lies past the end is zero.

        Raises:
            OSError: The kernel's.
        """
        done = 0
        while done < iov.length:
            index, start = divmod(offset + done, PAGE_SIZE)
            page = self._pages.get(index)
            if page is not None:
                step = min(PAGE_SIZE - start, iov.length - done)
                iov.slice(done, step).copy_from(memoryview(page)[start : start + step])
            else:
                step = self._alike(offset + done, iov.length - done)
                piece = iov.slice(done, step)
                if index in self._zeros:
                    piece.fill(0)
                else:
                    self._read_file(offset + done, piece)
            done += step

    def write(self, offset: int, iov: Iovec) -> None:
        """Write; the file grows if it must.

        Raises:
            OSError: The kernel's, of reading the rest of a page.
        """
        done = 0
        while done < iov.length:
            index, start = divmod(offset + done, PAGE_SIZE)
            step = min(PAGE_SIZE - start, iov.length - done)
            self._own(index)[start : start + step] = iov.slice(done, step).tobytes()
            done += step
        self._size = max(self._size, offset + iov.length)

    def zero(self, offset: int, length: int, *, grow: bool) -> None:
        """Make a range read as zeros; the file grows only if grow."""
        end = offset + length
        if grow:
            self._size = max(self._size, end)
        end = min(end, self._size)
        first, stop = -(-offset // PAGE_SIZE), end // PAGE_SIZE
        if stop < first:
            self._clear(offset, end)
            return
        self._clear(offset, first * PAGE_SIZE)
        self._clear(stop * PAGE_SIZE, end)
        for index in list(self._present(first, stop)):
            del self._pages[index]
        self._zeros.add(first, stop)

    def truncate(self, size: int, preallocation: str) -> None:
        """Change the length.

        Raises:
            BlockError: ENOTSUP: there is no such preallocation, or not for shrinking.
        """
        if size < self._size and preallocation != "off":
            raise BlockError(ENOTSUP, "Cannot use preallocation for shrinking files")
        if preallocation not in ("off", "falloc", "full"):
            raise BlockError(ENOTSUP, f"Unsupported preallocation mode: {preallocation}")
        if size < self._size:
            index, start = divmod(size, PAGE_SIZE)
            if index in self._pages:
                self._pages[index][start:] = bytes(PAGE_SIZE - start)
            for later in list(self._present(index + bool(start), -(-self._size // PAGE_SIZE))):
                del self._pages[later]
            self._shown = min(self._shown, size)
        self._size = size

    def extent(self, offset: int, length: int, align: int) -> tuple[int, int]:
        """Tell what is there from offset on, as find_extent(); never more than length."""
        index = offset // PAGE_SIZE
        alike = self._alike(offset, length)
        if index in self._pages:
            return DATA, alike
        shown = self._shown - offset
        if index in self._zeros or shown <= 0:
            return ZERO, alike
        what, found = find_extent(self.fd, offset, alike, align)
        return what, min(found, alike, align_up(shown, align))

    # --- pages ---

    def _read_file(self, offset: int, iov: Iovec) -> None:
        shown = max(0, min(self._shown - offset, iov.length))
        read_rest(self.fd, iov.slice(0, shown), offset, 0)
        iov.slice(shown, iov.length - shown).fill(0)

    def _own(self, index: int) -> bytearray:
        """Have a page here, with what was seen in its place so far."""
        page = self._pages.get(index)
        if page is None:
            page = bytearray(PAGE_SIZE)
            if index not in self._zeros:
                self._read_file(index * PAGE_SIZE, Iovec.over(page))
            self._pages[index] = page
        return page

    def _clear(self, start: int, end: int) -> None:
        """Zero bytes of one page; what reads as zeros stays what it is."""
        index = start // PAGE_SIZE
        is_zero = index in self._zeros or index * PAGE_SIZE >= self._shown
        if start < end and (index in self._pages or not is_zero):
            low = start % PAGE_SIZE
            self._own(index)[low : low + end - start] = bytes(end - start)

    def _alike(self, offset: int, length: int) -> int:
        """Tell how many bytes from offset on are in pages of one kind."""
        index, stop = offset // PAGE_SIZE, -(-(offset + length) // PAGE_SIZE)
        if index in self._pages:
            while index < stop and index in self._pages:
                index += 1
        else:
            stop = min(stop, self._zeros.boundary(index))
            index = min(self._present(index, stop), default=stop)
        return min(index * PAGE_SIZE - offset, length)

    def _present(self, first: int, stop: int) -> Iterator[int]:
        # A range may be far longer than all there is.
        if stop - first < len(self._pages):
            return (index for index in range(first, stop) if index in self._pages)
        return (index for index in self._pages if first <= index < stop)
