"""DPOR: one run of each class of runs that differ in the order of independent steps only.

Which steps raced is known when a run is over: two neighbours whose order may matter, and of which
the later could have come first. For each race, a run in which it did is put on the wakeup tree of
the state before the two, unless a sleep set says that its class was run, or a tree that it will be
(optimal DPOR: Abdulla et al., Source sets, JACM 2017). What is chosen within a step is branched on
in full.

In a deterministic scenario without choices no two runs are of one class, but where steps take away
what others could do, or touch something else in the other order; there, some runs are left early.
"""

from __future__ import annotations

from collections.abc import Sequence

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.record import Recorded, Step
from blkdebug_async.explore.strategies.states import State, Trail
from blkdebug_async.explore.strategies.strategy import Ending, Proof
from blkdebug_async.explore.strategies.wakeup import covers, insert


class Dpor:
    """Makes a run of every class of runs.

    Args:
        assume: What is promised of steps beyond what is seen of them.
    """

    serial = True

    def __init__(self, assume: Assume = Assume.NOTHING) -> None:
        self.blocked = False
        self._assume = assume
        self._trail = Trail(assume)
        self._run = Exploring(self._trail)
        #: Runs that were left because their classes had been run.
        self.redundant = 0
        self._exact = True
        self.exhausted = False
        self.proof: Proof | None = None

    def scheduler(self, number: int) -> Exploring:
        self.blocked = True
        self._run = Exploring(self._trail)
        return self._run

    def heard(self, run: Recorded, ending: Ending) -> None:
        self.redundant += ending is Ending.REDUNDANT
        # Of a step that is not over, nobody said what it touched.
        self._exact &= ending is not Ending.CUT and not self._run.in_a_step
        self._trail.order(over=ending is not Ending.REDUNDANT)
        self._reverse_races()
        self._trail.advance()
        # What is known of one scenario says nothing of another one.
        self.exhausted = self.diverged or not self._trail.states
        self.blocked = False
        if self.exhausted and self._exact and not self.diverged:
            self.proof = Proof(self._claim(), whole=True)

    @property
    def diverged(self) -> bool:
        """Whether the scenario did something else on the same way: it is not deterministic."""
        return self._trail.diverged

    def _claim(self) -> str:
        if self._assume is Assume.NOTHING:
            return "every class of schedules"
        return f"every class of schedules, if tasks share nothing but disks ({self._assume})"

    def _reverse_races(self) -> None:
        """Have it run that the later step of a race comes first."""
        for earlier, entries in self._trail.races():
            state = self._trail.states[earlier]
            if not any(
                covers(key, () if key in state.dozing else variants, entries, self._trail.dependent)
                for key, variants in state.sleep.items()
            ):
                # The first is being run.
                to_come = state.wakes[1:]
                insert(to_come, entries, self._trail.dependent)
                state.wakes[1:] = to_come


class Exploring:
    """One run: along the trail to its end, then as it would happen anyway.

    Args:
        trail: The states on the way to the run; grows with it.
    """

    wants_actions = True

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        #: How many steps are over.
        self._steps = 0
        #: How many choices were made in the step.
        self._chosen = 0
        #: What was chosen in a step that was the only one possible.
        self._fresh: list[list[int]] = []

    def choose(self, n: int, key: str) -> int:
        states = self._trail.states
        choices = states[self._steps].choices if self._steps < len(states) else self._fresh
        if self._chosen == len(choices):
            choices.append([n, 0])
        choice = choices[self._chosen]
        self._trail.diverged |= choice[0] != n
        choice[0] = n
        choice[1] = min(choice[1], n - 1)
        self._chosen += 1
        return choice[1]

    def pick(self, actions: Sequence[Action]) -> int:
        key = self._state(actions).wakes[0].key
        return next(index for index, action in enumerate(actions) if action.key == key)

    def pick_of(self, n: int) -> int:
        """Never asked: it wants to see actions."""
        return 0

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        state = self._state((action,))
        if self._fresh:
            state.choices, self._fresh = self._fresh, []
        del state.choices[self._chosen :]
        state.step = Step(action, tuple(touched))
        self._steps += 1
        self._chosen = 0

    @property
    def in_a_step(self) -> bool:
        """Whether a step began that is not over."""
        return self._steps < len(self._trail.states)

    def _state(self, actions: Sequence[Action]) -> State:
        """Give the state that the step begins in."""
        trail, number = self._trail, self._steps
        if number < len(trail.states):
            state = trail.states[number]
            if any(action.key == state.wakes[0].key for action in actions):
                return state
            trail.diverge(number)
        return trail.enter(actions)
