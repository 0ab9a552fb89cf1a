from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from benchmarks.bugs.bug import Bug, Needs, Scenario
from benchmarks.bugs.registry import BUGS
from blkdebug_async.drivers import DRIVERS
from tests.unit.bugs.holding import HoldingDriver
from tests.unit.bugs.orders import ORDERS
from tests.unit.bugs.stepping import ByHand, Hang, Order, Outcome, run

#: The parts of which the benchmark has to have bugs.
KINDS = {
    "cancellation",
    "cluster allocator",
    "completion",
    "copy-on-write",
    "discard",
    "flush ordering",
    "journal",
    "lazily loaded table",
    "log-structured store",
    "mirror",
    "queue-depth limiter",
    "read cache",
    "refcounts",
    "resize",
    "retry",
    "snapshot",
    "stripe",
    "write coalescing",
    "write-back cache",
}
MOST_STEPS = 40

each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)


@pytest.fixture
def holding_disks() -> Iterator[None]:
    before = DRIVERS["memory"]
    DRIVERS["memory"] = HoldingDriver
    yield
    DRIVERS["memory"] = before


def run_in_order(scenario: Scenario, order: Order) -> Outcome:
    return run(scenario, ByHand(order))


@each_bug
def test_it_does_not_show_on_the_stock_loop(bug: Bug) -> None:
    asyncio.run(bug.scenario())
    asyncio.run(bug.twin())


@each_bug
@pytest.mark.usefixtures("holding_disks")
def test_it_does_not_show_in_the_usual_order_of_requests_in_flight(bug: Bug) -> None:
    for scenario in (bug.scenario, bug.twin):
        outcome = run_in_order(scenario, Order())
        assert (outcome.error, outcome.leftovers) == (None, [])
        assert len(outcome.trace) <= MOST_STEPS


@each_bug
@pytest.mark.usefixtures("holding_disks")
def test_it_shows_in_an_order_made_by_hand(bug: Bug) -> None:
    decider = ByHand(ORDERS[bug.name])
    outcome = run(bug.scenario, decider)
    assert isinstance(outcome.error, AssertionError | OSError | Hang)
    assert not decider.broken


@each_bug
@pytest.mark.usefixtures("holding_disks")
def test_its_twin_survives_the_order_that_shows_it(bug: Bug) -> None:
    outcome = run_in_order(bug.twin, ORDERS[bug.name])
    assert (outcome.error, outcome.leftovers) == (None, [])


@each_bug
@pytest.mark.usefixtures("holding_disks")
def test_it_needs_what_it_says(bug: Bug) -> None:
    order = ORDERS[bug.name]
    trace = run_in_order(bug.scenario, order).trace
    assert (bug.needs is Needs.FAULT) == bool(order.choices)
    assert (bug.needs is Needs.CANCEL) == ("canceller" in trace)
    assert (bug.needs is Needs.TIMER) == any(event.startswith("timer") for event in trace)


@each_bug
@pytest.mark.usefixtures("holding_disks")
def test_it_does_io_if_it_says_so(bug: Bug) -> None:
    trace = run_in_order(bug.scenario, Order()).trace
    assert bug.io == any(" read " in event or " write " in event for event in trace)
    assert bug.io or bug.needs is not Needs.COMPLETION


@each_bug
@pytest.mark.usefixtures("holding_disks")
def test_no_hold_or_choice_of_an_order_is_idle(bug: Bug) -> None:
    order = ORDERS[bug.name]
    fewer = [
        Order([hold for hold in order.holds if hold is not left_out], order.choices)
        for left_out in order.holds
    ]
    fewer += [
        Order(order.holds, {key: order.choices[key] for key in order.choices if key != left_out})
        for left_out in order.choices
    ]
    assert [each for each in fewer if run_in_order(bug.scenario, each).error is not None] == []


def test_names_are_unique_and_each_has_an_order() -> None:
    names = [bug.name for bug in BUGS]
    assert len(names) == len(set(names))
    assert set(names) == set(ORDERS)


def test_every_kind_of_part_has_two_or_more() -> None:
    kinds = [bug.kind for bug in BUGS]
    assert {kind for kind in kinds if kinds.count(kind) >= 2} >= KINDS


def test_there_are_bugs_of_every_need_and_of_several_depths() -> None:
    assert {bug.needs for bug in BUGS} == set(Needs)
    assert {len(ORDERS[bug.name].holds) for bug in BUGS} >= {0, 1, 2, 3}
    assert {bug.known_minimum for bug in BUGS} >= {1, 2, 3, 4}
