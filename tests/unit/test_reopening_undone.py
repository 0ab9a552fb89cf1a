from __future__ import annotations

from collections.abc import Callable
from errno import EINVAL, ENOSPC, EPERM
from typing import ClassVar

import pytest

from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.permissions import Permissions
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError
from blkdebug_async.drivers.copy_on_read import CopyOnReadDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.options.tree import Options

SIZE = 64 * 1024
STACK = {
    "driver": "raw",
    "node-name": "top",
    "file": {
        "driver": "blkdebug",
        "node-name": "middle",
        "image": {"driver": "memory", "size": SIZE, "node-name": "bottom"},
    },
}


class StubbornDriver(MemoryDriver):
    """Refuses to be reopened, or to have its permissions changed, when told to."""

    name: ClassVar[str] = "stubborn"

    def __init__(self) -> None:
        super().__init__(SIZE)
        self.refuses_flags: Callable[[OpenFlags], bool] = lambda _: False
        self.refuses: Callable[[Permissions], bool] = lambda _: False
        self.seen: list[bool] = []

    async def reopen(self, flags: OpenFlags, options: Options) -> None:
        self.seen.append(flags.read_only)
        if self.refuses_flags(flags):
            raise BlockError(ENOSPC, "refused")

    def permissions_changed(self, permissions: Permissions) -> None:
        if self.refuses(permissions):
            raise BlockError(ENOSPC, "refused")


def state_of(disk: Disk) -> list[object]:
    return [
        (node.name, node.flags, node.length, node.driver.options, node.limits)
        for node in disk.root.walk()
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"foo": 1}, "Cannot change the option 'foo'"),
        ({"file.foo": 1}, "Cannot change the option 'foo'"),
        ({"file.image.size": 5}, "Cannot change the option 'size'"),
        ({"file.image.node-name": "x"}, "Cannot change the option 'node-name'"),
        ({"driver": "file"}, "Cannot change the option 'driver'"),
        ({"force-share": True}, "Cannot change the option 'force-share'"),
        ({"file.cache.direct": "x"}, "Parameter 'cache.direct' expects 'on' or 'off'"),
        ({"file.image.discard": "x"}, "Invalid discard option"),
        ({"size": "1M"}, "The sum of offset (4096) and size (1048576) has to be smaller or equal "
         "to the  actual size of the containing file (65536)"),
        ({"file.image.detect-zeroes": "x"}, "invalid parameter value: x"),
        ({"file": None}, "Cannot change the option 'file'"),
        ({"file": "nobody"}, "Cannot find device='' nor node-name='nobody'"),
        ({"file": "top"}, "Making 'top' a file child of 'top' would create a cycle"),
        ({"backing": "bottom"}, "Driver 'raw' of node 'top' does not support backing files"),
        ({"file.backing": "bottom"},
         "'middle' is a blkdebug filter node that does not support a backing child"),
    ],
)  # fmt: skip
async def test_one_mistake_undoes_everything(options: Options, message: str) -> None:
    async with open_disk(STACK) as disk:
        before = state_of(disk)
        wanted: Options = {"read-only": False, "discard": "off", "offset": 4096, **options}
        with pytest.raises(OptionError) as caught:
            await disk.reopen(wanted)
        assert (caught.value.errno, str(caught.value)) == (EINVAL, message)
        assert state_of(disk) == before
        await disk.pwrite(0, b"still writable")


async def test_a_driver_that_refuses_undoes_those_above_it() -> None:
    stubborn = StubbornDriver()
    stubborn.refuses_flags = lambda flags: flags.read_only
    async with open_disk(RawDriver(BlkdebugDriver(stubborn), offset=512)) as disk:
        before = state_of(disk)
        with pytest.raises(BlockError, match="refused"):
            await disk.reopen({"read-only": True, "offset": 1024})
        assert state_of(disk) == before
        await disk.pwrite(0, b"still writable")


async def test_permissions_that_are_refused_undo_everything() -> None:
    stubborn = StubbornDriver()
    async with open_disk(RawDriver(stubborn)) as disk:
        before = state_of(disk)
        stubborn.refuses = lambda _: bool(stubborn.seen) and stubborn.seen[-1]
        with pytest.raises(BlockError, match="refused"):
            await disk.reopen({"read-only": True})
        assert state_of(disk) == before
        assert stubborn.seen == [True, False]


async def test_a_failing_flush_comes_before_any_change() -> None:
    rule = InjectError(event=Event.NONE, errno=ENOSPC, iotypes={IoType.FLUSH}, once=True)
    async with open_disk(RawDriver(BlkdebugDriver(MemoryDriver(SIZE), [rule]))) as disk:
        await disk.pwrite(0, b"x")
        with pytest.raises(BlockError) as caught:
            await disk.reopen({"read-only": True})
        assert caught.value.errno == ENOSPC
        assert str(caught.value) == "Error flushing drive: No space left on device"
        assert not disk.read_only


async def test_who_still_writes_is_named() -> None:
    async with open_disk(STACK) as disk:
        with pytest.raises(BlockError) as caught:
            await disk.reopen({"read-only": True}, keep_write=True)
        assert caught.value.errno == EPERM
        assert str(caught.value) == ("Read-only block node 'top' cannot support read-write users")


async def test_what_has_no_way_to_reopen_says_so() -> None:
    async with open_disk(CopyOnReadDriver(MemoryDriver(SIZE))) as disk:
        with pytest.raises(OptionError, match="'copy-on-read' used by node '#block100' does not"):
            await disk.reopen()


async def test_what_copies_on_reads_stays_writable() -> None:
    async with open_disk(MemoryDriver(SIZE), copy_on_read=True) as disk:
        with pytest.raises(OptionError, match="to r/o with copy-on-read enabled"):
            await disk.reopen({"read-only": True})


async def test_children_follow_and_remember() -> None:
    async with open_disk(STACK) as disk:
        await disk.reopen({"read-only": True, "file.image.cache.no-flush": True})
        assert all(node.flags.read_only for node in disk.root.walk())
        await disk.reopen({"read-only": False})
        assert not any(node.flags.read_only for node in disk.root.walk())
        assert [node.flags.no_flush for node in disk.root.walk()] == [False, False, True]


async def test_a_child_that_was_told_itself_does_not_follow() -> None:
    child = {"driver": "memory", "size": SIZE, "read-only": False}
    async with open_disk({"driver": "raw", "file": child}) as disk:
        await disk.reopen({"read-only": True})
        assert [node.flags.read_only for node in disk.root.walk()] == [True, False]


async def test_a_window_moves_and_goes() -> None:
    async with open_disk(STACK) as disk:
        await disk.reopen({"offset": 512, "size": "1k"})
        assert disk.length == 1024
        assert disk.root.driver.options == {"driver": "raw", "offset": 512, "size": "1k"}
        await disk.reopen({"offset": 0})
        assert disk.length == 1024


async def test_a_filter_can_be_taken_out_and_is_closed() -> None:
    async with open_disk(STACK) as disk:
        await disk.pwrite(0, b"kept")
        assert disk.blkdebug() is not None
        await disk.reopen({"file": "bottom"})
        assert [node.name for node in disk.root.walk()] == ["top", "bottom"]
        assert await disk.pread(0, 4) == b"kept"
        with pytest.raises(OptionError, match="Cannot find device='' nor node-name='middle'"):
            await disk.reopen({"file": "middle"})


async def test_a_filter_stays_if_something_else_is_refused() -> None:
    async with open_disk(STACK) as disk:
        with pytest.raises(OptionError, match="'foo'"):
            await disk.reopen({"file": "bottom", "foo": 1})
        assert [node.name for node in disk.root.walk()] == ["top", "middle", "bottom"]
        await disk.pwrite(0, b"still writable")


async def test_naming_the_children_that_are_there_changes_nothing() -> None:
    async with open_disk(STACK) as disk:
        before = state_of(disk)
        await disk.reopen({"file": "middle"})
        await disk.reopen({"file.image": "bottom"})
        assert state_of(disk) == before
