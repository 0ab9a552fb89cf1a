"""Wakeup trees: which ways are still to be taken from a state, as trees of steps.

Each branch starts a run that is in no class of those seen, and says how it goes on until that is
sure (Abdulla et al., Source sets, JACM 2017). Going on freely behind a leaf meets all the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from blkdebug_async.explore.record import Step

#: Whether the order of two steps may matter.
Dependent = Callable[[Step, Step], bool]


@dataclass(slots=True)
class Wake:
    """A step that is to be taken, and what is to be taken behind it."""

    #: Key of its action.
    key: str
    #: The step as it was in another run; None: that does not tell what it will touch.
    step: Step | None = None
    #: The values that were chosen in it, to what is to be taken then. Other values are tried too.
    branches: dict[tuple[int, ...], list[Wake]] = field(default_factory=dict)


class Entry(NamedTuple):
    """A step of a sequence that is to be run."""

    #: Key of its action.
    key: str
    #: The step as it was; None: as it was does not tell what it will touch.
    step: Step | None
    #: What was chosen in it.
    values: tuple[int, ...]
    #: Its number in the run that it is from.
    number: int
    #: Which steps of that run happened before it, for a reason: the bits that are set.
    before: int


def starts(entries: Sequence[Entry], key: str) -> int | None:
    """Tell which entry is the first one of an action.

    Returns:
        Its index; None: there is none; -1: it cannot be the first of all, others must be before.
    """
    earlier = 0
    for index, entry in enumerate(entries):
        if entry.key == key:
            return -1 if entry.before & earlier else index
        earlier |= 1 << entry.number
    return None


def covers(
    key: str, variants: Sequence[Step], entries: Sequence[Entry], dependent: Dependent
) -> bool:
    """Tell whether a sequence may as well start with an action: in it, or added to it.

    Args:
        key: The action's key.
        variants: How its step went, each time it was tried; none: it may depend on all.
        entries: The sequence.
        dependent: What says whether the order of two steps may matter.
    """
    index = starts(entries, key)
    if index is not None:
        return index >= 0
    return all(commute(variants, entry, dependent) for entry in entries)


def commute(variants: Sequence[Step], entry: Entry, dependent: Dependent) -> bool:
    """Tell whether it is sure that the order of an action and an entry does not matter.

    Args:
        variants: How the action's step went, each time it was tried; none: not known.
        entry: The entry.
        dependent: What says whether the order of two steps may matter.
    """
    other = entry.step
    if other is None or not variants:
        return False
    return not any(dependent(step, other) for step in variants)


def insert(wakes: list[Wake], entries: Sequence[Entry], dependent: Dependent) -> None:
    """Add a sequence to a tree, unless runs of the tree will be in its class.

    Args:
        wakes: The first steps of the tree; changed.
        entries: The sequence, not empty.
        dependent: What says whether the order of two steps may matter.
    """
    rest = list(entries)
    while rest:
        wake = _leading(wakes, rest, dependent)
        if wake is None:
            wakes.append(_chain(rest))
            return
        if not wake.branches:
            return
        index = starts(rest, wake.key)
        values = () if index is None else rest.pop(index).values
        wakes = wake.branches.setdefault(values, [])


def _leading(wakes: list[Wake], rest: list[Entry], dependent: Dependent) -> Wake | None:
    for wake in wakes:
        variants = [wake.step] if wake.step else []
        if covers(wake.key, variants, rest, dependent):
            return wake
    return None


def _chain(entries: Sequence[Entry]) -> Wake:
    behind: list[Wake] = []
    for entry in reversed(entries):
        branches = {entry.values: behind} if behind else {}
        # With other values the step may touch something else.
        step = None if entry.values else entry.step
        behind = [Wake(entry.key, step, branches)]
    return behind[0]
