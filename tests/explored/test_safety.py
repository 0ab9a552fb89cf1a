"""Writes that must be safe once they are answered, over a device that loses what is not flushed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

import pytest

from blkdebug_async import BlockError, Disk, open_disk
from blkdebug_async.block.flags import FUA
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.devices import FailingFlushFilter, VolatileDriver
from tests.explored.exploring import exhaust, opened, together

SECTOR = 512


async def write(disk: Disk, device: VolatileDriver, offset: int, length: int = SECTOR) -> None:
    """Write with FUA, after which all of it must be safe."""
    await disk.pwrite(offset, b"x" * length, FUA)
    assert set(range(offset, offset + length, SECTOR)) <= device.safe


async def zero(disk: Disk, device: VolatileDriver, offset: int) -> None:
    await disk.pwrite_zeroes(offset, SECTOR, FUA)
    assert offset in device.safe


def test_what_was_written_with_fua_is_safe_whoever_flushes_at_the_same_time() -> None:
    async def scenario() -> None:
        device = VolatileDriver(2 * SECTOR)
        async with opened(open_disk(device)) as disk:
            await together(writer=write(disk, device, 0), flusher=disk.flush())
            sometimes("flushed once", device.flushes == 1)
            sometimes("flushed twice", device.flushes == 2)

    exhaust(scenario)


@pytest.mark.parametrize("second", [write, zero])
def test_two_writes_with_fua_are_both_safe(
    second: Callable[..., Coroutine[object, object, None]],
) -> None:
    async def scenario() -> None:
        device = VolatileDriver(2 * SECTOR)
        async with opened(open_disk(device)) as disk:
            await together(a=write(disk, device, 0), b=second(disk, device, SECTOR))

    exhaust(scenario)


def test_each_piece_of_a_split_write_with_fua_is_safe() -> None:
    async def scenario() -> None:
        device = VolatileDriver(2 * SECTOR)
        limits = BlkdebugConfig(max_transfer=SECTOR)
        async with opened(open_disk(BlkdebugDriver(device, config=limits))) as disk:
            await together(writer=write(disk, device, 0, 2 * SECTOR), flusher=disk.flush())

    exhaust(scenario)


def test_each_write_of_a_writethrough_disk_is_safe() -> None:
    async def scenario() -> None:
        device = VolatileDriver(2 * SECTOR)
        async with opened(open_disk(BlkdebugDriver(device), cache="writethrough")) as disk:

            async def write_through(offset: int) -> None:
                await disk.pwrite(offset, b"x" * SECTOR)
                assert offset in device.safe

            await together(a=write_through(0), b=write_through(SECTOR))

    exhaust(scenario)


@pytest.mark.parametrize("length", [SECTOR, 100])
def test_what_a_cancelled_write_has_written_is_flushed_by_the_next(length: int) -> None:
    async def scenario() -> None:
        device = VolatileDriver(SECTOR, align=SECTOR)
        async with opened(open_disk(device)) as disk:
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(disk.pwrite(0, b"x" * length), name="doomed")
                cancel_sometime(doomed)
            written = 0 in device.volatile
            await disk.flush()
            assert (0 in device.safe) == written
            sometimes("cancelled and written", doomed.cancelled() and written)

    exhaust(scenario)


def test_flushes_of_one_node_come_one_at_a_time_also_if_they_fail() -> None:
    async def scenario() -> None:
        disk = await open_disk(FailingFlushFilter(VolatileDriver(SECTOR)))
        await disk.pwrite(0, b"x" * SECTOR)

        async def flush() -> None:
            with pytest.raises(BlockError, match="never safe"):
                await disk.flush()

        await together(one=flush(), two=flush(), three=flush())
        with pytest.raises(BlockError, match="never safe"):
            await disk.close()

    exhaust(scenario)


@pytest.mark.parametrize("length", [SECTOR, 100])
def test_a_write_amid_a_flush_is_flushed_by_the_next(length: int) -> None:
    async def scenario() -> None:
        device = VolatileDriver(SECTOR, align=SECTOR)
        async with opened(open_disk(device)) as disk:
            await together(writer=disk.pwrite(0, b"x" * length), flusher=disk.flush())
            sometimes("written amid the flush", device.flushes)
            await disk.flush()
            assert 0 in device.safe

    exhaust(scenario)


def test_a_cancelled_flush_lets_the_next_two_go_on() -> None:
    async def scenario() -> None:
        device = VolatileDriver(SECTOR)
        async with opened(open_disk(device)) as disk:
            await disk.pwrite(0, b"x" * SECTOR)

            async def flush() -> None:
                await disk.flush()
                assert 0 in device.safe

            async with asyncio.TaskGroup() as group:
                group.create_task(flush(), name="first")
                doomed = group.create_task(disk.flush(), name="doomed")
                group.create_task(flush(), name="last")
                cancel_sometime(doomed)
            sometimes("cancelled", doomed.cancelled())

    exhaust(scenario)


def test_a_write_whose_flush_fails_fails_itself() -> None:
    async def scenario() -> None:
        device = VolatileDriver(2 * SECTOR, may_fail=True)
        async with opened(open_disk(device)) as disk:

            async def attempt(offset: int) -> None:
                with suppress(BlockError):
                    await write(disk, device, offset)

            await together(a=attempt(0), b=attempt(SECTOR))
            sometimes("one of them", len(device.safe) == 1)
            device.may_fail = False

    exhaust(scenario)
