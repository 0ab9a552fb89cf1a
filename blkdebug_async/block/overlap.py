"""Which of many ranges meet a given one: found without looking at all of them.

The numbers are cut into buckets, and not once but once for each size of range: a range goes to
where the buckets are at least as long as itself, so it reaches into two of them at most, be it a
byte or a tebibyte. A query looks at each size in use, and there only at the buckets that it meets.

Equal ranges share one place, so a crowd on one block is no more to look through than one request.
"""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

#: Two bits of length at a time: buckets are 1, 4, 16, ... long. Fewer sizes are less to look at.
_STEP: Final = 2


class Ranged(Protocol):
    """What has a range."""

    @property
    def id(self) -> int:
        """Rising with time."""
        ...

    @property
    def start(self) -> int:
        """First number of the range, >= 0."""
        ...

    @property
    def end(self) -> int:
        """Number after the last."""
        ...


_T = TypeVar("_T", bound=Ranged)
_Range = tuple[int, int]


class RangeIndex(Generic[_T]):
    """Things with ranges, to ask for the newest one that meets a range."""

    __slots__ = ("_crowds", "_sizes", "_where")

    def __init__(self) -> None:
        # The range under which a thing was added; its own may have changed since.
        self._where: dict[_T, _Range] = {}
        # Who shares a range, oldest first.
        self._crowds: dict[_Range, dict[_T, None]] = {}
        # Bits in the length of a bucket; number of the bucket; ranges that reach into it.
        self._sizes: dict[int, dict[int, list[_Range]]] = {}

    @property
    def buckets(self) -> int:
        """How many buckets there are; an empty one is not there."""
        return sum(len(buckets) for buckets in self._sizes.values())

    def __contains__(self, thing: _T) -> bool:
        return thing in self._where

    def add(self, thing: _T) -> None:
        """Add what is not there yet, under the range that it has now."""
        place = self._where[thing] = (thing.start, thing.end)
        crowd = self._crowds.get(place)
        if crowd is None:
            self._crowds[place] = {thing: None}
            self._enter(place)
        elif next(reversed(crowd)).id < thing.id:
            crowd[thing] = None
        else:
            _insert(crowd, thing)

    def discard(self, thing: _T) -> None:
        """Remove what may be there."""
        place = self._where.pop(thing, None)
        if place is None:
            return
        crowd = self._crowds[place]
        if len(crowd) > 1:
            del crowd[thing]
        else:
            del self._crowds[place]
            self._leave(place)

    def newest(self, start: int, end: int, besides: _T | None = None) -> _T | None:
        """Find the newest thing whose range begins before end, and ends after start.

        Args:
            start: First number.
            end: Number after the last; start: only ranges count that lie around it.
            besides: Anything but this one.
        """
        best: _T | None = None
        for bits, buckets in self._sizes.items():
            first, last = start >> bits, max(start, end - 1) >> bits
            if first == last:
                met = [buckets[first]] if first in buckets else []
            elif last - first < len(buckets):
                met = [buckets[number] for number in range(first, last + 1) if number in buckets]
            else:
                met = list(buckets.values())
            for bucket in met:
                for place in bucket:
                    if place[0] < end and start < place[1]:
                        best = self._newer(best, place, besides)
        return best

    def _newer(self, best: _T | None, place: _Range, besides: _T | None) -> _T | None:
        for thing in reversed(self._crowds[place]):
            if thing is not besides:
                return thing if best is None or best.id < thing.id else best
        return best

    def _enter(self, place: _Range) -> None:
        bits, first, last = _buckets_of(place)
        buckets = self._sizes.get(bits)
        if buckets is None:
            buckets = self._sizes[bits] = {}
        for number in (first,) if first == last else (first, last):
            bucket = buckets.get(number)
            if bucket is None:
                buckets[number] = [place]
            else:
                bucket.append(place)

    def _leave(self, place: _Range) -> None:
        bits, first, last = _buckets_of(place)
        buckets = self._sizes[bits]
        for number in (first,) if first == last else (first, last):
            bucket = buckets[number]
            if len(bucket) > 1:
                bucket.remove(place)
            else:
                del buckets[number]
        if not buckets:
            del self._sizes[bits]


def _buckets_of(place: _Range) -> tuple[int, int, int]:
    """Tell how long, in bits, the buckets of a range are, and which are its first and last."""
    start, end = place
    length = end - start
    bits = 0 if length < 1 else -(-(length - 1).bit_length() // _STEP) * _STEP
    return bits, start >> bits, max(start, end - 1) >> bits


def _insert(crowd: dict[_T, None], thing: _T) -> None:
    """Insert among others where newer ones are."""
    newer: list[_T] = []
    while crowd and (last := next(reversed(crowd))).id > thing.id:
        newer.append(last)
        del crowd[last]
    crowd[thing] = None
    for other in reversed(newer):
        crowd[other] = None
