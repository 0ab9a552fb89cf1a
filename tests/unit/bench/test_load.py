from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.bench.job import Job, Op
from blkdebug_async.bench.load import Load

MS = 1_000_000
S = 1000 * MS


def started(job: Job, disk_length: int = 1 << 20, now_ns: int = 0) -> Load:
    load = Load(job, disk_length)
    load.start(now_ns)
    return load


def run_dry(load: Load, now_ns: int = 0) -> int:
    """Issue everything as a place does, and count the requests."""
    requests = 0
    while load.goes_on(now_ns):
        for step in islice(load.steps, load.budget()):
            load.count_step(step)
            requests += step[0] is not Op.FLUSH
    return requests


def test_without_limits_a_job_covers_its_range_once() -> None:
    assert run_dry(started(Job(start=4096, size=10 * 4096))) == 10


def test_a_rest_that_is_shorter_than_a_block_is_left_out() -> None:
    assert run_dry(started(Job(), disk_length=3 * 4096 + 512)) == 3


@given(
    limit=st.integers(1, 1000),
    sizes=st.dictionaries(st.sampled_from([512, 4096, 65536]), st.just(1.0), min_size=1),
    flush_every=st.none() | st.integers(1, 5),
)
def test_so_many_requests_are_issued_as_were_asked_for(
    limit: int, sizes: dict[int, float], flush_every: int | None
) -> None:
    job = Job(
        operations={Op.WRITE: 1}, max_requests=limit, block_sizes=sizes, flush_every=flush_every
    )
    assert run_dry(started(job)) == limit


@given(
    limit=st.integers(1, 1 << 20),
    sizes=st.dictionaries(st.sampled_from([512, 4096, 65536]), st.just(1.0), min_size=1),
)
def test_a_limit_of_bytes_is_reached_and_passed_by_less_than_a_request(
    limit: int, sizes: dict[int, float]
) -> None:
    load = started(Job(max_bytes=limit, block_sizes=sizes))
    issued = last = 0
    while load.goes_on(0):
        for step in islice(load.steps, load.budget()):
            load.count_step(step)
            last = step[2]
            issued += last
    assert limit <= issued < limit + last


def test_a_job_with_a_runtime_ends_after_it_and_not_before() -> None:
    load = started(Job(runtime_s=1.0), now_ns=7)
    assert load.goes_on(7 + S - 1)
    assert not load.goes_on(7 + S)


def test_warming_up_takes_as_long_as_time_and_count_both_ask() -> None:
    load = started(Job(warmup_s=1.0, warmup_requests=10, max_requests=5))
    assert load.goes_on(2 * S)
    assert load.budget() == 10
    load.count(10, 40960)
    assert load.goes_on(S - 1)
    assert load.ask_again_at(S - 1, 5 * S) == S
    assert load.budget() > 10
    assert load.goes_on(S)
    assert load.is_warm
    assert load.budget() == 5


def test_a_warm_up_of_time_alone_has_no_bound_of_requests() -> None:
    load = started(Job(warmup_s=1.0, runtime_s=1.0))
    load.count(10**9, 0)
    assert load.budget() > 10**9


def test_a_warm_up_that_waits_for_requests_does_not_look_at_the_time() -> None:
    load = started(Job(warmup_s=1.0, warmup_requests=10))
    assert load.ask_again_at(2 * S, 3 * S) == 3 * S


def test_the_time_to_look_again_is_the_end_if_that_comes_first() -> None:
    load = started(Job(runtime_s=1.0))
    assert load.ask_again_at(0, MS) == MS
    assert load.ask_again_at(0, 2 * S) == S


def test_runtime_begins_after_warming_up() -> None:
    load = started(Job(warmup_s=1.0, runtime_s=1.0))
    assert load.goes_on(S)
    assert load.goes_on(2 * S - 1)
    assert not load.goes_on(2 * S)
    assert load.began_ns == S


def test_what_was_issued_before_measuring_is_not_in_the_result() -> None:
    load = started(Job(warmup_s=1.0, runtime_s=1.0))
    early = load.recorders[Op.READ]
    load.goes_on(S)
    early.instant.append(5)
    load.recorders[Op.READ].instant.append(7)
    assert load.results(2 * S)[Op.READ].total.sum == 7


def test_a_job_that_never_became_warm_measured_nothing() -> None:
    load = started(Job(warmup_s=1.0))
    load.recorders[Op.READ].instant.append(5)
    result = load.results(S // 2)[Op.READ]
    assert (result.issued, result.runtime_ns) == (0, 0)


def test_errors_are_counted_and_do_not_end_a_job() -> None:
    load = started(Job())
    load.fail(load.recorders[Op.READ], OSError(5, "I/O error"))
    load.fail(load.recorders[Op.READ], OSError("no errno at all"))
    assert load.results(S)[Op.READ].errors == {5: 1, 0: 1}
    assert load.goes_on(0)


def test_the_first_error_ends_a_job_that_wants_it() -> None:
    load = started(Job(stop_at_error=True))
    load.fail(load.recorders[Op.READ], OSError(5, "I/O error"))
    load.fail(load.recorders[Op.READ], OSError(28, "No space left on device"))
    assert not load.goes_on(0)
    assert load.stopped == "read: [Errno 5] I/O error"


def test_flushes_are_not_held_to_the_rate() -> None:
    load = started(Job(request_rate=10.0))
    assert load.due((Op.READ, 0, 4096)) == 0
    assert load.due((Op.FLUSH, 0, 0)) is None
    assert load.due((Op.READ, 4096, 4096)) == S // 10


def test_without_a_rate_nothing_is_due() -> None:
    assert started(Job()).due((Op.READ, 0, 4096)) is None


def test_progress_counts_from_the_start_and_rates_are_of_the_last_interval() -> None:
    load = started(Job(warmup_s=1.0, max_requests=4))
    warm = load.recorders[Op.READ]
    warm.instant.append(50)
    warm.bytes += 4096
    load.fail(warm, OSError(5, "I/O error"))
    assert load.goes_on(S)
    measured = load.recorders[Op.READ]
    measured.instant.extend([10, 30])
    measured.bytes += 8192
    load.count(2, 8192)
    load.in_flight = 3
    load.collect(idle=True)
    load.sample(S + S // 2)
    told = load.progress()
    assert (told.name, told.phase, told.in_flight) == ("job", "running", 3)
    assert (told.requests, told.bytes, told.errors) == (3, 12288, 1)
    assert (told.iops, told.bandwidth, told.mean_ns, told.max_ns) == (4.0, 16384.0, 20.0, 30)
    assert told.fraction == 0.5


def test_progress_before_the_first_sample_is_nothing() -> None:
    told = started(Job(warmup_s=1.0)).progress()
    assert (told.phase, told.requests, told.iops, told.fraction) == ("warm-up", 0, 0.0, 0.0)


def test_progress_while_warming_up_has_no_fraction() -> None:
    load = started(Job(warmup_s=1.0, runtime_s=1.0))
    load.sample(S // 2)
    assert load.progress().fraction == 0.0


def test_progress_tells_how_much_of_the_time_has_passed() -> None:
    load = started(Job(runtime_s=2.0))
    load.sample(S)
    assert load.progress().fraction == pytest.approx(0.5)


def test_the_last_interval_ends_with_the_job() -> None:
    load = started(Job(max_requests=1))
    load.recorders[Op.READ].instant.append(9)
    load.count_step(load.take())
    load.finish(S // 4)
    assert load.progress("done").phase == "done"
    assert load.progress("done").fraction == 1.0
    (sample,) = load.results(S // 4)[Op.READ].samples
    assert (sample.end_ns, sample.requests) == (S // 4, 1)


def test_latencies_of_a_paced_job_are_not_counted_while_it_runs() -> None:
    load = started(Job(request_rate=10.0))
    load.recorders[Op.READ].instant.append(9)
    load.collect(idle=True)
    assert len(load.recorders[Op.READ]._kept) == 1


def test_flushes_do_not_count_as_requests() -> None:
    load = started(Job(operations={Op.WRITE: 1}, max_requests=2, flush_every=1))
    assert [load.take()[0] for _ in range(2)] == [Op.WRITE, Op.FLUSH]
    assert load.budget() == 1
    assert load.take()[0] is Op.WRITE
    assert not load.goes_on(0)
