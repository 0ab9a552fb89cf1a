from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TypeVar

import pytest
import uvloop

from blkdebug_async.eager import Activity, advance_all, start_now

T = TypeVar("T")
Run = Callable[[Coroutine[object, None, None]], None]


def run_on_asyncio(coroutine: Coroutine[object, None, None]) -> None:
    asyncio.run(coroutine)


def run_on_uvloop(coroutine: Coroutine[object, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


@pytest.fixture(params=[run_on_asyncio, run_on_uvloop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


async def note_and_wait(notes: list[str], event: asyncio.Event) -> str:
    notes.append("started")
    await event.wait()
    notes.append("woken")
    return "done"


def test_it_runs_up_to_the_first_wait_at_once(run: Run) -> None:
    async def scenario() -> None:
        notes: list[str] = []
        event = asyncio.Event()
        activity = start_now(note_and_wait(notes, event))
        assert notes == ["started"]
        assert not activity.finished
        event.set()
        assert await activity.task == "done"

    run(scenario())


def test_what_never_waits_is_finished_at_once(run: Run) -> None:
    async def seven() -> int:
        return 7

    async def scenario() -> None:
        activity = start_now(seven())
        assert activity.finished
        assert await activity.task == 7

    run(scenario())


def test_it_has_a_task_of_its_own_from_the_first_step(run: Run) -> None:
    tasks: list[object] = []

    async def note_task() -> None:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0)
        tasks.append(asyncio.current_task())

    async def scenario() -> None:
        mine = asyncio.current_task()
        activity = start_now(note_task())
        assert asyncio.current_task() is mine
        await activity.task
        assert tasks == [activity.task, activity.task]

    run(scenario())


def test_a_timeout_around_the_first_wait_works(run: Run) -> None:
    async def wait_too_long() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    async def scenario() -> None:
        activity = start_now(wait_too_long())
        with pytest.raises(TimeoutError):
            await activity.task

    run(scenario())


def test_one_that_was_woken_goes_on_without_a_turn_of_the_loop(run: Run) -> None:
    async def scenario() -> None:
        notes: list[str] = []
        event = asyncio.Event()
        activity = start_now(note_and_wait(notes, event))
        event.set()
        assert activity.is_ready
        activity.advance()
        assert notes == ["started", "woken"]
        assert activity.finished
        assert await activity.task == "done"

    run(scenario())


def test_one_that_was_not_woken_stays_where_it_is(run: Run) -> None:
    async def scenario() -> None:
        notes: list[str] = []
        event = asyncio.Event()
        activity = start_now(note_and_wait(notes, event))
        activity.advance()
        assert notes == ["started"]
        event.set()
        await activity.task

    run(scenario())


def test_the_loop_takes_over_where_advancing_stopped(run: Run) -> None:
    async def scenario() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        notes: list[str] = []

        async def wait_twice() -> None:
            await first.wait()
            notes.append("first")
            await second.wait()
            notes.append("second")

        activity = start_now(wait_twice())
        await asyncio.sleep(0)
        first.set()
        activity.advance()
        assert notes == ["first"]
        second.set()
        await activity.task
        assert notes == ["first", "second"]

    run(scenario())


def test_a_turn_of_the_loop_is_what_a_bare_yield_takes(run: Run) -> None:
    async def scenario() -> None:
        activity = start_now(asyncio.sleep(0))
        activity.advance()
        assert not activity.finished
        await asyncio.sleep(0)
        assert activity.finished

    run(scenario())


def test_one_may_wake_another(run: Run) -> None:
    async def scenario() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        notes: list[str] = []

        async def wait_for_second() -> None:
            await second.wait()
            notes.append("second")

        async def wait_for_first() -> None:
            await first.wait()
            notes.append("first")
            second.set()

        activities = [start_now(wait_for_second()), start_now(wait_for_first())]
        first.set()
        advance_all(activities)
        assert notes == ["first", "second"]

    run(scenario())


@pytest.mark.parametrize("wakes", [False, True], ids=["waiting", "woken"])
def test_what_it_raises_its_task_raises(run: Run, wakes: bool) -> None:
    async def fail(event: asyncio.Event) -> None:
        await event.wait()
        raise KeyError("mine")

    async def scenario() -> None:
        event = asyncio.Event()
        if wakes:
            event.set()
        activity = start_now(fail(event))
        event.set()
        activity.advance()
        with pytest.raises(KeyError, match="mine"):
            await activity.task

    run(scenario())


def test_what_it_waits_for_may_fail(run: Run) -> None:
    async def scenario() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def wait() -> str:
            try:
                await future
            except ValueError:
                return "caught"
            return "nothing happened"

        activity = start_now(wait())
        future.set_exception(ValueError())
        activity.advance()
        assert await activity.task == "caught"

    run(scenario())


@pytest.mark.parametrize("turns", [0, 1])
def test_cancelling_reaches_the_wait(run: Run, turns: int) -> None:
    async def scenario() -> None:
        cleaned: list[bool] = []

        async def wait() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cleaned.append(True)

        activity = start_now(wait())
        for _ in range(turns):
            await asyncio.sleep(0)
        activity.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await activity.task
        assert cleaned == [True]
        assert activity.finished

    run(scenario())


def test_cancelling_comes_too_late_for_what_is_finished(run: Run) -> None:
    async def scenario() -> None:
        event = asyncio.Event()
        activity = start_now(note_and_wait([], event))
        await asyncio.sleep(0)
        event.set()
        activity.advance()
        activity.task.cancel()
        assert await activity.task == "done"

    run(scenario())


def test_cancelling_after_advancing_reaches_the_new_wait(run: Run) -> None:
    async def scenario() -> None:
        first = asyncio.Event()

        async def wait_twice() -> None:
            await first.wait()
            await asyncio.Event().wait()

        activity = start_now(wait_twice())
        await asyncio.sleep(0)
        first.set()
        activity.advance()
        activity.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await activity.task

    run(scenario())


def test_an_asynchronous_generator_may_be_inside(run: Run) -> None:
    async def numbers() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0)
            yield number

    async def collect() -> list[int]:
        return [number async for number in numbers()]

    async def scenario() -> None:
        activity: Activity[list[int]] = start_now(collect())
        assert await activity.task == [0, 1, 2]

    run(scenario())
