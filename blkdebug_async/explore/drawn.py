"""Schedules drawn by Hypothesis, and draws that are the same in each run; needs Hypothesis.

There are two ways to have both. Hypothesis draws the workload and we the schedule: call explore()
in a test with @given, and each example is explored in the same runs each time. Or Hypothesis draws
the schedule too, one run an example, and makes it simpler together with the workload: run_drawn().
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DataObject, SearchStrategy

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.control import Example, example_here
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.fresh import fresh
from blkdebug_async.explore.here import exploration_here
from blkdebug_async.explore.run import Conditions, Scenario, run_once
from blkdebug_async.explore.token import encode

_T = TypeVar("_T")


class DrawnScheduler:
    """Decides by what Hypothesis draws; simplest is what would happen anyway.

    Args:
        data: Of strategies.data().
    """

    wants_actions = True

    def __init__(self, data: DataObject) -> None:
        self._data = data

    def choose(self, n: int, key: str) -> int:
        return self._data.draw(st.integers(0, n - 1), label=key) if n > 1 else 0

    def pick(self, actions: Sequence[Action]) -> int:
        keys = [action.key for action in actions]
        return keys.index(self._data.draw(st.sampled_from(keys), label="next"))

    def pick_of(self, n: int) -> int:
        return self.choose(n, "next")

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        """Learn nothing."""


def run_drawn(scenario: Scenario, data: DataObject, conditions: Conditions | None = None) -> None:
    """Make one run of a scenario, under a schedule that Hypothesis draws.

    Args:
        scenario: Makes the coroutine.
        data: Of strategies.data().
        conditions: What holds for the run.

    Raises:
        BaseException: What the run failed with. Where Hypothesis shows it, a note has the token.
    """
    shown = example_here() is Example.SHOWN
    outcome = run_once(scenario, DrawnScheduler(data), conditions, traced=shown)
    if outcome.error is not None:
        if shown:
            outcome.error.add_note(f"token: {encode(outcome.run)}")
        raise outcome.error


class SameDraws:
    """Draws for a scenario that is explored: the same values in each run of an example.

    The first draw of each run gives the same, and the second, and so on, whichever task makes it;
    it is another value only where another strategy is drawn from.

    Args:
        data: Of strategies.data().
    """

    def __init__(self, data: DataObject) -> None:
        self._data = data
        self._run: Exploration | None = None
        self._count = 0
        self._values: dict[tuple[int, str], object] = {}

    def __repr__(self) -> str:
        return repr(self._data)

    def draw(self, strategy: SearchStrategy[_T], label: str | None = None) -> _T:
        """Draw, as DataObject.draw()."""
        here = exploration_here()
        if here is not self._run:
            self._run, self._count = here, 0
        self._count += 1
        key = self._count, repr(strategy)
        if key not in self._values:
            self._values[key] = self._data.draw(strategy, label)
        value: _T = fresh(self._values[key])  # type: ignore[assignment]
        return value
