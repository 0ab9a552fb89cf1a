from __future__ import annotations

import pytest

from benchmarks.bugs.bug import Bug, Needs
from benchmarks.bugs.registry import BUGS
from blkdebug_async.explore.run import Outcome, Scenario, run_once
from blkdebug_async.explore.strategies.random_walk import RandomWalk
from tests.unit.explore.loop_schedulers import Listed

RUNS = 15

each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)


def in_default_order(scenario: Scenario, *, named: bool = True) -> Outcome:
    return run_once(scenario, Listed(wants_actions=named))


@each_bug
def test_no_bug_shows_where_everything_happens_as_it_would_anyway(bug: Bug) -> None:
    for scenario in (bug.scenario, bug.twin):
        assert in_default_order(scenario).error is None
        assert in_default_order(scenario, named=False).error is None


@each_bug
def test_twins_survive_whatever_order_requests_complete_in(bug: Bug) -> None:
    strategy = RandomWalk(seed=1)
    for number in range(RUNS):
        assert run_once(bug.twin, strategy.scheduler(number)).error is None


@pytest.mark.parametrize(
    "bug", [bug for bug in BUGS if bug.needs is Needs.COMPLETION], ids=lambda bug: bug.name
)
def test_bugs_that_need_another_order_of_completion_are_found(bug: Bug) -> None:
    strategy = RandomWalk(seed=1)
    runs = (run_once(bug.scenario, strategy.scheduler(number)) for number in range(2000))
    assert any(run.error is not None for run in runs)
