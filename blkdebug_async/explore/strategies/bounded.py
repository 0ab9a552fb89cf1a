"""Every run with at most k deviations from what would happen anyway, for k = 0, 1, 2, ...

Most races need few deviations (delay bounding: Emmi et al., POPL 2011), so small bounds find them,
and a bound that is through is something to say. A run with k deviations is one with k - 1 and one
more behind its last; all that is to be kept of it is how many ways there were behind its last.
"""

from __future__ import annotations

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

    def __init__(self, bound: int | None = None) -> None:
        self._bound = bound
        self._level = 0
        self._stems: list[_Stem] = []
        self._runs: Iterator[tuple[int, ...]] = iter(((),))
        self._next: tuple[int, ...] | None = next(self._runs)
        self._exact = True
        self.proof: Proof | None = None

    @property
    def exhausted(self) -> bool:
        """Whether there is no run left below the bound."""
        return self._next is None

    def scheduler(self, number: int) -> Values:
        return Values(self._next or ())

    def heard(self, run: Recorded, ending: Ending) -> None:
        asked = self._next or ()
        # A run that was cut, or that did not do as it was told, stands for others not seen.
        self._exact &= ending is not Ending.CUT and without_tail(run.values) == asked
        if self._bound is None or self._level < self._bound:
            self._stems.append((asked, run.ways[len(asked) :]))
        self._next = next(self._runs, None)
        if self._next is None:
            self._next_level()

    def _next_level(self) -> None:
        stems, self._stems = self._stems, []
        self._runs = _one_deviation_more(stems)
        self._next = next(self._runs, None)
        if self._exact:
            whole = self._next is None and self._level != self._bound
            self.proof = Proof(_claim(self._level, whole), whole)
        self._level += 1


def _claim(bound: int, whole: bool) -> str:
    if whole:
        return "every run there is"
    return f"every run with at most {bound} deviation{'' if bound == 1 else 's'}"


def _one_deviation_more(stems: list[_Stem]) -> Iterator[tuple[int, ...]]:
    for values, ways in stems:
        for position, n in enumerate(ways):
            for value in range(1, n):
                yield (*values, *[0] * position, value)
