"""Latencies as HDR histograms: three significant digits from a nanosecond to an hour.

No asyncio in here. Recording one value costs the library 0.7 us, so that values come here in
batches, out of the timed path; equal ones are counted first, in C, which makes it 0.1 us.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import sqrt
from operator import mul
from typing import Final, Protocol

try:
    from hdrh.histogram import HdrHistogram
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Latencies need the extra 'bench': pip install 'blkdebug_async[bench]'", name=error.name
    ) from error

#: Longest latency that is told from longer ones: an hour.
MAX_NS: Final = 3_600_000_000_000
#: Values differ if they differ in the first so many digits.
DIGITS: Final = 3
#: Values that agree in so many leading bits share a bucket.
_BITS: Final = (2 * 10**DIGITS - 1).bit_length()
#: Distinct values that are kept as they are until they go into the library's buckets.
_LOOSE: Final = 65_536


class _Hdr(Protocol):
    """What is used of the library, which has no types."""

    #: By index of a bucket.
    counts: Iterable[int]

    def record_value(self, value: int, count: int = 1) -> bool: ...
    def get_percentile_to_value_dict(self, percentile_list: list[float]) -> dict[float, int]: ...
    def get_value_from_index(self, index: int) -> int: ...
    def get_highest_equivalent_value(self, value: int) -> int: ...
    def add(self, other_hist: _Hdr) -> None: ...
    def encode(self) -> bytes: ...


class Histogram:
    """How often each latency was seen; nanoseconds.

    Count, mean, deviation and extremes are exact; percentiles are right to DIGITS digits.
    """

    def __init__(self, values: Sequence[int] = ()) -> None:
        #: Where values go in the end; None: there are none there yet.
        self._buckets: _Hdr | None = None
        #: Values and how often they were seen, not in buckets yet.
        self._loose: Counter[int] = Counter()
        self._sum = self._squares = 0
        self._count = self._max = 0
        self._min: int | None = None
        self.add(values)

    def __repr__(self) -> str:
        return f"<Histogram of {self._count}: {self.min} to {self._max}, mean {self.mean:.0f}>"

    @property
    def count(self) -> int:
        """How many values there are."""
        return self._count

    @property
    def min(self) -> int:
        """The shortest; 0 if there is none."""
        return self._min or 0

    @property
    def max(self) -> int:
        """The longest; 0 if there is none."""
        return self._max

    @property
    def sum(self) -> int:
        """All of them together."""
        return self._sum

    @property
    def mean(self) -> float:
        """The arithmetic mean; 0 if there is none."""
        return self._sum / self._count if self._count else 0.0

    @property
    def stddev(self) -> float:
        """The standard deviation of just these values; 0 if there is none."""
        if not self._count:
            return 0.0
        return sqrt(self._count * self._squares - self._sum * self._sum) / self._count

    def add(self, values: Sequence[int]) -> None:
        """Record values, each >= 0."""
        if not values:
            return
        # Few of many latencies differ, and what is alike is counted in C.
        counts = Counter(values)
        self._count += len(values)
        self._sum += sum(map(mul, counts, counts.values()))
        self._squares += sum(map(mul, map(mul, counts, counts), counts.values()))
        self._max = max(self._max, max(counts))
        shortest = min(counts)
        self._min = shortest if self._min is None else min(self._min, shortest)
        self._loose.update(counts)
        if len(self._loose) > _LOOSE:
            self._settle()

    def merge(self, other: Histogram) -> None:
        """Take over everything that another one has; that one stays as it is."""
        if not other._count:
            return
        self._settle().add(other._settle())
        self._count += other._count
        self._sum += other._sum
        self._squares += other._squares
        self._max = max(self._max, other._max)
        self._min = other.min if self._min is None else min(self._min, other.min)

    def percentile(self, percent: float) -> int:
        """The value that so many percent of all do not exceed; 0 if there is none."""
        return self.percentiles([percent])[percent]

    def percentiles(self, percents: Sequence[float]) -> dict[float, int]:
        """The same for several at once, each from 0 to 100."""
        if not self._count:
            return dict.fromkeys(percents, 0)
        found = self._settle().get_percentile_to_value_dict(list(percents))
        # A bucket ends above its largest value.
        return {each: min(max(found[each], self.min), self._max) for each in percents}

    def buckets(self) -> Iterator[tuple[int, int]]:
        """All values seen, each rounded up to the end of its bucket, with their counts."""
        if self._count:
            hdr = self._settle()
            # The library's own iterator takes 40 ms, a hundred times as long.
            for index, count in enumerate(hdr.counts):
                if count:
                    yield hdr.get_highest_equivalent_value(hdr.get_value_from_index(index)), count

    def encode(self) -> bytes:
        """Itself in the compressed, base64 form that all HdrHistogram programs read."""
        return self._settle().encode()

    def _settle(self) -> _Hdr:
        if self._buckets is None:
            self._buckets = HdrHistogram(1, MAX_NS, DIGITS)
        for value, count in _rounded(self._loose).items():
            self._buckets.record_value(min(value, MAX_NS), count)
        self._loose.clear()
        return self._buckets


def _rounded(counts: Counter[int]) -> dict[int, int]:
    """Count together what goes into one bucket anyway: that costs less than recording each."""
    together: dict[int, int] = {}
    for value, count in counts.items():
        shift = max(value.bit_length() - _BITS, 0)
        lowest = value >> shift << shift
        together[lowest] = together.get(lowest, 0) + count
    return together
