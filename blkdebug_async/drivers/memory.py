"""memory: a disk of pages that exist once they are written to. QEMU has no such driver.

Nothing here waits, so each request is atomic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from errno import EIO, ENOTSUP
from typing import ClassVar, Final, Self

from blkdebug_async.block.driver import Driver, Opener, Pace
from blkdebug_async.block.flags import DATA, FUA, MAY_UNMAP, NO_FALLBACK, OFFSET_VALID, ZERO
from blkdebug_async.block.iovec import Buffer, Iovec
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.options.reader import Kind, OptionReader
from blkdebug_async.units import KIB, MAX_LENGTH

#: Bytes per page: a 4 KiB request is one copy, and an image full of small writes not much waste.
PAGE_SIZE: Final = 64 * KIB
_SHIFT: Final = PAGE_SIZE.bit_length() - 1
_MASK: Final = PAGE_SIZE - 1
_ZEROS: Final = memoryview(bytes(PAGE_SIZE))


class MemoryDriver(Driver):
    """Keeps everything in memory until it is closed.

    Args:
        size: Length in bytes, at most MAX_LENGTH; None: as long as what it begins with.
        data: What it begins with; zeros follow up to size.
        load: Path of a file to begin with, read when the node is opened, in place of data.

    Raises:
        OptionError: EINVAL; there is no size, it is too small, or data and load are both given.
    """

    name: ClassVar[str] = "memory"
    is_protocol: ClassVar[bool] = True
    strong_options: ClassVar[tuple[str, ...]] = ("size", "load")
    pace: Pace = Pace.AT_ONCE

    def __init__(
        self, size: int | None = None, *, data: Buffer | None = None, load: str | None = None
    ) -> None:
        super().__init__()
        if data is not None and load is not None:
            raise OptionError("Parameters 'data' and 'load' cannot be used at the same time")
        if size is None and data is None and load is None:
            raise OptionError("Parameter 'size' is missing")
        if size is not None and not 0 <= size <= MAX_LENGTH:
            raise OptionError(f"size is invalid: {size}")
        self._wanted_size = size
        self._size = size or 0
        self._load = load
        #: Page number to PAGE_SIZE bytes; what is not there is zero. Bytes past the end are zero.
        self._pages: dict[int, memoryview] = {}
        self.write_flags = FUA
        self.zero_flags = FUA | MAY_UNMAP | NO_FALLBACK
        if data is not None:
            self._begin_with(memoryview(data).cast("B"))
        if size is not None:
            self.options["size"] = size
        if load is not None:
            self.options["load"] = load

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        reader.check({"size": Kind.SIZE})
        size = reader.take_size("size", None)
        return cls(size, load=reader.take_str("load", None))

    async def open(self, opener: Opener) -> None:
        if self._load is not None:
            self._begin_with(memoryview(await asyncio.to_thread(_read_file, self._load)))

    def _begin_with(self, data: memoryview) -> None:
        if self._wanted_size is None:
            self._size = len(data)
        elif len(data) > self._wanted_size:
            raise OptionError(
                f"size is invalid: {self._wanted_size} is less than the {len(data)} bytes to load"
            )
        for start in range(0, len(data), PAGE_SIZE):
            piece = data[start : start + PAGE_SIZE]
            if piece != _ZEROS[: len(piece)]:
                self._copy_in(start, piece)

    async def close(self) -> None:
        self._pages.clear()

    def length(self) -> int:
        return self._size

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self._read(offset, iov)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self._write(offset, iov)

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        self._read(offset, iov)
        return True

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        self._write(offset, iov)
        return True

    def _read(self, offset: int, iov: Iovec) -> None:
        for view in iov.views:
            end = offset + len(view)
            if offset >> _SHIFT == (end - 1) >> _SHIFT:
                page = self._pages.get(offset >> _SHIFT, _ZEROS)
                start = offset & _MASK
                view[:] = page[start : start + len(view)]
            else:
                self._copy_out(offset, view)
            offset = end

    def _write(self, offset: int, iov: Iovec) -> None:
        for view in iov.views:
            self._copy_in(offset, view)
            offset += len(view)
        self._size = max(self._size, offset)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        self._clear(offset, offset + length)
        self._size = max(self._size, offset + length)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        self._clear(offset, offset + length)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        # Cheap enough to be exact whether or not anybody wants to know.
        index, stop = offset >> _SHIFT, (offset + length - 1 >> _SHIFT) + 1
        if index in self._pages:
            while index < stop and index in self._pages:
                index += 1
            what = DATA
        else:
            index = min(self._present(index, stop), default=stop)
            what = ZERO
        end = min(index << _SHIFT, offset + length)
        return BlockStatus(what | OFFSET_VALID, end - offset, offset)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        if how.preallocation != "off":
            raise BlockError(ENOTSUP, f"Unsupported preallocation mode: {how.preallocation}")
        if size < self._size:
            self._clear(size, self._size)
        self._size = size

    # --- pages ---

    def _copy_out(self, offset: int, view: memoryview) -> None:
        position = 0
        while position < len(view):
            start = offset + position & _MASK
            size = min(PAGE_SIZE - start, len(view) - position)
            page = self._pages.get(offset + position >> _SHIFT, _ZEROS)
            view[position : position + size] = page[start : start + size]
            position += size

    def _copy_in(self, offset: int, view: memoryview) -> None:
        position = 0
        while position < len(view):
            index, start = offset + position >> _SHIFT, offset + position & _MASK
            size = min(PAGE_SIZE - start, len(view) - position)
            page = self._pages.get(index)
            if page is None:
                page = self._pages[index] = memoryview(bytearray(PAGE_SIZE))
            page[start : start + size] = view[position : position + size]
            position += size

    def _clear(self, start: int, end: int) -> None:
        for index in list(self._present(start >> _SHIFT, (end - 1 >> _SHIFT) + 1)):
            base = index << _SHIFT
            low, high = max(start - base, 0), min(end - base, PAGE_SIZE)
            if high - low == PAGE_SIZE:
                del self._pages[index]
            else:
                self._pages[index][low:high] = _ZEROS[: high - low]

    def _present(self, start: int, stop: int) -> Iterator[int]:
        # A range may be far longer than all there is.
        if stop - start < len(self._pages):
            return (index for index in range(start, stop) if index in self._pages)
        return (index for index in self._pages if start <= index < stop)


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise BlockError(
            error.errno or EIO, f"Could not open '{path}': {error.strerror}"
        ) from error
