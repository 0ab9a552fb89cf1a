from __future__ import annotations

import asyncio
from errno import EBADF, EBUSY

import pytest

from blkdebug_async.block.driver import Driver
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import Phase, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.opening import open_disk
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
