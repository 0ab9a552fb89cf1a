"""A result as fio's time series: PREFIX_bw.N.log, and likewise iops, lat, slat and clat.

No asyncio in here. A line is an interval of one kind of request: when it ended, in milliseconds;
KiB/s, requests per second, or a mean latency in nanoseconds; 0 for reads, 1 for writes, 2 for
discards; the length of a block, 0 if there are several. Zeroes are written, so they count as writes
here. Jobs count from 1. fio 3 has one more column, which fiologparser cannot read and nobody needs.

fio: iolog.c, flush_samples(); as with log_avg_msec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from blkdebug_async.bench.job import Op
from blkdebug_async.bench.output.intervals import comparable
from blkdebug_async.bench.result import JobResult, Sample
from blkdebug_async.units import KIB

_NS_PER_MS: Final = 1_000_000
_DIRECTIONS: Final = MappingProxyType({Op.READ: 0, Op.WRITE: 1, Op.ZERO: 1, Op.DISCARD: 2})
#: What stands in the name of a file, and what in its second column.
_FIGURES: Final[Mapping[str, Callable[[Sample], float]]] = MappingProxyType(
    {
        "bw": lambda sample: sample.bandwidth / KIB,
        "iops": lambda sample: sample.iops,
        "lat": lambda sample: sample.mean_ns,
        "slat": lambda sample: sample.submission_mean_ns,
        "clat": lambda sample: sample.completion_mean_ns,
    }
)


def fio_logs(prefix: str, jobs: Sequence[JobResult]) -> Iterator[tuple[Path, str]]:
    """Lay out time series as fio does.

    Args:
        prefix: How the names of the files begin, folder and all.
        jobs: The jobs of a run.

    Yields:
        Each file, and what it contains.
    """
    for number, job in enumerate(jobs, start=1):
        for name, figure in _FIGURES.items():
            path = Path(f"{prefix}_{name}.{number}.log")
            yield path, "".join(_lines(job, figure))


def _lines(job: JobResult, figure: Callable[[Sample], float]) -> Iterator[str]:
    lengths = tuple(job.job.block_sizes)
    length = lengths[0] if len(lengths) == 1 else 0
    rows = [
        (sample.end_ns, direction, sample)
        for op, direction in _DIRECTIONS.items()
        if op in job.operations
        for sample in comparable(job.operations[op].samples)
    ]
    rows.sort(key=lambda row: row[:2])
    for end_ns, direction, sample in rows:
        time_ms = round(end_ns / _NS_PER_MS)
        yield f"{time_ms}, {figure(sample):.0f}, {direction}, {length}\n"
