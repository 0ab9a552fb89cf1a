"""Drained sections: nothing is in flight in them, and all goes on after them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from blkdebug_async import Disk, open_disk
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.exploring import exhaust, in_flight, opened, together

SECTOR = 512


def memory() -> dict[str, object]:
    return {"driver": "raw", "file": {"driver": "memory", "size": 4 * SECTOR}}


async def drain_and_look(disk: Disk, turns: int = 2) -> None:
    async with disk.drained():
        for _ in range(turns):
            assert not in_flight(disk)
            await asyncio.sleep(0)
        assert not in_flight(disk)


def test_nothing_is_in_flight_in_a_drained_section() -> None:
    async def scenario() -> None:
        async with open_disk(memory()) as disk:

            async def write(offset: int) -> None:
                await disk.pwrite(offset, b"x" * SECTOR)
                sometimes("written before the drain", drainer.done() is False)

            async with asyncio.TaskGroup() as group:
                drainer = group.create_task(drain_and_look(disk), name="drainer")
                group.create_task(write(0), name="writer")
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


@pytest.mark.parametrize("ask", [Disk.block_status, Disk.is_allocated])
def test_nobody_asks_for_the_status_in_a_drained_section(
    ask: Callable[[Disk, int, int], Coroutine[object, object, object]],
) -> None:
    async def scenario() -> None:
        async with open_disk(memory()) as disk:
            await together(drainer=drain_and_look(disk), asker=ask(disk, 0, SECTOR))

    exhaust(scenario)


def test_drained_sections_at_the_same_time_hold_all_requests_until_the_last_is_left() -> None:
    async def scenario() -> None:
        async with open_disk(memory()) as disk:
            await together(
                one=drain_and_look(disk, 1),
                two=drain_and_look(disk, 1),
                writer=disk.pwrite(0, b"x" * SECTOR),
            )
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


def test_all_who_wait_for_the_end_of_a_section_go_on() -> None:
    async def scenario() -> None:
        async with opened(open_disk(memory())) as disk:
            await together(
                drainer=drain_and_look(disk, 1),
                one=disk.pwrite(0, b"1" * SECTOR),
                two=disk.pread(SECTOR, SECTOR),
            )

    exhaust(scenario)


def test_a_drained_section_further_down_waits_for_who_waits_further_up() -> None:
    async def scenario() -> None:
        image = {"driver": "memory", "size": SECTOR}
        below = {"driver": "raw", "node-name": "below", "file": image}
        options = {"driver": "blkdebug", "align": SECTOR, "image": below}
        async with opened(open_disk(options)) as disk:

            async def drain_below() -> None:
                async with disk.node("below").drained():
                    assert not in_flight(disk)
                    await asyncio.sleep(0)
                    assert not in_flight(disk)

            await together(
                drainer=drain_below(),
                one=disk.pwrite(0, b"1" * 100),
                two=disk.pwrite(100, b"2" * 100),
            )
            assert await disk.pread(0, 200) == b"1" * 100 + b"2" * 100

    exhaust(scenario)


def test_a_cancelled_drain_lets_requests_go_on() -> None:
    async def scenario() -> None:
        async with open_disk(memory()) as disk:
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(drain_and_look(disk, 1), name="doomed")
                cancel_sometime(doomed)
                group.create_task(disk.pwrite(0, b"x" * SECTOR), name="writer")
            sometimes("cancelled", doomed.cancelled())
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


def test_a_request_cancelled_while_it_waits_for_the_end_of_a_section_is_gone() -> None:
    async def scenario() -> None:
        async with open_disk(memory()) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(drain_and_look(disk, 1), name="drainer")
                doomed = group.create_task(disk.pwrite(0, b"x" * SECTOR), name="doomed")
                cancel_sometime(doomed)
            assert not in_flight(disk)
            sometimes("cancelled", doomed.cancelled())

    exhaust(scenario)


def test_closing_waits_for_what_is_in_flight() -> None:
    async def scenario() -> None:
        disk = await open_disk(memory())

        async def write() -> None:
            try:
                await disk.pwrite(0, b"x" * SECTOR)
            except (OSError, ValueError):
                sometimes("closed before the write")
            else:
                sometimes("written before the close")

        await together(writer=write(), closer=disk.close())
        assert disk.closed

    exhaust(scenario, sometimes=["closed before the write", "written before the close"])
