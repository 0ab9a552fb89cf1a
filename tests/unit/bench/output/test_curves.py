from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.bench.job import Job, Op
from blkdebug_async.bench.output.curves import curves
from tests.unit.bench.output.results import NS_PER_S, job_result, mixed_run, op_result, run_result


def test_each_kind_of_request_of_each_job_has_a_curve() -> None:
    assert [(curve.job, curve.op) for curve in curves(mixed_run())] == [
        ("mixed", Op.READ),
        ("mixed", Op.WRITE),
        ("mixed", Op.FLUSH),
        ("reads", Op.READ),
    ]


@given(st.lists(st.integers(1, 10**9), min_size=2, max_size=200))
def test_a_latency_curve_rises_from_the_fastest_to_the_slowest(latencies_ns: list[int]) -> None:
    (curve,) = curves(run_result(job_result(Job(), op_result(Op.READ, latencies_ns))))
    shares, times_ns = zip(*curve.latencies, strict=True)
    assert list(shares) == sorted(set(shares))
    assert list(times_ns) == sorted(times_ns)
    assert (times_ns[0], times_ns[-1]) == (min(latencies_ns), max(latencies_ns))
    assert (shares[0], shares[-1]) == (1.0, len(latencies_ns))


def test_what_was_never_answered_has_no_points() -> None:
    (curve,) = curves(run_result(job_result(Job(), op_result(Op.READ, [], errors={5: 3}))))
    assert curve.latencies == []
    assert curve.failed == 3


def test_a_long_run_has_few_intervals_and_loses_no_request() -> None:
    found = op_result(Op.READ, [1000] * 5000, runtime_ns=NS_PER_S, interval_ns=NS_PER_S // 2000)
    (curve,) = curves(run_result(job_result(Job(), found)))
    assert len(curve.intervals) <= 400
    assert sum(each.requests for each in curve.intervals) == 5000
