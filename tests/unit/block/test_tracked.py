from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.context import Context
from blkdebug_async.block.flags import SERIALISING
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.tracked import Request, Tracker
from blkdebug_async.block.waiting import WaitQueue
from blkdebug_async.disk import Disk
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver, SeededChoices
from tests.unit.block.disks import CONTENT, KIB, opened, settle

BLOCKS = Limits(4 * KIB)


def blocked() -> RecordingDriver:
    return RecordingDriver(CONTENT, BLOCKS)


# --- who waits for whom ------------------------------------------------------------------------

SEND: dict[str, Callable[[Disk, int, int], Awaitable[object]]] = {
    "read": lambda disk, offset, length: disk.pread(offset, length),
    "write": lambda disk, offset, length: disk.pwrite(offset, b"y" * length),
    "zeroes": lambda disk, offset, length: disk.pwrite_zeroes(offset, length),
    "discard": lambda disk, offset, length: disk.pdiscard(offset, length),
    "flush": lambda disk, offset, length: disk.flush(),
    "status": lambda disk, offset, length: disk.block_status(offset, length),
}


async def send(disk: Disk, kind: str, offset: int, length: int) -> None:
    await SEND[kind](disk, offset, length)


@pytest.mark.parametrize(
    ("kind", "offset", "length", "waits"),
    [
        ("read", 4 * KIB, 4 * KIB, True),
        ("read", 0, 12 * KIB, True),
        ("read", 0, 4 * KIB, False),
        ("read", 8 * KIB, 4 * KIB, False),
        ("write", 4 * KIB, 4 * KIB, True),
        ("write", 8 * KIB, 4 * KIB, False),
        ("write", 7 * KIB, KIB, True),
        ("write", 9 * KIB, KIB, False),
        ("zeroes", 4 * KIB, 4 * KIB, True),
        ("discard", 4 * KIB, 4 * KIB, True),
        ("discard", 8 * KIB, 4 * KIB, False),
        ("flush", 0, 0, False),
        ("status", 4 * KIB, 4 * KIB, False),
    ],
)
async def test_whoever_meets_a_block_that_is_being_modified_waits(
    kind: str, offset: int, length: int, waits: bool
) -> None:
    driver = blocked()
    hold = driver.recorder.hold(IoType.READ, times=1)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(5 * KIB, b"x"))
        await hold.arrived()
        other = group.create_task(send(disk, kind, offset, length))
        await settle()
        assert other.done() is not waits
        hold.release()


async def test_plain_writes_to_the_same_bytes_do_not_wait() -> None:
    driver = blocked()
    hold = driver.recorder.hold(IoType.WRITE, times=1)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"x" * 4 * KIB))
        await hold.arrived()
        await disk.pwrite(0, b"y" * 4 * KIB)
        hold.release()


async def test_read_modify_write_waits_for_plain_requests_reads_too() -> None:
    for kind in (IoType.READ, IoType.WRITE):
        driver = blocked()
        hold = driver.recorder.hold(kind, times=1)
        async with opened(driver) as disk, asyncio.TaskGroup() as group:
            group.create_task(send(disk, kind.value, 0, 4 * KIB))
            await hold.arrived()
            unaligned = group.create_task(disk.pwrite(1, b"z"))
            await settle()
            assert not unaligned.done()
            assert Event.PWRITEV_RMW_HEAD not in driver.recorder.events
            hold.release()


async def test_nobody_waits_for_a_request_that_waits_itself() -> None:
    driver = blocked()
    hold = driver.recorder.hold(IoType.WRITE, times=1)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"x" * 4 * KIB))
        await hold.arrived()
        waiting = group.create_task(disk.pwrite(1, b"z"))
        await settle()
        assert not waiting.done()
        # It overlaps the one that waits, and the plain one that holds that one up.
        await disk.pread(0, 4 * KIB)
        hold.release()


async def test_request_may_ask_to_be_alone_on_its_blocks() -> None:
    driver = blocked()
    hold = driver.recorder.hold(IoType.WRITE, times=1)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"x" * 4 * KIB, SERIALISING))
        await hold.arrived()
        read = group.create_task(disk.pread(0, 4 * KIB))
        await settle()
        assert not read.done()
        hold.release()
        assert await read == b"x" * 4 * KIB


async def test_new_space_is_kept_free_of_writes_while_the_node_grows() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.TRUNCATE)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.truncate(128 * KIB))
        await hold.arrived()
        path = disk.root.path
        write = group.create_task(path.pwrite_zeroes(100 * KIB, KIB, 0, None))
        await disk.pwrite(0, b"old space is free")
        await settle()
        assert not write.done()
        hold.release()


# --- order and cancellation --------------------------------------------------------------------


async def test_waiters_go_on_in_the_order_in_which_they_came() -> None:
    driver = blocked()
    hold = driver.recorder.hold(IoType.READ, times=1)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(1, b"0"))
        await hold.arrived()
        for value in (b"1", b"2", b"3"):
            group.create_task(disk.pwrite(1, value))
            await settle()
        hold.release()
    assert driver.content[1:2] == b"3"


async def test_choices_may_change_the_order_of_waiters() -> None:
    finals = set()
    for seed in range(12):
        driver = blocked()
        hold = driver.recorder.hold(IoType.READ, times=1)
        async with (
            open_disk(driver, choices=SeededChoices(seed)) as disk,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(disk.pwrite(1, b"0"))
            await hold.arrived()
            for value in (b"1", b"2"):
                group.create_task(disk.pwrite(1, value))
                await settle()
            hold.release()
        finals.add(bytes(driver.content[1:2]))
    assert finals == {b"1", b"2"}


async def test_cancelled_waiter_leaves_the_queue() -> None:
    driver = blocked()
    hold = driver.recorder.hold(IoType.READ, times=1)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(1, b"0"))
        await hold.arrived()
        cancelled, stays = (group.create_task(disk.pwrite(1, value)) for value in (b"1", b"2"))
        await settle()
        cancelled.cancel()
        await settle()
        assert [request.op for request in disk.root.tracker.requests] == [IoType.WRITE] * 2
        hold.release()
        await stays
        assert not disk.root.tracker.requests
        assert disk.root.tracker.serialising == 0
    assert driver.content[1:2] == b"2"


async def test_cancelled_holder_lets_its_waiters_go_on() -> None:
    driver = blocked()
    hold = driver.recorder.hold(IoType.READ, times=1)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        holder = group.create_task(disk.pwrite(1, b"0"))
        await hold.arrived()
        waiter = group.create_task(disk.pwrite(2, b"1"))
        await settle()
        holder.cancel()
        await waiter
        hold.release()
    assert driver.content[:4] == CONTENT[:2] + b"1" + CONTENT[3:4]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("op", [IoType.READ, IoType.WRITE])
async def test_cancelled_read_modify_write_leaves_a_block_old_or_new(
    op: IoType, after: bool
) -> None:
    driver = blocked()
    hold = driver.recorder.hold(op, after=after)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        write = group.create_task(disk.pwrite(KIB, b"x" * KIB))
        await hold.arrived()
        write.cancel()
        await settle()
        hold.release()
    written = op is IoType.WRITE and after
    middle = b"x" * KIB if written else CONTENT[KIB : 2 * KIB]
    assert driver.content == CONTENT[:KIB] + middle + CONTENT[2 * KIB :]


# --- the rule of conflicts ---------------------------------------------------------------------

ops = st.sampled_from(list(IoType))
ranges = st.tuples(st.integers(0, 12), st.integers(0, 8))
entries = st.lists(st.tuples(ops, ranges, st.booleans(), st.booleans()), min_size=1, max_size=8)


class Indexed(Tracker):
    few: ClassVar[int] = 0


@pytest.mark.parametrize("make", [Tracker, Indexed])
@given(entries, st.integers(0, 7), st.sampled_from([1, 2, 4]))
def test_conflict_is_with_the_newest_that_overlaps_and_does_not_wait(
    make: type[Tracker],
    entries: list[tuple[IoType, tuple[int, int], bool, bool]],
    pick: int,
    unit: int,
) -> None:
    tracker = make(Context())
    requests = []
    for number, (op, (offset, length), serialising, waits) in enumerate(entries):
        request = Request(number, "node", op, offset, length, 0, None)
        tracker.begin(request)
        if serialising:
            tracker.mark_serialising(request, unit)
        requests.append(request)
        if waits:
            request.queue = WaitQueue(requests[0])
    chosen = requests[pick % len(requests)]
    expected = None
    for other in requests:
        if other is not chosen and meets(other, chosen):
            expected = other
    assert tracker.conflict(chosen) is expected
    assert tracker.serialising == sum(entry[2] for entry in entries)


def meets(other: Request, chosen: Request) -> bool:
    if other.op in (IoType.FLUSH, IoType.BLOCK_STATUS) or other.queue is not None:
        return False
    if not (other.serialising or chosen.serialising):
        return False
    apart = chosen.end <= other.start or other.end <= chosen.start
    return not apart


@given(ranges, st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4, 8]))
def test_serialising_range_only_ever_grows(
    bounds: tuple[int, int], first: int, second: int
) -> None:
    offset, length = bounds
    tracker = Tracker(Context())
    request = Request(1, "node", IoType.WRITE, offset, length, 0, None)
    tracker.begin(request)
    tracker.mark_serialising(request, first)
    tracker.mark_serialising(request, second)
    unit = max(first, second)
    assert request.start == offset // unit * unit
    assert request.end == -(-(offset + length) // unit) * unit
    assert tracker.serialising == 1


# --- what people see ---------------------------------------------------------------------------


async def test_request_names_its_task_its_range_and_whom_it_serves() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.WRITE)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(512, b"abc"), name="writer")
        await hold.arrived()
        (request,) = disk.root.tracker.requests
        assert request.task_name == "writer"
        assert (
            request.describe()
            == f"request {request.id}: write 3 bytes at offset 512 on node '{disk.root.name}'"
        )
        assert repr(request) == f"<{request.describe()}>"
        inner = Request(99, "below", IoType.FLUSH, 0, 0, 0, request)
        assert inner.task_name == "writer"
        assert inner.describe() == "request 99: flush on node 'below'"
        hold.release()


def test_request_without_a_loop_has_no_task() -> None:
    assert Request(1, "node", IoType.READ, 0, 1, 0, None).task_name is None
