"""Requests that are answered at once beside requests that are not."""

from __future__ import annotations

import asyncio

from blkdebug_async import Disk, open_disk
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.devices import WaitingDriver
from tests.explored.exploring import exhaust, opened, together

BLOCK = 512


def blocks() -> BlkdebugDriver:
    return BlkdebugDriver(WaitingDriver(BLOCK), config=BlkdebugConfig(align=BLOCK))


async def write(disk: Disk, letter: str, offset: int, length: int = 100) -> None:
    await disk.pwrite(offset, letter.encode() * length)


def test_parts_of_one_block_written_at_once_or_not_lose_nothing_of_each_other() -> None:
    async def scenario() -> None:
        async with opened(open_disk(blocks())) as disk:
            await together(a=write(disk, "a", 0), b=write(disk, "b", 100))
            assert await disk.pread(0, 200) == b"a" * 100 + b"b" * 100

    exhaust(scenario)


def test_a_whole_block_written_at_once_is_not_undone_by_a_part_of_it() -> None:
    async def scenario() -> None:
        async with opened(open_disk(blocks())) as disk:
            await together(part=write(disk, "p", 0), whole=write(disk, "w", 0, BLOCK))
            content = await disk.pread(0, BLOCK)
            assert content in (b"w" * BLOCK, b"p" * 100 + b"w" * (BLOCK - 100))
            sometimes("the part last", content[0] == ord("p"))
            sometimes("the whole last", content[0] == ord("w"))

    exhaust(scenario)


def test_nothing_is_written_at_once_in_a_drained_section() -> None:
    async def scenario() -> None:
        driver = WaitingDriver(BLOCK)
        async with opened(open_disk(BlkdebugDriver(driver))) as disk:

            async def drain() -> None:
                async with disk.drained():
                    before = driver.written
                    await asyncio.sleep(0)
                    assert driver.written == before

            await together(drainer=drain(), writer=write(disk, "x", 0, BLOCK))
            assert driver.written == 1

    exhaust(scenario)


def test_a_part_that_is_cancelled_harms_no_other() -> None:
    async def scenario() -> None:
        async with opened(open_disk(blocks())) as disk:
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(write(disk, "d", 0), name="doomed")
                cancel_sometime(doomed)
                group.create_task(write(disk, "o", 100), name="other")
            content = await disk.pread(0, 200)
            assert content[100:] == b"o" * 100
            assert content[:100] in (bytes(100), b"d" * 100)
            sometimes("cancelled", doomed.cancelled())

    exhaust(scenario)
