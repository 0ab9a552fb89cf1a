"""Closing a disk beside everything that can be asked of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from errno import EBADF

import pytest

from blkdebug_async import (
    BlockError,
    Disk,
    Event,
    InjectedError,
    InjectError,
    IoType,
    Suspend,
    SuspendedError,
    open_disk,
)
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.devices import GuardedDriver, VolatileDriver
from tests.explored.exploring import exhaust, together

SECTOR = 512

Verb = Callable[[Disk], Coroutine[object, object, object]]
#: All that can be asked of a disk.
VERBS: dict[str, Verb] = {
    "read": lambda disk: disk.pread(0, SECTOR),
    "write": lambda disk: disk.pwrite(0, b"x" * SECTOR),
    "zero": lambda disk: disk.pwrite_zeroes(0, SECTOR),
    "discard": lambda disk: disk.pdiscard(0, SECTOR),
    "flush": lambda disk: disk.flush(),
    "truncate": lambda disk: disk.truncate(SECTOR),
    "status": lambda disk: disk.block_status(0, SECTOR),
    "allocated": lambda disk: disk.is_allocated(0, SECTOR),
    "drain": lambda disk: disk.drain(),
    "reopen": lambda disk: disk.reopen({"cache.no-flush": True}),
    "close": lambda disk: disk.close(),
}


async def attempt(disk: Disk, ask: Verb) -> bool:
    """Ask for something, and tell whether the disk was still open."""
    try:
        await ask(disk)
    except BlockError as error:
        if error.errno != EBADF:
            raise
        return False
    return True


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_asked_of_a_disk_that_is_being_closed_is_done_or_refused(verb: str) -> None:
    async def scenario() -> None:
        driver = GuardedDriver(2 * SECTOR)
        disk = await open_disk(RawDriver(driver))
        async with asyncio.TaskGroup() as group:
            # While that is in flight, closing has something to wait for.
            group.create_task(attempt(disk, VERBS["write"]), name="before")
            group.create_task(disk.close(), name="closer")
            asking = group.create_task(attempt(disk, VERBS[verb]), name="asker")
        assert disk.closed
        assert driver.closed
        sometimes("done", asking.result())
        if verb != "close":
            sometimes("refused", not asking.result())

    exhaust(scenario)


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_asked_in_a_drained_section_waits_for_its_end(verb: str) -> None:
    async def scenario() -> None:
        driver = GuardedDriver(2 * SECTOR)
        disk = await open_disk(driver)
        # So that there is something to flush.
        await disk.pwrite(0, b"o" * SECTOR)

        async def drain() -> None:
            async with disk.drained():
                node = disk.root
                for _ in range(2):
                    assert driver.drained
                    # Those two flush in drained sections of their own.
                    assert not node.tracker.requests or verb in ("close", "reopen")
                    await asyncio.sleep(0)

        async def drain_if_open() -> None:
            with suppress(BlockError):
                await drain()

        await together(drainer=drain_if_open(), asker=attempt(disk, VERBS[verb]))
        if not disk.closed:
            await disk.pwrite(0, b"x" * SECTOR)
            await disk.close()
        assert driver.closed

    exhaust(scenario)


def test_what_was_written_before_the_disk_was_closed_is_safe() -> None:
    async def scenario() -> None:
        device = VolatileDriver(SECTOR)
        disk = await open_disk(RawDriver(device))
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(
                attempt(disk, lambda disk: disk.pwrite(0, b"x" * SECTOR)), name="writer"
            )
            group.create_task(disk.close(), name="closer")
        assert (0 in device.safe) == writing.result()

    exhaust(scenario)


def test_cancelled_closing_leaves_a_disk_that_is_open_or_closed() -> None:
    async def scenario() -> None:
        driver = GuardedDriver(2 * SECTOR)
        disk = await open_disk(RawDriver(driver))
        async with asyncio.TaskGroup() as group:
            writing = group.create_task(
                attempt(disk, lambda disk: disk.pwrite(0, b"x" * SECTOR)), name="writer"
            )
            doomed = group.create_task(disk.close(), name="doomed")
            cancel_sometime(doomed)
        assert driver.closed == disk.closed
        sometimes("cancelled and open", doomed.cancelled() and not disk.closed)
        if not disk.closed:
            assert writing.result()
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR
            await disk.close()

    exhaust(scenario)


def test_a_disk_with_a_held_request_stays_open_until_that_is_resumed() -> None:
    async def scenario() -> None:
        image = {"driver": "memory", "size": 2 * SECTOR}
        disk = await open_disk({"driver": "raw", "file": {"driver": "blkdebug", "image": image}})
        disk.breakpoint("write_aio", "A")

        async def close_and_resume() -> None:
            await disk.wait_suspended("A")
            with pytest.raises(SuspendedError, match="'A'"):
                await disk.close()
            assert not disk.closed
            disk.resume("A")
            await disk.close()

        await together(writer=disk.pwrite(0, b"x" * SECTOR), closer=close_and_resume())
        assert disk.closed

    exhaust(scenario)


@pytest.mark.parametrize("event", ["pwritev", "pwritev_rmw_after_head"])
def test_a_drain_meets_a_request_that_is_held_or_not_held_yet(event: str) -> None:
    async def scenario() -> None:
        image = {"driver": "memory", "size": 2 * SECTOR}
        below = {"driver": "blkdebug", "align": SECTOR, "image": image}
        async with open_disk({"driver": "raw", "file": below}) as disk:
            disk.breakpoint(event, "A")

            async def drain() -> None:
                try:
                    await disk.drain()
                except SuspendedError:
                    sometimes("refused")
                    disk.resume("A")
                    await disk.drain()
                else:
                    sometimes("drained before it came")
                    await disk.wait_suspended("A")
                    disk.resume("A")

            await together(writer=disk.pwrite(100, b"x" * 100), drainer=drain())
            assert await disk.pread(100, 100) == b"x" * 100

    exhaust(scenario, sometimes=["refused", "drained before it came"])


def test_a_drain_hears_of_a_request_that_is_held_when_it_fails() -> None:
    async def scenario() -> None:
        rules = (
            InjectError(event=Event.PWRITEV, iotypes={IoType.WRITE}, once=True),
            Suspend(tag="A", event=Event.PWRITEV_DONE),
        )
        image = {"driver": "memory", "size": SECTOR}
        async with open_disk(BlkdebugDriver(image, rules)) as disk:

            async def drain() -> None:
                try:
                    await disk.drain()
                except SuspendedError:
                    sometimes("refused")
                    disk.resume("A")
                else:
                    sometimes("drained before it came")
                    await disk.wait_suspended("A")
                    disk.resume("A")

            async def write() -> None:
                with pytest.raises(InjectedError):
                    await disk.pwrite(0, b"x" * SECTOR)

            await together(writer=write(), drainer=drain())

    exhaust(scenario, sometimes=["refused", "drained before it came"])


def test_a_drained_section_that_fails_ends_all_the_same() -> None:
    async def scenario() -> None:
        async with open_disk(GuardedDriver(2 * SECTOR)) as disk:

            async def drain() -> None:
                with suppress(ZeroDivisionError):
                    async with disk.drained():
                        await asyncio.sleep(0)
                        raise ZeroDivisionError

            await together(drainer=drain(), writer=disk.pwrite(0, b"x" * SECTOR))
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


def test_a_drained_section_within_a_drained_section_ends_with_the_outer_one() -> None:
    async def scenario() -> None:
        driver = GuardedDriver(2 * SECTOR)
        async with open_disk(RawDriver(driver)) as disk:
            below = disk.root.primary_child()
            assert below is not None

            async def drain() -> None:
                async with disk.drained():
                    async with below.drained(), disk.drained():
                        await asyncio.sleep(0)
                    assert not any(node.tracker.requests for node in disk.root.walk())
                    await asyncio.sleep(0)
                    assert not any(node.tracker.requests for node in disk.root.walk())

            await together(drainer=drain(), writer=disk.pwrite(0, b"x" * SECTOR))
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)
