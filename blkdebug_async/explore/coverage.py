"""How much of what could happen has been seen, as far as anybody can tell."""

from __future__ import annotations

from collections import Counter

from blkdebug_async.explore.record import Recorded


class Coverage:
    """Counts runs, different runs, and the ways that were taken at each decision."""

    def __init__(self) -> None:
        #: How many runs were heard of.
        self.runs = 0
        self._seen: Counter[int] = Counter()
        # Of different runs: how many were made exactly once.
        self._once = 0
        self._known: set[tuple[int, int]] = set()
        self._taken: set[tuple[int, int]] = set()

    def add(self, run: Recorded) -> None:
        """Hear of a run."""
        self.runs += 1
        name = hash(run.values)
        self._seen[name] += 1
        times = self._seen[name]
        self._once += (times == 1) - (times == 2)
        if times == 1:
            self._known.update(enumerate(run.ways))
            self._taken.update(enumerate(run.values))

    @property
    def distinct(self) -> int:
        """How many different runs there were."""
        return len(self._seen)

    @property
    def newness(self) -> float:
        """How likely the next run is one that was not seen yet, 0 to 1: Good and Turing's estimate.

        Holds for runs by chance: the share of runs that were made exactly once.
        """
        return self._once / self.runs if self.runs else 1.0

    @property
    def ways(self) -> tuple[int, int]:
        """How many ways were taken at least once, and how many there are, over all decisions.

        Decisions are told apart by their number in the run.
        """
        most: dict[int, int] = {}
        for position, n in self._known:
            most[position] = max(n, most.get(position, 0))
        return len(self._taken), sum(most.values())
