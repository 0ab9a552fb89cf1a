from __future__ import annotations

import asyncio

import pytest

from blkdebug_async import open_disk
from blkdebug_async.explore import (
    BackgroundError,
    Conditions,
    ExplorationError,
    LeftBehindError,
    UnexplainedReadError,
    always,
    explore,
    replay,
    sometimes,
)
from blkdebug_async.explore.here import exploration_here


async def fail() -> None:
    raise KeyError("unheard")


async def forever() -> None:
    await asyncio.Event().wait()


def start(coroutine: object) -> asyncio.Task[object]:
    return asyncio.get_running_loop().create_task(coroutine)  # type: ignore[arg-type]


def test_an_error_that_nobody_has_asked_for_is_a_failure() -> None:
    async def scenario() -> None:
        task = start(fail())
        await asyncio.wait([task])

    error = replay(scenario, ()).error
    assert isinstance(error, BackgroundError)
    assert isinstance(error.__cause__, KeyError)


def test_an_error_of_a_task_that_is_gone_is_a_failure() -> None:
    async def scenario() -> None:
        await asyncio.wait([start(fail())])

    assert isinstance(replay(scenario, ()).error, BackgroundError)


def test_an_error_that_somebody_has_asked_for_is_none() -> None:
    async def scenario() -> None:
        task = start(fail())
        await asyncio.wait([task])
        task.exception()

    replay(scenario, ()).check()


def test_a_task_left_behind_is_a_failure_that_says_where_it_waits() -> None:
    async def scenario() -> None:
        start(forever())
        await asyncio.sleep(0)

    error = replay(scenario, ()).error
    assert isinstance(error, LeftBehindError)
    (left,) = error.left
    assert "in forever" in left


def test_a_request_left_behind_is_a_failure() -> None:
    async def scenario() -> None:
        exploration = exploration_here()
        assert exploration is not None
        exploration.in_flight("write 0+512", effect=lambda: None)

    error = replay(scenario, ()).error
    assert isinstance(error, LeftBehindError)
    assert "write 0+512" in str(error)


def test_where_tasks_may_be_left_they_are_cancelled_and_waited_for() -> None:
    cleaned: list[str] = []

    async def leaves() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(1)
            cleaned.append("up")

    async def scenario() -> None:
        start(leaves())
        await asyncio.sleep(0)

    replay(scenario, (), conditions=Conditions(may_leave=True)).check()
    assert cleaned == ["up"]


def test_a_task_that_fails_when_it_is_cancelled_in_the_end_is_a_failure() -> None:
    async def leaves() -> None:
        try:
            await forever()
        finally:
            raise KeyError("cleaning up")

    async def scenario() -> None:
        start(leaves())
        await asyncio.sleep(0)

    error = replay(scenario, (), conditions=Conditions(may_leave=True)).error
    assert isinstance(error, BackgroundError)


def test_a_read_that_nothing_explains_is_a_failure() -> None:
    async def scenario() -> None:
        exploration = exploration_here()
        assert exploration is not None
        async with open_disk({"driver": "memory", "size": 512}) as disk:
            await disk.pwrite(0, b"a" * 512)
            await disk.pread(0, 512)
        exploration.history[1].data = b"b" * 512

    error = replay(scenario, ()).error
    assert isinstance(error, UnexplainedReadError)
    assert error.violation.returned == b"b" * 512


def test_what_holds_always_is_looked_at_after_each_step() -> None:
    async def scenario() -> None:
        state = {"a": 0, "b": 0}
        always(lambda: state["a"] <= state["b"], "a is at most b")

        async def add(name: str) -> None:
            state[name] += 1

        async with asyncio.TaskGroup() as group:
            group.create_task(add("b"), name="b")
            group.create_task(add("a"), name="a")

    failure = explore(scenario, store=None).failure
    assert failure is not None
    assert "a is at most b" in str(failure.error)
    assert len(failure.deviations) == 1


def test_what_happens_in_no_run_is_complained_of() -> None:
    async def scenario() -> None:
        sometimes("seen", condition=True)
        sometimes("impossible", condition=False)

    report = explore(scenario, store=None, sometimes=["forgotten"])
    assert report.failure is None
    assert report.never == ("forgotten", "impossible")
    assert not report.passed
    assert "'forgotten', 'impossible'" in str(report)
    with pytest.raises(ExplorationError, match="'impossible'"):
        report.check()


def test_what_happens_in_some_run_is_enough() -> None:
    async def scenario() -> None:
        order: list[str] = []

        async def note(name: str) -> None:
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(note(name), name=name)
        sometimes("b first", condition=order[0] == "b")

    report = explore(scenario, store=None)
    assert report.never == ()
    report.check()
