"""Breakpoints: held is held, resumed is resumed, and nobody is forgotten."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from errno import EBADF

import pytest

from blkdebug_async import (
    BlockError,
    Disk,
    Event,
    IoType,
    Phase,
    Predicate,
    Suspend,
    SuspendedError,
    open_disk,
)
from blkdebug_async.explore import cancel_sometime, sometimes
from blkdebug_async.trace import Observer, RequestView
from tests.explored.exploring import exhaust, opened, together

SECTOR = 512
#: Two requests, one after the other; of two breakpoints, both would hold the first.
HOLD_TWO = Suspend(tag="A", event=Event.PWRITEV, count=2)


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


def held(disk: Disk) -> list[str | None]:
    """Name the tasks whose requests are held, the oldest first."""
    return [request.task_name for _, request in disk.suspended() if request is not None]


def test_the_last_of_two_that_are_held_under_one_tag_is_resumed_first() -> None:
    async def scenario() -> None:
        async with opened(open_disk(blkdebug())) as disk:
            disk.add_rule(HOLD_TWO)

            async def control() -> None:
                for _ in range(2):
                    await disk.wait_suspended("A")
                    before = held(disk)
                    sometimes("both", len(before) == 2)
                    disk.resume("A")
                    assert held(disk) == before[:-1]

            await together(one=write(disk, 0), two=write(disk, 1), controller=control())

    exhaust(scenario)


def test_a_breakpoint_that_is_removed_lets_all_go_that_it_holds_and_that_come() -> None:
    async def scenario() -> None:
        async with opened(open_disk(blkdebug())) as disk:
            disk.add_rule(HOLD_TWO)

            async def remove() -> None:
                held = len(disk.suspended())
                sometimes("it holds none", held == 0)
                sometimes("it holds one", held == 1)
                sometimes("it holds two", held == 2)
                disk.remove_breakpoint("A")
                assert not disk.is_suspended("A")

            await together(one=write(disk, 0), two=write(disk, 1), remover=remove())

    exhaust(scenario)


def test_all_who_wait_for_a_request_to_be_held_are_told() -> None:
    async def scenario() -> None:
        async with opened(open_disk(blkdebug())) as disk:
            disk.breakpoint("pwritev", "A")
            told: list[str] = []

            async def wait(name: str) -> None:
                await disk.wait_suspended("A")
                told.append(name)
                if len(told) == 2:
                    disk.resume("A")

            await together(writer=write(disk), one=wait("one"), two=wait("two"))

    exhaust(scenario)


def test_who_waits_for_a_request_to_be_held_hears_that_the_disk_is_closed() -> None:
    async def scenario() -> None:
        disk = await open_disk(blkdebug())

        async def wait() -> None:
            with pytest.raises(BlockError) as caught:
                await disk.wait_suspended("A")
            assert caught.value.errno == EBADF

        await together(waiter=wait(), closer=disk.close())

    exhaust(scenario)


@pytest.mark.parametrize(("first", "last"), ["AB", "BA"])
def test_a_request_is_held_under_all_tags_at_once_and_goes_when_all_are_resumed(
    first: str, last: str
) -> None:
    async def scenario() -> None:
        async with opened(open_disk(blkdebug())) as disk:
            disk.breakpoint("pwritev", "A")
            disk.breakpoint("pwritev", "B")

            async def control() -> None:
                await disk.wait_suspended(first)
                assert disk.is_suspended(last)
                disk.resume(first)
                assert await disk.pread(0, SECTOR) == bytes(SECTOR)
                disk.resume(last)

            await together(writer=write(disk), controller=control())

    exhaust(scenario)


def test_what_is_resumed_is_never_one_that_was_cancelled() -> None:
    async def scenario() -> None:
        async with opened(open_disk(blkdebug())) as disk:
            disk.add_rule(HOLD_TWO)
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, 0), name="first")
                doomed = group.create_task(write(disk, 1), name="doomed")
                resumed = False
                while not (resumed and doomed.cancelling()):
                    await disk.wait_suspended("A")
                    if "doomed" in held(disk):
                        doomed.cancel()
                        # It does not know of that yet.
                        assert "doomed" not in held(disk)
                    if disk.is_suspended("A"):
                        sometimes("with the cancelled one on top", doomed.cancelling())
                        disk.resume("A")
                        assert not disk.is_suspended("A")
                        resumed = True

    exhaust(scenario)


class NobodyCancelled(Observer):
    """Hears that a request is held, in whose task that happens."""

    def request_suspended(self, node: str, tag: str, request: RequestView | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()


@pytest.mark.parametrize("phase", list(Phase))
def test_who_is_held_in_a_phase_may_be_cancelled_and_is_not_held_after_that(phase: Phase) -> None:
    async def scenario() -> None:
        async with opened(open_disk(blkdebug(), observer=NobodyCancelled())) as disk:
            disk.add_rule(Suspend(tag="A", phase=phase))
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(write(disk), name="doomed")
                waiting = group.create_task(disk.wait_suspended("A"), name="controller")
                doomed.add_done_callback(lambda _: waiting.cancel())
                waiting.add_done_callback(lambda _: resume(disk))
                cancel_sometime(doomed)
            assert not disk.suspended()
            sometimes("cancelled while held", doomed.cancelled() and not waiting.cancelled())
            sometimes("not cancelled", not doomed.cancelled())

    exhaust(scenario)


@pytest.mark.parametrize("phase", list(Phase))
def test_in_each_phase_the_write_is_there_or_not(phase: Phase) -> None:
    async def scenario() -> None:
        async with opened(open_disk(blkdebug())) as disk:
            disk.add_rule(Suspend(tag="A", phase=phase, predicate=Predicate(ops={IoType.WRITE})))

            async def control() -> None:
                await disk.wait_suspended("A")
                written = phase is not Phase.BEFORE_DRIVER
                assert await disk.pread(0, SECTOR) == (b"x" if written else b"\0") * SECTOR
                below = disk.root.primary_child()
                assert below is not None
                assert below.tracker.requests
                disk.resume("A")

            await together(writer=write(disk), controller=control())

    exhaust(scenario)


def test_only_the_second_write_is_held_whichever_that_is() -> None:
    async def scenario() -> None:
        async with opened(open_disk(blkdebug())) as disk:
            second = Predicate(ops={IoType.WRITE}, nth=2)
            disk.add_rule(Suspend(tag="A", event=Event.PWRITEV, predicate=second))

            async def control() -> None:
                await disk.wait_suspended("A")
                ((_, request),) = disk.suspended()
                assert request is not None
                sometimes("one", request.task_name == "one")
                sometimes("two", request.task_name == "two")
                disk.resume("A")

            await together(one=write(disk, 0), two=write(disk, 1), controller=control())

    exhaust(scenario)
