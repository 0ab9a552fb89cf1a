"""Sets of numbers most of which are next to each other: which clusters or pages are zero."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from blkdebug_async.units import MAX_LENGTH


class Ranges:
    """A set of numbers below MAX_LENGTH, kept as where its ranges start and stop."""

    def __init__(self) -> None:
        #: Ascending: where a range starts, where it stops, where the next one starts, ...
        self._edges: list[int] = []

    def __contains__(self, number: int) -> bool:
        return bool(bisect_right(self._edges, number) % 2)

    def boundary(self, number: int) -> int:
        """Give the first number above this one that is in if this one is not, or the reverse."""
        place = bisect_right(self._edges, number)
        return self._edges[place] if place < len(self._edges) else MAX_LENGTH

    def add(self, first: int, stop: int) -> None:
        """Put the numbers from first up to stop - 1 in."""
        if first >= stop:
            return
        low, high = bisect_left(self._edges, first), bisect_right(self._edges, stop)
        edges = ([] if low % 2 else [first]) + ([] if high % 2 else [stop])
        self._edges[low:high] = edges

    def remove(self, first: int) -> None:
        """Take the numbers from first on out."""
        place = bisect_left(self._edges, first)
        self._edges[place:] = [first] if place % 2 else []
