"""Intervals of a run that may be compared: the last one may be too short to have a rate.

No asyncio in here.
"""

from __future__ import annotations

from collections.abc import Sequence

from blkdebug_async.bench.result import Sample


def comparable(samples: Sequence[Sample]) -> list[Sample]:
    """Join the last interval to the one before it, unless it is at least half as long."""
    if len(samples) > 1 and 2 * samples[-1].duration_ns < samples[-2].duration_ns:
        return [*samples[:-2], joined(samples[-2:])]
    return list(samples)


def joined(samples: Sequence[Sample]) -> Sample:
    """Make one interval of several that follow each other, at least one."""
    requests = sum(sample.requests for sample in samples)
    total_ns = sum(sample.mean_ns * sample.requests for sample in samples)
    return Sample(
        start_ns=samples[0].start_ns,
        end_ns=samples[-1].end_ns,
        requests=requests,
        bytes=sum(sample.bytes for sample in samples),
        mean_ns=total_ns / requests if requests else 0.0,
        max_ns=max(sample.max_ns for sample in samples),
    )
