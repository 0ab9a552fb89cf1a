"""A job as a row of requests, and the times at which they are due.

No asyncio in here. Same job, same length of the disk: same requests, however they are issued.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, chain
from random import Random
from typing import Final, TypeVar, assert_never

from blkdebug_async.bench.job import Job, Op, Sequential, Uniform, Zipf

_T = TypeVar("_T")

#: What to do, and where: operation, offset, length. A tuple because millions are made.
Step = tuple[Op, int, int]

#: Steps that are made at once, out of the timed path.
_BATCH: Final = 256
_NS_PER_S: Final = 1_000_000_000
#: The flush that flush_every asks for.
_FLUSH: Final[Step] = (Op.FLUSH, 0, 0)


class Range:
    """Where a job's requests may go, on a disk of known length.

    Args:
        job: Says start and size.
        disk_length: Bytes.

    Raises:
        ValueError: There is no room on the disk.
    """

    def __init__(self, job: Job, disk_length: int) -> None:
        self.start = job.start
        self.end = disk_length if job.size is None else job.start + job.size
        if self.end > disk_length:
            raise ValueError(f"job {job.name!r}: its range ends at {self.end}, past {disk_length}")
        if self.start + max(job.block_sizes) > self.end:
            raise ValueError(
                f"job {job.name!r}: {max(job.block_sizes)} bytes from {self.start} on "
                f"reach past {self.end}"
            )

    @property
    def size(self) -> int:
        """Bytes in the range."""
        return self.end - self.start

    def places(self, length: int, step: int) -> int:
        """How many aligned places there are for a request of a length."""
        return (self.size - length) // step + 1


class Workload:
    """The requests of one job, without end: limits and rates are the caller's business.

    Operations, lengths and places are drawn from chances of their own, so that one does not
    depend on how many of the others were drawn.

    Args:
        job: What to do.
        disk_length: Bytes.

    Raises:
        ValueError: There is no room on the disk.
    """

    def __init__(self, job: Job, disk_length: int) -> None:
        self._job = job
        self.range = Range(job, disk_length)
        self._ops = _weighted(job.operations, _chance(job, "operations"))
        self._lengths = _weighted(job.block_sizes, _chance(job, "lengths"))
        self._place = _placing(job, self.range)

    def __iter__(self) -> Iterator[Step]:
        steps = chain.from_iterable(iter(self._batch, None))
        every = self._job.flush_every
        return steps if every is None else _with_flushes(steps, every)

    def _batch(self) -> Iterator[Step]:
        lengths = self._lengths(_BATCH)
        return zip(self._ops(_BATCH), self._place(lengths), lengths, strict=True)


class Pacer:
    """When requests are due at a given rate, however long they take.

    The times are fixed by what was asked for before, not by when it was answered. The rate is
    never exceeded from the start on to any moment; after a stall what is overdue comes at once.

    Args:
        start_ns: When the first one is due.
        request_rate: Requests per second; None: no limit.
        byte_rate: Bytes per second; None: no limit.
    """

    def __init__(self, start_ns: int, request_rate: float | None, byte_rate: float | None) -> None:
        self._due_ns = float(start_ns)
        self._gap_ns = _NS_PER_S / request_rate if request_rate else 0.0
        self._byte_ns = _NS_PER_S / byte_rate if byte_rate else 0.0

    def take(self, length: int) -> int:
        """Tell when the next request is due, which has a length in bytes."""
        due_ns = math.ceil(self._due_ns)
        self._due_ns += max(self._gap_ns, length * self._byte_ns)
        return due_ns


class ZipfRanks:
    """Draws 1 to n, k with a weight of 1 / k**theta, in constant time and memory.

    Rejection-inversion: a point under the smooth curve x**-theta is drawn by inverting its
    integral, and the integer next to it is kept if the point is also under the bar of that
    integer; nearly all are. (W. Hörmann, G. Derflinger: Rejection-inversion to generate variates
    from monotone discrete distributions, 1996.)

    Args:
        n: How many there are, >= 1.
        theta: How uneven, > 0.
        random: The chance.
    """

    def __init__(self, n: int, theta: float, random: Random) -> None:
        self._n = n
        self._theta = theta
        self._random = random.random
        self._low = self._area(1.5) - 1.0
        self._high = self._area(n + 0.5)
        #: Integers so close to their point are kept without another look.
        self._near = 2.0 - self._point(self._area(2.5) - 2.0**-theta)

    def draw(self) -> int:
        """The next one."""
        while True:
            area = self._high + self._random() * (self._low - self._high)
            point = self._point(area)
            rank = min(max(int(point + 0.5), 1), self._n)
            if rank - point <= self._near or area >= self._area(rank + 0.5) - rank**-self._theta:
                return rank

    def _area(self, x: float) -> float:
        # The integral of x**-theta from 1 on; the logarithm where theta is 1, or next to it.
        log = math.log(x)
        grown = (1.0 - self._theta) * log
        return log * (math.expm1(grown) / grown if grown else 1.0)

    def _point(self, area: float) -> float:
        scaled = area * (1.0 - self._theta)
        # All that is left of so uneven a distribution is one rounding error away.
        if scaled <= -1.0:
            return float(self._n)
        return math.exp(area * (math.log1p(scaled) / scaled if scaled else 1.0))


def _chance(job: Job, what: str) -> Random:
    return Random(f"{job.seed} {job.name} {what}")


def _weighted(weights: Mapping[_T, float], random: Random) -> Callable[[int], list[_T]]:
    """What draws so many of the keys."""
    keys = list(weights)
    if len(keys) == 1:
        return lambda n: keys * n
    sums = list(accumulate(weights.values()))
    return lambda n: random.choices(keys, cum_weights=sums, k=n)


def _placing(job: Job, span: Range) -> Callable[[list[int]], list[int]]:
    """What finds offsets for lengths."""
    match job.pattern:
        case Sequential():
            return _Cursor(span, job.step).place
        case Uniform():
            return _uniform(job, span)
        case Zipf(theta=theta):
            return _zipf(job, span, theta)
        case _:
            assert_never(job.pattern)


class _Cursor:
    def __init__(self, span: Range, step: int) -> None:
        self._span = span
        self._step = step
        self._next = span.start

    def place(self, lengths: list[int]) -> list[int]:
        start, end, step, offset = self._span.start, self._span.end, self._step, self._next
        offsets = []
        for length in lengths:
            if offset + length > end:
                offset = start
            offsets.append(offset)
            offset += length
            offset += (start - offset) % step
        self._next = offset
        return offsets


def _uniform(job: Job, span: Range) -> Callable[[list[int]], list[int]]:
    random = _chance(job, "places").random
    start, step = span.start, job.step
    places = {length: span.places(length, step) for length in job.block_sizes}
    return lambda lengths: [start + int(random() * places[length]) * step for length in lengths]


def _zipf(job: Job, span: Range, theta: float) -> Callable[[list[int]], list[int]]:
    random = _chance(job, "places")
    start, step = span.start, job.step
    draws = {
        length: _scattered(span.places(length, step), theta, random) for length in job.block_sizes
    }
    return lambda lengths: [start + draws[length]() * step for length in lengths]


def _scattered(places: int, theta: float, random: Random) -> Callable[[], int]:
    """What draws places of which few come often; which ones is the same each time."""
    draw = ZipfRanks(places, theta, random).draw
    shift, factor = random.randrange(places), random.randrange(1, places + 1)
    # Without a common divisor, multiples of the factor are all the places in another order.
    while math.gcd(factor, places) != 1:
        factor += 1
    return lambda: (shift + draw() * factor) % places


def _with_flushes(steps: Iterator[Step], every: int) -> Iterator[Step]:
    changes = 0
    while True:
        step = next(steps)
        yield step
        changes += step[0].changes
        if changes == every:
            changes = 0
            yield _FLUSH
