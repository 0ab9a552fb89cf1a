from __future__ import annotations

import asyncio
from errno import EBADF, EIO, EPERM

import pytest

from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError, Phase, Suspend
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from tests.unit.block.at_once import BLOCK, SIZE, blocks, noting, reads, writes
from tests.unit.block.disks import settle


async def test_a_breakpoint_set_while_requests_fly_holds_the_next_one() -> None:
    async with open_disk(blocks()) as disk, asyncio.TaskGroup() as group:
        assert writes(disk, 0, BLOCK)
        disk.breakpoint("pwritev", "first")
        group.create_task(disk.pwrite(0, b"1" * BLOCK))
        await disk.wait_suspended("first")
        assert writes(disk, BLOCK, BLOCK)
        disk.breakpoint("pwritev", "second")
        assert not writes(disk, 2 * BLOCK, BLOCK)
        group.create_task(disk.pwrite(2 * BLOCK, b"2" * BLOCK))
        await disk.wait_suspended("second")
        assert writes(disk, BLOCK, BLOCK)
        disk.resume("second")
        disk.resume("first")


async def test_a_rule_armed_by_one_request_fails_the_next() -> None:
    rule = InjectError(Event.FLUSH_TO_DISK, iotypes={IoType.READ}, once=True)
    async with open_disk(RawDriver(BlkdebugDriver(noting(), [rule]))) as disk:
        assert reads(disk)
        assert writes(disk)
        await disk.flush()
        assert not reads(disk)
        assert writes(disk)
        with pytest.raises(BlockError) as caught:
            await disk.pread(0, 512)
        assert caught.value.errno == EIO
        assert disk.unused_rules() == []
        assert reads(disk)


async def test_a_rule_that_is_added_counts_from_the_next_request_on() -> None:
    rule = InjectError(Event.PWRITEV)
    async with open_disk(BlkdebugDriver(noting())) as disk:
        assert writes(disk)
        disk.add_rule(rule)
        with pytest.raises(BlockError):
            await disk.pwrite(0, b"w")
        assert not reads(disk)
        disk.remove_rule(rule)
        assert reads(disk)
        assert writes(disk)


@pytest.mark.parametrize("offset", [0, 2 * BLOCK])
async def test_nobody_overtakes_a_serialising_request_on_an_upper_node(offset: int) -> None:
    # The lower one holds what the upper one widened to a whole block.
    lower = BlkdebugDriver(noting(), [Suspend("tag", phase=Phase.BEFORE_DRIVER)])
    async with open_disk(blocks(lower)) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(10, b"serialising"))
        await disk.wait_suspended("tag", node=disk.root.children[0].node.name)
        assert not reads(disk, offset, 100)
        assert not writes(disk, offset, BLOCK)
        read = group.create_task(disk.pread(offset, 100))
        await settle()
        assert read.done() is bool(offset)
        disk.resume("tag", node=disk.root.children[0].node.name)
    assert (b"serialising" in read.result()) is not bool(offset)


async def test_an_unaligned_write_waits_for_a_suspended_one_in_its_block() -> None:
    leaf = noting()
    driver = blocks(leaf, Suspend("tag", phase=Phase.BEFORE_DRIVER))
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"a" * BLOCK))
        await disk.wait_suspended("tag")
        assert not writes(disk, 10, 5)
        small = group.create_task(disk.pwrite(10, b"small"))
        await settle()
        assert not small.done()
        disk.resume("tag")
        await small
        assert await disk.pread(0, 20) == b"aaaaaaaaaasmallaaaaa"


async def test_an_aligned_write_need_not_wait_for_a_suspended_one() -> None:
    driver = blocks(noting(), Suspend("tag", phase=Phase.BEFORE_DRIVER))
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"a" * BLOCK))
        await disk.wait_suspended("tag")
        assert writes(disk, 0, BLOCK)
        assert reads(disk, 0, BLOCK)
        disk.resume("tag")


async def test_a_disk_that_shrinks_is_not_read_past_its_new_end() -> None:
    async with open_disk(RawDriver(noting())) as disk:
        await disk.truncate(512)
        assert not reads(disk, 512)
        assert not writes(disk, 511, 2)
        assert writes(disk, 0, 512)


async def test_new_space_is_not_touched_before_it_is_there() -> None:
    leaf = noting()
    driver = BlkdebugDriver(leaf, [Suspend("tag", phase=Phase.BEFORE_COMPLETION)])
    async with open_disk(driver) as disk, asyncio.TaskGroup() as group:
        task = group.create_task(disk.truncate(2 * SIZE))
        await disk.wait_suspended("tag")
        assert leaf.log[-1] == ("truncate", 2 * SIZE)
        assert not reads(disk, SIZE)
        assert not reads(disk, 0)
        disk.resume("tag")
        await task
        assert writes(disk, SIZE)


async def test_a_drained_disk_holds_requests_back() -> None:
    leaf = noting()
    async with open_disk(leaf) as disk, asyncio.TaskGroup() as group:
        async with disk.drained():
            assert not reads(disk)
            assert not writes(disk)
            write = group.create_task(disk.pwrite(0, b"w" * 512))
            await settle()
            assert leaf.log == []
        await write
        assert reads(disk)


async def test_a_drained_node_below_holds_requests_back() -> None:
    async with open_disk(RawDriver(noting())) as disk:
        async with disk.root.children[0].node.drained():
            assert not reads(disk)
            assert not writes(disk)
        assert reads(disk)


async def test_a_closed_disk_answers_nothing() -> None:
    disk = await open_disk(noting())
    await disk.close()
    assert not reads(disk)
    assert not writes(disk)
    for work in (disk.preadv(0, [bytearray(1)]), disk.pwritev(0, [b"w"])):
        with pytest.raises(BlockError) as caught:
            await work
        assert caught.value.errno == EBADF


async def test_a_write_beside_a_reopening_that_forbids_it_is_refused() -> None:
    leaf = noting()
    driver = BlkdebugDriver(leaf, [Suspend("tag", phase=Phase.BEFORE_DRIVER)])
    async with open_disk(driver, compat="qemu-7.2") as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"a" * 512))
        await disk.wait_suspended("tag")
        reopening = group.create_task(disk.reopen({"read-only": True}))
        await settle()
        assert not writes(disk, 512)
        late = group.create_task(_errno_of(disk, 512))
        await settle()
        assert not reopening.done()
        disk.resume("tag")
        await reopening
        assert await late == EPERM
        assert [call[0] for call in leaf.log] == ["write", "flush"]
        await disk.reopen({"read-only": False})
        assert not writes(disk, 512)
        await disk.pwrite(512, b"w")
        assert writes(disk, 512)


async def _errno_of(disk: Disk, offset: int) -> int | None:
    try:
        await disk.pwrite(offset, b"w" * 512)
    except OSError as error:
        return error.errno
    return None
