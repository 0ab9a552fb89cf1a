from __future__ import annotations

import asyncio
from dataclasses import replace
from errno import ENOSPC

import pytest

from blkdebug_async import open_disk
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.footprint import Touch, sync_footprint
from blkdebug_async.units import KIB, MAX_LENGTH
from tests.unit.drivers.in_flight.explored import MEMORY, Completing, explored, seen, write
from tests.unit.explore.loop_schedulers import Listed

# --- torn writes ---


def torn_read(parts: int, *, length: int = 1536, read: tuple[int, int] = (0, 1536)) -> list[str]:
    """Read while a write is in flight of which so many parts are done, and again after it."""

    async def scenario() -> list[str]:
        async with open_disk(MEMORY) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, 0, "w", length))
                first = group.create_task(seen(disk, *read))
            return [first.result(), await seen(disk, 0, 1536)]

    order = ("read", "write")
    return explored(scenario, Completing(order=order, chosen={"amid": parts}))


def test_a_read_may_see_the_first_parts_of_a_write_in_flight() -> None:
    assert torn_read(0) == ["...", "www"]
    assert torn_read(1) == ["w..", "www"]
    assert torn_read(2) == ["ww.", "www"]


def test_the_last_part_of_a_write_is_done_only_when_all_is() -> None:
    assert torn_read(3) == torn_read(2)


def test_who_reads_one_part_sees_it_whole() -> None:
    assert torn_read(1, read=(0, 512))[0] == "."


def test_parts_before_a_read_are_done_with_those_in_it() -> None:
    async def scenario() -> list[str]:
        async with open_disk(MEMORY) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, 0, "w", 2048))
                later = group.create_task(seen(disk, 512, 1024), name="later")
                first = group.create_task(seen(disk, 0, 512), name="first")
            return [later.result(), first.result()]

    scheduler = Completing(order=("later", "first", "write"), chosen={"amid": 1})
    assert explored(scenario, scheduler) == ["w.", "w"]


def test_what_is_done_of_a_write_is_not_undone() -> None:
    async def scenario() -> list[str]:
        async with open_disk(MEMORY) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, 0, "w", 1536))
                reads = [group.create_task(seen(disk, 0, 1536), name=name) for name in "xy"]
            return [read.result() for read in reads]

    scheduler = Completing(order=("x:", "y:", "write"), chosen={"x:": 1, "y:": 0})
    assert explored(scenario, scheduler) == ["w..", "w.."]
    assert [n for n, _ in scheduler.asked] == [3, 2]


def test_a_write_over_parts_of_another_stays_when_that_one_completes() -> None:
    async def scenario() -> str:
        async with open_disk(MEMORY) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, 0, "a", 1536), name="a")
                group.create_task(write(disk, 0, "b", 1536), name="b")
            return await seen(disk, 0, 1536)

    scheduler = Completing(order=("b:", "a:"), chosen={"amid": 1})
    assert explored(scenario, scheduler) == "baa"
    assert scheduler.asked == [
        (3, "main/b: write 0+1536 on #block100 amid main/a: write 0+1536 on #block100")
    ]


@pytest.mark.parametrize(("unit", "ways"), [(None, [3]), (1024, [2]), (2048, []), (256, [6])])
def test_writes_are_torn_at_the_atomic_unit(unit: int | None, ways: list[int]) -> None:
    async def scenario() -> None:
        async with open_disk(MEMORY) as disk, asyncio.TaskGroup() as group:
            group.create_task(write(disk, 0, "w", 1536))
            group.create_task(disk.pread(0, 1536))

    scheduler = Completing(order=("read", "write"))
    explored(scenario, scheduler, atomic_unit=unit)
    assert [n for n, _ in scheduler.asked] == ways


def test_a_write_is_not_torn_below_the_alignment_of_its_device() -> None:
    class Blocks(MemoryDriver):
        def refresh_limits(self, limits: Limits) -> Limits:
            return replace(limits, request_alignment=1024)

    async def scenario() -> None:
        async with open_disk(Blocks(4 * KIB)) as disk, asyncio.TaskGroup() as group:
            group.create_task(write(disk, 0, "w", 1024))
            group.create_task(disk.pread(0, 1024))

    scheduler = Completing(order=("read", "write"))
    explored(scenario, scheduler)
    assert scheduler.asked == []


def test_a_part_of_a_write_that_fails_fails_the_write() -> None:
    class Full(MemoryDriver):
        async def pwritev(
            self, offset: int, length: int, iov: Iovec, flags: int, request: Request
        ) -> None:
            raise BlockError(ENOSPC, "full")

    async def scenario() -> int | None:
        async with open_disk(Full(4 * KIB)) as disk:
            read = asyncio.ensure_future(disk.pread(0, 1024))
            with pytest.raises(OSError, match="full") as caught:
                await write(disk, 0, "w", 1024)
            await read
            return caught.value.errno

    order = ("read", "write")
    assert explored(scenario, Completing(order=order, chosen={"amid": 1})) == ENOSPC


# --- names and footprints ---


def test_every_kind_of_request_goes_into_flight_under_its_name() -> None:
    async def scenario() -> None:
        async with open_disk(MEMORY) as disk:
            await disk.pwrite(0, b"w")
            await disk.pread(512, 512)
            await disk.pwrite_zeroes(0, 512)
            await disk.pdiscard(512, 1024)
            await disk.flush()
            await disk.block_status(0, 512)
            await disk.truncate(8 * KIB)

    scheduler = Completing()
    explored(scenario, scheduler)
    touched = [
        (action.key.removeprefix("main: "), [(each.offset, each.length) for each in touches])
        for action, _ in scheduler.steps
        if action.kind is Kind.REQUEST and (touches := action.touches or ())
    ]
    assert touched == [
        ("write 0+1 on #block100", [(0, 1)]),
        ("read 512+512 on #block100", [(512, 512)]),
        ("zero write 0+512 on #block100", [(0, 512)]),
        ("discard 512+1024 on #block100", [(512, 1024)]),
        ("flush on #block100", [(0, 0)]),
        ("block status 0+512 on #block100", [(0, 64 * KIB)]),
        ("truncate to 8192 on #block100", [(4 * KIB, MAX_LENGTH - 4 * KIB)]),
        ("flush on #block100#1", [(0, 0)]),
    ]


def test_nodes_of_one_name_are_told_apart_whoever_opens_his_disk_first() -> None:
    async def one(letter: str) -> None:
        async with open_disk(MEMORY) as disk:
            await write(disk, 0, letter)

    async def scenario() -> None:
        async with open_disk(MEMORY) as disk:
            await write(disk, 0, "m")
            async with asyncio.TaskGroup() as group:
                group.create_task(one("a"), name="a")
                group.create_task(one("b"), name="b")
            await one("again")

    def prints(first: tuple[str, ...]) -> dict[str, str]:
        scheduler = Completing(first=first)
        explored(scenario, scheduler)
        return {
            action.key: action.touches[0].node
            for action, _ in scheduler.steps
            if action.touches and ": write" in action.key
        }

    names = prints(())
    assert sorted(names.values()) == [
        *("#block100", "#block100 (2)", "#block100 of main/a", "#block100 of main/b"),
    ]
    assert prints(("main/b",)) == names


def test_a_change_of_the_length_is_touched_and_each_request_looks_at_it() -> None:
    async def scenario() -> None:
        async with open_disk(MEMORY) as disk:
            await disk.pread(0, 512)
            await disk.truncate(8 * KIB)

    scheduler = Listed()
    explored(scenario, scheduler)
    length = sync_footprint("length of #block100")
    looked = sync_footprint("length of #block100", Touch.READ)
    touches = [each for _, touched in scheduler.steps for each in touched]
    assert touches.index(looked) < touches.index(length)
