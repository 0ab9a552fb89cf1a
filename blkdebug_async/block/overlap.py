"""Which of many ranges meet a given one: found without looking at all of them.

The numbers are cut into buckets, and not once but once for each size of range: a range goes to
where the buckets are at least as long as itself, so it reaches into two of them at most, be it a
byte or a tebibyte. A query looks at each size in use, and there only at the buckets that it meets.

Equal ranges share one place, so a crowd on one block is no more to look through than one request.
Who is alone, in its place or its bucket, is kept without a container: there may be very many of
those, and the garbage collector would look at each of them, again and again.
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
        # Who is there in a range, or all who are, oldest first.
        self._crowds: dict[_Range, _T | dict[_T, None]] = {}
        # Bits in the length of a bucket; number of the bucket; the range that reaches into it.
        self._sizes: dict[int, dict[int, _Range | list[_Range]]] = {}

    @property
    def buckets(self) -> int:
        """How many buckets there are; an empty one is not there."""
        return sum(len(buckets) for buckets in self._sizes.values())

    def __contains__(self, thing: _T) -> bool:
        return thing in self._where

    def add(self, thing: _T) -> None:
        """Add what is not there yet, under the range that it has now."""
        place = self._where[thing] = (thing.start, thing.end)
        held = self._crowds.get(place)
        if held is None:
            self._crowds[place] = thing
            self._enter(place)
            return
        crowd = held if isinstance(held, dict) else {held: None}
        if next(reversed(crowd)).id < thing.id:
            crowd[thing] = None
        else:
            _insert(crowd, thing)
        self._crowds[place] = crowd

    def discard(self, thing: _T) -> None:
        """Remove what may be there."""
        place = self._where.pop(thing, None)
        if place is None:
            return
        crowd = self._crowds[place]
        if isinstance(crowd, dict) and len(crowd) > 1:
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
            first, last = start >> bits, (end - 1) >> bits
            if last <= first:
                bucket = buckets.get(first)
                if bucket is None:
                    continue
                met = bucket if isinstance(bucket, list) else [bucket]
            else:
                met = _met(buckets, first, last)
            for place in met:
                if place[0] < end and start < place[1]:
                    best = self._newer(best, self._crowds[place], besides)
        return best

    def _newer(self, best: _T | None, crowd: _T | dict[_T, None], besides: _T | None) -> _T | None:
        for thing in reversed(crowd) if isinstance(crowd, dict) else (crowd,):
            if thing is not besides:
                return thing if best is None or best.id < thing.id else best
        return best

    def _enter(self, place: _Range) -> None:
        bits, first, last = _buckets_of(place)
        buckets = self._sizes.get(bits)
        if buckets is None:
            buckets = self._sizes[bits] = {}
        for number in (first,) if first == last else (first, last):
            bucket = buckets.setdefault(number, place)
            if isinstance(bucket, list):
                bucket.append(place)
            elif bucket is not place:
                buckets[number] = [bucket, place]

    def _leave(self, place: _Range) -> None:
        bits, first, last = _buckets_of(place)
        buckets = self._sizes[bits]
        for number in (first,) if first == last else (first, last):
            bucket = buckets[number]
            if isinstance(bucket, list) and len(bucket) > 1:
                bucket.remove(place)
            else:
                del buckets[number]
        if not buckets:
            del self._sizes[bits]


def _met(buckets: dict[int, _Range | list[_Range]], first: int, last: int) -> list[_Range]:
    """Give the ranges that reach into buckets first to last: look at few numbers or few buckets."""
    if last - first < len(buckets):
        found = [buckets[number] for number in range(first, last + 1) if number in buckets]
    else:
        found = list(buckets.values())
    met: list[_Range] = []
    for bucket in found:
        met += bucket if isinstance(bucket, list) else [bucket]
    return met


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
