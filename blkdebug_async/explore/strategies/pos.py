"""POS: partial-order sampling, by random priorities of single actions.

Every action has a priority of its own, and the most important one happens. When it has happened,
those get fresh priorities that raced with it: they could have happened before, to another effect.
So orders that matter are about equally likely, however many orders that do not there are (Yuan et
al., CAV 2018). An action races by what it is known to touch; of a task's step, that is nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.footprint import Footprint, all_commute
from blkdebug_async.explore.strategies.strategy import Endless


class Pos(Endless):
    """Gives every action a random priority, and a fresh one when it lost a race.

    Args:
        seed: The same seed makes the same runs.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def scheduler(self, number: int) -> Sampling:
        return Sampling(Random(f"pos/{self._seed}/{number}"))


class Sampling:
    """One run by partial-order sampling."""

    wants_actions = True
    wants_touches = False

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._priorities: dict[str, float] = {}
        self._pending: tuple[Action, ...] = ()

    def choose(self, n: int, key: str) -> int:
        return self._chance.randrange(n)

    def pick(self, actions: Sequence[Action]) -> int:
        # It is valid until one has been picked.
        self._pending = tuple(actions)
        priorities = self._priorities
        best, highest = 0, -1.0
        for index, action in enumerate(self._pending):
            priority = priorities.get(action.key)
            if priority is None:
                priority = priorities[action.key] = self._chance.random()
            if priority > highest:
                best, highest = index, priority
        return best

    def pick_of(self, n: int) -> int:
        return self._chance.randrange(n)

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        self._priorities.pop(action.key, None)
        for other in self._pending:
            if other.touches and not all_commute(other.touches, touched):
                self._priorities.pop(other.key, None)
