from __future__ import annotations

import asyncio
from collections.abc import Iterator
from errno import ENOSPC
from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.cli.failures import ErrorReport
from blkdebug_async.cli.img_bench import Load, LoadRun

LENGTH = 1000


class FakeDisk:
    """Answers at once, or after some turns of the loop, as it is told."""

    def __init__(self, turns: Iterator[int | None], length: int = LENGTH) -> None:
        #: For each request: turns of the loop it takes; None: answered in the call.
        self._turns = turns
        self._next: int | None = next(turns)
        self.length = length
        self.offsets: list[int] = []
        self.written = 0
        self.in_flight = 0
        self.most_in_flight = 0
        #: For each flush: requests sent before, requests in flight.
        self.flushes: list[tuple[int, int]] = []
        self.is_flushing = False
        self.failing_offset: int | None = None
        self.fails_flushes = False

    def preadv_nowait(self, offset: int, buffers: Iovec) -> bool:
        if self._next is not None or offset == self.failing_offset:
            return False
        self._sent(offset)
        return True

    async def preadv(self, offset: int, buffers: Iovec) -> None:
        turns = self._next or 0
        self._sent(offset)
        if offset == self.failing_offset:
            raise OSError(ENOSPC, "full")
        self.in_flight += 1
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        for _ in range(turns):
            await asyncio.sleep(0)
        self.in_flight -= 1

    def pwritev_nowait(self, offset: int, buffers: Iovec) -> bool:
        done = self.preadv_nowait(offset, buffers)
        self.written += done
        return done

    async def pwritev(self, offset: int, buffers: Iovec) -> None:
        self.written += 1
        await self.preadv(offset, buffers)

    async def flush(self) -> None:
        self.flushes.append((len(self.offsets), self.in_flight))
        if self.fails_flushes:
            raise OSError(ENOSPC, "full")
        self.is_flushing = True
        await asyncio.sleep(0)
        self.is_flushing = False

    def _sent(self, offset: int) -> None:
        self.offsets.append(offset)
        self._next = next(self._turns)


async def send(disk: FakeDisk, load: Load) -> list[float]:
    times: list[float] = []
    await LoadRun(disk, load, times.append).run()
    return times


def made(count: int, depth: int, *, interval: int = 0, drains: bool = True, step: int = 7) -> Load:
    return Load(
        count=count,
        depth=depth,
        offset=step,
        step=step,
        buffer=Iovec.of([bytearray(4)]),
        is_write=interval > 0,
        flush_interval=interval,
        drains=drains,
    )


counts = st.integers(0, 60)
depths = st.integers(1, 9)
#: How requests are answered, over and over.
turns = st.lists(st.none() | st.integers(0, 4), min_size=1, max_size=8)


def answering(pattern: list[int | None]) -> FakeDisk:
    return FakeDisk(turn for forever in repeat(pattern) for turn in forever)


@given(counts, depths, turns, st.sampled_from([0, 7, LENGTH, 3 * LENGTH + 1]))
def test_each_request_is_a_step_behind_the_one_before(
    count: int, depth: int, pattern: list[int | None], step: int
) -> None:
    disk = answering(pattern)
    times = asyncio.run(send(disk, made(count, depth, step=step)))
    assert disk.offsets[1:] == [(step * (n + 1)) % LENGTH for n in range(1, count)]
    assert len(disk.offsets) == count
    assert disk.most_in_flight <= depth
    assert len(times) == 1


@given(st.integers(1, 60), depths, turns, st.integers(0, 5))
def test_a_flush_comes_between_requests_where_it_is_due(
    count: int, depth: int, pattern: list[int | None], more: int
) -> None:
    disk = answering(pattern)
    interval = depth + more
    asyncio.run(send(disk, made(count, depth, interval=interval)))
    assert [in_flight for _, in_flight in disk.flushes] == [0] * len(disk.flushes)
    assert all((count - sent) % interval == 0 for sent, _ in disk.flushes)
    assert disk.flushes[-1][0] == count
    assert len(disk.flushes) == len(set(disk.flushes))
    assert disk.written == count


@given(st.integers(1, 60), depths, turns, st.integers(0, 5))
def test_without_draining_a_flush_holds_nobody_back(
    count: int, depth: int, pattern: list[int | None], more: int
) -> None:
    disk = answering(pattern)
    asyncio.run(send(disk, made(count, depth, interval=depth + more, drains=False)))
    assert len(disk.offsets) == count
    assert disk.flushes[-1][0] == count


@pytest.mark.parametrize("pattern", [[None], [0], [1], [None, 2]])
async def test_flushes_are_as_many_as_intervals(pattern: list[int | None]) -> None:
    disk = answering(pattern)
    await send(disk, made(40, 4, interval=10))
    assert [sent for sent, _ in disk.flushes] == [10, 20, 30, 40]


async def test_nothing_is_sent_while_a_flush_drains() -> None:
    class Watching(FakeDisk):
        def _sent(self, offset: int) -> None:
            assert not self.is_flushing
            super()._sent(offset)

    disk = Watching(iter([3, 1, None, 2, 1] * 20))
    await send(disk, made(60, 4, interval=6))
    assert len(disk.flushes) == 10


async def test_as_many_as_the_depth_are_in_flight() -> None:
    disk = answering([50])
    await send(disk, made(100, 8))
    assert disk.most_in_flight == 8


async def test_no_more_workers_come_than_there_are_requests() -> None:
    disk = answering([50])
    before = len(asyncio.all_tasks())
    async with asyncio.TaskGroup() as group:
        group.create_task(send(disk, made(3, 1 << 30)))
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == before + 3
    assert disk.most_in_flight == 3


@pytest.mark.parametrize("pattern", [[None], [0]])
@pytest.mark.parametrize("depth", [1, 8])
async def test_others_have_their_turn_while_everything_is_answered_at_once(
    pattern: list[int | None], depth: int
) -> None:
    disk = answering(pattern)
    turns = 0
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(send(disk, made(100_000, depth)))
        while not sending.done():
            turns += 1
            await asyncio.sleep(0)
    assert turns > 5


@pytest.mark.parametrize("depth", [1, 4])
@pytest.mark.parametrize("pattern", [[None], [0], [3]])
async def test_a_failure_ends_the_run_and_is_told(depth: int, pattern: list[int | None]) -> None:
    disk = answering(pattern)
    disk.failing_offset = 70
    times: list[float] = []
    with pytest.raises(ErrorReport, match=r"^Failed request: No space left on device$"):
        await LoadRun(disk, made(100, depth), times.append).run()
    assert times == []
    assert len(disk.offsets) < 100


@pytest.mark.parametrize(("drains", "what"), [(True, "request"), (False, "flush request")])
async def test_a_failed_flush_is_told(drains: bool, what: str) -> None:
    disk = answering([1])
    disk.fails_flushes = True
    with pytest.raises(ErrorReport, match=f"^Failed {what}: No space left on device$"):
        await send(disk, made(100, 4, interval=10, drains=drains))


async def test_the_time_is_told_before_the_last_flush() -> None:
    disk = answering([1])
    disk.fails_flushes = True
    times: list[float] = []
    with pytest.raises(ErrorReport):
        await LoadRun(disk, made(10, 4, interval=10), times.append).run()
    assert len(times) == 1
