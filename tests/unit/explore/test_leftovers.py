"""What a run leaves behind."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress

import pytest

from blkdebug_async.explore.inside import cancel_sometime
from blkdebug_async.explore.leftovers import leftovers, unheard_errors
from blkdebug_async.explore.loop import ExploringLoop
from tests.unit.explore.loop_schedulers import Listed
from tests.unit.explore.test_loop_flight import running

Scenario = Callable[[], Coroutine[object, object, object]]


@contextmanager
def over(scenario: Scenario, *values: int, named: bool = True) -> Iterator[ExploringLoop]:
    """Give the loop of a scenario when it is over."""
    loop = ExploringLoop(Listed(values, wants_actions=named))
    try:
        loop.run_until_complete(loop.create_task(scenario(), name="main"))
        yield loop
    finally:
        loop.abandon()


def left_by(scenario: Scenario, *values: int, named: bool = True) -> list[str]:
    """List what a scenario leaves behind, with short places."""
    with over(scenario, *values, named=named) as loop:
        return [re.sub(r"/\S*/(test_\w+\.py):\d+", r"\1", line) for line in leftovers(loop)]


async def forever() -> None:
    # Not for something that only this task knows, as both would be collected as garbage.
    await asyncio.sleep(1e9)


async def spin() -> None:
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)


async def numbers() -> AsyncIterator[int]:
    yield 1
    yield 2


async def fail() -> None:
    raise OSError("no such luck")


@pytest.mark.parametrize("named", [False, True])
def test_who_cleans_up_leaves_nothing(named: bool) -> None:
    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(1))
        await running().exploration.in_flight("read")
        assert [number async for number in numbers()] == [1, 2]
        with pytest.raises(OSError, match="luck"):
            await running().create_task(fail())

    assert left_by(scenario, named=named) == []


def test_a_task_that_waits_is_told_with_what_for_and_where() -> None:
    kept: list[object] = []

    async def wait_for(event: asyncio.Event) -> None:
        await event.wait()

    async def scenario() -> None:
        event = asyncio.Event()
        kept.append(event)
        running().create_task(wait_for(event), name="waiter")
        await asyncio.sleep(0)

    assert left_by(scenario) == [
        "task main/waiter is not done: it waits for event main, at test_leftovers.py in wait_for"
    ]


def test_a_task_that_could_go_on_is_told_as_such() -> None:
    async def scenario() -> None:
        running().create_task(spin(), name="busy")

    assert left_by(scenario) == [
        "task main/busy is not done: it could go on, at test_leftovers.py in spin"
    ]


def test_a_task_that_ends_in_the_same_turn_is_not_told() -> None:
    async def scenario() -> None:
        task = running().create_task(forever())
        await asyncio.sleep(0)
        task.cancel()

    assert left_by(scenario) == []


def test_a_task_that_was_cancelled_but_not_waited_for_is_told_as_such() -> None:
    async def scenario() -> None:
        task = running().create_task(spin(), name="doomed")
        await asyncio.sleep(0)
        task.cancel()

    assert left_by(scenario) == [
        "task main/doomed is not done: it could go on, at test_leftovers.py in spin,"
        " and was cancelled"
    ]


def test_tasks_are_told_in_the_order_in_which_they_were_made() -> None:
    async def scenario() -> None:
        for number in range(20):
            running().create_task(forever(), name=str(number))

    with over(scenario) as loop:
        assert [line.split()[1] for line in leftovers(loop)] == [
            f"main/{number}" for number in range(20)
        ]


def test_tasks_of_other_runs_are_not_told() -> None:
    async def scenario() -> None:
        running().create_task(forever())

    async def clean() -> None:
        pass

    with over(scenario), over(clean) as loop:
        assert leftovers(loop) == ()


async def launch_two() -> None:
    running().exploration.in_flight("read")
    running().exploration.in_flight("read")


async def launch_one() -> None:
    running().exploration.in_flight("read")


def work(*_: object, **__: object) -> None:
    """Be run in a thread."""


async def start_thread() -> None:
    running().run_in_executor(None, work)


def test_requests_in_flight_are_told_by_name() -> None:
    assert left_by(launch_two) == ["read is still in flight", "read#1 is still in flight"]


def test_requests_without_names_are_counted() -> None:
    assert left_by(launch_two, named=False) == ["2 requests still in flight"]
    assert left_by(launch_one, named=False) == ["1 request still in flight"]


def test_work_of_threads_is_told() -> None:
    (line,) = left_by(start_thread)
    assert "work" in line


@pytest.mark.parametrize("named", [False, True])
def test_a_cancellation_that_did_not_come_is_nothing_left_behind(named: bool) -> None:
    async def scenario() -> None:
        task = running().create_task(asyncio.sleep(0))
        cancel_sometime(task)
        await task

    assert left_by(scenario, 1, named=named) == []


def test_an_error_that_nobody_asked_for_is_told() -> None:
    kept: list[object] = []

    async def scenario() -> None:
        kept.append(running().create_task(fail(), name="failing"))
        await asyncio.sleep(0)

    with over(scenario) as loop:
        assert leftovers(loop) == (
            "task main/failing failed, and nobody has asked: OSError('no such luck')",
        )
        assert [str(error) for error in unheard_errors(loop)] == ["no such luck"]


def test_a_generator_that_is_not_closed_is_told() -> None:
    kept: list[object] = []

    async def scenario() -> None:
        generator = numbers()
        kept.append(generator)
        await anext(generator)

    assert left_by(scenario) == ["generator numbers is not closed, at test_leftovers.py"]


def test_a_generator_that_came_to_its_end_is_closed() -> None:
    kept: list[object] = []

    async def scenario() -> None:
        generator = numbers()
        kept.append(generator)
        async for _ in generator:
            pass

    assert left_by(scenario) == []


def test_a_generator_that_is_being_closed_is_not_told() -> None:
    async def scenario() -> None:
        async for _ in numbers():
            break
        await asyncio.sleep(0)

    assert left_by(scenario) == []
