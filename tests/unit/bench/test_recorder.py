from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.bench import recorder as recorder_module
from blkdebug_async.bench.job import Op
from blkdebug_async.bench.recorder import Recorder

LATENCY = st.integers(0, 10**9)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("instant"), LATENCY),
            st.tuples(st.just("answer"), LATENCY),
            st.tuples(st.just("fail"), st.integers(1, 40)),
            st.tuples(st.just("cancel"), st.just(0)),
            st.tuples(st.just("collect"), st.booleans()),
            st.tuples(st.just("sample"), st.just(0)),
        ),
        max_size=60,
    )
)
def test_everything_that_is_noted_is_counted_once(noted: list[tuple[str, int]]) -> None:
    recorder, now_ns = Recorder(Op.READ, 1000), 1000
    for what, value in noted:
        now_ns += 10
        match what:
            case "instant":
                recorder.instant.append(value)
                recorder.bytes += 512
            case "answer":
                recorder.answer(value, value + 1, value + 2)
                recorder.bytes += 512
            case "fail":
                recorder.errors[value] += 1
            case "cancel":
                recorder.cancelled += 1
            case "collect":
                recorder.collect(idle=bool(value))
            case _:
                recorder.collect(idle=False)
                recorder.sample(now_ns)
    kinds = [what for what, _ in noted]
    answered = kinds.count("instant") + kinds.count("answer")
    result = recorder.result(now_ns + 10)
    assert (result.requests, result.bytes) == (answered, answered * 512)
    assert (result.failed, result.cancelled) == (kinds.count("fail"), kinds.count("cancel"))
    assert result.issued == result.requests + result.failed + result.cancelled
    assert result.runtime_ns == now_ns + 10 - 1000
    latencies = [value for what, value in noted if what in ("instant", "answer")]
    waited = kinds.count("answer")
    assert result.submission.sum == sum(latencies)
    assert result.completion.sum == sum(latencies) + waited
    assert result.total.sum == sum(latencies) + 2 * waited
    assert sum(sample.requests for sample in result.samples) == answered
    for means, histogram in (
        ([sample.submission_mean_ns for sample in result.samples], result.submission),
        ([sample.completion_mean_ns for sample in result.samples], result.completion),
        ([sample.mean_ns for sample in result.samples], result.total),
    ):
        pairs = zip(means, result.samples, strict=True)
        sums_ns = sum(mean * sample.requests for mean, sample in pairs)
        assert sums_ns == pytest.approx(histogram.sum)
    assert sum(sample.bytes for sample in result.samples) == answered * 512
    assert max((sample.max_ns for sample in result.samples), default=0) == result.total.max
    assert [sample.start_ns for sample in result.samples[1:]] == [
        sample.end_ns for sample in result.samples[:-1]
    ]


def test_a_sample_is_of_one_interval() -> None:
    recorder = Recorder(Op.WRITE, 0)
    recorder.instant.extend([10, 30])
    recorder.bytes = 8192
    recorder.collect(idle=False)
    first = recorder.sample(1_000_000_000)
    assert (first.requests, first.bytes, first.mean_ns, first.max_ns) == (2, 8192, 20.0, 30)
    assert (first.submission_mean_ns, first.completion_mean_ns) == (20.0, 20.0)
    assert (first.iops, first.bandwidth, first.duration_ns) == (2.0, 8192.0, 1_000_000_000)
    recorder.collect(idle=False)
    second = recorder.sample(1_500_000_000)
    assert (second.requests, second.bytes, second.mean_ns, second.max_ns) == (0, 0, 0.0, 0)
    assert (second.submission_mean_ns, second.completion_mean_ns) == (0.0, 0.0)
    assert (second.start_ns, second.end_ns) == (1_000_000_000, 1_500_000_000)


def test_a_sample_tells_the_parts_of_latencies_apart() -> None:
    recorder = Recorder(Op.READ, 0)
    recorder.answer(10, 40, 100)
    recorder.instant.append(20)
    recorder.answer(30, 60, 300)
    recorder.collect(idle=False)
    found = recorder.sample(1000)
    means = found.submission_mean_ns, found.completion_mean_ns, found.mean_ns
    assert means == (20.0, 40.0, 140.0)


def test_what_cannot_wait_any_longer_is_counted_though_requests_are_in_flight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recorder_module, "MOST_KEPT", 3)
    recorder = Recorder(Op.READ, 0)
    recorder.instant.extend([1, 2, 3])
    recorder.collect(idle=False)
    assert len(recorder._kept) == 1
    recorder.instant.append(4)
    recorder.collect(idle=False)
    assert len(recorder._kept) == 0


def test_a_result_of_no_time_has_no_rates() -> None:
    result = Recorder(Op.READ, 5).result(5)
    assert (result.iops, result.bandwidth, result.samples) == (0.0, 0.0, ())
