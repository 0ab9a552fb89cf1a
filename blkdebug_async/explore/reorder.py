"""Runs by what must come before what, rather than by lists of integers.

What makes a run fail is the order of a few of its steps. A list of integers may need many
deviations to bring that order about in one way, and few in another: to keep a task from going on is
a deviation for each step that others take meanwhile, to keep its request in flight is none until
others wait too. So a run is made that does as it would anyway, but for some constraints: this one
waits for that one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.footprint import Footprint, all_commute
from blkdebug_async.explore.record import Recorded, Step

#: So many constraints at most are looked at: the nearest ones.
_MOST = 400
#: So many steps apart at most.
_NEAR = 12


@dataclass(frozen=True, slots=True)
class Constraint:
    """One action waits for another one."""

    #: Key of the action that comes first.
    first: str
    #: Key of the one that waits until the first has happened.
    then: str


class Keeping:
    """A scheduler that keeps constraints, and does all else as it would happen anyway.

    Args:
        constraints: One that can never be met is given up where nothing else is possible.
        choices: Values of choices, by key and how often it had been chosen about, from 0 on.
    """

    wants_actions = True

    def __init__(
        self, constraints: Sequence[Constraint], choices: Mapping[tuple[str, int], int]
    ) -> None:
        self._waits: dict[str, set[str]] = {}
        for each in constraints:
            self._waits.setdefault(each.then, set()).add(each.first)
        self._choices = choices
        self._chosen: Counter[str] = Counter()
        self._ran: set[str] = set()

    def choose(self, n: int, key: str) -> int:
        place = (key, self._chosen[key])
        self._chosen[key] += 1
        return min(self._choices.get(place, 0), n - 1)

    def pick(self, actions: Sequence[Action]) -> int:
        for index, action in enumerate(actions):
            if self._waits.get(action.key, self._ran) <= self._ran:
                return index
        return 0

    def pick_of(self, n: int) -> int:
        """Never asked: it wants to see actions."""
        return 0

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        self._ran.add(action.key)


def choices_of(run: Recorded) -> dict[tuple[str, int], int]:
    """Give the values of a traced run's choices, as Keeping takes them."""
    chosen: Counter[str] = Counter()
    values = {}
    for decision in run.decisions:
        if not decision.actions:
            values[decision.key, chosen[decision.key]] = decision.value
            chosen[decision.key] += 1
    return values


def races(run: Recorded, usual: Recorded) -> list[Constraint]:
    """List in which order requests came that do not commute, where it is not the usual one.

    Args:
        run: A traced run.
        usual: The traced run of what happens anyway.
    """
    return list(_turned(run, usual, lambda one, other: not all_commute(one.touched, other.touched)))


def turns(run: Recorded, usual: Recorded) -> list[Constraint]:
    """List in which order any steps of different actors came, where it is not the usual one."""
    return list(_turned(run, usual, lambda one, other: True))


def order(run: Recorded) -> list[Constraint]:
    """List in which order steps of different actors came, the nearest first."""
    actions = [step.action for step in run.steps]
    pairs = (
        Constraint(first.key, then.key)
        for distance in range(1, _NEAR)
        for first, then in zip(actions, actions[distance:], strict=False)
        if first.actor != then.actor
    )
    return list(islice(pairs, _MOST))


def _turned(
    run: Recorded, usual: Recorded, matters: Callable[[Step, Step], bool]
) -> Iterator[Constraint]:
    """Give pairs in another order than usual, the nearest first."""
    steps, places = run.steps, {step.action.key: at for at, step in enumerate(usual.steps)}
    never = len(usual.steps)
    found = 0
    for distance in range(1, len(steps)):
        for first, then in zip(steps, steps[distance:], strict=False):
            if first.action.actor == then.action.actor or then.action.key not in places:
                continue
            if places[then.action.key] < places.get(first.action.key, never) and matters(
                first, then
            ):
                yield Constraint(first.action.key, then.action.key)
                found += 1
                if found == _MOST:
                    return
