"""Copy-on-read beside writes: what is copied up never undoes a write."""

from __future__ import annotations

import asyncio

from blkdebug_async import DiskOpening, open_disk
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.copy_on_read import CopyOnReadDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.exploring import exhaust, opened, sample, together

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


def test_two_writes_to_parts_of_what_lies_below_keep_the_rest_of_it() -> None:
    async def scenario() -> None:
        async with opened(open_disk(MemoryDriver(data=OLD), snapshot=True)) as disk:
            await together(one=disk.pwrite(0, b"1" * 512), two=disk.pwrite(512, b"2" * 512))
            assert await disk.pread(0, CLUSTER) == b"1" * 512 + b"2" * 512 + OLD[1024:]

    exhaust(scenario)


def test_a_part_of_a_sector_written_beside_a_read_that_copies_it_is_never_undone() -> None:
    async def scenario() -> None:
        below = BlkdebugDriver(MemoryDriver(data=OLD), config=BlkdebugConfig(align=4096))
        async with opened(open_disk(below, snapshot=True, copy_on_read=True)) as disk:
            await together(reader=disk.pread(0, 512), writer=disk.pwrite(100, b"n" * 100))
            assert await disk.pread(0, 300) == OLD[:100] + b"n" * 100 + OLD[200:300]

    exhaust(scenario)


def test_a_read_by_a_filter_that_copies_undoes_no_write_by_another_disk() -> None:
    async def scenario() -> None:
        overlay = OverlayDriver(MemoryDriver(data=OLD))
        async with opened(open_disk(CopyOnReadDriver(overlay))) as disk:
            below = disk.root.primary_child()
            assert below is not None
            async with disk.on_node(below.name) as other:
                await together(reader=disk.pread(0, 512), writer=other.pwrite(512, b"n" * 512))
                assert await disk.pread(0, 1024) == OLD[:512] + b"n" * 512

    exhaust(scenario)


def test_a_discard_and_a_write_beside_a_read_that_copies_bring_nothing_back() -> None:
    async def scenario() -> None:
        async with opened(copying()) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(disk.pread(0, 512), name="reader")
                group.create_task(disk.pdiscard(0, CLUSTER), name="discarder")
                group.create_task(disk.pwrite(512, b"n" * 512), name="writer")
            seen = await disk.pread(0, 1024)
            assert seen[:512] == bytes(512)
            assert seen[512:] in (b"n" * 512, bytes(512))

    sample(scenario, runs=200)
