"""Reopening beside requests, and beside each other."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from errno import EPERM
from typing import ClassVar

from blkdebug_async import BlockError, Disk, open_disk
from blkdebug_async.block.driver import Pace
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.node import Node
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from blkdebug_async.options.tree import Options
from tests.explored.exploring import exhaust, in_flight, together

SECTOR = 512


class WatchedDriver(MemoryDriver):
    """Takes its time to be reopened, and looks whether it is alone meanwhile."""

    name: ClassVar[str] = "watched"
    pace = Pace.AT_ONCE
    node: Node | None = None
    reopened = 0

    async def reopen(self, flags: OpenFlags, options: Options) -> None:
        for _ in range(2):
            assert self.node is not None
            assert not self.node.tracker.requests
            await asyncio.sleep(0)
        self.reopened += 1


def opened(disk: Disk) -> WatchedDriver:
    bottom = list(disk.root.primary_chain())[-1]
    assert isinstance(bottom.driver, WatchedDriver)
    bottom.driver.node = bottom
    return bottom.driver


async def write(disk: Disk, offset: int, length: int = SECTOR) -> bool:
    try:
        await disk.pwrite(offset, b"x" * length)
    except OSError as error:
        if error.errno != EPERM:
            raise
        return False
    return True


def test_no_request_is_in_flight_while_a_driver_is_reopened() -> None:
    async def scenario() -> None:
        async with open_disk(RawDriver(WatchedDriver(2 * SECTOR))) as disk:
            driver = opened(disk)
            await together(reopener=disk.reopen({"cache.no-flush": True}), writer=write(disk, 0))
            assert driver.reopened == 1
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


def test_not_even_from_another_disk_further_down() -> None:
    async def scenario() -> None:
        async with open_disk(RawDriver(WatchedDriver(2 * SECTOR))) as disk:
            opened(disk)
            lower = disk.root.primary_child()
            assert lower is not None
            async with disk.on_node(lower.name) as other:
                await together(
                    reopener=disk.reopen({"cache.no-flush": True}), writer=write(other, 0)
                )
                assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


def test_two_disks_are_reopened_one_after_the_other() -> None:
    async def scenario() -> None:
        async with open_disk(RawDriver(WatchedDriver(2 * SECTOR))) as disk:
            driver = opened(disk)
            other = disk.on_node(disk.root.name)
            await together(
                one=disk.reopen({"cache.no-flush": True}), two=other.reopen({"cache.direct": True})
            )
            flags = disk.root.flags
            assert flags.no_flush
            assert flags.direct
            assert driver.reopened == 2
            await other.close()

    exhaust(scenario)


def test_a_write_comes_before_the_disk_is_read_only_or_fails() -> None:
    async def scenario() -> None:
        async with open_disk(RawDriver(MemoryDriver(2 * SECTOR))) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(disk.reopen({"read-only": True}), name="reopener")
                writing = group.create_task(write(disk, 100, 100), name="writer")
            expected = b"x" if writing.result() else b"\0"
            assert await disk.pread(100, 100) == expected * 100
            sometimes("written", writing.result())
            sometimes("refused", not writing.result())

    exhaust(scenario)


def test_writes_that_wait_for_each_other_are_done_before_the_disk_is_read_only() -> None:
    async def scenario() -> None:
        below = BlkdebugDriver(MemoryDriver(SECTOR), config=BlkdebugConfig(align=SECTOR))
        async with open_disk(RawDriver(below)) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(disk.reopen({"read-only": True}), name="reopener")
                one = group.create_task(write(disk, 0, 100), name="one")
                two = group.create_task(write(disk, 100, 100), name="two")
            content = await disk.pread(0, 200)
            assert content[:100] == (b"x" if one.result() else b"\0") * 100
            assert content[100:] == (b"x" if two.result() else b"\0") * 100

    exhaust(scenario)


def test_a_cancelled_reopening_was_done_or_changes_nothing() -> None:
    async def scenario() -> None:
        async with open_disk(RawDriver(WatchedDriver(2 * SECTOR))) as disk:
            opened(disk)
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(disk.reopen({"cache.no-flush": True}), name="doomed")
                cancel_sometime(doomed)
            changed = {node.flags.no_flush for node in disk.root.walk()}
            assert len(changed) == 1
            assert await write(disk, 0)
            sometimes("cancelled and not done", doomed.cancelled() and changed == {False})

    exhaust(scenario)


def test_closing_beside_a_reopening_closes_the_disk() -> None:
    async def scenario() -> None:
        disk = await open_disk(RawDriver(WatchedDriver(2 * SECTOR)))
        driver = opened(disk)

        async def reopen() -> None:
            with suppress(BlockError):
                await disk.reopen({"cache.no-flush": True})

        await together(reopener=reopen(), closer=disk.close())
        assert disk.closed
        sometimes("reopened first", driver.reopened)
        sometimes("closed first", not driver.reopened)

    exhaust(scenario)


def test_a_drained_section_beside_a_reopening_stays_empty() -> None:
    async def scenario() -> None:
        async with open_disk(RawDriver(WatchedDriver(2 * SECTOR))) as disk:
            opened(disk)

            async def drain() -> None:
                async with disk.drained():
                    await asyncio.sleep(0)

            await together(reopener=disk.reopen({"cache.no-flush": True}), drainer=drain())
            assert not in_flight(disk)
            assert await write(disk, 0)

    exhaust(scenario)
