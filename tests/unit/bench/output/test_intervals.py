from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.bench.output.intervals import comparable, joined
from blkdebug_async.bench.result import Sample


def sample(start_ns: int, end_ns: int, requests: int, mean_ns: float = 10.0) -> Sample:
    return Sample(
        start_ns=start_ns,
        end_ns=end_ns,
        requests=requests,
        bytes=requests * 512,
        mean_ns=mean_ns,
        max_ns=round(mean_ns),
        submission_mean_ns=mean_ns / 10,
        completion_mean_ns=mean_ns / 2,
    )


def test_a_last_interval_that_is_too_short_joins_the_one_before() -> None:
    found = comparable([sample(0, 100, 4), sample(100, 200, 4), sample(200, 201, 2)])
    assert [(each.start_ns, each.end_ns, each.requests) for each in found] == [
        (0, 100, 4),
        (100, 201, 6),
    ]


def test_a_last_interval_of_half_the_length_stays() -> None:
    samples = [sample(0, 100, 4), sample(100, 150, 2)]
    assert comparable(samples) == samples


def test_a_single_interval_stays_however_short() -> None:
    assert comparable([sample(0, 1, 1)]) == [sample(0, 1, 1)]


def test_a_joined_interval_has_the_means_of_all_its_requests() -> None:
    found = joined([sample(0, 10, 1, 10.0), sample(10, 20, 3, 50.0)])
    assert (found.submission_mean_ns, found.completion_mean_ns, found.mean_ns) == (4.0, 20.0, 40.0)


def test_intervals_without_requests_join_to_one_without_a_latency() -> None:
    assert joined([sample(0, 10, 0, 0.0), sample(10, 20, 0, 0.0)]).mean_ns == 0.0


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(0, 99)), min_size=1, max_size=9))
def test_nothing_is_lost_by_making_intervals_comparable(steps: list[tuple[int, int]]) -> None:
    samples, start_ns = [], 0
    for length, requests in steps:
        samples.append(sample(start_ns, start_ns + length, requests))
        start_ns += length
    found = comparable(samples)
    assert sum(each.requests for each in found) == sum(requests for _, requests in steps)
    assert sum(each.duration_ns for each in found) == start_ns
