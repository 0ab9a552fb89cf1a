"""Runs that were made before: by their list of integers, or by their token."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.strategy import Ending, Proof
from blkdebug_async.explore.strategies.unseen import Unseen
from blkdebug_async.explore.token import Deviation, Places, action_hash, decode


class Values(Unseen):
    """One run by its list of integers; behind the last come zeros."""

    def __init__(self, values: Sequence[int]) -> None:
        self._values = iter(values)

    def pick_of(self, n: int) -> int:
        return min(max(next(self._values, 0), 0), n - 1)


@dataclass(frozen=True, slots=True)
class Divergence:
    """Something that a token says and that this run has not."""

    #: At which decision, from 0, it was missed; None: there was no such decision.
    position: int | None
    #: What was chosen about, or what would have happened anyway; "": there was no such decision.
    key: str
    #: What was missed, for people.
    missing: str

    def __str__(self) -> str:
        where = "" if self.position is None else f"at decision {self.position}, {self.key!r}: "
        return where + self.missing


class Deviations:
    """One run by its token: it goes on when something is not found, and tells afterwards.

    Args:
        deviations: What decode() gave.
    """

    wants_actions = True
    wants_touches = False

    def __init__(self, deviations: Sequence[Deviation]) -> None:
        self._count = len(deviations)
        self._awaited: dict[int, deque[tuple[int, Deviation]]] = {}
        for number, deviation in enumerate(deviations, 1):
            self._awaited.setdefault(deviation.place, deque()).append((number, deviation))
        self._places = Places()
        self._position = -1
        self._missed: list[Divergence] = []

    @property
    def divergences(self) -> tuple[Divergence, ...]:
        """What was not found: missed so far, then what is still awaited."""
        rest = sorted(number for queue in self._awaited.values() for number, _ in queue)
        never = (
            Divergence(None, "", f"deviation {number} of {self._count}: no such decision came")
            for number in rest
        )
        return (*self._missed, *never)

    def choose(self, n: int, key: str) -> int:
        self._position += 1
        for number, deviation in self._take(self._places.of_choice(key)):
            if deviation.what < n:
                return deviation.what
            self._miss(number, key, f"there is no way {deviation.what}, there are {n}")
        return 0

    def pick(self, actions: Sequence[Action]) -> int:
        self._position += 1
        if not self._awaited:
            return 0
        key = actions[0].key
        for number, deviation in self._take(self._places.of_pick(key)):
            for index, action in enumerate(actions):
                if action_hash(action.key) == deviation.what:
                    return index
            there = ", ".join(repr(action.key) for action in actions)
            self._miss(number, key, f"what was picked instead is not among {there}")
        return 0

    def pick_of(self, n: int) -> int:
        """Keep to what would happen anyway: without actions nothing can be found."""
        self._position += 1
        return 0

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        self._places.ran(action.key)

    def _take(self, place: int) -> Iterator[tuple[int, Deviation]]:
        """Give what is awaited here, one after the other, until one is found."""
        queue = self._awaited.get(place)
        while queue:
            first = queue.popleft()
            if not queue:
                del self._awaited[place]
            yield first

    def _miss(self, number: int, key: str, missing: str) -> None:
        text = f"deviation {number} of {self._count}: {missing}"
        self._missed.append(Divergence(self._position, key, text))


class Replay:
    """Makes one run for each of some tokens.

    Args:
        tokens: Tokens of runs that failed once.

    Raises:
        TokenError: One of them is none.
    """

    proof: Proof | None = None
    serial = False

    def __init__(self, tokens: Sequence[str]) -> None:
        self._runs = [decode(token) for token in tokens]
        self._made = 0
        self._heard = 0

    @property
    def exhausted(self) -> bool:
        """Whether all of them were tried."""
        return self._heard == len(self._runs)

    @property
    def blocked(self) -> bool:
        """Whether there is no further token."""
        return self._made == len(self._runs)

    def scheduler(self, number: int) -> Deviations:
        self._made += 1
        return Deviations(self._runs[self._made - 1])

    def heard(self, run: Recorded, ending: Ending) -> None:
        self._heard += 1
