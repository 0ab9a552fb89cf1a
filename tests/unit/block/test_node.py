from __future__ import annotations

import asyncio
from errno import EAGAIN, EBUSY, EIO, EPERM

import pytest

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.driver import Driver, FilterDriver, NodeSource, Opener
from blkdebug_async.block.graph import node_permissions
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import Permissions, Role
from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, OptionError, SuspendedError
from blkdebug_async.events import IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.options.reader import ChildOptions, OptionReader
from blkdebug_async.testing import RecordingDriver, RecordingFilter
from tests.unit.block.disks import CONTENT, KIB, opened, settle

WRITE = perms.WRITE


class TwoChildren(FilterDriver):
    # Its second child is another way to the node of the first, with permissions of its own.

    name = "two-children"

    def __init__(self, source: NodeSource, second: Permissions) -> None:
        super().__init__()
        self._source = source
        self._second = second

    @classmethod
    def from_options(cls, reader: OptionReader) -> TwoChildren:
        raise NotImplementedError

    async def open(self, opener: Opener) -> None:
        self.file = await opener.open_child("file", self._source, Role.FILTERED | Role.PRIMARY)
        below = ChildOptions("other", self.file.node_name, None, {})
        await opener.open_child("other", Asking(below, self._second), Role.DATA)


class Asking(FilterDriver):
    name = "asking"

    def __init__(self, source: NodeSource, wish: Permissions) -> None:
        super().__init__()
        self._source = source
        self._wish = wish

    @classmethod
    def from_options(cls, reader: OptionReader) -> Asking:
        raise NotImplementedError

    async def open(self, opener: Opener) -> None:
        self.file = await opener.open_child("file", self._source, Role.FILTERED | Role.PRIMARY)

    def child_permissions(self, default: Permissions) -> Permissions:
        return self._wish


# --- permissions -------------------------------------------------------------------------------


async def test_parents_that_share_what_the_other_takes_live_together() -> None:
    driver = TwoChildren(MemoryDriver(KIB), Permissions(WRITE, perms.ALL))
    async with opened(driver) as disk:
        below = disk.root.children[0].node
        assert len(below.parents) == 2


async def test_conflict_names_the_node_both_users_and_the_permission() -> None:
    unshared = Permissions(0, perms.ALL & ~WRITE)
    with pytest.raises(BlockError) as caught:
        async with opened(TwoChildren(MemoryDriver(KIB), unshared)):
            raise AssertionError("opened")
    assert caught.value.errno == EPERM
    assert "permissions 'write' are both required by" in str(caught.value)
    assert "as 'file' child) and unshared by" in str(caught.value)


async def test_conflict_on_taking_more_leaves_everything_as_it_was() -> None:
    unshared = Permissions(0, perms.ALL & ~perms.RESIZE)
    async with opened(TwoChildren(MemoryDriver(64 * KIB), unshared)) as disk:
        before = [edge.permissions for node in disk.root.walk() for edge in node.parents]
        with pytest.raises(BlockError, match="'resize' are both required"):
            await disk.truncate(KIB)
        assert [edge.permissions for node in disk.root.walk() for edge in node.parents] == before
        await disk.pwrite(0, b"still writable")
        assert await disk.pread(0, 5) == b"still"


async def test_nobody_writes_to_a_read_only_node() -> None:
    options = {
        "driver": "raw",
        "file": {"driver": "memory", "size": 1024, "read-only": True},
    }
    with pytest.raises(BlockError, match="Block node is read-only") as caught:
        await open_disk(options)
    assert caught.value.errno == EPERM


async def test_odd_end_needs_the_permission_to_resize() -> None:
    driver = RecordingFilter(RecordingDriver(1024), Limits(4 * KIB))
    with pytest.raises(BlockError, match="'write' permission without 'resize'"):
        await open_disk(driver)
    async with opened(RecordingDriver(1024, Limits(4 * KIB)), read_only=True) as disk:
        assert await disk.pread(0, 1024) == bytes(1024)


class Locked(MemoryDriver):
    # Another process writes to it.

    def permissions_changed(self, permissions: Permissions) -> None:
        if permissions.taken & WRITE:
            raise BlockError(EIO, "locked by another process")


async def test_driver_may_refuse_permissions_and_the_tree_is_not_opened() -> None:
    with pytest.raises(BlockError, match="locked by another process"):
        await open_disk(RawDriver(Locked(KIB)))
    async with opened(RawDriver(Locked(KIB)), read_only=True) as disk:
        assert await disk.pread(0, 4) == bytes(4)


# --- facts -------------------------------------------------------------------------------------


async def test_nodes_are_walked_from_above_each_once() -> None:
    driver = TwoChildren(MemoryDriver(KIB), Permissions(0, perms.ALL))
    async with opened(driver) as disk:
        assert [node.driver.name for node in disk.root.walk()] == [
            "two-children",
            "memory",
            "asking",
        ]
        chain = [node.driver.name for node in disk.root.primary_chain()]
        assert chain == ["two-children", "memory"]


async def test_filter_inherits_only_what_its_child_does_not_do_itself() -> None:
    below = RecordingDriver(64 * KIB, Limits(4 * KIB, max_transfer=8 * KIB))
    async with opened(RawDriver(below)) as disk:
        assert disk.root.limits == Limits(max_transfer=8 * KIB)


async def test_child_with_nothing_but_tables_limits_no_requests() -> None:
    class Logging(RawDriver):
        async def open(self, opener: Opener) -> None:
            await super().open(opener)
            log = RecordingDriver(CONTENT, Limits(max_transfer=512))
            await opener.open_child("log", log, Role.METADATA)

    async with open_disk(Logging(RecordingDriver(CONTENT, Limits(max_transfer=4096)))) as disk:
        assert disk.root.limits.max_transfer == 4096


async def test_refused_permissions_leave_the_children_to_flush_as_they_were() -> None:
    class Refusing(RecordingDriver):
        refuses = False

        def permissions_changed(self, permissions: Permissions) -> None:
            if self.refuses and permissions.taken & perms.WRITE:
                raise BlockError(EAGAIN, "locked")

    below = Refusing(CONTENT)
    async with open_disk(RawDriver(below)) as disk:
        edge = disk.root.parents[0]
        edge.permissions = Permissions(perms.CONSISTENT_READ, perms.ALL)
        node_permissions(disk.root)
        below.refuses = True
        edge.permissions = Permissions(perms.WRITE, perms.ALL)
        with pytest.raises(BlockError, match="locked"):
            node_permissions(disk.root)
        assert disk.root.flusher.targets == []
        edge.permissions = Permissions(perms.CONSISTENT_READ, perms.ALL)


async def test_too_large_alignment_cannot_be_opened() -> None:
    with pytest.raises(OptionError, match="too large request alignment"):
        await open_disk(RecordingDriver(KIB, Limits(1 << 31)))


# --- drained sections --------------------------------------------------------------------------


class Draining(RecordingFilter):
    def __init__(self, image: NodeSource) -> None:
        super().__init__(image)
        self.told: list[str] = []

    def drain_begin(self) -> None:
        self.told.append("begin")

    def drain_end(self) -> None:
        self.told.append("end")


async def test_drain_waits_for_what_is_in_flight_and_keeps_new_requests_out() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.WRITE)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"x"))
        await hold.arrived()
        drain = group.create_task(disk.drain())
        await settle()
        late = group.create_task(disk.pread(0, 1))
        await settle()
        assert not drain.done()
        assert not late.done()
        hold.release()
        await drain
        assert await late == b"x"


async def test_requests_that_had_to_wait_go_on_in_order() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        async with disk.drained():
            for offset in (3, 1, 2):
                group.create_task(disk.pread(offset, 1))
                await settle()
            assert driver.recorder.calls == []
        await settle()
        assert [call.offset for call in driver.recorder.calls] == [3, 1, 2]


async def test_sections_may_overlap_and_the_driver_hears_of_the_outermost() -> None:
    driver = Draining(MemoryDriver(KIB))
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        async with disk.drained():
            async with disk.drained():
                late = group.create_task(disk.pread(0, 1))
                await settle()
            await settle()
            assert not late.done()
            assert driver.told == ["begin"]
        await late
        assert driver.told == ["begin", "end"]


async def test_draining_a_node_stops_those_above() -> None:
    driver = Draining(Draining(MemoryDriver(KIB)))
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        below = disk.root.children[0].node
        async with below.drained():
            late = group.create_task(disk.pread(0, 1))
            await settle()
            assert not late.done()
            assert driver.told == ["begin"]
        await late


async def test_cancelled_request_leaves_the_queue_of_a_drained_disk() -> None:
    async with opened(RecordingDriver(CONTENT)) as disk, asyncio.TaskGroup() as group:
        async with disk.drained():
            gone, stays = (group.create_task(disk.pread(0, 1)) for _ in range(2))
            await settle()
            gone.cancel()
            await settle()
        assert await stays == CONTENT[:1]
        assert gone.cancelled()


async def test_cancelled_drain_lets_requests_go_on() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.WRITE)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"x"))
        await hold.arrived()
        drain = group.create_task(disk.drain())
        await settle()
        drain.cancel()
        await settle()
        assert await disk.pread(1, 1) == CONTENT[1:2]
        hold.release()


async def held_at_a_breakpoint(disk: Disk, group: asyncio.TaskGroup) -> None:
    disk.breakpoint("pwritev", "A")
    group.create_task(disk.pwrite(0, b"x"), name="writer")
    await disk.wait_suspended("A")


async def test_drain_refuses_to_wait_for_a_suspended_request_and_names_it() -> None:
    async with opened(BlkdebugDriver(MemoryDriver(KIB))) as disk, asyncio.TaskGroup() as group:
        await held_at_a_breakpoint(disk, group)
        with pytest.raises(SuspendedError, match=r"'A' holds request .* task writer") as caught:
            await disk.drain()
        assert caught.value.errno == EBUSY
        disk.resume("A")


async def test_drain_notices_a_request_that_is_suspended_while_it_waits() -> None:
    below = RecordingDriver(KIB)
    hold = below.recorder.hold(IoType.WRITE)
    async with opened(BlkdebugDriver(below)) as disk, asyncio.TaskGroup() as group:
        disk.breakpoint("pwritev_done", "A")
        group.create_task(disk.pwrite(0, b"x"))
        await hold.arrived()
        drain = group.create_task(_refused(disk))
        await settle()
        assert not drain.done()
        hold.release()
        assert await drain
        disk.resume("A")


async def _refused(disk: Disk) -> bool:
    try:
        await disk.drain()
    except SuspendedError:
        return True
    return False


async def test_draining_a_node_finds_requests_suspended_above_it() -> None:
    async with opened(BlkdebugDriver(MemoryDriver(KIB))) as disk, asyncio.TaskGroup() as group:
        await held_at_a_breakpoint(disk, group)
        below = disk.root.children[0].node
        with pytest.raises(SuspendedError, match="'A' holds"):
            async with asyncio.timeout(5), below.drained():
                raise AssertionError("drained")
        disk.resume("A")


@pytest.mark.parametrize("compat", ["qemu-7.2", "seed"])
async def test_as_in_qemu_drain_waits_for_a_suspended_request(compat: str) -> None:
    driver = BlkdebugDriver(MemoryDriver(KIB))
    async with opened(driver, compat=compat) as disk, asyncio.TaskGroup() as group:
        await held_at_a_breakpoint(disk, group)
        drain = group.create_task(disk.drain())
        await settle()
        assert not drain.done()
        disk.resume("A")
        await drain


# --- closing -----------------------------------------------------------------------------------


async def test_closing_flushes_and_closes_each_node_once() -> None:
    below = RecordingDriver(CONTENT)
    above = RecordingFilter(below)
    async with opened(above) as disk:
        await disk.pwrite(0, b"x")
    assert below.recorder.spell()[-1] == "flush 0@0"
    assert (above.recorder.closed, below.recorder.closed) == (1, 1)


async def test_first_error_of_closing_is_told_and_everything_is_closed() -> None:
    below = RecordingDriver(CONTENT)
    above = RecordingFilter(below)
    disk = await open_disk(above)
    await disk.pwrite(0, b"x")
    below.recorder.fail(EIO, IoType.FLUSH, times=9)
    with pytest.raises(OSError, match="script fails flush"):
        await disk.close()
    assert disk.closed
    assert (above.recorder.closed, below.recorder.closed) == (1, 1)


class FailsToClose(RecordingFilter):
    async def close(self) -> None:
        await super().close()
        raise BlockError(EIO, "cannot close")


async def test_driver_that_fails_to_close_does_not_keep_others_open() -> None:
    below = RecordingDriver(CONTENT)
    disk = await open_disk(FailsToClose(below))
    with pytest.raises(BlockError, match="cannot close"):
        await disk.close()
    assert below.recorder.closed == 1


async def test_cancelled_close_closes_all_the_same() -> None:
    below = RecordingDriver(CONTENT)
    disk = await open_disk(RecordingFilter(below))
    await disk.pwrite(0, b"x")
    hold = below.recorder.hold(IoType.FLUSH, times=1)
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(disk.close())
        await hold.arrived()
        closing.cancel()
    assert closing.cancelled()
    assert disk.closed
    assert below.recorder.closed == 1


async def test_cancellation_of_a_close_is_not_lost_behind_an_error() -> None:
    below = RecordingDriver(CONTENT)
    disk = await open_disk(FailsToClose(below))
    await disk.pwrite(0, b"x")
    hold = below.recorder.hold(IoType.FLUSH, times=1)
    async with asyncio.TaskGroup() as group:
        closing = group.create_task(disk.close())
        await hold.arrived()
        closing.cancel()
    assert closing.cancelled()
    assert below.recorder.closed == 1


async def test_failed_opening_closes_what_was_open_already() -> None:
    class Refuses(RecordingFilter):
        def length(self) -> int:
            raise BlockError(EIO, "no length")

    below = RecordingDriver(CONTENT)
    with pytest.raises(BlockError):
        await open_disk(Refuses(below))
    assert below.recorder.closed == 1


async def test_requests_show_the_request_above_that_they_serve() -> None:
    seen: list[Request] = []

    class Looks(RecordingDriver):
        async def flush_to_disk(self, request: Request) -> None:
            seen.append(request)

    driver: Driver = RawDriver(Looks(CONTENT))
    async with opened(driver) as disk:
        await disk.pwrite(0, b"x")
        await disk.flush()
    request = seen[0]
    assert request.parent is not None
    assert request.parent.node != request.node
    assert request.parent.parent is None


async def test_those_who_drain_go_on_in_the_order_in_which_they_came() -> None:
    driver = RecordingDriver(CONTENT)
    order: list[int] = []

    async def drain(disk: Disk, number: int) -> None:
        async with disk.drained():
            order.append(number)

    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        hold = driver.recorder.hold(IoType.READ)
        group.create_task(disk.pread(0, 512))
        await hold.arrived()
        for number in range(50):
            group.create_task(drain(disk, number))
        await settle()
        assert order == []
        hold.release()
    assert order == list(range(50))
