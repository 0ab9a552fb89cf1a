from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine

import pytest

from blkdebug_async.drivers.blkdebug.breakpoints import Breakpoints
from blkdebug_async.explore.deadlock import DeadlockError, Wait
from tests.unit.explore.loop_schedulers import Listed
from tests.unit.explore.test_loop_flight import run


def waits(main: Coroutine[object, object, None]) -> dict[str, Wait]:
    with pytest.raises(DeadlockError) as caught:
        run(main, Listed())
    return {wait.task: wait for wait in caught.value.waits}


async def two_locks_in_both_orders() -> None:
    locks = asyncio.Lock(), asyncio.Lock()

    async def take(first: int, second: int) -> None:
        async with locks[first]:
            await asyncio.sleep(1)
            async with locks[second]:
                pass

    async with asyncio.TaskGroup() as group:
        group.create_task(take(0, 1))
        group.create_task(take(1, 0))


def test_a_deadlock_says_who_waits_for_which_lock_held_by_whom() -> None:
    found = waits(two_locks_in_both_orders())
    name = "two_locks_in_both_orders"
    assert found[f"{name}/take"].what == f"lock {name}#1, held by {name}/take#1"
    assert found[f"{name}/take#1"].what == f"lock {name}, held by {name}/take"
    assert found[name].what == "the tasks of its task group"


def test_a_deadlock_says_where_in_the_scenario_somebody_waits() -> None:
    where = waits(two_locks_in_both_orders())["two_locks_in_both_orders/take"].where
    assert where.startswith(__file__)
    assert where.endswith("in take")


async def one_by_one() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


async def all_of_them() -> None:
    async for _ in one_by_one():
        pass


async def the_next_of_them() -> None:
    generator = one_by_one()
    await anext(generator)
    await anext(generator, None)


@pytest.mark.parametrize("main", [all_of_them, the_next_of_them])
def test_a_deadlock_says_where_in_an_async_generator_somebody_waits(
    main: Callable[[], Coroutine[object, object, None]],
) -> None:
    assert waits(main())[main.__name__].where.endswith("in one_by_one")


def test_a_deadlock_is_told_in_lines() -> None:
    told = r"(?s)Deadlock: .*\n  main_that_waits waits for event main_that_waits, at "
    with pytest.raises(DeadlockError, match=told):
        run(main_that_waits())


async def main_that_waits() -> None:
    await wait_for_ever()


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


def test_a_deadlock_without_names_is_told_all_the_same() -> None:
    with pytest.raises(DeadlockError, match="main_that_waits waits for an event without a name"):
        run(main_that_waits(), Listed(wants_actions=False))


async def get_from_empty_queue() -> None:
    await asyncio.Queue[int]().get()


async def await_future() -> None:
    await asyncio.get_running_loop().create_future()


async def await_condition() -> None:
    condition = asyncio.Condition()
    async with condition:
        await condition.wait()


@pytest.mark.parametrize(
    ("scenario", "what"),
    [
        (get_from_empty_queue, "queue get_from_empty_queue"),
        (await_future, "future await_future"),
        (await_condition, "condition await_condition"),
    ],
)
def test_a_deadlock_says_what_is_waited_for(scenario: object, what: str) -> None:
    assert callable(scenario)
    (wait,) = waits(scenario()).values()
    assert wait.what == what


def test_a_deadlock_says_which_task_is_waited_for() -> None:
    async def main() -> None:
        await asyncio.ensure_future(wait_for_ever())

    assert waits(main())["main"].what == "task main/wait_for_ever"


def test_a_deadlock_says_which_breakpoint_holds_which_request() -> None:
    async def main() -> None:
        await Breakpoints().park_all(["A"])

    assert "'A'" in waits(main())["main"].what


def test_a_task_that_waits_inside_of_generators_is_found() -> None:
    async def numbers() -> object:
        await wait_for_ever()
        yield 1

    async def main() -> None:
        async for _ in numbers():  # type: ignore[attr-defined]
            pass

    assert waits(main())["main"].where.endswith("in wait_for_ever")


def test_nothing_is_left_over_after_a_deadlock(caplog: pytest.LogCaptureFixture) -> None:
    waits(main_that_waits())
    assert caplog.text == ""
