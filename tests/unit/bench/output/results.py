"""Results made up for tests of what shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from errno import EIO

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Job, Op
from blkdebug_async.bench.result import (
    JobResult,
    OpResult,
    RunResult,
    Sample,
    Usage,
    Verification,
)

NS_PER_S = 1_000_000_000


def op_result(
    op: Op,
    latencies_ns: Sequence[int],
    *,
    length: int = 4096,
    errors: Mapping[int, int] | None = None,
    runtime_ns: int = NS_PER_S,
    interval_ns: int = NS_PER_S // 10,
) -> OpResult:
    """Requests of one kind, spread evenly over the time that was measured."""
    errors = errors or {}
    length = 0 if op is Op.FLUSH else length
    count = len(latencies_ns)
    intervals = -(-runtime_ns // interval_ns)
    samples = []
    for index in range(intervals):
        some = latencies_ns[count * index // intervals : count * (index + 1) // intervals]
        mean_ns = sum(some) / len(some) if some else 0.0
        samples.append(
            Sample(
                start_ns=index * interval_ns,
                end_ns=min((index + 1) * interval_ns, runtime_ns),
                requests=len(some),
                bytes=len(some) * length,
                mean_ns=mean_ns,
                max_ns=max(some, default=0),
                submission_mean_ns=mean_ns / 10,
                completion_mean_ns=mean_ns,
            )
        )
    return OpResult(
        op=op,
        issued=count + sum(errors.values()),
        requests=count,
        bytes=count * length,
        errors=errors,
        cancelled=0,
        runtime_ns=runtime_ns,
        submission=Histogram([each // 10 for each in latencies_ns]),
        completion=Histogram(latencies_ns),
        total=Histogram(latencies_ns),
        samples=samples,
    )


def job_result(
    job: Job, *found: OpResult, verification: Verification | None = None, disk: str = "disk.img"
) -> JobResult:
    """One job, on a disk of 1 MiB."""
    return JobResult(
        job=job,
        disk=disk,
        disk_length=1 << 20,
        runtime_ns=max((each.runtime_ns for each in found), default=NS_PER_S),
        started_at=1_700_000_000.0,
        operations={each.op: each for each in found},
        verification=verification,
    )


def run_result(*jobs: JobResult, cancelled: bool = False) -> RunResult:
    """A run of two seconds, a half of which the processor worked."""
    return RunResult(
        jobs=jobs,
        elapsed_ns=2 * NS_PER_S,
        started_at=1_700_000_000.0,
        cancelled=cancelled,
        usage=Usage(
            user_ns=NS_PER_S // 2,
            system_ns=NS_PER_S // 2,
            voluntary=30,
            involuntary=10,
            major_faults=0,
            minor_faults=100,
            collections=(4, 2, 1),
        ),
        loop="asyncio.unix_events._UnixSelectorEventLoop",
        versions={"python": "3.11.7", "blkdebug_async": "0.1.0", "kernel": "6.1"},
        machine="x86_64",
    )


def mixed_run() -> RunResult:
    """Two jobs; the first one mixes and has errors and flushes."""
    mixed = job_result(
        Job(name="mixed", operations={Op.READ: 1, Op.WRITE: 1}, flush_every=4, depth=8),
        op_result(Op.READ, [1_000, 2_000, 3_000, 4_000]),
        op_result(Op.WRITE, [10_000, 20_000_000], errors={EIO: 3}),
        op_result(Op.FLUSH, [500]),
    )
    return run_result(mixed, job_result(Job(name="reads"), op_result(Op.READ, [777] * 12)))
