"""Errors that rules inject, and rules that may or may not fire, beside other requests."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from errno import EIO

import pytest

from blkdebug_async import (
    BlockError,
    Disk,
    DiskOpening,
    Event,
    InjectError,
    IoType,
    SetState,
    Suspend,
    open_disk,
)
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import Rule
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.devices import VolatileDriver
from tests.explored.exploring import exhaust, opened, together

SECTOR = 512


def with_rules(*rules: Rule) -> DiskOpening:
    image = {"driver": "memory", "size": 2 * SECTOR}
    return open_disk(BlkdebugDriver(image, rules, config=BlkdebugConfig(align=SECTOR)))


async def attempt(disk: Disk, letter: str, offset: int, length: int) -> bool:
    try:
        await disk.pwrite(offset, letter.encode() * length)
    except BlockError as error:
        if error.errno != EIO:
            raise
        return False
    return True


@pytest.mark.parametrize("immediately", [True, False])
def test_an_error_that_is_injected_once_meets_one_of_two(immediately: bool) -> None:
    async def scenario() -> None:
        rule = InjectError(event=Event.PWRITEV, once=True, immediately=immediately)
        async with opened(with_rules(rule)) as disk:
            async with asyncio.TaskGroup() as group:
                one = group.create_task(attempt(disk, "1", 0, SECTOR), name="one")
                two = group.create_task(attempt(disk, "2", SECTOR, SECTOR), name="two")
            assert one.result() != two.result()
            sometimes("the first", two.result())
            sometimes("the second", one.result())
            content = await disk.pread(0, 2 * SECTOR)
        assert content[:SECTOR] == (b"1" if one.result() else b"\0") * SECTOR
        assert content[SECTOR:] == (b"2" if two.result() else b"\0") * SECTOR

    exhaust(scenario)


@pytest.mark.parametrize("immediately", [True, False])
def test_who_fails_to_read_its_edges_writes_nothing_and_lets_the_others_go_on(
    immediately: bool,
) -> None:
    async def scenario() -> None:
        rule = InjectError(
            event=Event.PWRITEV_RMW_HEAD,
            iotypes={IoType.READ},
            once=True,
            immediately=immediately,
            maybe=True,
        )
        async with opened(with_rules(rule)) as disk:
            async with asyncio.TaskGroup() as group:
                one = group.create_task(attempt(disk, "1", 10, 100), name="one")
                two = group.create_task(attempt(disk, "2", 110, 100), name="two")
            disk.remove_rule(rule)
            content = await disk.pread(10, 200)
        assert content[:100] == (b"1" if one.result() else b"\0") * 100
        assert content[100:] == (b"2" if two.result() else b"\0") * 100
        sometimes("none fails", one.result() and two.result())
        sometimes("one fails", not one.result())
        sometimes("two fails", not two.result())

    exhaust(scenario)


def test_a_write_that_fails_amid_its_pieces_has_written_some_of_them() -> None:
    async def scenario() -> None:
        image = {"driver": "memory", "size": 2 * SECTOR}
        below = BlkdebugDriver(
            image, [InjectError(event=Event.PWRITEV, iotypes={IoType.WRITE}, sector=1)]
        )
        limits = BlkdebugConfig(max_transfer=SECTOR)
        async with opened(open_disk(BlkdebugDriver(below, config=limits))) as disk:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(attempt(disk, "x", 0, 2 * SECTOR), name="writer")
                reading = group.create_task(disk.pread(0, 2 * SECTOR), name="reader")
            assert not writing.result()
            assert await disk.pread(0, 2 * SECTOR) == b"x" * SECTOR + bytes(SECTOR)
            sometimes("the reader sees it", reading.result()[:1] == b"x")

    exhaust(scenario)


def test_a_flush_that_fails_by_rule_makes_the_next_one_flush() -> None:
    async def scenario() -> None:
        device = VolatileDriver(SECTOR)
        rule = InjectError(
            event=Event.FLUSH_TO_DISK, iotypes={IoType.FLUSH}, once=True, immediately=False
        )
        async with opened(open_disk(RawDriver(BlkdebugDriver(device)))) as disk:
            await disk.pwrite(0, b"x" * SECTOR)
            failed: list[str] = []

            async def flush(name: str) -> None:
                try:
                    await disk.flush()
                except BlockError:
                    failed.append(name)
                else:
                    assert 0 in device.safe

            disk.add_rule(rule)
            await together(one=flush("one"), two=flush("two"))
            sometimes("the first fails", failed == ["one"])
            sometimes("the second fails", failed == ["two"])
            assert len(failed) == 1

    exhaust(scenario)


def test_a_failed_request_that_is_cancelled_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        rule = InjectError(event=Event.PWRITEV, iotypes={IoType.WRITE}, maybe=True)
        async with opened(with_rules(rule)) as disk:
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(attempt(disk, "d", 0, 100), name="doomed")
                cancel_sometime(doomed)
            content = await disk.pread(0, 100)
            assert content in (b"d" * 100, bytes(100))
            sometimes("failed", not doomed.cancelled() and not doomed.result())
            sometimes("cancelled and not written", doomed.cancelled() and content[:1] == b"\0")
            sometimes("cancelled and written", doomed.cancelled() and content[:1] == b"d")

    exhaust(scenario)


def test_states_change_one_event_after_the_other() -> None:
    async def scenario() -> None:
        rules = (
            InjectError(event=Event.PWRITEV, state=2, iotypes={IoType.WRITE}),
            SetState(event=Event.PWRITEV, state=1, new_state=2),
        )
        async with opened(with_rules(*rules)) as disk:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(attempt(disk, str(n), n * SECTOR, SECTOR), name=f"task {n}")
                    for n in range(2)
                ]
            # Whoever comes first changes the state; the other one is the second, and fails.
            first, second = (task.result() for task in tasks)
            assert not (first and second)
            sometimes("the first passes", first)
            sometimes("the second passes", second)

    exhaust(scenario)


def test_a_breakpoint_that_may_hold_and_an_error_that_may_fail_leave_nobody_behind() -> None:
    async def scenario() -> None:
        rules = (
            InjectError(event=Event.PWRITEV_RMW_HEAD, iotypes={IoType.READ}, maybe=True),
            Suspend(tag="A", event=Event.PWRITEV, maybe=True),
        )
        async with opened(with_rules(*rules)) as disk:
            async with asyncio.TaskGroup() as group:
                writing = group.create_task(attempt(disk, "x", 10, 100), name="writer")
                waiting = group.create_task(disk.wait_suspended("A"), name="controller")
                writing.add_done_callback(lambda _: waiting.cancel())

                def go_on(_: object) -> None:
                    with suppress(BlockError):
                        disk.resume("A")

                waiting.add_done_callback(go_on)
            # No event has thrown out what the first one armed.
            disk.remove_rule(rules[0])
            assert (await disk.pread(10, 1) == b"x") == writing.result()
            sometimes("held", not waiting.cancelled())
            sometimes("not held", waiting.cancelled() and writing.result())
            sometimes("failed", not writing.result())

    exhaust(scenario)
