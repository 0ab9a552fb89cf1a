"""Types of the public names for load and its figures, for type checkers and editors."""

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Fill, Job, Op, Pattern, Sequential, Uniform, Zipf
from blkdebug_async.bench.result import (
    Damage,
    JobProgress,
    JobResult,
    OpResult,
    Progress,
    RunResult,
    Sample,
    Usage,
    Verification,
)
from blkdebug_async.bench.run import Bench, run_bench, run_jobs

__all__ = [
    "Bench",
    "Damage",
    "Fill",
    "Histogram",
    "Job",
    "JobProgress",
    "JobResult",
    "Op",
    "OpResult",
    "Pattern",
    "Progress",
    "RunResult",
    "Sample",
    "Sequential",
    "Uniform",
    "Usage",
    "Verification",
    "Zipf",
    "run_bench",
    "run_jobs",
]
