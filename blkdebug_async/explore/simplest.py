"""The simplest run that fails in the same way as one that was found.

Lists of integers are cut first, then orders: what of all that came in another order than usual made
it fail? What is found in one way is gone on with in the other, within one budget of runs. What is
left of the budget goes into runs with few deviations, whatever they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blkdebug_async.explore.actions import Kind, Scheduler
from blkdebug_async.explore.record import Recorded, without_tail
from blkdebug_async.explore.reorder import Constraint, Keeping, choices_of, order, races, turns
from blkdebug_async.explore.shrink import shrink, simplicity
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.replay import Values
from blkdebug_async.explore.strategies.strategy import Ending

#: Makes a run, traced or not, and says whether it failed in the same way as the first.
Make = Callable[[Scheduler, bool], tuple[Recorded, bool]]


@dataclass(frozen=True, slots=True)
class Simplest:
    """What was found."""

    #: The simplest list.
    values: tuple[int, ...]
    #: Whether the first list failed again.
    again: bool
    #: How many runs were made.
    runs: int
    #: Whether nothing more was to be tried; else, the budget was used up.
    finished: bool


def simplest(found: Sequence[int], make: Make, *, budget: int) -> Simplest:
    """Look for the simplest list.

    Args:
        found: A list that fails.
        make: Makes runs.
        budget: How many may be made, >= 1.
    """
    return _Search(make, budget).search(found)


class _SpentError(Exception):
    """No more runs may be made."""


class _Search:
    def __init__(self, make: Make, budget: int) -> None:
        self._make = make
        self._budget = budget
        self._runs = 0
        self._best: tuple[int, ...] = ()

    def search(self, found: Sequence[int]) -> Simplest:
        self._best = without_tail(found)
        finished, again = self._cut(self._budget // 2 or 1)
        try:
            while again and self._best and (self._reorder() or not finished or self._with_fewer()):
                finished, _ = self._cut()
        except _SpentError:
            finished = False
        return Simplest(self._best, again, self._runs, finished)

    # --- lists ---

    def _cut(self, most: int | None = None) -> tuple[bool, bool]:
        """Shrink the best list; tell whether to the end, and whether it failed at all."""
        left = min(self._budget - self._runs, most or self._budget)
        if not left:
            raise _SpentError
        shrunk = shrink(self._best, self._fails, budget=left)
        self._best = shrunk.values
        return shrunk.finished, shrunk.run is not None

    def _fails(self, values: list[int]) -> Recorded | None:
        run, failed = self._run(Values(values))
        return run if failed else None

    def _run(self, scheduler: Scheduler, *, traced: bool = False) -> tuple[Recorded, bool]:
        if self._runs == self._budget:
            raise _SpentError
        self._runs += 1
        return self._make(scheduler, traced)

    def _with_fewer(self) -> bool:
        """Make runs with one deviation, with two, ...; tell whether one of them fails."""
        bound = simplicity(self._best)[0] - 1
        if bound < 2:
            return False
        fewer = Bounded(bound)
        while not fewer.exhausted and self._runs < self._budget:
            run, failed = self._run(fewer.scheduler(0))
            if failed:
                self._best = without_tail(run.values)
                return True
            fewer.heard(run, Ending.PASSED)
        return False

    # --- orders ---

    def _reorder(self) -> bool:
        """Look which orders are needed; tell whether that led to a simpler list."""
        before = self._best
        run, _ = self._run(Values(before), traced=True)
        usual, _ = self._run(Values(()), traced=True)
        choices = choices_of(run)
        for constraints in (races(run, usual), turns(run, usual), order(run)):
            if self._still_fails(constraints, choices):
                needed = self._needed(constraints, choices)
                self._hold_earlier(needed, choices, run)
            if self._best != before:
                break
        return self._best != before

    def _needed(
        self, constraints: list[Constraint], choices: dict[tuple[str, int], int]
    ) -> list[Constraint]:
        """Leave out constraints: halves, quarters, ..., single ones."""
        size = len(constraints)
        while size:
            start = 0
            while start < len(constraints):
                fewer = constraints[:start] + constraints[start + size :]
                if self._still_fails(fewer, choices):
                    constraints = fewer
                else:
                    start += size
            size //= 2
        return constraints

    def _hold_earlier(
        self,
        constraints: list[Constraint],
        choices: dict[tuple[str, int], int],
        run: Recorded,
    ) -> None:
        """Hold requests in flight instead of those who go on after them."""
        keys = [step.action.key for step in run.steps]
        requests = {step.action.key for step in run.steps if step.action.kind is Kind.REQUEST}
        for number, constraint in enumerate(constraints):
            before = keys[: keys.index(constraint.then)]
            for key in reversed(before):
                if key in requests and key != constraint.first:
                    held = constraints.copy()
                    held[number] = Constraint(constraint.first, key)
                    self._still_fails(held, choices)

    def _still_fails(
        self, constraints: list[Constraint], choices: dict[tuple[str, int], int]
    ) -> bool:
        run, failed = self._run(Keeping(constraints, choices))
        values = without_tail(run.values)
        if failed and simplicity(values) < simplicity(self._best):
            self._best = values
        return failed
