from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from blkdebug_async.explore import choose
from blkdebug_async.explore.actions import Scheduler
from blkdebug_async.explore.here import exploration_here
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.reorder import Constraint, Keeping
from blkdebug_async.explore.run import Scenario, run_once
from blkdebug_async.explore.simplest import Simplest, simplest
from blkdebug_async.explore.strategies.replay import Values


def request(key: str) -> asyncio.Future[None]:
    exploration = exploration_here()
    assert exploration is not None
    return exploration.in_flight(key)


async def busy_is_first() -> None:
    """Fails if one task makes four requests before the other one hears of its only one."""
    order: list[str] = []

    async def slow() -> None:
        await request("slow")
        order.append("slow")

    async def busy() -> None:
        for number in range(4):
            await request(f"busy {number}")
        order.append("busy")

    async with asyncio.TaskGroup() as group:
        group.create_task(slow(), name="slow")
        group.create_task(busy(), name="busy")
    assert order[0] == "slow"


async def busy_is_first_and_unlucky() -> None:
    """Fails in the same way, if it also chooses to."""
    lucky = choose(2, "luck") == 0
    try:
        await busy_is_first()
    except AssertionError:
        assert lucky is True, "unlucky"


async def never_fails() -> None:
    await asyncio.sleep(0)


def look_for(scenario: Scenario, found: Sequence[int], *, budget: int = 300) -> Simplest:
    def make(scheduler: Scheduler, traced: bool) -> tuple[Recorded, bool]:
        outcome = run_once(scenario, scheduler, traced=traced)
        return outcome.run, outcome.error is not None

    return simplest(found, make, budget=budget)


def deviations(values: Sequence[int]) -> int:
    return sum(value != 0 for value in values)


def kept_waiting() -> tuple[int, ...]:
    """The slow task is kept from going on, again and again, after its request has completed."""
    late = Constraint("main/busy:4", "main/slow:1")
    outcome = run_once(busy_is_first, Keeping([late], {}))
    assert outcome.error is not None
    return outcome.run.values


def test_a_request_is_held_rather_than_who_goes_on_after_it() -> None:
    assert deviations(kept_waiting()) > 4
    found = look_for(busy_is_first, kept_waiting())
    assert deviations(found.values) == 4
    assert found.finished


def test_what_was_chosen_is_kept_while_orders_are_tried() -> None:
    found = look_for(busy_is_first_and_unlucky, (1, *kept_waiting()))
    assert found.again
    assert found.values[0] == 1
    assert deviations(found.values) == 5


def test_a_failure_without_deviations_is_the_simplest() -> None:
    async def scenario() -> None:
        raise KeyError

    found = look_for(scenario, (1, 2))
    assert (found.values, found.finished) == ((), True)


def test_a_list_that_does_not_fail_again_is_given_back() -> None:
    found = look_for(never_fails, (1, 1))
    assert (found.values, found.again, found.runs) == ((1, 1), False, 1)


@pytest.mark.parametrize("budget", range(1, 120, 2))
def test_no_more_runs_are_made_than_the_budget_has(budget: int) -> None:
    found = look_for(busy_is_first, kept_waiting(), budget=budget)
    assert found.runs <= budget
    assert found.again


def test_what_was_found_before_the_budget_was_used_up_is_kept() -> None:
    found = look_for(busy_is_first, kept_waiting(), budget=3)
    assert not found.finished
    assert run_once(busy_is_first, Values(found.values)).error is not None


def test_where_orders_alone_do_not_make_it_fail_the_list_stays() -> None:
    def make(scheduler: Scheduler, traced: bool) -> tuple[Recorded, bool]:
        outcome = run_once(busy_is_first, scheduler, traced=traced)
        return outcome.run, outcome.error is not None and isinstance(scheduler, Values)

    found = simplest(kept_waiting(), make, budget=300)
    assert found.finished
    assert run_once(busy_is_first, Values(found.values)).error is not None


async def one_late_decision() -> None:
    """Fails by one decision, or by three others."""
    early = [choose(2, "early") for _ in range(3)]
    late = choose(3, "late")
    assert late != 2
    assert sum(early) < 3


def test_runs_with_few_deviations_are_made_where_no_cut_helps() -> None:
    found = look_for(one_late_decision, (1, 1, 1))
    assert found.values == (0, 0, 0, 2)
    assert found.finished


def test_few_deviations_are_tried_only_as_far_as_the_budget_goes() -> None:
    enough = look_for(one_late_decision, (1, 1, 1)).runs
    for budget in range(1, enough):
        found = look_for(one_late_decision, (1, 1, 1), budget=budget)
        assert found.runs <= budget
        assert found.values in ((1, 1, 1), (0, 0, 0, 2))
