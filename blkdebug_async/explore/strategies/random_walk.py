"""Every decision by chance, all ways alike."""

from __future__ import annotations

from random import Random

from blkdebug_async.explore.strategies.strategy import Endless
from blkdebug_async.explore.strategies.unseen import Unseen


class RandomWalk(Endless):
    """Decides everything by chance.

    Args:
        seed: The same seed makes the same runs.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def scheduler(self, number: int) -> Walk:
        return Walk(Random(f"walk/{self._seed}/{number}"))


class Walk(Unseen):
    """One run of a random walk."""

    def __init__(self, chance: Random) -> None:
        self._random = chance.random

    def pick_of(self, n: int) -> int:
        return int(self._random() * n)
