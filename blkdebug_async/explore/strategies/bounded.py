"""Every run with at most k deviations from what would happen anyway, for k = 0, 1, 2, ...

Most races need few deviations (delay bounding: Emmi et al., POPL 2011), so small bounds find them,
and a bound that is through is something to say. A run with k deviations is one with k - 1 and one
more behind its last; all that is to be kept of it is how many ways there were behind its last.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from blkdebug_async.explore.record import Recorded, without_tail
from blkdebug_async.explore.strategies.replay import Values
from blkdebug_async.explore.strategies.strategy import Ending, Proof

#: A run's values up to its last deviation, and how many ways there were behind.
_Stem = tuple[tuple[int, ...], tuple[int, ...]]


class Bounded:
    """Makes every run with at most so many deviations, none of them twice.

    Args:
        bound: With how many deviations to stop; None: when there are no more runs.
    """

    serial = False

    def __init__(self, bound: int | None = None) -> None:
        self._bound = bound
        # Runs that were heard of, whose runs with one deviation more are still to come.
        self._stems: deque[_Stem] = deque()
        self._runs: Iterator[tuple[int, ...]] = iter(((),))
        self._next: tuple[int, ...] | None = next(self._runs)
        # Runs whose schedulers were made.
        self._made: deque[tuple[int, ...]] = deque()
        self._exact = True
        self.proof: Proof | None = None

    @property
    def exhausted(self) -> bool:
        """Whether there is no run left below the bound."""
        return self._next is None and not self._made

    @property
    def blocked(self) -> bool:
        """Whether the next run follows from one that was not heard of yet."""
        return self._next is None

    def scheduler(self, number: int) -> Values:
        assert self._next is not None
        self._made.append(self._next)
        values = Values(self._next)
        self._go_on()
        return values

    def heard(self, run: Recorded, ending: Ending) -> None:
        asked = self._made.popleft()
        level = _deviations(asked)
        # A run that was cut, or that did not do as it was told, stands for others not seen.
        self._exact &= ending is not Ending.CUT and without_tail(run.values) == asked
        if self._bound is None or level < self._bound:
            self._stems.append((asked, run.ways[len(asked) :]))
        if self._next is None:
            self._go_on()
        first = self._made[0] if self._made else self._next
        if self._exact and (first is None or _deviations(first) > level):
            whole = first is None and level != self._bound
            self.proof = Proof(_claim(level, whole), whole)

    def _go_on(self) -> None:
        """Find the next run, as far as it is known."""
        self._next = next(self._runs, None)
        while self._next is None and self._stems:
            self._runs = _one_deviation_more(self._stems.popleft())
            self._next = next(self._runs, None)


def _deviations(values: tuple[int, ...]) -> int:
    return len(values) - values.count(0)


def _claim(bound: int, whole: bool) -> str:
    if whole:
        return "every run there is"
    return f"every run with at most {bound} deviation{'' if bound == 1 else 's'}"


def _one_deviation_more(stem: _Stem) -> Iterator[tuple[int, ...]]:
    values, ways = stem
    for position, n in enumerate(ways):
        for value in range(1, n):
            yield (*values, *[0] * position, value)
