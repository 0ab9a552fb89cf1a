"""What a picture shows of a result: the curves, as numbers.

No asyncio in here, and nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Op
from blkdebug_async.bench.output.intervals import comparable, joined
from blkdebug_async.bench.result import OpResult, RunResult, Sample

#: Points of a latency curve in each step from 90 % to 99 %, from there to 99.9 %, and so on.
_POINTS_A_DECADE: Final = 40
#: More intervals than that are joined: nobody could tell them apart.
_MOST_INTERVALS: Final = 400


@dataclass(frozen=True, slots=True)
class Curve:
    """What is drawn of one kind of request of one job."""

    job: str
    op: Op
    #: (how many of all requests one stands for, latency in ns): (100, 5000) is the 99th percentile.
    #: Both rise.
    latencies: Sequence[tuple[float, int]]
    intervals: Sequence[Sample]
    #: Over the whole run.
    bytes_per_s: float
    requests_per_s: float
    median_ns: int
    #: The 99th percentile.
    slow_ns: int
    failed: int


def curves(result: RunResult) -> list[Curve]:
    """Take the curves out of a result: one a job and kind of request, in their order."""
    return [_curve(job.job.name, each) for job in result.jobs for each in job.operations.values()]


def _curve(name: str, found: OpResult) -> Curve:
    return Curve(
        job=name,
        op=found.op,
        latencies=list(_latencies(found.total)),
        intervals=list(_intervals(comparable(found.samples))),
        bytes_per_s=found.bandwidth,
        requests_per_s=found.iops,
        median_ns=found.total.percentile(50),
        slow_ns=found.total.percentile(99),
        failed=found.failed,
    )


def _latencies(histogram: Histogram) -> Iterator[tuple[float, int]]:
    """Percentiles in even steps of a logarithmic scale, as far as there are values; the longest."""
    if not histogram.count:
        return
    yield 1.0, histogram.min
    step = 1
    one_in: list[float] = []
    while (each := 10 ** (step / _POINTS_A_DECADE)) < histogram.count:
        one_in.append(each)
        step += 1
    found = histogram.percentiles([100 - 100 / each for each in one_in])
    yield from zip(one_in, found.values(), strict=True)
    if histogram.count > 1:
        yield float(histogram.count), histogram.max


def _intervals(samples: Sequence[Sample]) -> Iterator[Sample]:
    size = -(-len(samples) // _MOST_INTERVALS) or 1
    for first in range(0, len(samples), size):
        yield joined(samples[first : first + size])
