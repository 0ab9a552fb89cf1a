"""What the table says of a result, in words.

No asyncio in here, and nothing is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Job, Op, Sequential, Uniform, Zipf
from blkdebug_async.bench.output.texts import (
    block_text,
    digits_text,
    errors_text,
    latency_text,
    megabytes_text,
    runtime_text,
    size_text,
)
from blkdebug_async.bench.result import JobResult, OpResult, RunResult, Verification

THROUGHPUT_COLUMNS = ("job", "kind", "requests", "per second", "MB/s", "failed", "time")
LATENCY_COLUMNS = ("job", "kind", "mean", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "longest")
#: More cases of damage than that are only counted.
_MOST_DAMAGES = 5
_PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)


class LatencyTable(NamedTuple):
    """Latencies of one kind, and what they are counted from."""

    title: str
    #: The rows of LATENCY_COLUMNS; what was never answered has none.
    rows: Sequence[Sequence[str]]


class Line(NamedTuple):
    """A line under the tables."""

    text: str
    #: Something went wrong.
    is_bad: bool


def job_line(found: JobResult) -> str:
    """Say what a job did: "job: read 70 %, write 30 %, random, 4 KiB, depth 32, on disk.img"."""
    job = found.job
    words = [_mix_text(job), _pattern_text(job), _blocks_text(job), f"depth {job.depth}"]
    if job.request_rate is not None:
        words.append(f"at most {digits_text(job.request_rate)} per second")
    if job.byte_rate is not None:
        words.append(f"at most {size_text(job.byte_rate)}/s")
    if job.think_s:
        words.append(f"{latency_text(job.think_s * 1e9)} between requests")
    if job.flush_every is not None:
        words.append(f"a flush every {job.flush_every}")
    return f"{job.name}: {', '.join(words)}, on {found.disk}"


def _mix_text(job: Job) -> str:
    total = sum(job.operations.values())
    if len(job.operations) == 1:
        return "".join(job.operations)
    shares = (f"{op} {100 * weight / total:.3g} %" for op, weight in job.operations.items())
    return ", ".join(shares)


def _pattern_text(job: Job) -> str:
    match job.pattern:
        case Sequential():
            return "sequential"
        case Uniform():
            return "random"
        case Zipf(theta):
            return f"zipf {theta:g}"


def _blocks_text(job: Job) -> str:
    return " or ".join(block_text(length) for length in sorted(job.block_sizes))


def throughput_rows(jobs: Sequence[JobResult]) -> Iterator[tuple[str, ...]]:
    """Give the rows of THROUGHPUT_COLUMNS, and one for all together if there are several."""
    for job in jobs:
        for op, each in job.operations.items():
            yield _throughput_row(job.job.name, op, each)
    moving = [each for job in jobs for op, each in job.operations.items() if op is not Op.FLUSH]
    if len(moving) > 1:
        yield (
            "all",
            "",
            f"{sum(each.requests for each in moving):,}",
            digits_text(sum(each.iops for each in moving)),
            megabytes_text(sum(each.bandwidth for each in moving)),
            f"{sum(sum(job.errors.values()) for job in jobs):,}",
            "",
        )


def _throughput_row(name: str, op: Op, found: OpResult) -> tuple[str, ...]:
    return (
        name,
        op,
        f"{found.requests:,}",
        digits_text(found.iops),
        "" if op is Op.FLUSH else megabytes_text(found.bandwidth),
        f"{found.failed:,}",
        runtime_text(found.runtime_ns),
    )


def latency_tables(jobs: Sequence[JobResult]) -> Iterator[LatencyTable]:
    """Give what is to be told of latencies: in all, and of their parts where these differ."""
    found = [(job, op, each) for job in jobs for op, each in job.operations.items()]
    paced = [line for line in found if line[0].job.is_paced]
    # Who was answered in the call never waited anywhere else.
    waited = [line for line in found if line[2].submission.sum != line[2].completion.sum]
    title = "Latency, from issuing a request until it was answered"
    if paced:
        title = "Latency, from when a request was due until it was answered"
    yield from _latency_table(title, [(job, op, each.total) for job, op, each in found])
    title = "Completion, from issuing a request until it was answered"
    yield from _latency_table(title, [(job, op, each.completion) for job, op, each in paced])
    title = "Submission, from issuing a request until it was answered or had to wait"
    yield from _latency_table(title, [(job, op, each.submission) for job, op, each in waited])


def _latency_table(
    title: str, found: Sequence[tuple[JobResult, Op, Histogram]]
) -> Iterator[LatencyTable]:
    """Give a table of what was answered; none if that is nothing."""
    rows = [
        (job.job.name, str(op), *map(latency_text, _figures(histogram)))
        for job, op, histogram in found
        if histogram.count
    ]
    if rows:
        yield LatencyTable(title, rows)


def _figures(histogram: Histogram) -> tuple[float, ...]:
    """What LATENCY_COLUMNS has of it."""
    found = histogram.percentiles(_PERCENTILES)
    return histogram.mean, *(found[at] for at in _PERCENTILES), histogram.max


def lines(result: RunResult) -> Iterator[Line]:
    """Give what stands under the tables: errors, damage, and what the run took."""
    for job in result.jobs:
        for op, each in job.operations.items():
            if each.errors:
                yield Line(f"{job.job.name}, {op}: {errors_text(each.errors)}", is_bad=True)
        if job.stopped is not None:
            yield Line(f"{job.job.name} ended early: {job.stopped}", is_bad=True)
        if job.verification is not None:
            yield from _verification_lines(job.job.name, job.verification)
    usage = result.usage
    elapsed_ns = result.elapsed_ns or 1
    used = f"{100 * usage.user_ns / elapsed_ns:.0f} % user, "
    used += f"{100 * usage.system_ns / elapsed_ns:.0f} % system"
    loop = result.loop.partition(".")[0]
    versions = ", ".join(
        f"{name} {version}"
        for name, version in result.versions.items()
        if name != "uvloop" or name == loop
    )
    yield Line(
        f"{runtime_text(result.elapsed_ns)} in all; processor {used}; "
        f"{usage.voluntary + usage.involuntary:,} context switches; "
        f"{sum(usage.collections):,} garbage collections",
        is_bad=False,
    )
    yield Line(f"loop: {loop}; {result.machine}; {versions}", is_bad=False)


def _verification_lines(name: str, found: Verification) -> Iterator[Line]:
    start = f"{name}: {size_text(found.checked_bytes)} verified"
    if found.passed:
        yield Line(f"{start}, all as written", is_bad=False)
        return
    counts = ", ".join(f"{count:,} x {kind}" for kind, count in found.counts.items())
    yield Line(f"{start}; damage: {counts or 'none'}", is_bad=True)
    for damage in found.damages[:_MOST_DAMAGES]:
        yield Line(f"  {damage.message}", is_bad=True)
    unsaid = sum(found.counts.values()) - len(found.damages[:_MOST_DAMAGES])
    if unsaid > 0:
        yield Line(f"  and {unsaid:,} more", is_bad=True)
    if found.errors:
        yield Line(f"  reading it back: {errors_text(found.errors)}", is_bad=True)
    if not found.complete:
        yield Line("  not everything that was written was read back", is_bad=True)
