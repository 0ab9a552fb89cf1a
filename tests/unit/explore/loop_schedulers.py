"""Schedulers for tests of the loop."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.footprint import Footprint


@dataclass
class Listed:
    """Decides by a list of numbers, then always for what would happen anyway."""

    values: Sequence[int] = ()
    wants_actions: bool = True
    #: How many ways there were, at each decision.
    ways: list[int] = field(default_factory=list)
    #: Keys of what could have happened, at each decision.
    offered: list[list[str]] = field(default_factory=list)
    #: What happened, and what it touched.
    steps: list[tuple[Action, tuple[Footprint, ...]]] = field(default_factory=list)

    def choose(self, n: int, key: str) -> int:
        return self.pick_of(n)

    def pick(self, actions: Sequence[Action]) -> int:
        self.offered.append([action.key for action in actions])
        return self.pick_of(len(actions))

    def pick_of(self, n: int) -> int:
        place = len(self.ways)
        self.ways.append(n)
        return min(self.values[place], n - 1) if place < len(self.values) else 0

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        self.steps.append((action, tuple(touched)))

    @property
    def keys(self) -> list[str]:
        return [action.key for action, _ in self.steps]


@dataclass
class ByKey(Listed):
    """Picks the first action that a rule likes, else what would happen anyway."""

    likes: Callable[[str], bool] = bool

    def pick(self, actions: Sequence[Action]) -> int:
        super().pick(actions)
        return next((n for n, action in enumerate(actions) if self.likes(action.key)), 0)


class Chance(Listed):
    """Decides by chance, and keeps what it decided."""

    def __init__(self, seed: int, *, wants_actions: bool = False) -> None:
        self.made: list[int] = []
        super().__init__(self.made, wants_actions=wants_actions)
        self._random = random.Random(seed)

    def pick_of(self, n: int) -> int:
        self.made.append(self._random.randrange(n))
        return super().pick_of(n)
