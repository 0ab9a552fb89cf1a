from __future__ import annotations

import asyncio
from errno import EIO, ENOSPC, EPERM

import pytest

from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError, Rule, SetState, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, InjectedError
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.trace import Observer
from blkdebug_async.units import KIB
from tests.unit.block import at_once
from tests.unit.block.at_once import BLOCK, blocks, noting
from tests.unit.noting import NotingDriver

WRITE = frozenset({IoType.WRITE})


def below(*rules: Rule) -> BlkdebugDriver:
    return BlkdebugDriver(MemoryDriver(64 * KIB), rules)


def writes(disk: Disk, offset: int) -> bool:
    return disk.pwritev_nowait(offset, [b"w" * 512])


@pytest.mark.parametrize("event", [Event.PWRITEV, Event.PWRITEV_DONE])
async def test_write_that_a_rule_is_not_for_is_answered_at_once_and_arms_it(event: Event) -> None:
    async with open_disk(below(InjectError(event, sector=9, iotypes=WRITE))) as disk:
        assert writes(disk, 0)
        assert len(disk.blkdebug().machine.armed) == 1
        assert await disk.pread(0, 2) == b"ww"


async def test_write_that_a_rule_is_for_is_not_even_announced_at_once() -> None:
    async with open_disk(below(InjectError(Event.PWRITEV, sector=9, iotypes=WRITE))) as disk:
        assert not writes(disk, 9 * 512)
        assert not disk.blkdebug().machine.armed
        with pytest.raises(InjectedError) as caught:
            await disk.pwrite(9 * 512, b"w" * 512)
        assert caught.value.errno == EIO


async def test_write_that_cannot_be_done_at_once_has_armed_nothing() -> None:
    rule = InjectError(Event.PWRITEV, sector=9, iotypes=WRITE)
    async with open_disk(BlkdebugDriver(NotingDriver(64 * KIB, cold=2), [rule])) as disk:
        assert not writes(disk, 0)
        assert not disk.blkdebug().machine.armed


@pytest.mark.parametrize("event", [Event.PWRITEV, Event.PWRITEV_DONE])
@pytest.mark.parametrize("kind", ["state", "breakpoint"])
async def test_event_that_does_more_than_arm_is_not_fired_at_once(event: Event, kind: str) -> None:
    rules: dict[str, Rule] = {
        "state": SetState(event, new_state=2),
        "breakpoint": Suspend("A", event=event),
    }
    async with open_disk(below(InjectError(event, sector=9), rules[kind])) as disk:
        assert not writes(disk, 0)
        assert disk.blkdebug().machine.state == 1


async def test_write_over_the_end_of_a_block_hears_its_events_by_the_other_path() -> None:
    async with open_disk(
        {
            "driver": "blkdebug",
            "align": 4096,
            "inject-error": [{"event": "pwritev", "sector": 99}],
            "image": {"driver": "memory", "size": 64 * KIB},
        }
    ) as disk:
        assert not writes(disk, 512)
        assert not disk.pwritev_nowait(0, [])
        assert disk.pwritev_nowait(0, [bytes(4096)])


async def test_class_that_hears_in_its_own_way_is_not_passed_over() -> None:
    class Hearing(BlkdebugDriver):
        fired = 0

        async def fire(self, event: Event, request: Request | None) -> None:
            self.fired += 1
            await super().fire(event, request)

    driver = Hearing(MemoryDriver(64 * KIB), [InjectError(Event.PWRITEV, sector=9)])
    async with open_disk(driver) as disk:
        assert not writes(disk, 0)
        await disk.pwrite(0, b"w" * 512)
        assert driver.fired == 1


class Nobody(Observer):
    pass


async def test_what_a_write_arms_before_it_makes_way_for_what_it_arms_behind_it() -> None:
    before = InjectError(Event.PWRITEV, iotypes={IoType.READ}, errno=ENOSPC)
    behind = InjectError(Event.PWRITEV_DONE, iotypes={IoType.FLUSH}, errno=EPERM)
    async with open_disk(blocks(noting(), before, behind)) as disk:
        assert at_once.writes(disk, 0, BLOCK)
        assert at_once.reads(disk, 0, BLOCK)
        with pytest.raises(BlockError) as caught:
            await disk.flush()
        assert caught.value.errno == EPERM
        disk.remove_rule(behind)


async def test_rules_armed_at_once_are_met_in_the_order_of_the_configuration() -> None:
    first = InjectError(Event.PWRITEV, iotypes={IoType.READ}, errno=ENOSPC)
    second = InjectError(Event.PWRITEV, iotypes={IoType.READ}, errno=EPERM)
    async with open_disk(blocks(noting(), first, second)) as disk:
        assert at_once.writes(disk, 0, BLOCK)
        with pytest.raises(BlockError) as caught:
            await disk.pread(0, BLOCK)
        assert caught.value.errno == ENOSPC


async def test_a_write_that_is_heard_of_and_must_be_split_is_left_to_the_path() -> None:
    rule = InjectError(Event.PWRITEV, iotypes={IoType.READ})
    async with open_disk(blocks(noting(), rule, max_transfer=BLOCK)) as disk:
        assert not at_once.writes(disk, 0, 2 * BLOCK)
        assert not at_once.writes(disk, 0, 10)
        assert at_once.writes(disk, 0, BLOCK)


@pytest.mark.parametrize("observer", [None, Nobody()])
async def test_what_is_written_at_once_overwrites_the_state_of_2018_too(
    observer: Observer | None,
) -> None:
    rules: list[Rule] = [
        InjectError(Event.PWRITEV, iotypes={IoType.READ}),
        Suspend("tag", Event.FLUSH_TO_DISK),
        SetState(Event.FLUSH_TO_DISK, new_state=2),
    ]
    driver = RawDriver(BlkdebugDriver(noting(), rules))
    async with open_disk(driver, compat="seed", observer=observer) as disk:
        machine = disk.blkdebug().machine
        await disk.pwrite(0, b"w")
        async with asyncio.TaskGroup() as group:
            group.create_task(disk.flush())
            await disk.wait_suspended("tag")
            await disk.pwrite(0, b"w")
            disk.resume("tag")
        assert machine.state == 1
