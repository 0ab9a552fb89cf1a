from __future__ import annotations

import asyncio
import subprocess
import sys
from errno import EAGAIN, EBADF, EBUSY, EIO

import pytest

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.driver import Driver
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.permissions import Permissions
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import Phase, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.opening import open_disk
from blkdebug_async.options.tree import Options
from blkdebug_async.testing import RecordingDriver
from tests.unit.block.disks import settle

SIZE = 4096


@pytest.mark.parametrize(
    "rule",
    [
        Suspend("A", event="flush_to_disk"),  # type: ignore[arg-type]
        Suspend("A", phase=Phase.BEFORE_DRIVER, count=None),
        Suspend("A", phase=Phase.BEFORE_COMPLETION, count=None),
    ],
    ids=["event", "before the driver", "before completion"],
)
async def test_breakpoints_do_not_hold_the_flush_of_closing(rule: Suspend) -> None:
    disk = await open_disk(RawDriver(BlkdebugDriver(MemoryDriver(SIZE))))
    await disk.pwrite(0, b"x")
    disk.add_rule(rule)
    task = asyncio.Task(disk.close())
    await settle()
    assert task.done()


async def test_closing_ends_the_wait_for_a_suspension_that_will_never_be() -> None:
    disk = await open_disk(BlkdebugDriver(MemoryDriver(SIZE)))
    task = asyncio.Task(disk.wait_suspended("A"))
    await settle()
    await disk.close()
    with pytest.raises(BlockError, match="'A'") as caught:
        await task
    assert caught.value.errno == EBADF


@pytest.mark.parametrize("over", [RawDriver, BlkdebugDriver])
async def test_driver_is_for_one_disk(over: type[RawDriver | BlkdebugDriver]) -> None:
    driver: Driver = over(MemoryDriver(SIZE))
    async with open_disk(driver) as disk:
        await disk.pwrite(0, b"x")
        with pytest.raises(OptionError, match=f"'{driver.name}'") as caught:
            await open_disk(driver)
        assert caught.value.errno == EBUSY
        assert await disk.pread(0, 1) == b"x"


async def test_closed_driver_is_not_opened_again() -> None:
    driver = MemoryDriver(SIZE)
    await (await open_disk(driver)).close()
    with pytest.raises(OptionError, match="'memory'"):
        await open_disk(driver)


class FailsToClose(RecordingDriver):
    async def close(self) -> None:
        raise BlockError(EIO, "closing fails too")


async def test_why_a_disk_cannot_be_opened_is_not_hidden_by_an_error_of_closing() -> None:
    class Growing(FailsToClose):
        def permissions_changed(self, permissions: Permissions) -> None:
            if permissions.taken & perms.WRITE:
                raise BlockError(EAGAIN, "locked")

    with pytest.raises(BlockError, match="locked"):
        await open_disk(Growing(SIZE))


async def test_allocation_before_the_start_cannot_be_asked_for() -> None:
    async with open_disk(MemoryDriver(SIZE)) as disk:
        with pytest.raises(BlockError, match="-512") as caught:
            await disk.is_allocated(-512, 1024)
        assert caught.value.errno == EIO


async def test_reopenings_at_the_same_time_take_turns_and_closing_waits_for_them() -> None:
    steps: list[str] = []

    class Slow(RecordingDriver):
        async def reopen(self, flags: OpenFlags, options: Options) -> None:
            steps.append("begin")
            await settle()
            steps.append("end")

        async def close(self) -> None:
            steps.append("close")

    disk = await open_disk(Slow(SIZE))
    async with asyncio.TaskGroup() as group:
        for read_only in (True, False):
            group.create_task(disk.reopen({"read-only": read_only}))
        await asyncio.sleep(0)
        group.create_task(disk.close())
    assert steps == ["begin", "end", "begin", "end", "close"]
    assert disk.closed


def test_program_that_forgets_to_close_a_disk_ends() -> None:
    forgetful = (
        "from blkdebug_async import open_disk_sync\n"
        "disk = open_disk_sync({'driver': 'memory', 'size': 4096})\n"
        "print(disk.length)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", forgetful], capture_output=True, text=True, timeout=20, check=True
    )
    assert (ended.stdout, ended.stderr) == ("4096\n", "")
