"""Choices drawn from a seed: any chance that can be repeated will do for a test."""

from __future__ import annotations

from random import Random


class SeededChoices:
    """Decides at random, and the same way again for the same seed."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._random = Random(seed)

    def __repr__(self) -> str:
        return f"SeededChoices({self.seed})"

    def choose(self, n: int, key: str) -> int:
        return self._random.randrange(n)
