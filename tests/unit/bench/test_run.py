from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Mapping
from errno import EIO, ENOSPC
from itertools import pairwise
from random import Random

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from blkdebug_async import open_disk
from blkdebug_async.bench import Bench, Job, Op, Progress, RunResult, Uniform, run_bench, run_jobs
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.null import NullCoDriver
from blkdebug_async.events import IoType
from blkdebug_async.testing import Answer, Call, RecordingDriver
from tests.unit.bench.virtual import LOOK_NS, Time, run_virtually

MS = 1_000_000
S = 1000 * MS
MIXED = {Op.READ: 4, Op.WRITE: 3, Op.ZERO: 1, Op.DISCARD: 1}


def measured(driver: RecordingDriver | NullCoDriver, *jobs: Job) -> RunResult:
    async def main(time: Time) -> RunResult:
        async with open_disk(driver) as disk:
            return await run_jobs(disk, jobs, clock=time.look)

    return run_virtually(main)


def counted(result: RunResult, op: Op = Op.READ) -> tuple[int, int, int]:
    found = result.jobs[0].operations[op]
    return found.requests, found.failed, found.cancelled


@pytest.mark.parametrize("depth", [1, 32])
@pytest.mark.parametrize("latency_ns", [0, MS])
def test_as_many_requests_are_answered_as_were_asked_for(depth: int, latency_ns: int) -> None:
    driver = NullCoDriver(latency_ns=latency_ns)
    result = measured(driver, Job(max_requests=100, depth=depth, pattern=Uniform()))
    assert counted(result) == (100, 0, 0)
    assert result.jobs[0].bytes == 100 * 4096
    assert result.passed


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_requests_take_what_the_disk_takes_and_as_many_at_once_as_the_depth(depth: int) -> None:
    result = measured(NullCoDriver(latency_ns=MS), Job(max_requests=14 * depth, depth=depth))
    job = result.jobs[0]
    found = job.operations[Op.READ]
    looks = 20 * depth * LOOK_NS
    assert found.completion.min >= MS
    assert found.completion.max <= MS + looks
    assert found.submission.max <= looks
    assert found.total.sum == found.completion.sum
    assert job.runtime_ns == pytest.approx(14 * MS, abs=14 * looks)


def test_all_kinds_of_requests_reach_the_disk() -> None:
    driver = RecordingDriver(1 << 20)
    job = Job(operations=MIXED, max_requests=200, depth=4, pattern=Uniform(), flush_every=10)
    result = measured(driver, job)
    operations = result.jobs[0].operations
    seen = {
        op: sum(call.op is kind for call in driver.recorder.calls)
        for op, kind in (
            (Op.READ, IoType.READ),
            (Op.WRITE, IoType.WRITE),
            (Op.ZERO, IoType.WRITE_ZEROES),
            (Op.DISCARD, IoType.DISCARD),
        )
    }
    assert {op: operations[op].requests for op in seen} == seen
    changes = sum(operations[op].requests for op in (Op.WRITE, Op.ZERO, Op.DISCARD))
    assert operations[Op.FLUSH].requests == changes // 10
    assert result.jobs[0].requests == 200


@settings(max_examples=30)
@given(
    depth=st.integers(1, 8),
    fates=st.lists(
        st.sampled_from(["at once", "a turn", "a while", "EIO", "ENOSPC later"]),
        min_size=1, max_size=40,
    ),
    stop_at_error=st.booleans(),
    cancelled_after_ns=st.none() | st.integers(0, 20 * MS),
)  # fmt: skip
def test_every_request_that_reached_the_disk_is_counted_once(
    depth: int, fates: list[str], stop_at_error: bool, cancelled_after_ns: int | None
) -> None:
    driver = RecordingDriver(1 << 20)
    left = iter(fates)
    answers = {
        "a turn": Answer(turns=1),
        "a while": Answer(delay_s=0.003),
        "EIO": Answer(errno=EIO),
        "ENOSPC later": Answer(errno=ENOSPC, delay_s=0.001),
    }
    driver.recorder.script = lambda call: answers.get(next(left, "a turn"))
    job = Job(max_requests=60, depth=depth, stop_at_error=stop_at_error)

    async def main(time: Time) -> RunResult | None:
        async with open_disk(driver) as disk:
            bench = Bench(disk, [job], clock=time.look)
            if cancelled_after_ns is None:
                return await bench.run()
            try:
                async with asyncio.timeout(cancelled_after_ns / S):
                    await bench.run()
            except TimeoutError:
                assert bench.result is not None
                assert bench.result.cancelled
            return bench.result

    result = run_virtually(main)
    if result is None:
        assert cancelled_after_ns == 0
        return
    found = result.jobs[0].operations[Op.READ]
    assert found.issued == len([each for each in driver.recorder.calls if each.op is IoType.READ])
    assert found.issued == found.requests + found.failed + found.cancelled
    assert found.total.count == found.submission.count == found.completion.count == found.requests
    assert sum(sample.requests for sample in found.samples) == found.requests
    assert found.bytes == found.requests * 4096
    assert found.cancelled <= depth
    if not (result.cancelled or stop_at_error):
        assert found.issued == 60


class WhimsicalDriver(RecordingDriver):
    """Answers some requests in the call and lets others wait."""

    def __init__(self, share: float) -> None:
        super().__init__(1 << 20)
        self._share = share
        self._random = Random(1)

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        return self._at_once(Call(IoType.READ, offset, length))

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        return self._at_once(Call(IoType.WRITE, offset, length, flags))

    def _at_once(self, call: Call) -> bool:
        answered = self._random.random() < self._share
        if answered:
            self.recorder.log.append(call)
        return answered


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("depth", [1, 8])
def test_the_same_requests_are_made_whether_they_are_answered_in_the_call_or_later(
    share: float, depth: int
) -> None:
    job = Job(
        operations=MIXED, depth=depth, pattern=Uniform(), max_requests=300,
        block_sizes={512: 1, 4096: 1}, flush_every=9,
    )  # fmt: skip
    expected, driver = RecordingDriver(1 << 20), WhimsicalDriver(share)
    plain = measured(expected, job).jobs[0]
    mixed = measured(driver, job).jobs[0]
    made = [str(call) for call in driver.recorder.calls if call.op is not IoType.FLUSH]
    wanted = [str(call) for call in expected.recorder.calls if call.op is not IoType.FLUSH]
    assert sorted(made) == sorted(wanted)
    for op, found in mixed.operations.items():
        assert (found.requests, found.bytes) == (
            plain.operations[op].requests,
            plain.operations[op].bytes,
        )
        assert found.total.count == found.requests


def test_errors_are_counted_by_errno_and_the_job_goes_on() -> None:
    driver = RecordingDriver(1 << 20)
    driver.recorder.answer(Answer(errno=EIO), times=3)
    driver.recorder.answer(Answer(errno=ENOSPC))
    result = measured(driver, Job(operations={Op.WRITE: 1}, max_requests=10))
    assert result.jobs[0].errors == {EIO: 3, ENOSPC: 1}
    assert counted(result, Op.WRITE) == (6, 4, 0)
    assert result.jobs[0].stopped is None
    assert not result.passed


def test_the_first_error_ends_a_job_that_wants_it() -> None:
    driver = RecordingDriver(1 << 20)
    driver.recorder.script = lambda call: Answer(errno=EIO) if call.offset == 8192 else None
    result = measured(driver, Job(stop_at_error=True))
    assert counted(result) == (2, 1, 0)
    assert result.jobs[0].stopped == "read: the script fails read 4096@8192"


def test_at_a_rate_requests_begin_when_they_are_due() -> None:
    driver = RecordingDriver(1 << 20)
    due_ns: list[int] = []

    async def main(time: Time) -> RunResult:
        def note(call: Call) -> None:
            due_ns.append(time.now_ns)

        driver.recorder.script = note
        async with open_disk(driver) as disk:
            began_ns = time.now_ns
            job = Job(request_rate=200.0, max_requests=20, depth=4)
            result = await run_jobs(disk, [job], clock=time.look)
            due_ns[:] = [each - began_ns for each in due_ns]
            return result

    result = run_virtually(main)
    for index, moment_ns in enumerate(due_ns):
        assert index * 5 * MS <= moment_ns <= index * 5 * MS + MS // 10
    assert counted(result) == (20, 0, 0)


def test_a_stall_shows_in_every_request_that_was_due_meanwhile() -> None:
    driver = RecordingDriver(1 << 20)
    driver.recorder.answer(Answer(delay_s=0.1))
    result = measured(driver, Job(request_rate=1000.0, max_requests=200))
    found = result.jobs[0].operations[Op.READ]
    # The first takes 100 ms; the other 99 that were due by then are late by 99, 98, ... ms.
    assert found.total.sum == pytest.approx(sum(range(101)) * MS, rel=0.02)
    assert found.completion.sum == pytest.approx(100 * MS, rel=0.02)


def test_a_rate_of_bytes_holds_for_any_mix_of_sizes() -> None:
    job = Job(byte_rate=1e6, runtime_s=0.2, block_sizes={512: 1, 4096: 1}, pattern=Uniform())
    result = measured(NullCoDriver(), job)
    assert result.jobs[0].bytes == pytest.approx(2e5, abs=4096)
    assert result.jobs[0].runtime_ns == pytest.approx(200 * MS, rel=0.01)


def test_nothing_is_issued_after_the_end_though_the_next_request_is_due_much_later() -> None:
    result = measured(NullCoDriver(), Job(request_rate=0.5, runtime_s=1.0))
    assert counted(result) == (1, 0, 0)
    assert result.jobs[0].runtime_ns == pytest.approx(S, rel=0.01)


def test_a_job_ends_with_its_last_answer_though_another_request_would_be_due_later() -> None:
    result = measured(NullCoDriver(latency_ns=MS), Job(request_rate=1.0, max_requests=3))
    assert counted(result) == (3, 0, 0)
    assert result.jobs[0].runtime_ns == pytest.approx(2 * S + MS, rel=0.001)


def test_thinking_comes_between_an_answer_and_the_next_request() -> None:
    result = measured(NullCoDriver(latency_ns=MS), Job(think_s=0.004, max_requests=10))
    assert result.jobs[0].runtime_ns == pytest.approx(46 * MS, abs=MS)
    assert result.jobs[0].operations[Op.READ].total.max < 2 * MS


def test_a_range_with_one_place_for_a_request_gets_one() -> None:
    result = measured(NullCoDriver(), Job(alignment=1 << 20, size=8192))
    assert counted(result) == (1, 0, 0)


def test_warming_up_is_not_counted() -> None:
    driver = RecordingDriver(1 << 20)
    driver.recorder.script = lambda call: Answer(delay_s=0.001)
    job = Job(warmup_requests=30, max_requests=10, depth=2)
    result = measured(driver, job)
    assert counted(result) == (10, 0, 0)
    assert len(driver.recorder.calls) == 40
    assert result.jobs[0].runtime_ns == pytest.approx(5 * MS, abs=MS)
    assert result.elapsed_ns == pytest.approx(20 * MS, abs=MS)


def test_requests_that_never_wait_let_the_loop_turn_every_millisecond_or_so() -> None:
    async def main(time: Time) -> list[int]:
        turns: list[int] = []

        async def watch() -> None:
            while True:
                turns.append(time.now_ns)
                await asyncio.sleep(0)

        async with open_disk(NullCoDriver()) as disk, asyncio.TaskGroup() as group:
            watcher = group.create_task(watch())
            await run_jobs(disk, [Job(runtime_s=0.05, pattern=Uniform())], clock=time.look)
            watcher.cancel()
        return turns

    turns = run_virtually(main)
    gaps = [late - early for early, late in pairwise(turns)]
    assert max(gaps) < 2 * MS
    assert len(turns) < 200


def test_jobs_run_at_the_same_time_each_with_its_own_depth() -> None:
    jobs = [
        Job(name="reader", max_requests=40, depth=4),
        Job(name="writer", max_requests=20, depth=2, operations={Op.WRITE: 1}),
    ]
    result = measured(NullCoDriver(latency_ns=MS), *jobs)
    assert [job.job.name for job in result.jobs] == ["reader", "writer"]
    assert [job.requests for job in result.jobs] == [40, 20]
    assert result.elapsed_ns == pytest.approx(10 * MS, abs=MS)


def test_jobs_may_run_on_different_disks() -> None:
    drivers = {"first": RecordingDriver(1 << 20), "second": RecordingDriver(1 << 16)}

    async def main(time: Time) -> RunResult:
        async with open_disk(drivers["first"]) as first, open_disk(drivers["second"]) as second:
            jobs = [
                Job(name="a", disk="second", max_requests=3),
                Job(name="b", disk="first", max_requests=5),
            ]
            disks = {"first": first, "second": second}
            return await run_jobs(disks, jobs, clock=time.look)

    result = run_virtually(main)
    assert len(drivers["second"].recorder.calls) == 3
    assert len(drivers["first"].recorder.calls) == 5
    assert [job.disk_length for job in result.jobs] == [1 << 16, 1 << 20]


@pytest.mark.parametrize(
    ("jobs", "complaint"),
    [
        ([], "there is no job to run"),
        ([Job(), Job()], "two jobs are named 'job'"),
        ([Job(disk="b")], "job 'job': there is one disk, and none named 'b'"),
        ([Job(start=4096)], "job 'job': 4096 bytes from 4096 on reach past 4096"),
        (
            [Job(verify=True, name="a"), Job(operations={Op.DISCARD: 1}, name="b")],
            "job 'a' verifies what job 'b' overwrites",
        ),
    ],
)
async def test_jobs_that_do_not_fit_are_refused(jobs: list[Job], complaint: str) -> None:
    async with open_disk(NullCoDriver(4096)) as disk:
        with pytest.raises(ValueError, match=r".") as refused:
            Bench(disk, jobs)
    assert str(refused.value) == complaint


@pytest.mark.parametrize("wanted", [None, "c"])
async def test_of_several_disks_a_job_has_to_name_one_that_is_there(wanted: str | None) -> None:
    async with open_disk(NullCoDriver()) as first, open_disk(NullCoDriver()) as second:
        disks: Mapping[str, Disk] = {"b": first, "a": second}
        with pytest.raises(ValueError, match=r"which is none of: a, b$"):
            Bench(disks, [Job(disk=wanted)])


async def test_writers_beside_a_verified_range_are_welcome() -> None:
    async with open_disk(NullCoDriver()) as disk:
        jobs = [
            Job(name="a", size=8192, verify=True),
            Job(name="b", start=8192, size=8192, operations={Op.WRITE: 1}),
        ]
        Bench(disk, jobs)


def test_progress_is_told_every_interval_and_at_the_end() -> None:
    told: list[Progress] = []

    async def main(time: Time) -> RunResult:
        async with open_disk(NullCoDriver(latency_ns=MS)) as disk:
            jobs = [Job(runtime_s=1.05, warmup_s=0.2)]
            return await run_jobs(disk, jobs, progress=told.append, interval_s=0.1, clock=time.look)

    result = run_virtually(main)
    phases = [each.jobs[0].phase for each in told]
    assert sorted(phases, key=["warm-up", "running", "done"].index) == phases
    assert set(phases) == {"warm-up", "running", "done"}
    gaps = [late.elapsed_ns - early.elapsed_ns for early, late in pairwise(told)]
    assert all(100 * MS <= gap <= 160 * MS for gap in gaps[:-1])
    assert told[-1].jobs[0].fraction == 1.0
    assert told[-1].jobs[0].requests > result.jobs[0].requests
    assert {each.jobs[0].in_flight for each in told[:-1]} == {1}


def test_stopping_ends_a_run_with_what_there_is() -> None:
    driver = RecordingDriver(1 << 20)
    hold = driver.recorder.hold(at=8192)

    async def main(time: Time) -> RunResult:
        async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
            bench = Bench(disk, [Job(verify=True, operations={Op.WRITE: 1})], clock=time.look)
            running = group.create_task(bench.run())
            await hold.arrived()
            bench.stop()
            return await running

    result = run_virtually(main)
    assert result.cancelled
    assert not result.passed
    assert counted(result, Op.WRITE) == (2, 0, 1)
    assert result.jobs[0].stopped == "cancelled"
    assert result.jobs[0].verification is not None
    assert not result.jobs[0].verification.complete


def test_stopping_before_it_began_issues_nothing() -> None:
    driver = RecordingDriver(1 << 20)

    async def main(time: Time) -> RunResult:
        async with open_disk(driver) as disk:
            bench = Bench(disk, [Job()], clock=time.look)
            bench.stop()
            return await bench.run()

    assert run_virtually(main).cancelled
    assert driver.recorder.calls == []


def test_the_result_says_what_was_measured_and_where() -> None:
    result = run_bench({"driver": "null-co", "size": 8192}, Job())
    assert result.jobs[0].disk == 'json:{"driver": "null-co", "size": 8192}'
    assert result.jobs[0].disk_length == 8192
    assert result.loop.startswith("asyncio.")
    assert {"blkdebug_async", "uvloop"} <= set(result.versions)
    assert "CPU" in result.machine
    assert result.usage.user_ns >= 0
    assert len(result.usage.collections) == 3
    assert not result.cancelled


def test_what_verifying_in_the_end_uses_is_not_counted() -> None:
    driver = RecordingDriver(1 << 20)

    def collect(call: Call) -> None:
        if call.op is IoType.READ:
            gc.collect()

    driver.recorder.script = collect
    result = measured(driver, Job(operations={Op.WRITE: 1}, max_requests=10, verify=True))
    assert result.passed
    assert result.usage.collections[2] == 0


def test_code_that_is_not_async_may_bring_its_loop_and_several_disks() -> None:
    disks = {"a": open_disk(NullCoDriver(8192)), "b": open_disk(NullCoDriver(4096))}
    jobs = [Job(name="one", disk="a"), Job(name="two", disk="b")]
    result = run_bench(disks, jobs, loop_factory=uvloop.new_event_loop)
    assert [job.requests for job in result.jobs] == [2, 1]
    assert result.loop == "uvloop.Loop"


def test_a_disk_that_is_told_how_to_open_is_opened_so() -> None:
    result = run_bench(open_disk(NullCoDriver(4096), read_only=True), Job())
    assert result.jobs[0].requests == 1


def test_an_interruption_gives_what_there_is() -> None:
    seen: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 1:
            signal.raise_signal(signal.SIGINT)

    result = run_bench(NullCoDriver(), Job(runtime_s=60.0), progress=interrupt, interval_s=0.01)
    assert result.cancelled
    assert result.jobs[0].requests > 0


def test_a_disk_that_cannot_be_opened_is_told_of() -> None:
    with pytest.raises(OSError, match="no-such-driver"):
        run_bench({"driver": "no-such-driver"}, Job())
