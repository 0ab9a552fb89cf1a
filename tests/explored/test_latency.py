"""Drivers that take time of their own, on a clock that goes on as is chosen."""

from __future__ import annotations

import asyncio
from errno import ETIMEDOUT

from blkdebug_async import BlockError, open_disk
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.exploring import exhaust, in_flight, opened, together

SECTOR = 512
LATENCY_S = 0.001


def slow(driver: str = "null-co") -> dict[str, object]:
    image = {"driver": driver, "size": 4 * SECTOR, "latency-ns": round(LATENCY_S * 1e9)}
    below = {"driver": "blkdebug", "align": SECTOR, "image": image}
    return {"driver": "raw", "file": below}


def test_requests_to_different_blocks_may_take_their_time_at_the_same_time() -> None:
    async def scenario() -> None:
        async with opened(open_disk(slow())) as disk:
            begun = asyncio.get_running_loop().time()
            await together(
                one=disk.pwrite(0, b"x" * SECTOR), two=disk.pwrite(SECTOR, b"x" * SECTOR)
            )
            took = asyncio.get_running_loop().time() - begun
            sometimes("at the same time", took < 1.5 * LATENCY_S)

    exhaust(scenario)


def test_parts_of_one_block_take_their_time_one_after_the_other() -> None:
    async def scenario() -> None:
        async with opened(open_disk(slow())) as disk:
            begun = asyncio.get_running_loop().time()
            await together(one=disk.pwrite(0, b"x" * 100), two=disk.pwrite(100, b"x" * 100))
            # Each reads the block and writes it.
            assert asyncio.get_running_loop().time() - begun > 3.5 * LATENCY_S

    exhaust(scenario)


def test_a_drain_waits_as_long_as_what_is_in_flight_takes() -> None:
    async def scenario() -> None:
        async with opened(open_disk(slow("null-aio"))) as disk:

            async def drain() -> None:
                async with disk.drained():
                    assert not in_flight(disk)
                    await asyncio.sleep(LATENCY_S)
                    assert not in_flight(disk)

            await together(writer=disk.pwrite(0, b"x" * 100), drainer=drain())

    exhaust(scenario)


def test_who_runs_out_of_time_lets_the_next_one_go_on() -> None:
    async def scenario() -> None:
        async with opened(open_disk(slow())) as disk:

            async def hurry() -> None:
                try:
                    async with asyncio.timeout(1.5 * LATENCY_S):
                        await disk.pwrite(0, b"x" * 100)
                except TimeoutError:
                    sometimes("out of time")

            await together(hurried=hurry(), other=disk.pwrite(100, b"x" * 100))

    exhaust(scenario, sometimes=["out of time"])


def test_a_cancelled_request_that_takes_time_is_gone() -> None:
    async def scenario() -> None:
        async with opened(open_disk(slow())) as disk:
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(disk.pwrite(0, b"x" * 100), name="doomed")
                cancel_sometime(doomed)
                group.create_task(disk.flush(), name="flusher")
            sometimes("cancelled", doomed.cancelled())

    exhaust(scenario)


def test_who_waits_for_a_request_to_be_held_waits_no_longer_than_it_wants() -> None:
    async def scenario() -> None:
        async with opened(open_disk(slow())) as disk:
            disk.breakpoint("pwritev", "A")

            async def control() -> None:
                try:
                    await disk.wait_suspended("A", within=LATENCY_S)
                except BlockError as error:
                    if error.errno != ETIMEDOUT:
                        raise
                    sometimes("too late")
                    disk.remove_breakpoint("A")
                else:
                    sometimes("in time")
                    disk.resume("A")

            # It reads its block first, which takes as long.
            await together(writer=disk.pwrite(0, b"x" * 100), controller=control())

    exhaust(scenario, sometimes=["too late", "in time"])
