"""The simplest list of integers that still fails.

Simpler is: fewer deviations from what would have happened anyway; then the shorter list; then the
one that is less where they first differ. Lists end with their last deviation. Every try is a run,
and there is only a budget of them, so the coarse cuts come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from blkdebug_async.explore.record import Recorded, without_tail

#: Makes the run of a list, and gives it if it failed in the same way as the first.
Fails = Callable[[list[int]], Recorded | None]

Values = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What shrinking came to."""

    #: The simplest list found.
    values: tuple[int, ...]
    #: Its run; None: the list that was given did not fail again.
    run: Recorded | None
    #: How many runs were made.
    runs: int
    #: Whether nothing more was to be tried; else, the budget was used up.
    finished: bool


def simplicity(values: Sequence[int]) -> tuple[int, int, tuple[int, ...]]:
    """Give what lists are compared by: the less, the simpler."""
    values = without_tail(values)
    return len(values) - values.count(0), len(values), values


def shrink(values: Sequence[int], fails: Fails, *, budget: int = 300) -> Shrunk:
    """Look for the simplest list that still fails.

    Args:
        values: A list that fails.
        fails: Makes the run of a list; gives it if it fails.
        budget: How many runs may be made, >= 1.

    Returns:
        A list never less simple than the one given. When the budget was enough, shrinking it again
        leaves it as it is.
    """
    search = _Search(without_tail(values), fails, budget)
    if not search.begin():
        return Shrunk(search.best, None, search.runs, finished=True)
    try:
        while any(search.improves(attempts) for attempts in _PASSES):
            pass
    except _BudgetSpentError:
        return Shrunk(search.best, search.run, search.runs, finished=False)
    return Shrunk(search.best, search.run, search.runs, finished=True)


class _BudgetSpentError(Exception):
    """No more runs may be made."""


class _Search:
    """The simplest list so far, and what was tried."""

    def __init__(self, values: Values, fails: Fails, budget: int) -> None:
        self.best = values
        self.run: Recorded | None = None
        self.runs = 0
        self._fails = fails
        self._budget = budget
        self._tried: set[Values] = set()

    def begin(self) -> bool:
        """Make the run of the first list; tell whether it failed."""
        self._try(self.best)
        return self.run is not None

    def improves(self, attempts: Callable[[Values, Values], Iterator[Values]]) -> bool:
        """Try what a pass proposes until nothing of that is simpler and fails.

        Returns:
            Whether something was.
        """
        improved = False
        while any(self._is_better(each) for each in attempts(self.best, self._ways())):
            improved = True
        return improved

    def _ways(self) -> Values:
        return self.run.ways if self.run else ()

    def _is_better(self, values: Values) -> bool:
        values = without_tail(values)
        if values in self._tried or simplicity(values) >= simplicity(self.best):
            return False
        return self._try(values)

    def _try(self, values: Values) -> bool:
        if self.runs == self._budget:
            raise _BudgetSpentError
        self.runs += 1
        self._tried.add(values)
        run = self._fails(list(values))
        if run is None:
            return False
        # Never less simple than what was tried, for values are only ever cut down.
        self.best, self.run = without_tail(run.values), run
        return True


def _positions(values: Values) -> list[int]:
    return [position for position, value in enumerate(values) if value]


def _only_first(values: Values, ways: Values) -> Iterator[Values]:
    """Keep a few of the first deviations."""
    positions = _positions(values)
    count = 0
    while count < len(positions):
        yield values[: positions[count]]
        count = count * 2 or 1


def _without_some(values: Values, ways: Values) -> Iterator[Values]:
    """Leave out deviations: halves, quarters, ..., single ones, with and without their places."""
    positions = _positions(values)
    size = len(positions)
    while size:
        for start in range(0, len(positions), size):
            left_out = set(positions[start : start + size])
            kept = (0 if at in left_out else value for at, value in enumerate(values))
            yield tuple(kept)
        size //= 2
    for position in positions:
        yield values[:position] + values[position + 1 :]


def _one_for_two(values: Values, ways: Values) -> Iterator[Values]:
    """Put one deviation in the place of two neighbours."""
    positions = _positions(values)
    for first, second in pairwise(positions):
        cleared = _changed(_changed(values, first, 0), second, 0)
        yield cleared
        for position in range(first, second + 1):
            for value in range(1, ways[position]):
                yield _changed(cleared, position, value)


def _lower(values: Values, ways: Values) -> Iterator[Values]:
    """Lower single values."""
    for position in _positions(values):
        value = values[position]
        for lower in sorted({1, 2, value // 2, value - 1} - {0}):
            yield _changed(values, position, lower)


def _shorter(values: Values, ways: Values) -> Iterator[Values]:
    """Leave out what is between deviations, so that all that follow come earlier."""
    gaps = [position for position, value in enumerate(values) if not value]
    size = len(gaps)
    while size:
        for start in range(0, len(gaps), size):
            left_out = set(gaps[start : start + size])
            yield tuple(value for at, value in enumerate(values) if at not in left_out)
        size //= 2


def _moved(values: Values, ways: Values) -> Iterator[Values]:
    """Have the last deviation earlier, and the others later."""
    positions = _positions(values)
    for index in reversed(range(len(positions))):
        here = positions[index]
        cleared = _changed(values, here, 0)
        if index == len(positions) - 1:
            places = range(positions[index - 1] + 1 if index else 0, here)
        else:
            places = range(positions[index + 1] - 1, here, -1)
        for place in places:
            for value in dict.fromkeys((values[here], *range(1, ways[place]))):
                yield _changed(cleared, place, value)


def _traded(values: Values, ways: Values) -> Iterator[Values]:
    """Lower a value and raise that of the next deviation."""
    for first, second in pairwise(_positions(values)):
        for low in range(1, values[first]):
            lowered = _changed(values, first, low)
            for high in range(values[second] + 1, ways[second]):
                yield _changed(lowered, second, high)


def _changed(values: Values, position: int, value: int) -> Values:
    return (*values[:position], value, *values[position + 1 :])


#: From coarse to fine; after one that helped, all are tried again.
_PASSES = (_only_first, _without_some, _shorter, _lower, _one_for_two, _moved, _traded)
