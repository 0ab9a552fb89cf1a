from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Final

import pytest

from blkdebug_async import Disk, Event, InjectError, open_disk
from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.run import run_once
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.dpor import Dpor
from blkdebug_async.explore.strategies.strategy import Ending, Strategy

MEMORY: Final[Mapping[str, object]] = {"driver": "memory", "size": 4096}
RULES: Final = {"driver": "raw", "file": {"driver": "blkdebug", "align": 512, "image": MEMORY}}
#: More deviations than any of these has decisions.
ANY = 99

Said = list[object]
Scenario = Callable[[Said], Coroutine[object, object, None]]


async def together(**parts: Coroutine[object, object, object]) -> None:
    async with asyncio.TaskGroup() as group:
        for name, part in parts.items():
            group.create_task(part, name=name)


async def writes_within_one_block(said: Said) -> None:
    async with open_disk(RULES) as disk:
        await together(a=disk.pwrite(0, b"aaaa"), b=disk.pwrite(2, b"bbbb"))
        said.append(await disk.pread(0, 8))


async def writes_with_flushes(said: Said) -> None:
    async def write(disk: Disk, letter: bytes) -> None:
        await disk.pwrite(0, letter)
        await disk.flush()
        said.append(letter)

    async with open_disk(MEMORY) as disk:
        await together(a=write(disk, b"a"), b=write(disk, b"b"))
        said.append(await disk.pread(0, 1))


async def a_rule_for_one_of_two_writes(said: Said) -> None:
    async def write(disk: Disk) -> None:
        for sector in range(2):
            try:
                await disk.pwrite(sector * 512, bytes(512))
            except OSError:
                said.append(sector)

    async def arm(disk: Disk) -> None:
        disk.add_rule(InjectError(event=Event.WRITE_AIO, once=True, immediately=True))

    async with open_disk(RULES) as disk:
        await together(write=write(disk), arm=arm(disk))


async def a_drained_section_and_a_write(said: Said) -> None:
    async def write(disk: Disk) -> None:
        await disk.pwrite(0, b"w")
        said.append("written")

    async def drain(disk: Disk) -> None:
        async with disk.drained():
            said.append("drained")

    async with open_disk(MEMORY) as disk:
        await together(write=write(disk), drain=drain(disk))


async def a_read_where_the_end_is_cut_off(said: Said) -> None:
    async def read(disk: Disk) -> None:
        try:
            said.append(await disk.pread(3584, 4))
        except OSError as error:
            said.append(error.errno)

    async with open_disk({"driver": "raw", "file": MEMORY}) as disk:
        await together(truncate=disk.truncate(1024), read=read(disk))


async def a_read_of_a_torn_write(said: Said) -> None:
    async def read(disk: Disk) -> None:
        data = await disk.pread(0, 1024)
        said.append((data[0], data[512]))

    async with open_disk(MEMORY) as disk:
        await together(write=disk.pwrite(0, b"\1" * 1024), read=read(disk))


async def two_writes_that_are_torn(said: Said) -> None:
    async with open_disk(MEMORY) as disk:
        await together(a=disk.pwrite(0, b"\1" * 1024), b=disk.pwrite(0, b"\2" * 1024))
        data = await disk.pread(0, 1024)
        said.append((data[0], data[512]))


SCENARIOS = [
    writes_within_one_block,
    writes_with_flushes,
    a_rule_for_one_of_two_writes,
    a_drained_section_and_a_write,
    a_read_where_the_end_is_cut_off,
    a_read_of_a_torn_write,
    two_writes_that_are_torn,
]


def outcomes(scenario: Scenario, strategy: Strategy) -> tuple[set[tuple[object, ...]], int]:
    """Make all runs, and give what they said and how many they were."""
    found: set[tuple[object, ...]] = set()
    runs = 0
    while not strategy.exhausted:
        said: Said = []
        outcome = run_once(partial(scenario, said), strategy.scheduler(runs))
        runs += 1
        strategy.heard(outcome.run, outcome.ending)
        if outcome.ending is not Ending.REDUNDANT:
            assert outcome.error is None
            found.add(tuple(said))
    return found, runs


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_classes_of_runs_have_all_outcomes_that_brute_force_finds(scenario: Scenario) -> None:
    every, runs = outcomes(scenario, Bounded(ANY))
    assert len(every) > 1
    before = runs
    for assume in (Assume.NOTHING, Assume.DISK_ONLY):
        found, runs = outcomes(scenario, Dpor(assume))
        assert found == every
        assert runs <= before
        before = runs


@pytest.mark.parametrize("writers", [2, 3, 4])
@pytest.mark.parametrize(("apart", "classes"), [(512, (1, 1, 1)), (0, (2, 6, 24))])
def test_writers_make_a_class_for_each_order_of_those_that_meet(
    writers: int, apart: int, classes: tuple[int, ...]
) -> None:
    async def scenario(said: Said) -> None:
        async with open_disk(MEMORY) as disk:
            await together(
                **{
                    f"w{number}": disk.pwrite(number * apart, bytes([number + 1]) * 512)
                    for number in range(writers)
                }
            )
            said.append(await disk.pread(0, 1))

    _, runs = outcomes(scenario, Dpor(Assume.DISK_ONLY))
    assert runs == classes[writers - 2]
