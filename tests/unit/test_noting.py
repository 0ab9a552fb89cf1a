"""Requests of disks, noted in the history of an explored run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from errno import EIO

import pytest

from blkdebug_async import Disk, Event, InjectError, open_disk
from blkdebug_async.block.driver import Driver, Pace
from blkdebug_async.block.flags import COPY_ON_READ, PREFETCH
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.node import Child
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.events import IoType
from blkdebug_async.explore.here import exploration_here
from blkdebug_async.explore.history import History, Violation
from blkdebug_async.noting import root_edge
from blkdebug_async.units import INT64_MAX, MIB
from tests.unit.explore.loop_schedulers import Chance, Listed
from tests.unit.explore.test_loop_flight import run

Scenario = Callable[[Disk], Awaitable[object]]
Options = dict[str, object]
Source = Options | Driver
SECTOR = 512
MEMORY: Options = {"driver": "memory", "size": MIB}


class AtOnceDriver(MemoryDriver):
    """Never goes into flight."""

    pace: Pace = Pace.OWN_TIME


class ForgetfulDriver(MemoryDriver):
    """Loses the writes to its second sector."""

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        if offset != SECTOR:
            await super().pwritev(offset, length, iov, flags, request)


def noted(scenario: Scenario, source: Source = MEMORY, scheduler: Listed | None = None) -> History:
    """Give the history of a scenario with one disk; what it raises is left to itself."""

    async def main() -> History:
        async with open_disk(source) as disk:
            await scenario(disk)
        return history_here()

    return run(main(), scheduler)


def history_here() -> History:
    exploration = exploration_here()
    assert exploration is not None
    return exploration.history


def data(letter: str) -> bytes:
    return letter.encode() * SECTOR


# --- what is noted ---


def test_each_request_is_noted() -> None:
    async def scenario(disk: Disk) -> None:
        await disk.pwrite(0, data("a"))
        assert await disk.pread(0, SECTOR) == data("a")
        await disk.pwrite_zeroes(SECTOR, SECTOR)
        await disk.pdiscard(0, 2 * SECTOR)
        await disk.flush()

    assert [(each.op, each.offset, each.length, each.data) for each in noted(scenario)] == [
        (IoType.WRITE, 0, SECTOR, data("a")),
        (IoType.READ, 0, SECTOR, data("a")),
        (IoType.WRITE_ZEROES, SECTOR, SECTOR, None),
        (IoType.DISCARD, 0, 2 * SECTOR, None),
        (IoType.FLUSH, 0, 0, None),
    ]


def test_moments_and_steps_rise_with_time() -> None:
    async def scenario(disk: Disk) -> None:
        await disk.pwrite(0, data("a"))
        await disk.pread(0, SECTOR)

    write, read = noted(scenario)
    assert (write.began, write.ended, read.began, read.ended) == (0, 1, 2, 3)
    told = (write.step, write.last_step, read.step, read.last_step)
    steps = [step for step in told if step is not None]
    assert len(steps) == 4
    assert steps == sorted(steps)
    assert steps[0] < steps[1] < steps[3]


def test_who_has_asked_is_noted() -> None:
    async def scenario(disk: Disk) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(disk.pwrite(0, data("a")), name="writer")
            group.create_task(disk.pread(0, SECTOR), name="reader")

    assert {each.task.rpartition("/")[2] for each in noted(scenario)} == {"writer", "reader"}


def test_in_a_run_without_names_nobody_and_no_step_is_told() -> None:
    async def scenario(disk: Disk) -> None:
        await disk.pread(0, SECTOR)

    (read,) = noted(scenario, scheduler=Listed(wants_actions=False))
    assert (read.task, read.step, read.last_step) == ("", None, None)


@pytest.mark.parametrize("size", [SECTOR, 2 * MIB])
def test_another_length_is_noted_from_the_shorter_end_on(size: int) -> None:
    async def scenario(disk: Disk) -> None:
        await disk.truncate(size)

    (truncate,) = noted(scenario)
    start = min(size, MIB)
    assert (truncate.op, truncate.offset) == (IoType.TRUNCATE, start)
    assert truncate.end == INT64_MAX


def test_why_a_request_failed_is_noted() -> None:
    source: Options = {"driver": "raw", "file": {"driver": "blkdebug", "image": MEMORY}}

    async def scenario(disk: Disk) -> None:
        disk.add_rule(InjectError(event=Event.WRITE_AIO, errno=EIO, once=True))
        with pytest.raises(OSError, match="error"):
            await disk.pwrite(0, data("a"))

    (write,) = noted(scenario, source)
    assert (write.error, write.ended) == ("EIO", 1)


def test_that_a_request_was_cancelled_is_noted() -> None:
    async def scenario(disk: Disk) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(disk.pwrite(0, data("a")))
            await asyncio.sleep(0)
            task.cancel()

    (write,) = noted(scenario)
    assert write.error == "cancelled"


def test_what_the_disk_refuses_is_not_noted() -> None:
    async def scenario(disk: Disk) -> None:
        with pytest.raises(OSError, match="outside"):
            await disk.pread(MIB, SECTOR)

    assert noted(scenario) == []


def test_a_read_that_returns_nothing_to_anybody_is_not_noted() -> None:
    async def scenario(disk: Disk) -> None:
        await disk.preadv(0, [bytearray(SECTOR)], COPY_ON_READ | PREFETCH)

    assert noted(scenario) == []


def test_a_request_that_is_answered_at_once_is_noted() -> None:
    async def scenario(disk: Disk) -> None:
        assert disk.pwritev_nowait(0, [data("a")])
        buffer = bytearray(SECTOR)
        assert disk.preadv_nowait(0, [buffer])

    history = noted(scenario, AtOnceDriver(MIB))
    assert [(each.op, each.data, each.began, each.ended) for each in history] == [
        (IoType.WRITE, data("a"), 0, 1),
        (IoType.READ, data("a"), 2, 3),
    ]


def test_a_request_that_is_not_answered_at_once_is_noted_once() -> None:
    async def scenario(disk: Disk) -> None:
        assert not disk.pwritev_nowait(0, [data("a")])
        await disk.pwrite(0, data("a"))
        buffer = bytearray(SECTOR)
        assert not disk.preadv_nowait(0, [buffer])
        await disk.preadv(0, [buffer])

    assert [each.op for each in noted(scenario)] == [IoType.WRITE, IoType.READ]


# --- which disks are judged ---


def test_a_disk_that_keeps_nothing_is_left_out() -> None:
    async def scenario(disk: Disk) -> None:
        await disk.pwrite(0, data("a"))
        assert await disk.pread(0, SECTOR) != data("a")

    history = noted(scenario, {"driver": "raw", "file": {"driver": "null-co", "size": MIB}})
    assert len(history) == 2
    assert history.left_out == {"raw"}


def test_disks_on_one_node_are_one() -> None:
    async def scenario(disk: Disk) -> None:
        other = disk.on_node(disk.root.name)
        await disk.pwrite(0, data("a"))
        await other.pread(0, SECTOR)
        await other.close()

    history = noted(scenario)
    assert {each.disk for each in history} == {"memory"}
    assert history.left_out == set()


def test_disks_that_share_a_node_below_are_left_out() -> None:
    async def scenario(disk: Disk) -> None:
        await disk.on_node("low").close()

    history = noted(scenario, {"driver": "raw", "file": {**MEMORY, "node-name": "low"}})
    assert history.left_out == {"raw", "low"}


def test_disks_opened_one_after_the_other_are_not_the_same() -> None:
    async def main() -> History:
        for letter in "ab":
            async with open_disk(MEMORY) as disk:
                await disk.pwrite(0, data(letter))
        return history_here()

    assert [each.disk for each in run(main())] == ["memory", "memory#1"]


# --- what is found ---


async def race(disk: Disk) -> None:
    """Write the same bytes from several sides, whole and in part, and read them meanwhile."""

    async def write(letter: str, offset: int, length: int) -> None:
        await disk.pwrite(offset, letter.encode() * length)
        await disk.pread(0, 4 * SECTOR)

    async with asyncio.TaskGroup() as group:
        group.create_task(write("a", 0, 4 * SECTOR))
        group.create_task(write("b", SECTOR, 2 * SECTOR))
        group.create_task(write("c", 700, 700))
        group.create_task(disk.pwrite_zeroes(2 * SECTOR, SECTOR))
        doomed = group.create_task(write("d", 0, SECTOR))
        await asyncio.sleep(0)
        doomed.cancel()
    await disk.pread(0, 4 * SECTOR)


ALIGNED: Options = {"driver": "blkdebug", "align": SECTOR, "image": MEMORY}


@pytest.mark.parametrize("source", [MEMORY, ALIGNED], ids=["bytes", "sectors"])
def test_what_disks_do_is_explained_in_any_order(source: Source) -> None:
    for seed in range(60):
        verdict = noted(race, source, Chance(seed)).judge()
        assert (verdict.violation, verdict.undecided) == (None, 0), f"seed {seed}"


def test_a_lost_write_is_found() -> None:
    async def scenario(disk: Disk) -> None:
        await disk.pread(0, 2 * SECTOR)
        await disk.pwrite(0, data("a"))
        await disk.pwrite(SECTOR, data("b"))
        await disk.pread(0, 2 * SECTOR)

    violation = noted(scenario, ForgetfulDriver(MIB)).judge().violation
    assert isinstance(violation, Violation)
    assert (violation.offset, violation.length) == (SECTOR, SECTOR)
    assert (violation.returned, violation.possible) == (bytes(SECTOR), (data("b"),))


# --- where nothing is explored ---


async def test_an_ordinary_loop_has_an_ordinary_edge() -> None:
    async with open_disk(MEMORY) as disk:
        assert type(root_edge(disk.root, disk)) is Child


async def test_a_loop_that_calls_something_else_an_exploration_has_an_ordinary_edge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_disk(MEMORY) as disk:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(loop, "exploration", "of the poles", raising=False)
        assert type(root_edge(disk.root, disk)) is Child


def test_without_a_loop_an_edge_is_ordinary() -> None:
    async def open_one() -> Disk:
        return await open_disk(MEMORY)

    with asyncio.Runner() as runner:
        disk = runner.run(open_one())
        assert type(root_edge(disk.root, disk)) is Child
        runner.run(disk.close())
