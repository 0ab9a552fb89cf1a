"""Breakpoints: held is held, resumed is resumed, and nobody is forgotten."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from blkdebug_async import BlockError, Disk, SuspendedError, open_disk
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.exploring import exhaust, together

SECTOR = 512


def blkdebug() -> dict[str, object]:
    below = {
        "driver": "blkdebug",
        "align": SECTOR,
        "image": {"driver": "memory", "size": 4 * SECTOR},
    }
    return {"driver": "raw", "file": below}


async def write(disk: Disk, sector: int = 0) -> None:
    await disk.pwrite(sector * SECTOR, b"x" * SECTOR)


def resume(disk: Disk) -> None:
    if disk.is_suspended("A"):
        disk.resume("A")


async def resume_when_held(disk: Disk, tag: str) -> None:
    await disk.wait_suspended(tag)
    assert disk.is_suspended(tag)
    disk.resume(tag)


def test_a_held_write_is_not_there_until_it_is_resumed() -> None:
    async def scenario() -> None:
        async with open_disk(blkdebug()) as disk:
            disk.breakpoint("pwritev", "A")

            async def look_and_resume() -> None:
                await disk.wait_suspended("A")
                assert await disk.pread(0, SECTOR) == bytes(SECTOR)
                disk.resume("A")

            await together(writer=write(disk), controller=look_and_resume())
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


def test_one_of_two_is_held_and_the_other_goes_on() -> None:
    async def scenario() -> None:
        async with open_disk(blkdebug()) as disk:
            disk.breakpoint("pwritev", "A")
            await together(
                one=write(disk, 0), two=write(disk, 1), controller=resume_when_held(disk, "A")
            )
            assert not disk.suspended()

    exhaust(scenario)


def test_two_tags_are_resumed_in_any_order() -> None:
    async def scenario() -> None:
        async with open_disk(blkdebug()) as disk:
            disk.breakpoint("pwritev", "A")
            disk.breakpoint("read_aio", "B")
            await together(
                writer=write(disk),
                reader=disk.pread(0, SECTOR),
                first=resume_when_held(disk, "B"),
                second=resume_when_held(disk, "A"),
            )
            assert not disk.suspended()

    exhaust(scenario)


def test_a_breakpoint_that_is_removed_holds_nobody() -> None:
    async def scenario() -> None:
        async with open_disk(blkdebug()) as disk:
            disk.breakpoint("pwritev", "A")

            async def remove() -> None:
                sometimes("removed while it holds one", disk.is_suspended("A"))
                sometimes("removed before it holds one", not disk.is_suspended("A"))
                disk.remove_breakpoint("A")

            await together(writer=write(disk), remover=remove())
            assert not disk.suspended()

    exhaust(scenario)


def test_leaving_a_disk_closes_it_even_if_breakpoints_are_set_meanwhile() -> None:
    async def scenario() -> None:
        disk = await open_disk(blkdebug())
        disk.breakpoint("pwritev_rmw_head", "A")

        async def leave() -> None:
            with suppress(SuspendedError):
                async with disk:
                    await disk.wait_suspended("A")

        async def interfere() -> None:
            with suppress(BlockError):
                disk.breakpoint("pwritev", "B")

        async with asyncio.TaskGroup() as group:
            group.create_task(leave(), name="leaver")
            group.create_task(disk.pwrite(10, b"x" * 10), name="writer")
            group.create_task(interfere(), name="interferer")
        assert disk.closed

    exhaust(scenario)


def test_a_held_request_that_is_cancelled_is_held_no_more() -> None:
    async def scenario() -> None:
        async with open_disk(blkdebug()) as disk:
            disk.breakpoint("pwritev", "A")
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(write(disk), name="doomed")
                waiting = group.create_task(disk.wait_suspended("A"), name="controller")
                doomed.add_done_callback(lambda _: waiting.cancel())
                waiting.add_done_callback(lambda _: resume(disk))
                cancel_sometime(doomed)
            assert not disk.suspended()
            sometimes("cancelled", doomed.cancelled())
            sometimes("cancelled while held", doomed.cancelled() and not waiting.cancelled())

    exhaust(scenario)
