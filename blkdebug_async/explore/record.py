"""What a run decided, and what happened in it.

A run is its list of integers, one a decision. Any list of integers stands for a run: each is cut
down to what there is to decide, and behind the last one come zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from blkdebug_async.explore.actions import Action, Scheduler, wants_touches
from blkdebug_async.explore.footprint import Footprint


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision of a run."""

    #: Name of what was chosen about; of picks, the key of what would have happened anyway.
    key: str
    #: How many ways there were to go on, > 1.
    n: int
    #: The way that was taken, 0 to n - 1.
    value: int
    #: What could have happened next, n actions; () where it was a choice.
    actions: tuple[Action, ...]
    #: How many steps of the run were over.
    step: int


class Step(NamedTuple):
    """What happened between two picks."""

    #: What it began with.
    action: Action
    #: What it touched, from its beginning to its end.
    touched: tuple[Footprint, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run, when it is over."""

    #: What was decided.
    values: tuple[int, ...]
    #: How many ways there were, one for each value.
    ways: tuple[int, ...]
    #: The same decisions in full; () of a run that was not traced.
    decisions: tuple[Decision, ...] = ()
    #: The steps; () of a run that was not traced.
    steps: tuple[Step, ...] = ()

    @property
    def traced(self) -> bool:
        """Whether decisions and steps are there, if there were any."""
        return len(self.decisions) == len(self.values)

    @property
    def deviations(self) -> tuple[int, ...]:
        """Positions of the decisions against what would have happened anyway."""
        return tuple(position for position, value in enumerate(self.values) if value)


def without_tail(values: Sequence[int]) -> tuple[int, ...]:
    """Give the shortest list that stands for the same run: without zeros at the end."""
    end = len(values)
    while end and not values[end - 1]:
        end -= 1
    return tuple(values[:end])


class Recorder:
    """A scheduler that asks another one, and keeps what was decided.

    Args:
        scheduler: Who decides; an answer out of range becomes the nearest one.
        traced: Whether to keep actions and steps too, which takes several times as long.
    """

    def __init__(self, scheduler: Scheduler, *, traced: bool = False) -> None:
        self.wants_actions = scheduler.wants_actions or traced
        self.wants_touches = traced or wants_touches(scheduler)
        self._scheduler = scheduler
        self._traced = traced
        self._shows = scheduler.wants_actions
        self._pick = scheduler.pick
        self._pick_of = scheduler.pick_of
        self._values: list[int] = []
        self._ways: list[int] = []
        self._decisions: list[tuple[str, tuple[Action, ...], int]] = []
        self._steps: list[Step] = []

    def choose(self, n: int, key: str) -> int:
        value = self._keep(self._scheduler.choose(n, key), n)
        if self._traced:
            self._decisions.append((key, (), len(self._steps)))
        return value

    def pick(self, actions: Sequence[Action]) -> int:
        n = len(actions)
        value = self._pick(actions) if self._shows else self._pick_of(n)
        # Written out once more: this is called for each step, as pick_of().
        if not 0 <= value < n:
            value = 0 if value < 0 else n - 1
        self._values.append(value)
        self._ways.append(n)
        if self._traced:
            self._decisions.append((actions[0].key, tuple(actions), len(self._steps)))
        return value

    def pick_of(self, n: int) -> int:
        value = self._pick_of(n)
        # Written out once more: this is called for each step of a run that is not traced.
        if not 0 <= value < n:
            value = 0 if value < 0 else n - 1
        self._values.append(value)
        self._ways.append(n)
        return value

    def opened(self) -> tuple[Callable[[int], int], list[int], list[int]]:
        """Give what pick_of() does, to who does it himself: it is called for each step.

        Returns:
            What decides, and where values and ways are kept: one of each for each decision, the
            value in range.
        """
        return self._pick_of, self._values, self._ways

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        if self._traced:
            self._steps.append(Step(action, tuple(touched)))
        if self._shows:
            self._scheduler.ran(action, touched)

    def recorded(self) -> Recorded:
        """Give the run as it is so far."""
        decisions = (
            Decision(key, n, value, actions, step)
            for n, value, (key, actions, step) in zip(
                self._ways, self._values, self._decisions, strict=False
            )
        )
        values, ways = tuple(self._values), tuple(self._ways)
        return Recorded(values, ways, tuple(decisions), tuple(self._steps))

    def _keep(self, value: int, n: int) -> int:
        value = min(max(value, 0), n - 1)
        self._values.append(value)
        self._ways.append(n)
        return value
