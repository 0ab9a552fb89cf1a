from __future__ import annotations

import asyncio
from errno import ENOSPC

import pytest

from blkdebug_async import open_disk
from blkdebug_async.block.driver import Pace
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.units import KIB
from tests.unit.drivers.in_flight.explored import MEMORY, Completing, explored, seen, write
from tests.unit.explore.loop_schedulers import Listed

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


def test_a_task_may_be_cancelled_while_its_driver_waits() -> None:
    async def scenario() -> tuple[bool, float]:
        async with open_disk(Waiting(4 * KIB)) as disk:
            task = asyncio.ensure_future(disk.pread(0, 512))
            await asyncio.sleep(0.5)
            task.cancel()
            await asyncio.wait([task])
            return task.cancelled(), asyncio.get_running_loop().time()

    assert explored(scenario) == (True, 0.5)


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
