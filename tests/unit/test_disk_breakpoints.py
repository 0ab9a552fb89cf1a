from __future__ import annotations

import asyncio
from errno import EIO, ENOENT, ENOTSUP, ETIMEDOUT

import pytest

from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError, Phase, Predicate, SetState, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import BlockError, InjectedError, OptionError
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver
from tests.unit.block.disks import CONTENT, KIB, settle

SIZE = 64 * KIB


def debugged(*rules: InjectError | SetState | Suspend) -> BlkdebugDriver:
    return BlkdebugDriver(MemoryDriver(SIZE), rules)


def errno_of(caught: pytest.ExceptionInfo[OSError]) -> int | None:
    return caught.value.errno


# --- breakpoints -------------------------------------------------------------------------------


async def test_breakpoint_holds_one_request_until_resumed() -> None:
    async with open_disk(debugged()) as disk, asyncio.TaskGroup() as group:
        disk.breakpoint("pwritev", "A")
        first = group.create_task(disk.pwrite(0, b"1"))
        await disk.wait_suspended("A")
        await disk.pwrite(1, b"2")
        assert disk.is_suspended("A")
        assert [tag for tag, _ in disk.suspended()] == ["A"]
        assert await disk.pread(0, 2) == b"\x002"
        disk.resume("A")
        await first
        assert not disk.is_suspended("A")
        assert await disk.pread(0, 2) == b"12"


async def test_waiting_for_a_suspension_in_vain_says_who_waits_for_what() -> None:
    async with open_disk(debugged()) as disk, asyncio.TaskGroup() as group:
        disk.breakpoint("pwritev", "A")
        group.create_task(disk.pwrite(0, b"x" * 512), name="writer")
        await disk.wait_suspended("A")
        with pytest.raises(
            BlockError, match="No request was suspended at 'B' within 0 s"
        ) as caught:
            await disk.wait_suspended("B", within=0)
        assert errno_of(caught) == ETIMEDOUT
        message = str(caught.value)
        assert "write of 512 bytes at 0" in message
        assert "task 'writer'" in message
        assert "at 'A'" in message
        assert "in flight: request" in message
        disk.resume("A")


async def test_waiting_in_vain_on_an_idle_disk_says_that_nothing_goes_on() -> None:
    async with open_disk(debugged()) as disk:
        with pytest.raises(BlockError, match="no request is held; nothing is in flight"):
            await disk.wait_suspended("A", within=0)


@pytest.mark.parametrize(
    ("predicate", "held"),
    [
        (Predicate(ops=frozenset({IoType.READ})), {"read"}),
        (Predicate(ops=frozenset({IoType.WRITE, IoType.FLUSH})), {"write", "flush", "far"}),
        (Predicate(offset=8 * KIB, length=KIB), {"far"}),
        (Predicate(task="far"), {"far"}),
        (Predicate(node="debug"), {"read", "write", "flush", "far"}),
        (Predicate(node="elsewhere"), set()),
        (Predicate(when=lambda request: request.length == 3), {"far"}),
        (Predicate(ops=frozenset({IoType.WRITE}), nth=2), {"far"}),
    ],
)
async def test_breakpoint_holds_only_those_that_its_predicate_is_for(
    predicate: Predicate, held: set[str]
) -> None:
    options = {
        "driver": "blkdebug",
        "node-name": "debug",
        "image": {"driver": "memory", "size": SIZE},
    }
    async with open_disk(options) as disk, asyncio.TaskGroup() as group:
        disk.add_rule(Suspend("A", phase=Phase.BEFORE_COMPLETION, predicate=predicate, count=None))
        group.create_task(disk.pread(0, 512), name="read")
        group.create_task(disk.pwrite(0, b"x" * 512), name="write")
        group.create_task(disk.flush(), name="flush")
        group.create_task(disk.pwrite(8 * KIB, b"far"), name="far")
        await settle()
        found = {request.task_name for _, request in disk.suspended() if request}
        disk.remove_breakpoint("A")
        assert found == held


@pytest.mark.parametrize(
    ("phase", "seen"),
    [
        (Phase.BEFORE_DRIVER, b"\0"),
        (Phase.AFTER_DRIVER, b"x"),
        (Phase.BEFORE_COMPLETION, b"x"),
    ],
)
async def test_phase_says_whether_the_bytes_are_written_already(phase: Phase, seen: bytes) -> None:
    below = RecordingDriver(SIZE)
    async with open_disk(BlkdebugDriver(below)) as disk, asyncio.TaskGroup() as group:
        disk.add_rule(Suspend("A", phase=phase))
        group.create_task(disk.pwrite(0, b"x"))
        await disk.wait_suspended("A", within=5)
        assert below.content[:1] == seen
        disk.resume("A")


async def test_count_says_how_many_requests_are_held() -> None:
    driver = debugged(Suspend("A", Event.PWRITEV, count=2))
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        tasks = [group.create_task(disk.pwrite(at, b"x")) for at in range(4)]
        await settle()
        assert [task.done() for task in tasks] == [False, False, True, True]
        # The one that was suspended last goes on first.
        disk.resume("A")
        await settle()
        assert [task.done() for task in tasks] == [False, True, True, True]
        disk.resume("A")


async def test_cancelled_request_leaves_its_breakpoint_and_its_bytes() -> None:
    driver = debugged(Suspend("A", Event.PWRITEV))
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        write = group.create_task(disk.pwrite(0, b"x"))
        await disk.wait_suspended("A")
        write.cancel()
        await settle()
        assert not disk.is_suspended("A")
        assert await disk.pread(0, 1) == b"\0"
        assert not disk.root.tracker.requests


@pytest.mark.parametrize("compat", [None, "qemu-7.2"])
async def test_removing_a_breakpoint_resumes_what_it_holds(compat: str | None) -> None:
    driver = debugged(Suspend("A", Event.PWRITEV))
    async with open_disk(driver, compat=compat) as disk, asyncio.TaskGroup() as group:
        write = group.create_task(disk.pwrite(0, b"x"))
        await disk.wait_suspended("A")
        if compat is None:
            disk.remove_breakpoint("A")
        else:
            with pytest.raises(BlockError, match="no breakpoint 'A'") as caught:
                disk.remove_breakpoint("A")
            assert errno_of(caught) == ENOENT
        await write


@pytest.mark.parametrize(
    ("verb", "words"),
    [("resume", ["A"]), ("remove_breakpoint", ["A"]), ("breakpoint", ["no_such_event", "A"])],
)
async def test_breakpoints_that_are_not_there_are_refused(verb: str, words: list[str]) -> None:
    async with open_disk(debugged()) as disk:
        with pytest.raises(BlockError) as caught:
            getattr(disk, verb)(*words)
        assert errno_of(caught) == ENOENT


async def test_disk_without_blkdebug_has_no_breakpoints() -> None:
    async with open_disk(MemoryDriver(SIZE)) as disk:
        assert not disk.is_suspended("A")
        with pytest.raises(BlockError, match="no blkdebug node") as caught:
            disk.breakpoint("pwritev", "A")
        assert errno_of(caught) == ENOTSUP
        with pytest.raises(OptionError):
            disk.is_suspended("A", node="nobody")


async def test_breakpoint_may_be_on_any_blkdebug_node() -> None:
    driver = BlkdebugDriver(BlkdebugDriver(RecordingDriver(CONTENT)))
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        below = disk.root.children[0].node.name
        disk.breakpoint("pwritev", "A", node=below)
        group.create_task(disk.pwrite(0, b"x"))
        await settle()
        assert not disk.is_suspended("A")
        assert disk.is_suspended("A", node=below)
        disk.resume("A", node=below)


# --- rules -------------------------------------------------------------------------------------


async def test_rules_come_and_go_on_an_open_disk() -> None:
    rule = InjectError(Event.PWRITEV, errno=EIO, iotypes=frozenset({IoType.WRITE}))
    async with open_disk(debugged()) as disk:
        disk.add_rule(rule)
        with pytest.raises(InjectedError) as caught:
            await disk.pwrite(0, b"x")
        assert errno_of(caught) == EIO
        assert disk.remove_rule(rule)
        assert not disk.remove_rule(rule)
        await disk.pwrite(0, b"x")


async def test_rules_that_never_did_anything_are_listed_with_their_node() -> None:
    used = InjectError(Event.PWRITEV, once=True, iotypes=frozenset({IoType.WRITE}))
    idle = InjectError(Event.COR_WRITE)
    waiting = Suspend("A", Event.FLUSH_TO_DISK)
    async with open_disk(debugged(used, idle)) as disk:
        disk.add_rule(waiting)
        assert {rule for _, rule in disk.unused_rules()} == {used, idle, waiting}
        with pytest.raises(InjectedError):
            await disk.pwrite(0, b"x")
        assert disk.unused_rules() == [(disk.root.name, idle), (disk.root.name, waiting)]
