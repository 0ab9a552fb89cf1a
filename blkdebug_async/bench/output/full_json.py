"""A result in full, as JSON of our own: everything that was found out, nothing rounded.

No asyncio in here. Names are those of result.py; times are nanoseconds, sizes bytes. A histogram
has its figures and `hdr`, the text that every HdrHistogram library reads and can add to others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from errno import errorcode
from typing import Final

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Job, Sequential, Uniform, Zipf
from blkdebug_async.bench.result import JobResult, OpResult, RunResult, Sample, Verification

Json = Mapping[str, "Json"] | Sequence["Json"] | str | float | None

#: Rises when a name goes or changes its meaning; more names may come at any time.
FORMAT: Final = 1
PERCENTILES: Final = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99)


def full_json(result: RunResult) -> dict[str, Json]:
    """Lay out a whole result.

    Args:
        result: What a run found out.
    """
    usage = result.usage
    return {
        "format": FORMAT,
        "versions": dict(result.versions),
        "machine": result.machine,
        "loop": result.loop,
        "started_at": result.started_at,
        "elapsed_ns": result.elapsed_ns,
        "cancelled": result.cancelled,
        "passed": result.passed,
        "usage": {
            "user_ns": usage.user_ns,
            "system_ns": usage.system_ns,
            "voluntary": usage.voluntary,
            "involuntary": usage.involuntary,
            "major_faults": usage.major_faults,
            "minor_faults": usage.minor_faults,
            "collections": list(usage.collections),
        },
        "jobs": [_job(job) for job in result.jobs],
    }


def _job(job: JobResult) -> Json:
    return {
        "name": job.job.name,
        "options": _options(job.job),
        "disk": job.disk,
        "disk_length": job.disk_length,
        "started_at": job.started_at,
        "runtime_ns": job.runtime_ns,
        "stopped": job.stopped,
        "requests": job.requests,
        "bytes": job.bytes,
        "iops": job.iops,
        "bandwidth": job.bandwidth,
        "errors": _errors(job.errors),
        "operations": {op.value: _operation(each) for op, each in job.operations.items()},
        "verification": None if job.verification is None else _verification(job.verification),
    }


def _options(job: Job) -> Json:
    return {
        "operations": {op.value: weight for op, weight in job.operations.items()},
        "pattern": _pattern(job),
        "start": job.start,
        "size": job.size,
        "block_sizes": {str(length): weight for length, weight in job.block_sizes.items()},
        "alignment": job.step,
        "depth": job.depth,
        "request_rate": job.request_rate,
        "byte_rate": job.byte_rate,
        "think_s": job.think_s,
        "runtime_s": job.runtime_s,
        "max_requests": job.max_requests,
        "max_bytes": job.max_bytes,
        "warmup_s": job.warmup_s,
        "warmup_requests": job.warmup_requests,
        "flush_every": job.flush_every,
        "verify": job.verify,
        "fill": job.fill.value,
        "fill_pattern": job.fill_pattern.hex(),
        "stop_at_error": job.stop_at_error,
        "seed": job.seed,
    }


def _pattern(job: Job) -> str:
    match job.pattern:
        case Sequential():
            return "sequential"
        case Uniform():
            return "uniform"
        case Zipf(theta):
            return f"zipf:{theta}"


def _operation(found: OpResult) -> Json:
    return {
        "issued": found.issued,
        "requests": found.requests,
        "bytes": found.bytes,
        "errors": _errors(found.errors),
        "cancelled": found.cancelled,
        "runtime_ns": found.runtime_ns,
        "iops": found.iops,
        "bandwidth": found.bandwidth,
        "submission_ns": _histogram(found.submission),
        "completion_ns": _histogram(found.completion),
        "total_ns": _histogram(found.total),
        "samples": [_sample(sample) for sample in found.samples],
    }


def _histogram(histogram: Histogram) -> Json:
    percentiles = histogram.percentiles(PERCENTILES)
    return {
        "count": histogram.count,
        "min": histogram.min,
        "mean": histogram.mean,
        "stddev": histogram.stddev,
        "max": histogram.max,
        "percentiles": {f"{each:g}": percentiles[each] for each in PERCENTILES},
        "hdr": histogram.encode().decode("ascii"),
    }


def _sample(sample: Sample) -> Json:
    return {
        "start_ns": sample.start_ns,
        "end_ns": sample.end_ns,
        "requests": sample.requests,
        "bytes": sample.bytes,
        "mean_ns": sample.mean_ns,
        "max_ns": sample.max_ns,
        "submission_mean_ns": sample.submission_mean_ns,
        "completion_mean_ns": sample.completion_mean_ns,
    }


def _verification(verification: Verification) -> Json:
    return {
        "passed": verification.passed,
        "complete": verification.complete,
        "checked_bytes": verification.checked_bytes,
        "unchecked_bytes": verification.unchecked_bytes,
        "counts": dict(verification.counts),
        "errors": _errors(verification.errors),
        "damages": [
            {
                "kind": damage.kind,
                "offset": damage.offset,
                "length": damage.length,
                "message": damage.message,
            }
            for damage in verification.damages
        ],
    }


def _errors(errors: Mapping[int, int]) -> Json:
    """By the name of the errno."""
    return {errorcode.get(errno, str(errno)): count for errno, count in errors.items()}
