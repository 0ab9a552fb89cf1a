"""Truncations beside each other and beside requests: every node knows how long it is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from errno import EIO

import pytest

from blkdebug_async import BlockError, Disk, open_disk
from blkdebug_async.block.target import Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.devices import VolatileDriver
from tests.explored.exploring import exhaust, together

SECTOR = 512
CLUSTER = 64 * 1024


def chain(size: int, *, align: int = SECTOR) -> dict[str, object]:
    below = {"driver": "blkdebug", "align": align, "image": {"driver": "memory", "size": size}}
    return {"driver": "raw", "file": below}


def check_lengths(disk: Disk) -> None:
    """Compare what nodes remember with what their drivers say."""
    for node in disk.root.walk():
        assert node.known_length == node.driver.length(), node.name


async def attempt(disk: Disk, offset: int, length: int) -> bool:
    """Write, and tell whether all of that was there."""
    try:
        await disk.pwrite(offset, b"x" * length)
    except BlockError as error:
        if error.errno != EIO:
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("offset", "length"), [(SECTOR, SECTOR), (SECTOR, 100), (SECTOR - 100, 200)]
)
def test_a_write_to_bytes_that_are_cut_off_comes_before_that_or_fails(
    offset: int, length: int
) -> None:
    async def scenario() -> None:
        async with open_disk(chain(2 * SECTOR)) as disk:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(attempt(disk, offset, length), name="writer")
                group.create_task(disk.truncate(SECTOR), name="cutter")
            assert disk.length == SECTOR
            check_lengths(disk)
            expected = b"x" * (SECTOR - offset) if writing.result() else b""
            assert (await disk.pread(0, SECTOR)).strip(b"\0") == expected
            sometimes("written", writing.result())
            sometimes("too late", not writing.result())

    exhaust(scenario)


def test_what_is_cut_off_never_comes_back() -> None:
    async def scenario() -> None:
        async with open_disk(chain(2 * SECTOR)) as disk:
            await disk.pwrite(0, b"o" * 2 * SECTOR)

            async def cut_and_grow() -> None:
                await disk.truncate(SECTOR)
                await disk.truncate(2 * SECTOR)

            async with asyncio.TaskGroup() as group:
                writing = group.create_task(attempt(disk, SECTOR + 10, 10), name="writer")
                group.create_task(cut_and_grow(), name="cutter")
            check_lengths(disk)
            content = await disk.pread(SECTOR, SECTOR)
            new = bytes(10) + b"x" * 10 + bytes(SECTOR - 20)
            assert content in ([bytes(SECTOR), new] if writing.result() else [bytes(SECTOR)])
            sometimes("written to what was cut off", writing.result() and content != new)
            sometimes("written to new space", content == new)
            sometimes("written in between", not writing.result())

    exhaust(scenario)


@pytest.mark.parametrize("sizes", [(1, 3), (1, 2), (3, 4)])
def test_truncations_come_one_after_the_other(sizes: tuple[int, int]) -> None:
    async def scenario() -> None:
        async with open_disk(chain(2 * SECTOR)) as disk:
            await disk.pwrite(0, b"o" * 2 * SECTOR)
            one, two = (size * SECTOR for size in sizes)
            await together(one=disk.truncate(one), two=disk.truncate(two))
            assert disk.length in (one, two)
            check_lengths(disk)
            content = await disk.pread(0, disk.length)
            kept = min(2 * SECTOR, one if disk.length == two else two, disk.length)
            assert content == (b"o" * kept).ljust(disk.length, b"\0")

    exhaust(scenario)


def test_new_space_shows_nothing_of_what_lies_below() -> None:
    async def scenario() -> None:
        below = MemoryDriver(data=b"o" * 2 * CLUSTER)
        async with open_disk(below, snapshot=True) as disk:
            await together(
                cut=disk.truncate(CLUSTER),
                grow=disk.truncate(2 * CLUSTER),
            )
            seen = await disk.pread(disk.length - 1, 1)
            longer = disk.length == 2 * CLUSTER
            assert seen == (b"\0" if longer else b"o")
            sometimes("longer in the end", longer)
            sometimes("shorter in the end", not longer)

    exhaust(scenario)


def test_a_read_that_copies_brings_back_nothing_of_what_is_cut_off() -> None:
    async def scenario() -> None:
        below = MemoryDriver(data=b"o" * 2 * CLUSTER)
        async with open_disk(below, snapshot=True, copy_on_read=True) as disk:

            async def read() -> None:
                with suppress(BlockError):
                    await disk.pread(CLUSTER, SECTOR)

            await together(reader=read(), cutter=disk.truncate(CLUSTER))
            check_lengths(disk)
            await disk.truncate(2 * CLUSTER)
            assert await disk.pread(CLUSTER, SECTOR) == bytes(SECTOR)

    exhaust(scenario)


def test_a_write_to_new_space_is_there_or_failed() -> None:
    async def scenario() -> None:
        async with open_disk(chain(SECTOR)) as disk:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(attempt(disk, SECTOR, SECTOR), name="writer")
                group.create_task(disk.truncate(2 * SECTOR), name="grower")
            check_lengths(disk)
            expected = b"x" if writing.result() else b"\0"
            assert await disk.pread(SECTOR, SECTOR) == expected * SECTOR
            sometimes("in time", writing.result())
            sometimes("too early", not writing.result())

    exhaust(scenario)


class VolatileLengthDriver(VolatileDriver):
    """Its length is safe after the next flush, as what is written is."""

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        await super().truncate(size, how, request)
        self.volatile.add(-1)


def test_a_cancelled_truncation_that_was_done_is_flushed() -> None:
    async def scenario() -> None:
        device = VolatileLengthDriver(2 * SECTOR)
        async with open_disk(device) as disk:
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(disk.truncate(SECTOR), name="doomed")
                cancel_sometime(doomed)
            done = disk.length == SECTOR
            check_lengths(disk)
            await disk.flush()
            assert (-1 in device.safe) == done
            sometimes("cancelled and done", done and doomed.cancelled())
            sometimes("cancelled and not done", not done)

    exhaust(scenario)


def test_a_truncation_cancelled_while_it_waits_leaves_all_as_it_is() -> None:
    async def scenario() -> None:
        async with open_disk(chain(2 * SECTOR)) as disk:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(attempt(disk, SECTOR, 100), name="writer")
                doomed = group.create_task(disk.truncate(SECTOR), name="doomed")
                cancel_sometime(doomed)
            check_lengths(disk)
            assert writing.result() or disk.length == SECTOR
            assert not any(node.tracker.serialising for node in disk.root.walk())
            sometimes("cancelled and not done", doomed.cancelled() and disk.length > SECTOR)
            sometimes("cancelled and done", doomed.cancelled() and disk.length == SECTOR)

    exhaust(scenario)
