"""Flush generations, over a device that loses what was not flushed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from blkdebug_async import BlockError, Disk, open_disk
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.devices import VolatileDriver
from tests.explored.exploring import exhaust, sample, together

SECTOR = 512


async def write_and_flush(disk: Disk, device: VolatileDriver, offset: int) -> None:
    """Flush what was written, after which it must be safe."""
    await disk.pwrite(offset, b"x" * SECTOR)
    # Others may write before this one flushes.
    await asyncio.sleep(0)
    await disk.flush()
    assert offset in device.safe


def test_what_was_written_before_a_flush_is_safe_after_it() -> None:
    async def scenario() -> None:
        device = VolatileDriver(2 * SECTOR)
        async with open_disk(device) as disk:
            await together(
                a=write_and_flush(disk, device, 0), b=write_and_flush(disk, device, SECTOR)
            )
            flushes = device.flushes
            await disk.flush()
            assert device.flushes == flushes
            sometimes("one flush for both", device.flushes == 1)
            sometimes("a flush for each", device.flushes == 2)

    exhaust(scenario)


def test_no_failure_in_many_schedules_of_three_who_write_and_flush() -> None:
    async def scenario() -> None:
        device = VolatileDriver(3 * SECTOR)
        async with open_disk(device) as disk:
            await together(
                a=write_and_flush(disk, device, 0),
                b=write_and_flush(disk, device, SECTOR),
                c=write_and_flush(disk, device, 2 * SECTOR),
            )
            flushes = device.flushes
            await disk.flush()
            assert device.flushes == flushes

    sample(scenario, runs=600)


def test_flushes_by_others_cover_what_was_written_before_them() -> None:
    async def scenario() -> None:
        device = VolatileDriver(SECTOR)
        async with open_disk(device) as disk:
            written: list[int] = []

            async def write() -> None:
                await disk.pwrite(0, b"x" * SECTOR)
                written.append(0)

            async def flush() -> None:
                before = set(written)
                await disk.flush()
                assert before <= device.safe
                sometimes("written before a flush", before)

            await together(a=write(), b=flush(), c=flush())

    exhaust(scenario)


def test_a_flush_that_failed_is_made_good_by_none_that_was_not_sent() -> None:
    async def scenario() -> None:
        device = VolatileDriver(2 * SECTOR, may_fail=True)
        async with open_disk(device) as disk:

            async def attempt(offset: int) -> None:
                with suppress(BlockError):
                    await write_and_flush(disk, device, offset)

            await together(a=attempt(0), b=attempt(SECTOR))
            sometimes("all safe", device.safe == {0, SECTOR})
            sometimes("none safe", not device.safe)
            device.may_fail = False

    exhaust(scenario)


def test_a_cancelled_flush_makes_no_other_believe_that_it_was_done() -> None:
    async def scenario() -> None:
        device = VolatileDriver(SECTOR)
        async with open_disk(device) as disk:
            await disk.pwrite(0, b"x" * SECTOR)
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(disk.flush(), name="doomed")
                cancel_sometime(doomed)

                async def flush() -> None:
                    await disk.flush()
                    assert 0 in device.safe

                group.create_task(flush(), name="other")
            sometimes("cancelled", doomed.cancelled())

    exhaust(scenario)
