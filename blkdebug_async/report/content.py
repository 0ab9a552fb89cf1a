"""What is on a disk after some requests: the bytes of a run, and those that stand for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from blkdebug_async.events import IoType
from blkdebug_async.explore.operation import Operation
from blkdebug_async.report.requests import Request
from blkdebug_async.units import INT64_MAX


@dataclass(frozen=True, slots=True)
class _Layer:
    """Bytes that a request left."""

    start: int
    end: int
    #: What stands for each of them; None: nobody knows what is there.
    byte: int | None
    #: What they were in the run; None: zeroes.
    data: bytes | None = None

    def part(self, start: int, end: int) -> bytes:
        """Give what some of them were in the run."""
        if self.data is None:
            return bytes(end - start)
        return self.data[start - self.start : end - self.start]


#: A disk on which nothing was written yet.
_NOTHING: Final = _Layer(0, INT64_MAX, 0)


class Content:
    """The bytes of a disk, which were zeroes at first."""

    def __init__(self) -> None:
        self._layers: list[_Layer] = []
        self._size: int | None = None

    def change(self, request: Request, byte: int | None) -> None:
        """Let a request take effect.

        Args:
            request: What it is; one that changes nothing is passed over.
            byte: What stands for each byte of a write.
        """
        operation = request.operation
        start, end = operation.offset, operation.end
        match operation.op:
            case IoType.WRITE:
                self._layers.append(_Layer(start, end, byte, operation.data))
            case IoType.WRITE_ZEROES:
                self._layers.append(_Layer(start, end, 0))
            case IoType.DISCARD:
                self._layers.append(_Layer(start, end, None))
            case IoType.TRUNCATE:
                self._size = request.size
                self._layers.append(_Layer(request.size or 0, INT64_MAX, 0))
            case _:
                pass

    def byte_of(self, start: int, end: int) -> int | None:
        """Give the byte that stands for all of a range; None: there is no such byte."""
        found = {layer.byte for _, _, layer in self._pieces(start, end)}
        return found.pop() if len(found) == 1 else None

    def explains(self, read: Operation) -> bool:
        """Tell whether a read returned what is there, as far as that is known."""
        if read.data is None:
            return False
        return all(
            layer.byte is None or layer.part(start, end) == read.part(start, end)
            for start, end, layer in self._pieces(read.offset, read.end)
        )

    def written(self, size: int) -> Iterator[tuple[int, int, int]]:
        """Give what is known to have been written: first byte, byte after the last, what it is.

        Args:
            size: Bytes of the disk, unless a request has said how many.
        """
        start = end = 0
        byte = None
        for first, stop, layer in self._pieces(0, size if self._size is None else self._size):
            known = None if layer is _NOTHING else layer.byte
            if known != byte:
                if byte is not None:
                    yield start, end, byte
                start, byte = first, known
            end = stop
        if byte is not None:
            yield start, end, byte

    def _pieces(self, start: int, end: int) -> Iterator[tuple[int, int, _Layer]]:
        """Cut a range up by what came last to its bytes."""
        while start < end:
            stop, found = end, _NOTHING
            for layer in reversed(self._layers):
                if layer.start <= start < layer.end:
                    stop, found = min(stop, layer.end), layer
                    break
                if start < layer.start < stop:
                    stop = layer.start
            yield start, stop, found
            start = stop
