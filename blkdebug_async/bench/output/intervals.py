"""Intervals of a run that may be compared: the last one may be too short to have a rate.

No asyncio in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blkdebug_async.bench.result import Sample


def comparable(samples: Sequence[Sample]) -> list[Sample]:
    """Join the last interval to the one before it, unless it is at least half as long."""
    if len(samples) > 1 and 2 * samples[-1].duration_ns < samples[-2].duration_ns:
        return [*samples[:-2], joined(samples[-2:])]
    return list(samples)


def joined(samples: Sequence[Sample]) -> Sample:
    """Make one interval of several that follow each other, at least one."""
    requests = sum(sample.requests for sample in samples)

    def mean(means: Iterable[float]) -> float:
        pairs = zip(means, samples, strict=True)
        return sum(each * sample.requests for each, sample in pairs) / (requests or 1)

    return Sample(
        start_ns=samples[0].start_ns,
        end_ns=samples[-1].end_ns,
        requests=requests,
        bytes=sum(sample.bytes for sample in samples),
        mean_ns=mean(sample.mean_ns for sample in samples),
        max_ns=max(sample.max_ns for sample in samples),
        submission_mean_ns=mean(sample.submission_mean_ns for sample in samples),
        completion_mean_ns=mean(sample.completion_mean_ns for sample in samples),
    )
