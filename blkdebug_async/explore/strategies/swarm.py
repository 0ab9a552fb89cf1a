"""Swarm masks: in each run, a random part of all faults never happens.

With every fault possible at every place, some drown others: what always fails early never gets to
where another fault would matter. Leaving some out, others each time, finds more (Groce et al.,
Swarm testing, ISSTA 2012).
"""

from __future__ import annotations

from random import Random

from blkdebug_async.explore.actions import Scheduler, wants_touches
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.strategy import Ending, Proof, Strategy

#: How likely each kind of choice is left alone, in a run.
_SHARES_LEFT_ALONE = (0.0, 0.5, 0.9)


class Swarm:
    """Makes the runs of a strategy with some choices left as they would be anyway.

    Args:
        strategy: One that proves nothing.
        seed: The same seed makes the same masks.
    """

    proof: Proof | None = None

    def __init__(self, strategy: Strategy, seed: int = 0) -> None:
        self._strategy = strategy
        self._seed = seed

    @property
    def exhausted(self) -> bool:
        """Whether the strategy has no run left."""
        return self._strategy.exhausted

    @property
    def blocked(self) -> bool:
        """Whether the strategy is."""
        return self._strategy.blocked

    @property
    def serial(self) -> bool:
        """Whether the strategy's next run must be made in this process."""
        return self._strategy.serial

    def scheduler(self, number: int) -> Masked:
        return Masked(self._strategy.scheduler(number), Random(f"swarm/{self._seed}/{number}"))

    def heard(self, run: Recorded, ending: Ending) -> None:
        self._strategy.heard(run, ending)


class Masked:
    """A scheduler that is not asked about some kinds of choices.

    Args:
        scheduler: Who is asked about all else.
        chance: What decides which kinds those are.
    """

    def __init__(self, scheduler: Scheduler, chance: Random) -> None:
        self.wants_actions = scheduler.wants_actions
        self.wants_touches = wants_touches(scheduler)
        self.pick = scheduler.pick
        self.pick_of = scheduler.pick_of
        self.ran = scheduler.ran
        self._choose = scheduler.choose
        self._chance = chance
        self._share = chance.choice(_SHARES_LEFT_ALONE)
        self._left_alone: dict[str, bool] = {}

    def choose(self, n: int, key: str) -> int:
        kind = _kind(key)
        if kind not in self._left_alone:
            self._left_alone[kind] = self._chance.random() < self._share
        return 0 if self._left_alone[kind] else self._choose(n, key)


def _kind(key: str) -> str:
    """Give what all choices of one kind have in common: the key without its numbers at the end."""
    return key.rstrip("0123456789#. ") or key
