"""Copy-on-read beside writes: what is copied up never undoes a write."""

from __future__ import annotations

import asyncio

from blkdebug_async import DiskOpening, open_disk
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.exploring import exhaust

CLUSTER = 64 * 1024
OLD = b"o" * CLUSTER


def copying(content: bytes = OLD) -> DiskOpening:
    return open_disk(MemoryDriver(data=content), snapshot=True, copy_on_read=True)


def test_a_write_beside_a_read_that_copies_is_never_undone() -> None:
    async def scenario() -> None:
        async with copying() as disk:
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(disk.pread(0, CLUSTER), name="reader")
                group.create_task(disk.pwrite(512, b"n" * 512), name="writer")
            content = await disk.pread(0, CLUSTER)
        new = OLD[:512] + b"n" * 512 + OLD[1024:]
        assert content == new
        assert reading.result() in (OLD, new)
        sometimes("the read was first", reading.result() == OLD)
        sometimes("the write was first", reading.result() == new)

    exhaust(scenario)


def test_two_reads_that_copy_the_same_cluster_read_the_same() -> None:
    async def scenario() -> None:
        async with copying() as disk, asyncio.TaskGroup() as group:
            readings = [
                group.create_task(disk.pread(offset, 512), name=f"at {offset}")
                for offset in (0, 1024)
            ]
        assert [reading.result() for reading in readings] == [OLD[:512]] * 2

    exhaust(scenario)


def test_zeroes_beside_a_read_that_copies_stay() -> None:
    async def scenario() -> None:
        async with copying() as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(disk.pread(0, 512), name="reader")
                group.create_task(disk.pwrite_zeroes(0, CLUSTER), name="zeroer")
            assert await disk.pread(0, CLUSTER) == bytes(CLUSTER)

    exhaust(scenario)


def test_a_cancelled_read_that_copies_leaves_all_as_it_is() -> None:
    async def scenario() -> None:
        async with copying() as disk:
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(disk.pread(0, 512), name="doomed")
                cancel_sometime(doomed)
                group.create_task(disk.pwrite(512, b"n" * 512), name="writer")
            content = await disk.pread(0, 2048)
        assert content == OLD[:512] + b"n" * 512 + OLD[1024:2048]
        sometimes("cancelled", doomed.cancelled())

    exhaust(scenario)
