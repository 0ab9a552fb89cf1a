"""PCT: actors by random priorities that change at a few random points of the run.

A bug of depth d, one that d orderings of two events make happen, is hit in a run of k steps by n
actors with probability 1 / (n * k ** (d - 1)) at least (Burckhardt et al., ASPLOS 2010).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.strategy import Ending, Endless

#: Estimated length of a run as long as none was heard of.
_FIRST_GUESS = 32
#: Some run may end early. Change points are drawn from so many picks at least, and each fourth run
#: reckons to be so many times as long as the first one.
_LEAST, _EACH, _TIMES = 16, 4, 4


class Pct(Endless):
    """Gives actors random priorities, and lowers one at each of some change points.

    Args:
        seed: The same seed makes the same runs.
        depth: How many orderings a bug may need, >= 1; there is one change point less.
        length: How many picks a run has, about; None: as many as the first one heard of.
    """

    def __init__(self, seed: int = 0, *, depth: int = 3, length: int | None = None) -> None:
        self._seed = seed
        self._depth = depth
        self._length = length
        self._made = 0

    @property
    def blocked(self) -> bool:  # type: ignore[override]  # a property where others have a constant
        """Whether it does not know yet how long runs are."""
        return self._made > 0 and self._length is None

    def scheduler(self, number: int) -> Priorities:
        self._made += 1
        chance = Random(f"pct/{self._depth}/{self._seed}/{number}")
        length = max(self._length or _FIRST_GUESS, _LEAST)
        if number % _EACH == _EACH - 1:
            length *= _TIMES
        return Priorities(chance, [chance.randrange(length) for _ in range(self._depth - 1)])

    def heard(self, run: Recorded, ending: Ending) -> None:
        # Only the first, so that it does not hang on which runs were heard of when.
        self._length = self._length or max(1, len(run.values))


class Priorities:
    """One run in which the most important actor goes on.

    Args:
        chance: Gives each actor its priority when it is first seen.
        change_points: At which picks, from 0, whoever would go on becomes the least important.
    """

    wants_actions = True
    wants_touches = False

    def __init__(self, chance: Random, change_points: Sequence[int]) -> None:
        self._chance = chance
        self._change_points = frozenset(change_points)
        self._priorities: dict[str, float] = {}
        self._picks = 0

    def choose(self, n: int, key: str) -> int:
        return self._chance.randrange(n)

    def pick(self, actions: Sequence[Action]) -> int:
        best = self._best(actions)
        if self._picks in self._change_points:
            # The later the change, the lower.
            self._priorities[actions[best].actor] = -1.0 - self._picks
            best = self._best(actions)
        self._picks += 1
        return best

    def pick_of(self, n: int) -> int:
        return self._chance.randrange(n)

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        """Learn nothing."""

    def _best(self, actions: Sequence[Action]) -> int:
        priorities = self._priorities
        best, highest = 0, float("-inf")
        for index, action in enumerate(actions):
            priority = priorities.get(action.actor)
            if priority is None:
                priority = priorities[action.actor] = self._chance.random()
            if priority > highest:
                best, highest = index, priority
        return best
