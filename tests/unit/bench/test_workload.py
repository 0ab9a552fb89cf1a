from __future__ import annotations

from collections import Counter
from itertools import islice, pairwise
from random import Random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blkdebug_async.bench.job import Job, Op, Pattern, Sequential, Uniform, Zipf
from blkdebug_async.bench.workload import Pacer, Range, Step, Workload, ZipfRanks

NS_PER_S = 1_000_000_000

PATTERNS = st.one_of(
    st.just(Sequential()), st.just(Uniform()), st.builds(Zipf, st.floats(0.01, 5.0))
)
OPERATIONS = st.dictionaries(
    st.sampled_from([Op.READ, Op.WRITE, Op.ZERO, Op.DISCARD]), st.floats(0.1, 100), min_size=1
)
SIZES = st.dictionaries(st.integers(1, 5000), st.floats(0.1, 100), min_size=1, max_size=4)


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Job, int]:
    sizes = draw(SIZES)
    size = draw(st.none() | st.integers(max(sizes), 100_000))
    start = draw(st.integers(0, 10_000))
    job = Job(
        operations=draw(OPERATIONS),
        pattern=draw(PATTERNS),
        block_sizes=sizes,
        alignment=draw(st.none() | st.integers(1, 5000)),
        start=start,
        size=size,
        flush_every=draw(st.none() | st.integers(1, 10)),
        seed=draw(st.integers(0, 10)),
    )
    return job, start + (size or max(sizes)) + draw(st.integers(0, 100_000))


def first(job: Job, disk_length: int, count: int) -> list[Step]:
    return list(islice(Workload(job, disk_length), count))


@given(jobs())
def test_every_request_is_aligned_and_in_range(planned: tuple[Job, int]) -> None:
    job, disk_length = planned
    end = disk_length if job.size is None else job.start + job.size
    for op, offset, length in first(job, disk_length, 600):
        if op is Op.FLUSH:
            assert (offset, length) == (0, 0)
            continue
        assert op in job.operations
        assert length in job.block_sizes
        assert job.start <= offset <= end - length
        assert (offset - job.start) % job.step == 0


@given(jobs())
def test_the_same_job_makes_the_same_requests(planned: tuple[Job, int]) -> None:
    job, disk_length = planned
    assert first(job, disk_length, 300) == first(job, disk_length, 300)


@pytest.mark.parametrize("pattern", [Uniform(), Zipf()])
def test_another_seed_or_name_makes_other_requests(pattern: Pattern) -> None:
    plans = [
        first(Job(pattern=pattern, seed=seed, name=name), 1 << 30, 50)
        for seed, name in ((0, "a"), (1, "a"), (0, "b"))
    ]
    assert plans[0] != plans[1]
    assert plans[0] != plans[2]


@given(jobs())
def test_places_do_not_depend_on_what_is_done_there(planned: tuple[Job, int]) -> None:
    job, disk_length = planned
    reading = Job(
        pattern=job.pattern,
        block_sizes=job.block_sizes,
        alignment=job.alignment,
        start=job.start,
        size=job.size,
        seed=job.seed,
    )
    where = [step[1:] for step in first(job, disk_length, 300) if step[0] is not Op.FLUSH]
    assert where == [step[1:] for step in first(reading, disk_length, len(where))]


@given(jobs())
def test_a_flush_follows_every_nth_change(planned: tuple[Job, int]) -> None:
    job, disk_length = planned
    assume(job.flush_every is not None and job.writes)
    changes = 0
    for op, _, _ in first(job, disk_length, 300):
        if op is Op.FLUSH:
            assert changes == job.flush_every
            changes = 0
        else:
            assert changes != job.flush_every
            changes += op.changes


def test_sequential_requests_follow_each_other_and_begin_again() -> None:
    offsets = [offset for _, offset, _ in first(Job(start=4096, size=3 * 4096), 1 << 20, 7)]
    assert offsets == [4096, 8192, 12288, 4096, 8192, 12288, 4096]


def test_sequential_blocks_of_different_size_do_not_overlap_nor_leave_more_than_alignment() -> None:
    job = Job(block_sizes={4096: 1, 512: 1, 65536: 1}, alignment=1024)
    for (_, early, length), (_, late, _) in pairwise(first(job, 1 << 30, 500)):
        assert 0 <= late - (early + length) < 1024


@given(weights=st.dictionaries(st.sampled_from([512, 4096, 65536]), st.integers(1, 10), min_size=1))
@settings(max_examples=20)
def test_block_sizes_come_near_to_their_weights(weights: dict[int, float]) -> None:
    drawn = Counter(length for _, _, length in first(Job(block_sizes=weights), 1 << 30, 5000))
    for length, weight in weights.items():
        # Six standard deviations of a fair draw.
        share = weight / sum(weights.values())
        assert drawn[length] == pytest.approx(5000 * share, abs=6 * (5000 * share) ** 0.5)


@given(percent=st.integers(1, 99), seed=st.integers(0, 1000))
@settings(max_examples=20)
def test_operations_come_near_to_their_weights(percent: int, seed: int) -> None:
    job = Job(operations={Op.READ: percent, Op.WRITE: 100 - percent}, seed=seed)
    reads = sum(op is Op.READ for op, _, _ in first(job, 1 << 30, 5000))
    assert reads == pytest.approx(50 * percent, abs=6 * (50 * percent) ** 0.5)


def test_uniform_requests_reach_every_place_equally() -> None:
    job = Job(pattern=Uniform(), size=16 * 4096)
    drawn = Counter(offset for _, offset, _ in first(job, 1 << 20, 16_000))
    assert set(drawn) == {index * 4096 for index in range(16)}
    assert all(count == pytest.approx(1000, abs=200) for count in drawn.values())


@pytest.mark.parametrize("theta", [0.2, 0.99, 1.0, 1.2, 2.5])
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_ranks_come_as_often_as_zipf_says(n: int, theta: float) -> None:
    draws = 20_000
    ranks = ZipfRanks(n, theta, Random(7))
    drawn = Counter(ranks.draw() for _ in range(draws))
    total = sum(rank**-theta for rank in range(1, n + 1))
    assert set(drawn) <= set(range(1, n + 1))
    for rank in range(1, min(n, 10) + 1):
        expected = draws * rank**-theta / total
        assert drawn[rank] == pytest.approx(expected, abs=6 * expected**0.5)


@given(n=st.integers(1, 2**50), theta=st.floats(0.001, 200), seed=st.integers(0, 2**32))
def test_ranks_stay_in_range_however_uneven(n: int, theta: float, seed: int) -> None:
    ranks = ZipfRanks(n, theta, Random(seed))
    assert all(1 <= ranks.draw() <= n for _ in range(20))


def test_the_popular_places_are_scattered_and_few() -> None:
    drawn = Counter(offset for _, offset, _ in first(Job(pattern=Zipf(1.5)), 1 << 24, 10_000))
    (best, often), (second, _) = drawn.most_common(2)
    assert often > 3000
    assert abs(best - second) > 4096


@given(
    start_ns=st.integers(0, 10**15),
    request_rate=st.none() | st.floats(0.1, 1e7),
    byte_rate=st.none() | st.floats(1, 1e10),
    lengths=st.lists(st.integers(0, 1 << 20), min_size=1, max_size=100),
)
def test_rates_are_never_exceeded(
    start_ns: int, request_rate: float | None, byte_rate: float | None, lengths: list[int]
) -> None:
    pacer = Pacer(start_ns, request_rate, byte_rate)
    moved = 0
    for index, length in enumerate(lengths):
        passed_s = (pacer.take(length) - start_ns) / NS_PER_S
        # What is due at a moment is allowed by then; doubles of 10**15 ns are right to a fraction.
        slack = 1e-6
        if request_rate is not None:
            assert index <= request_rate * (passed_s + slack)
        if byte_rate is not None:
            assert moved <= byte_rate * (passed_s + slack)
        moved += length


@given(rate=st.floats(1, 1e6), count=st.integers(1, 500))
def test_a_rate_is_reached(rate: float, count: int) -> None:
    pacer = Pacer(0, rate, None)
    due_ns = [pacer.take(4096) for _ in range(count)]
    assert due_ns[0] == 0
    assert due_ns[-1] == pytest.approx((count - 1) * NS_PER_S / rate, abs=count)


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        (Job(size=8192), "job 'job': its range ends at 8192, past 4096"),
        (Job(start=1024), "job 'job': 4096 bytes from 1024 on reach past 4096"),
    ],
)
def test_a_range_that_is_not_on_the_disk_is_refused(job: Job, complaint: str) -> None:
    with pytest.raises(ValueError, match=r"range ends|reach past") as refused:
        Range(job, 4096)
    assert str(refused.value) == complaint
