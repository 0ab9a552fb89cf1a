"""Lists of memoryviews: what the bytes of a request are read into or written from.

Views are flat and of format "B". Slicing never copies.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Protocol, Self

_ZEROS = bytes(1 << 16)
#: Types whose memory is nothing but bytes in a row, so that nobody need look.
_FLAT = frozenset({bytes, bytearray})


class Buffer(Protocol):
    """Anything that gives its memory: bytes, bytearray, memoryview, mmap, array, ..."""

    def __buffer__(self, flags: int, /) -> memoryview: ...


class Iovec:
    """Memory of a request, in order, as a list of byte views."""

    __slots__ = ("_starts", "length", "views")

    #: Bytes in all views together.
    length: int
    views: list[memoryview]

    def __init__(self, views: list[memoryview], length: int | None = None) -> None:
        self.views = views
        self.length = sum(map(len, views)) if length is None else length
        #: Where each view starts; empty until somebody asks.
        self._starts: Sequence[int] = ()

    @classmethod
    def of(cls, buffers: Iterable[Buffer] | Iovec) -> Iovec:
        """Wrap a caller's buffers without copying; what is wrapped already stays as it is.

        Args:
            buffers: Anything with a C-contiguous buffer of any item size.

        Raises:
            TypeError: An item has no buffer or is not contiguous.
        """
        if isinstance(buffers, Iovec):
            return buffers
        views, length = [], 0
        for buffer in buffers:
            view = memoryview(buffer)
            if type(buffer) not in _FLAT and (
                view.format != "B" or view.ndim != 1 or not view.c_contiguous
            ):
                view = view.cast("B")
            length += view.nbytes
            views.append(view)
        return cls(views, length)

    @classmethod
    def over(cls, buffer: bytearray) -> Self:
        """Wrap one buffer of our own."""
        return cls([memoryview(buffer)], len(buffer))

    def slice(self, offset: int, length: int) -> Iovec:
        """Give the part that starts at offset; the whole is given as itself."""
        if length == self.length and offset == 0:
            return self
        if not length:
            return Iovec([], 0)
        parts = []
        end = offset + length
        index = self._view_at(offset)
        position = self._starts[index] if index else 0
        while position < end:
            view = self.views[index]
            low, high = max(offset - position, 0), min(end - position, len(view))
            if low < high:
                parts.append(view[low:high])
            position += len(view)
            index += 1
        return Iovec(parts, length)

    def _view_at(self, offset: int) -> int:
        """Find the view that holds a byte, without passing all those before it."""
        if len(self.views) < 2:
            return 0
        if not self._starts:
            self._starts = list(accumulate(map(len, self.views[:-1]), initial=0))
        return bisect_right(self._starts, offset) - 1

    def fill(self, value: int) -> None:
        """Set every byte to value, 0 to 255."""
        for view in self.views:
            view[:] = bytes(len(view)) if value == 0 else bytes((value,)) * len(view)

    def copy_from(self, data: Buffer) -> None:
        """Copy data, exactly as long as this, into the views."""
        source = memoryview(data)
        position = 0
        for view in self.views:
            view[:] = source[position : position + len(view)]
            position += len(view)

    def tobytes(self) -> bytes:
        """Copy all bytes out."""
        return b"".join(self.views)

    def is_zero(self) -> bool:
        """Tell whether every byte is zero."""
        step = len(_ZEROS)
        for view in self.views:
            for start in range(0, len(view), step):
                piece = view[start : start + step]
                if piece.tobytes() != _ZEROS[: len(piece)]:
                    return False
        return True

    def joined(self, head: Sequence[memoryview], tail: Sequence[memoryview]) -> Iovec:
        """Put views before and after these."""
        return Iovec([*head, *self.views, *tail])
