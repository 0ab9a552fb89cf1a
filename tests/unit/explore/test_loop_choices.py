"""Which orders a scheduler can pick, and which nobody can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import product

from tests.unit.explore.loop_schedulers import Listed
from tests.unit.explore.test_loop_flight import run

Scenario = Callable[[list[str]], Coroutine[object, object, None]]


def orders(scenario: Scenario, *, decisions: int = 6, most: int = 4) -> set[str]:
    """Give what a scenario noted, under all lists of so many small numbers."""
    found = set()
    for values in product(range(most), repeat=decisions):
        scheduler = Listed(values, wants_actions=False)
        noted: list[str] = []
        run(scenario(noted), scheduler)
        if all(value < n for value, n in zip(values, scheduler.ways, strict=False)):
            found.add("".join(noted))
    return found


def test_steps_of_tasks_come_in_any_order() -> None:
    async def note(noted: list[str], name: str) -> None:
        noted.append(name)

    async def scenario(noted: list[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for name in "abc":
                group.create_task(note(noted, name))

    assert orders(scenario, decisions=4) == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_callbacks_keep_their_order() -> None:
    async def scenario(noted: list[str]) -> None:
        loop = asyncio.get_running_loop()
        for name in "abc":
            loop.call_soon(noted.append, name)
        while len(noted) < 3:  # noqa: ASYNC110  any number of turns
            await asyncio.sleep(0)

    assert orders(scenario) == {"abc"}


def test_a_task_does_not_overtake_a_callback_that_it_scheduled() -> None:
    async def busy() -> None:
        for _ in range(2):
            await asyncio.sleep(0)

    async def scenario(noted: list[str]) -> None:
        other = asyncio.ensure_future(busy())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(noted.append, "c")
        await asyncio.sleep(0)
        noted.append("t")
        await other

    assert orders(scenario) == {"ct"}


def test_who_awaits_a_task_comes_after_the_callbacks_that_were_added_before() -> None:
    async def scenario(noted: list[str]) -> None:
        task = asyncio.ensure_future(asyncio.sleep(0))
        task.add_done_callback(lambda _: noted.append("c"))
        await task
        noted.append("t")

    assert orders(scenario) == {"ct"}


def test_a_callback_can_come_before_steps_of_tasks_that_were_ready_before() -> None:
    async def note(noted: list[str]) -> None:
        noted.append("t")

    async def scenario(noted: list[str]) -> None:
        task = asyncio.ensure_future(note(noted))
        asyncio.get_running_loop().call_soon(noted.append, "c")
        await task

    assert orders(scenario) == {"ct", "tc"}


def test_timers_fire_in_the_order_of_their_times() -> None:
    async def scenario(noted: list[str]) -> None:
        loop = asyncio.get_running_loop()
        for name, delay in (("b", 2), ("a", 1), ("c", 3)):
            loop.call_later(delay, noted.append, name)
        await asyncio.sleep(4)

    assert orders(scenario) == {"abc"}


def test_timers_for_one_time_fire_in_any_order() -> None:
    async def scenario(noted: list[str]) -> None:
        loop = asyncio.get_running_loop()
        for name in "ab":
            loop.call_later(1, noted.append, name)
        await asyncio.sleep(2)

    assert orders(scenario) == {"ab", "ba"}


def test_a_timeout_and_a_sleep_that_end_together_can_go_either_way() -> None:
    async def scenario(noted: list[str]) -> None:
        try:
            async with asyncio.timeout(1):
                await asyncio.sleep(1)
            noted.append("slept")
        except TimeoutError:
            noted.append("late")

    assert orders(scenario) == {"slept", "late"}


def test_those_who_sleep_equally_long_go_on_in_any_order() -> None:
    async def sleep(noted: list[str], name: str) -> None:
        await asyncio.sleep(1)
        noted.append(name)

    async def scenario(noted: list[str]) -> None:
        async with asyncio.TaskGroup() as group:
            for name in "ab":
                group.create_task(sleep(noted, name))

    assert orders(scenario, most=3) == {"ab", "ba"}


def test_a_cancelled_callback_is_nothing_to_pick() -> None:
    async def scenario(noted: list[str]) -> None:
        asyncio.get_running_loop().call_soon(noted.append, "c").cancel()
        await asyncio.sleep(0)

    for wants_actions in (False, True):
        scheduler = Listed(wants_actions=wants_actions)
        run(scenario([]), scheduler)
        assert scheduler.ways == []


def test_with_one_way_to_go_on_nobody_is_asked() -> None:
    async def scenario() -> None:
        for _ in range(3):
            await asyncio.sleep(1)

    scheduler = Listed()
    run(scenario(), scheduler)
    assert scheduler.ways == []


def test_a_task_group_cancels_its_tasks_in_the_order_in_which_they_were_made() -> None:
    async def wait(noted: list[str], name: str) -> None:
        try:
            await asyncio.sleep(5)
        finally:
            noted.append(name)

    async def scenario(noted: list[str]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for name in "abcdef":
                    group.create_task(wait(noted, name))
                await asyncio.sleep(1)
                raise ValueError
        except ExceptionGroup:
            pass

    noted: list[str] = []
    run(scenario(noted))
    assert "".join(noted) == "abcdef"
