from __future__ import annotations

import asyncio
from collections.abc import Mapping
from errno import ENOSPC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async import Disk, Event, InjectError, Suspend, open_disk
from blkdebug_async.block.driver import has
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import InjectedError
from blkdebug_async.explore.choices import Unchanged
from blkdebug_async.units import KIB
from tests.unit.drivers.in_flight.explored import MEMORY, Completing, explored, seen, write
from tests.unit.explore.loop_schedulers import Chance

# --- order ---


@pytest.mark.parametrize(
    ("order", "expected"), [(("write", "read"), "w"), (("read", "write"), ".")]
)
def test_what_a_read_sees_is_decided_by_what_completes_first(
    order: tuple[str, str], expected: str
) -> None:
    async def scenario() -> str:
        async with open_disk(MEMORY) as disk, asyncio.TaskGroup() as group:
            group.create_task(write(disk, 0, "w"))
            read = group.create_task(seen(disk))
        return read.result()

    assert explored(scenario, Completing(order=order)) == expected


@pytest.mark.parametrize(("order", "expected"), [(("a:", "b:"), "b"), (("b:", "a:"), "a")])
def test_of_two_writes_the_one_that_completes_last_stays(
    order: tuple[str, str], expected: str
) -> None:
    async def scenario() -> str:
        async with open_disk(MEMORY) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, 0, "a"), name="a")
                group.create_task(write(disk, 0, "b"), name="b")
            return await seen(disk)

    assert explored(scenario, Completing(order=order)) == expected


def test_requests_complete_as_they_came_unless_somebody_decides() -> None:
    async def scenario() -> str:
        async with open_disk(MEMORY) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, 0, "a"))
                group.create_task(write(disk, 0, "b"))
            return await seen(disk)

    assert explored(scenario) == "b"


requests = st.lists(st.tuples(st.integers(0, 7), st.integers(1, 4)), min_size=1, max_size=5)


@given(requests, st.integers(0, 1 << 30))
def test_the_image_is_that_of_the_writes_in_the_order_of_their_completion(
    ranges: list[tuple[int, int]], seed: int
) -> None:
    async def scenario() -> bytes:
        async with open_disk({"driver": "memory", "size": 16 * 512}) as disk:
            async with asyncio.TaskGroup() as group:
                for number, (first, count) in enumerate(ranges):
                    letter = chr(ord("a") + number)
                    group.create_task(write(disk, first * 512, letter, count * 512), name=letter)
            return await disk.pread(0, 16 * 512)

    chance = Chance(seed, wants_actions=True)
    image = explored(scenario, chance, atomic_unit=1 << 40)
    model = bytearray(16 * 512)
    for key in chance.keys:
        if ": write" in key:
            number = ord(key.removeprefix("main/")[0]) - ord("a")
            first, count = ranges[number]
            model[first * 512 : (first + count) * 512] = bytes([ord("a") + number]) * count * 512
    assert image == model


@given(requests, st.integers(0, 1 << 30))
def test_a_run_without_names_is_the_same_run(ranges: list[tuple[int, int]], seed: int) -> None:
    async def scenario() -> bytes:
        async with open_disk({"driver": "memory", "size": 16 * 512}) as disk:
            async with asyncio.TaskGroup() as group:
                for number, (first, count) in enumerate(ranges):
                    group.create_task(write(disk, first * 512, chr(97 + number), count * 512))
            return await disk.pread(0, 16 * 512)

    named, unnamed = Chance(seed, wants_actions=True), Chance(seed)
    assert explored(scenario, named) == explored(scenario, unnamed)
    assert (named.made, named.ways) == (unnamed.made, unnamed.ways)


# --- what can be seen ---

TREES: list[Mapping[str, object]] = [
    MEMORY,
    {"driver": "null-co", "size": 4096},
    {"driver": "raw", "file": {**MEMORY, "node-name": "leaf"}},
    {"driver": "raw", "size": 1024, "offset": 512, "file": MEMORY},
    {"driver": "blkdebug", "align": 1024, "image": MEMORY},
    {"driver": "overlay", "backing": {**MEMORY, "node-name": "below"}},
    {"driver": "copy-on-read", "file": MEMORY},
]


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: str(tree["driver"]))
def test_a_tree_looks_the_same_as_ever(tree: Mapping[str, object]) -> None:
    async def facts() -> object:
        async with open_disk(tree) as disk:
            nodes = list(disk.root.walk())
            status = await disk.block_status(0, disk.length)
            return (
                *(disk.filename, disk.length, disk.read_only, status.flags, status.length),
                [
                    (
                        *(node.name, node.driver.name, type(node.driver).__name__, node.limits),
                        *(node.filename, node.flags, node.driver.specific_info()),
                        *(node.driver.write_flags, node.driver.zero_flags, node.length),
                        *(has(node.driver, "truncate"), has(node.driver, "pwrite_zeroes")),
                        *(has(node.driver, "flush_everything"), has(node.driver, "pdiscard")),
                    )
                    for node in nodes
                ],
            )

    assert explored(facts) == asyncio.run(facts())


def test_a_driver_put_together_in_code_keeps_its_kind() -> None:
    async def scenario() -> None:
        driver = MemoryDriver(4 * KIB)
        async with open_disk(driver) as disk:
            assert disk.root.driver is driver
            assert isinstance(driver, MemoryDriver)

    explored(scenario)


def test_nothing_is_different_where_nobody_explores() -> None:
    async def scenario() -> None:
        async with open_disk(MEMORY) as disk:
            assert type(disk.root.driver) is MemoryDriver
            assert disk.pwritev_nowait(0, [b"now"])

    asyncio.run(scenario())


def test_nothing_is_done_at_once_where_requests_go_into_flight() -> None:
    async def scenario() -> None:
        tree = {"driver": "raw", "file": {"driver": "blkdebug", "image": MEMORY}}
        async with open_disk(tree) as disk:
            assert not disk.preadv_nowait(0, [bytearray(512)])
            assert not disk.pwritev_nowait(0, [b"now"])

    explored(scenario)


# --- above the leaves ---


def test_rules_and_breakpoints_work_as_ever() -> None:
    async def scenario() -> None:
        tree = {"driver": "blkdebug", "image": MEMORY}
        async with open_disk({"driver": "raw", "file": tree}) as disk:
            disk.add_rule(InjectError(event=Event.READ_AIO, errno=ENOSPC, once=True))
            with pytest.raises(InjectedError, match="No space"):
                await disk.pread(0, 512)
            disk.add_rule(Suspend(tag="held", event=Event.WRITE_AIO))
            task = asyncio.ensure_future(write(disk, 0, "w"))
            await disk.wait_suspended("held")
            assert await seen(disk) == "."
            disk.resume("held")
            await task
            assert await seen(disk) == "w"

    explored(scenario)


@pytest.mark.parametrize(("chosen", "expected"), [(0, "."), (1, "failed")])
def test_whether_a_rule_fires_that_may_is_chosen(chosen: int, expected: str) -> None:
    async def scenario() -> str:
        rule = {"event": "read_aio", "maybe": True}
        tree = {"driver": "blkdebug", "node-name": "rules", "image": MEMORY, "inject-error": [rule]}
        async with open_disk({"driver": "raw", "file": tree}) as disk:
            try:
                return await seen(disk)
            except InjectedError:
                return "failed"

    scheduler = Completing(chosen={"inject-error": chosen})
    assert explored(scenario, scheduler) == expected
    assert scheduler.asked == [(2, "rules: inject-error 5 at read_aio on read #1")]


def test_the_scheduler_decides_for_the_tree_too() -> None:
    async def scenario() -> None:
        async with open_disk(MEMORY) as disk, asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(flushed(disk))

    async def flushed(disk: Disk) -> None:
        await write(disk, 0, "w")
        await disk.flush()

    scheduler = Completing()
    explored(scenario, scheduler)
    assert "flush #block100" in {key for _, key in scheduler.asked}


def test_choices_that_were_given_win() -> None:
    async def scenario() -> None:
        choices = Unchanged()
        async with open_disk(MEMORY, choices=choices) as disk:
            assert disk.root.context.choices is choices

    explored(scenario)
