from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from errno import ENOSPC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async import Disk, Event, InjectError, Suspend, open_disk
from blkdebug_async.block.driver import Pace, has
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.errors import BlockError, InjectedError
from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.choices import Unchanged
from blkdebug_async.explore.footprint import Footprint, Touch, sync_footprint
from blkdebug_async.units import KIB, MAX_LENGTH
from tests.unit.drivers.in_flight.explored import Completing, explored
from tests.unit.explore.loop_schedulers import Chance, Listed

MEMORY: Mapping[str, object] = {"driver": "memory", "size": 4 * KIB}
WHOLE = 1 << 40


async def write(disk: Disk, offset: int, letter: str, length: int = 512) -> None:
    await disk.pwrite(offset, letter.encode() * length)


async def seen(disk: Disk, offset: int = 0, length: int = 512) -> str:
    """Read, and say in letters what is in each sector."""
    data = await disk.pread(offset, length)
    letters = [data[start : start + 512] for start in range(0, length, 512)]
    assert all(len(set(sector)) == 1 for sector in letters)
    return "".join(chr(sector[0] or ord(".")) for sector in letters)


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
    image = explored(scenario, chance, atomic_unit=WHOLE)
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


# --- cancellation ---


@pytest.mark.parametrize("times", [1, 3])
def test_a_write_in_flight_lands_though_its_task_is_cancelled(times: int) -> None:
    async def scenario() -> str:
        async with open_disk(MEMORY) as disk:
            task = asyncio.ensure_future(write(disk, 0, "w"))
            await asyncio.sleep(0)
            for _ in range(times):
                task.cancel()
                await asyncio.sleep(0)
            assert not task.done()
            with pytest.raises(asyncio.CancelledError):
                await task
            return await seen(disk)

    # Without anybody who decides, tasks come before requests.
    assert explored(scenario) == "w"


def test_a_task_cancelled_when_its_request_has_just_completed_is_cancelled() -> None:
    async def scenario() -> tuple[bool, str]:
        async with open_disk(MEMORY) as disk:
            task = asyncio.create_task(write(disk, 0, "w"), name="doomed")  # noqa: TID251
            await seen(disk, 1024)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled(), await seen(disk)

    # Both requests complete before their tasks hear of it, and the one that cancels is first.
    scheduler = Completing(first=("doomed:0", "doomed: write", "read 1024"))
    assert explored(scenario, scheduler) == (True, "w")


def test_a_cancelled_request_that_fails_tells_so_as_the_cause() -> None:
    async def scenario() -> object:
        async with open_disk(Failing()) as disk:
            task = asyncio.ensure_future(disk.pread(0, 512))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await task
            return caught.value.__cause__

    assert isinstance(explored(scenario), BlockError)


class Failing(MemoryDriver):
    def __init__(self) -> None:
        super().__init__(4 * KIB)

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        raise BlockError(ENOSPC, "no bytes left")


def test_an_error_of_a_driver_keeps_its_errno() -> None:
    async def scenario() -> int | None:
        async with open_disk(Failing()) as disk:
            with pytest.raises(BlockError, match="no bytes left") as caught:
                await disk.pread(0, 512)
            return caught.value.errno

    assert explored(scenario) == ENOSPC


# --- drivers that wait ---


class Waiting(MemoryDriver):
    """Waits within a time limit before it does anything."""

    pace = Pace.UNKNOWN

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        async with asyncio.timeout(60):
            await asyncio.sleep(1)
        await super().preadv(offset, length, iov, flags, request)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await asyncio.sleep(0)
        await super().pwritev(offset, length, iov, flags, request)


def test_a_driver_that_has_to_wait_goes_on_in_the_task_of_the_request() -> None:
    async def scenario() -> tuple[str, float]:
        async with open_disk(Waiting(4 * KIB)) as disk:
            await write(disk, 0, "w", 1024)
            return await seen(disk), asyncio.get_running_loop().time()

    assert explored(scenario) == ("w", 1.0)


def test_each_step_of_a_driver_that_waits_touches_what_its_request_does() -> None:
    async def scenario() -> None:
        async with open_disk(Waiting(4 * KIB)) as disk:
            await write(disk, 0, "w")

    scheduler = Listed()
    explored(scenario, scheduler)
    touching = [
        action.kind
        for action, touched in scheduler.steps
        if Footprint("#block100", 0, 512, Touch.WRITE) in touched
    ]
    assert touching == [Kind.REQUEST, Kind.TASK]


def test_a_driver_that_waits_hears_that_its_request_was_cancelled() -> None:
    async def scenario() -> float:
        async with open_disk(Waiting(4 * KIB)) as disk:
            task = asyncio.ensure_future(disk.pread(0, 512))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            return asyncio.get_running_loop().time()

    assert explored(scenario) == 0


def test_a_driver_that_waits_is_not_torn() -> None:
    async def scenario() -> None:
        async with open_disk(Waiting(4 * KIB)) as disk, asyncio.TaskGroup() as group:
            group.create_task(write(disk, 0, "w", 1024))
            group.create_task(disk.pread(0, 1024))

    scheduler = Completing(order=("read", "write"))
    explored(scenario, scheduler)
    assert scheduler.asked == []


def test_an_overlay_is_explored_with_what_lies_below_it() -> None:
    async def scenario() -> str:
        below = MemoryDriver(data=b"o" * 4096)
        async with open_disk(OverlayDriver(below)) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, 0, "a"), name="a")
                group.create_task(write(disk, 512, "b"), name="b")
            return await seen(disk, 0, 1536)

    for order in [("a:", "b:"), ("b:", "a:")]:
        scheduler = Completing(order=order)
        assert explored(scenario, scheduler) == "abo"
        assert {key.rpartition("#")[2] for key in scheduler.requests} == {"block100", "block101"}


def test_latency_is_time_on_the_clock_of_the_run() -> None:
    async def scenario() -> float:
        async with open_disk({"driver": "null-co", "latency-ns": 2_000_000_000}) as disk:
            await disk.pread(0, 512)
            return asyncio.get_running_loop().time()

    scheduler = Completing()
    assert explored(scenario, scheduler) == 2
    assert scheduler.requests == []


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
        *("#block100", "#block100 of main/a", "#block100 of main/b", "#block100#1"),
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
