from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable
from errno import EBADF, EBUSY, EINVAL, EIO, EPERM

import pytest

from blkdebug_async.block.flags import FUA
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError, SetState, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, OptionError, SuspendedError
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver, SeededChoices
from tests.unit.block.disks import CONTENT, KIB, settle

SIZE = 64 * KIB

REQUESTS: dict[str, Callable[[Disk], Awaitable[object]]] = {
    "read": lambda disk: disk.pread(0, 512),
    "write": lambda disk: disk.pwrite(0, b"x" * 512),
    "zeroes": lambda disk: disk.pwrite_zeroes(0, 512),
    "discard": lambda disk: disk.pdiscard(0, 512),
    "flush": lambda disk: disk.flush(),
    "truncate": lambda disk: disk.truncate(512),
    "status": lambda disk: disk.block_status(0, 512),
    "allocated": lambda disk: disk.is_allocated(0, 512),
}
WRITES = ("write", "zeroes", "discard")


def debugged(*rules: InjectError | SetState | Suspend) -> BlkdebugDriver:
    return BlkdebugDriver(MemoryDriver(SIZE), rules)


def errno_of(caught: pytest.ExceptionInfo[OSError]) -> int | None:
    return caught.value.errno


# --- bytes -------------------------------------------------------------------------------------


async def test_shortest_disk_reads_back_what_was_written() -> None:
    async with open_disk({"driver": "memory", "size": SIZE}) as disk:
        await disk.pwrite(1000, b"hello")
        assert await disk.pread(999, 7) == b"\0hello\0"
        assert (disk.length, disk.read_only, disk.closed) == (SIZE, False, False)


async def test_any_buffers_are_gathered_and_filled_in_order() -> None:
    async with open_disk(MemoryDriver(SIZE)) as disk:
        await disk.pwritev(10, [b"ab", array("H", [0x6463]), memoryview(b"ef")])
        first, second = bytearray(1), bytearray(5)
        await disk.preadv(10, [first, memoryview(second)])
        assert bytes(first + second) == b"abcdef"


@pytest.mark.parametrize(("offset", "length"), [(SIZE, 1), (SIZE - 1, 2), (-1, 1), (SIZE + 512, 0)])
async def test_nothing_past_the_end_can_be_reached(offset: int, length: int) -> None:
    driver = RecordingDriver(CONTENT)
    async with open_disk(driver) as disk:
        for work in (
            disk.pread(offset, length),
            disk.pwrite(offset, bytes(length)),
            disk.pwrite_zeroes(offset, length),
            disk.pdiscard(offset, length),
            disk.block_status(offset, length),
        ):
            with pytest.raises(BlockError, match="outside of the disk") as caught:
                await work
            assert errno_of(caught) == EIO
        assert driver.recorder.log == []


@pytest.mark.parametrize("length", [-1, 1 << 62])
async def test_no_memory_is_taken_for_more_than_the_disk_has(length: int) -> None:
    async with open_disk(MemoryDriver(SIZE)) as disk:
        with pytest.raises(BlockError, match="outside of the disk"):
            await disk.pread(0, length)


async def test_empty_request_at_the_very_end_is_fine() -> None:
    async with open_disk(MemoryDriver(SIZE)) as disk:
        assert await disk.pread(SIZE, 0) == b""
        await disk.pwrite(SIZE, b"")


@pytest.mark.parametrize("kind", WRITES)
async def test_read_only_disk_is_not_written_to(kind: str) -> None:
    driver = RecordingDriver(CONTENT)
    async with open_disk(driver, read_only=True) as disk:
        with pytest.raises(BlockError, match="Block node is read-only") as caught:
            await REQUESTS[kind](disk)
        assert errno_of(caught) == EPERM
        assert disk.read_only
        assert driver.recorder.calls == []


async def test_read_only_disk_is_not_resized() -> None:
    async with open_disk(RecordingDriver(CONTENT), read_only=True) as disk:
        with pytest.raises(BlockError, match="Block node is read-only") as caught:
            await disk.truncate(KIB)
        assert errno_of(caught) == EPERM


async def test_writethrough_adds_fua_to_writes_and_zero_writes_only() -> None:
    driver = RecordingDriver(CONTENT, write_flags=FUA, zero_flags=FUA)
    async with open_disk(driver, cache="writethrough") as disk:
        for kind in WRITES:
            await REQUESTS[kind](disk)
        assert [call.flags for call in driver.recorder.calls] == [FUA, FUA, 0]


async def test_node_is_found_by_name_or_at_the_top() -> None:
    options = {
        "driver": "raw",
        "node-name": "top",
        "file": {"driver": "memory", "node-name": "below", "size": SIZE},
    }
    async with open_disk(options) as disk:
        assert [disk.node().name, disk.node("below").name] == ["top", "below"]
        with pytest.raises(OptionError, match="Cannot find node-name='nobody'"):
            disk.node("nobody")


# --- closing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", REQUESTS)
async def test_closed_disk_refuses_requests(kind: str) -> None:
    async with open_disk(MemoryDriver(SIZE)) as disk:
        pass
    with pytest.raises(BlockError, match="The disk is closed") as caught:
        await REQUESTS[kind](disk)
    assert errno_of(caught) == EBADF


async def test_closing_flushes_and_again_does_nothing() -> None:
    driver = RecordingDriver(CONTENT)
    disk = await open_disk(driver)
    await disk.pwrite(0, b"x")
    await disk.close()
    await disk.close()
    assert driver.recorder.spell() == ["write 1@0", "flush 0@0"]
    assert (disk.closed, driver.recorder.closed) == (True, 1)


async def test_closing_waits_for_requests_and_refuses_later_ones() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.WRITE)
    disk = await open_disk(driver)
    async with asyncio.TaskGroup() as group:
        write = group.create_task(disk.pwrite(0, b"x"))
        await hold.arrived()
        closing = group.create_task(disk.close())
        await settle()
        late = group.create_task(_errno(disk.pread(0, 1)))
        await settle()
        assert not closing.done()
        hold.release()
        await write
        assert await late == EBADF
    assert driver.content[:1] == b"x"


async def _errno(work: Awaitable[object]) -> int | None:
    try:
        await work
    except OSError as error:
        return error.errno
    return None


async def test_two_tasks_may_close_at_the_same_time() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.WRITE)
    disk = await open_disk(driver)
    async with asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"x"))
        await hold.arrived()
        for _ in range(2):
            group.create_task(disk.close())
        await settle()
        hold.release()
    assert driver.recorder.closed == 1


async def test_close_names_a_suspended_request_and_leaves_the_disk_open() -> None:
    driver = debugged(Suspend("A", Event.PWRITEV))
    disk = await open_disk(driver)
    async with asyncio.TaskGroup() as group:
        write = group.create_task(disk.pwrite(0, b"x"), name="writer")
        await disk.wait_suspended("A")
        with pytest.raises(
            SuspendedError, match=r"'A' holds request \d+ \(write of 1 bytes"
        ) as caught:
            await disk.close()
        assert errno_of(caught) == EBUSY
        assert not disk.closed
        disk.resume("A")
        await write
    await disk.close()


async def leave_with_a_suspended_request(
    driver: BlkdebugDriver, group: asyncio.TaskGroup, error: Exception | None = None
) -> None:
    async with open_disk(driver) as disk:
        group.create_task(disk.pwrite(0, b"x"))
        await disk.wait_suspended("A")
        if error is not None:
            raise error


async def test_leaving_the_block_lets_suspended_requests_go_on_and_names_them() -> None:
    below = RecordingDriver(CONTENT)
    driver = BlkdebugDriver(below, [Suspend("A", Event.PWRITEV, count=None)])
    async with asyncio.TaskGroup() as group:
        with pytest.raises(SuspendedError, match="'A' holds"):
            await leave_with_a_suspended_request(driver, group)
    assert bytes(below.content[:1]) == b"x"
    assert below.recorder.closed == 1


async def test_error_in_the_block_is_not_hidden_by_one_of_closing() -> None:
    driver = debugged(Suspend("A", Event.PWRITEV))
    async with asyncio.TaskGroup() as group:
        with pytest.raises(ValueError, match="mine") as caught:
            await leave_with_a_suspended_request(driver, group, ValueError("mine"))
    assert "'A' holds" in caught.value.__notes__[0]


# --- drained sections --------------------------------------------------------------------------


async def test_drained_disk_parks_requests_and_releases_them_in_order() -> None:
    driver = RecordingDriver(CONTENT)
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        async with disk.drained():
            for kind in ("write", "read", "zeroes", "discard"):
                group.create_task(_send(disk, kind))
            await settle()
            assert driver.recorder.calls == []
        await settle()
        assert [call.op for call in driver.recorder.calls] == [
            IoType.WRITE,
            IoType.READ,
            IoType.WRITE_ZEROES,
            IoType.DISCARD,
        ]


async def _send(disk: Disk, kind: str) -> None:
    await REQUESTS[kind](disk)


async def test_parked_request_is_checked_against_the_length_that_it_finds() -> None:
    driver = RecordingDriver(CONTENT)
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        async with disk.drained():
            late = group.create_task(_errno(disk.pwrite(SIZE - 1, b"x")))
            await settle()
            del driver.content[KIB:]
            disk.root.refresh_length()
        assert await late == EIO
    assert len(driver.content) == KIB


# --- reopening ---------------------------------------------------------------------------------


async def test_reopened_read_only_it_refuses_writes_until_reopened() -> None:
    async with open_disk(RawDriver(RecordingDriver(CONTENT))) as disk:
        await disk.reopen({"read-only": True})
        with pytest.raises(BlockError) as caught:
            await disk.pwrite(0, b"x")
        assert errno_of(caught) == EPERM
        assert disk.read_only
        await disk.reopen({"read-only": False})
        await disk.pwrite(0, b"x")


async def test_reopening_flushes_what_was_written() -> None:
    driver = RecordingDriver(CONTENT)
    async with open_disk(driver) as disk:
        await disk.pwrite(0, b"x")
        await disk.reopen({"read-only": True})
        assert driver.recorder.spell() == ["write 1@0", "flush 0@0"]


async def test_reopening_may_make_it_writethrough() -> None:
    driver = RecordingDriver(CONTENT, write_flags=FUA)
    async with open_disk(driver) as disk:
        await disk.reopen(writethrough=True)
        await disk.pwrite(0, b"x")
        assert driver.recorder.calls[-1].flags == FUA
        await disk.reopen(writethrough=False)
        await disk.pwrite(0, b"x")
        assert driver.recorder.calls[-1].flags == 0


async def test_refused_reopening_changes_nothing() -> None:
    async with open_disk({"driver": "memory", "size": SIZE}) as disk:
        with pytest.raises(OptionError, match="Cannot change the option 'size'") as caught:
            await disk.reopen({"size": 2 * SIZE, "read-only": True})
        assert errno_of(caught) == EINVAL
        assert not disk.read_only
        await disk.pwrite(0, b"still writable")


async def test_reopening_waits_for_requests_in_flight() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.WRITE)
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"x"))
        await hold.arrived()
        reopening = group.create_task(disk.reopen({"read-only": True}))
        await settle()
        assert not reopening.done()
        hold.release()


async def test_a_disk_that_was_awaited_can_close_itself_too() -> None:
    disk = await open_disk({"driver": "memory", "size": 512})
    async with disk as same:
        assert same is disk
    assert disk.closed


async def test_choices_may_change_the_order_of_requests_that_a_drain_held_back() -> None:
    finals = set()
    for seed in range(12):
        source = {"driver": "memory", "size": 512}
        async with open_disk(source, choices=SeededChoices(seed)) as disk:
            async with asyncio.TaskGroup() as group, disk.drained():
                for value in (b"1", b"2"):
                    group.create_task(disk.pwrite(0, value))
                await settle()
            finals.add(await disk.pread(0, 1))
    assert finals == {b"1", b"2"}
