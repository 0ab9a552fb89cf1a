from __future__ import annotations

from dataclasses import replace

import pytest

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Job, Op
from blkdebug_async.bench.result import (
    Damage,
    JobResult,
    OpResult,
    RunResult,
    Usage,
    Verification,
    per_second,
)

S = 1_000_000_000


def operation(op: Op, requests: int, moved: int, errors: dict[int, int]) -> OpResult:
    issued = requests + sum(errors.values())
    return OpResult(
        op, issued, requests, moved, errors, 0, 2 * S, Histogram(), Histogram(), Histogram()
    )


def job_result(**changes: object) -> JobResult:
    operations = {
        Op.READ: operation(Op.READ, 100, 1000, {5: 1}),
        Op.WRITE: operation(Op.WRITE, 50, 500, {5: 2, 28: 3}),
        Op.FLUSH: operation(Op.FLUSH, 7, 0, {}),
    }
    plain = JobResult(Job(), "disk", 4096, 2 * S, 0.0, operations)
    return replace(plain, **changes)  # type: ignore[arg-type]


def run_result(*jobs: JobResult, cancelled: bool = False) -> RunResult:
    return RunResult(jobs, 2 * S, 0.0, cancelled, Usage(0, 0, 0, 0, 0, 0, ()), "loop", {}, "here")


def test_rates_of_a_kind_are_of_what_was_answered() -> None:
    found = operation(Op.READ, 100, 1000, {5: 4})
    assert (found.iops, found.bandwidth, found.failed) == (50.0, 500.0, 4)


def test_rates_of_a_job_are_of_all_kinds_but_flushes() -> None:
    found = job_result()
    assert (found.requests, found.bytes) == (150, 1500)
    assert (found.iops, found.bandwidth) == (75.0, 750.0)


def test_errors_of_a_job_are_of_all_kinds() -> None:
    assert job_result().errors == {5: 3, 28: 3}


def test_nothing_in_no_time_is_no_rate() -> None:
    assert per_second(0, 0) == 0.0


@pytest.mark.parametrize(
    ("verification", "passed"),
    [
        (Verification(), True),
        (Verification(complete=False), False),
        (Verification(errors={5: 1}), False),
        (Verification(counts={"lost": 1}, damages=(Damage("lost", 0, 512, "gone"),)), False),
    ],
)
def test_verifying_passes_if_all_was_read_and_right(
    verification: Verification, passed: bool
) -> None:
    assert verification.passed is passed
    clean = job_result(operations={}, verification=verification)
    assert run_result(clean).passed is passed


def test_a_run_passes_without_errors_and_to_its_end() -> None:
    clean = job_result(operations={})
    assert run_result(clean).passed
    assert not run_result(clean, job_result()).passed
    assert not run_result(clean, cancelled=True).passed
