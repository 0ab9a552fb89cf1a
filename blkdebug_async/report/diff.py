"""What differs between two runs: which steps only one of them has, and which come elsewhere.

Steps are the same if they have the same name; the second of one name in a run is another step than
the first. Of the steps that both runs have, as many as possible count as being in order; the rest
were moved. Where it could be either of two, it is the one that deviates.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final, TypeAlias

from blkdebug_async.explore.timeline import Moment, Timeline


class Difference(StrEnum):
    """What a stretch of steps is, seen from two runs."""

    #: Both runs have these steps, here.
    SAME = "same"
    #: Only the failing run has them.
    FAILING = "failing"
    #: Only the passing run has them.
    PASSING = "passing"
    #: Both have them, and the failing run has them here.
    MOVED_HERE = "moved here"
    #: Both have them, and the passing run has them here.
    MOVED_AWAY = "moved away"


@dataclass(frozen=True, slots=True)
class Change:
    """A stretch of steps of the same kind.

    All changes put together give both runs: the failing one where they stand in `failing`, the
    passing one where they stand in `passing`.
    """

    difference: Difference
    #: Steps that the failing run has here.
    failing: tuple[Moment, ...] = ()
    #: Steps that the passing run has here; of what is the same, as many as above.
    passing: tuple[Moment, ...] = ()
    #: Of what was moved: the same steps in the other run.
    elsewhere: tuple[Moment, ...] = ()


def compare(failing: Timeline, passing: Timeline) -> tuple[Change, ...]:
    """Tell what differs between two runs of a scenario.

    Args:
        failing: The one that is told about.
        passing: The one that it is compared to.

    Returns:
        The changes in their order; where each run has something of its own, the failing one's
        come first.
    """
    ours, theirs = _by_name(failing.moments), _by_name(passing.moments)
    # Names are as long as a run, so they are compared once, here.
    where = {name: number for number, name in enumerate(theirs)}
    pairs = [(at, where[name]) for at, name in enumerate(ours) if name in where]
    of_ours = {at: passing.moments[to] for at, to in pairs}
    of_theirs = {to: failing.moments[at] for at, to in pairs}
    changes: list[Change] = []
    after_ours = after_theirs = 0
    ends = [(len(ours), len(theirs))]
    for stretch in (*_stretches(_in_order(pairs, failing.moments)), ends):
        at, to = stretch[0]
        for here, elsewhere in _groups(failing.moments[after_ours:at], after_ours, of_ours):
            kind = Difference.MOVED_HERE if elsewhere else Difference.FAILING
            changes.append(Change(kind, failing=here, elsewhere=elsewhere))
        for here, elsewhere in _groups(passing.moments[after_theirs:to], after_theirs, of_theirs):
            kind = Difference.MOVED_AWAY if elsewhere else Difference.PASSING
            changes.append(Change(kind, passing=here, elsewhere=elsewhere))
        after_ours, after_theirs = at + len(stretch), to + len(stretch)
        if stretch is not ends:
            here = failing.moments[at:after_ours]
            changes.append(Change(Difference.SAME, here, passing.moments[to:after_theirs]))
    return tuple(changes)


_Name: TypeAlias = tuple[str, int]


def _by_name(moments: Sequence[Moment]) -> list[_Name]:
    """Name each step by its key, and how often that had come before."""
    seen: Counter[str] = Counter()
    names = []
    for moment in moments:
        key = moment.action.key
        names.append((key, seen[key]))
        seen[key] += 1
    return names


def _groups(
    moments: Sequence[Moment], first: int, counterparts: Mapping[int, Moment]
) -> Iterator[tuple[tuple[Moment, ...], tuple[Moment, ...]]]:
    """Sort what one run alone has in a place: steps, and the same steps in the other run, or ()."""
    numbered = enumerate(moments, first)
    for found, group in groupby(numbered, key=lambda each: each[0] in counterparts):
        positions, here = zip(*group, strict=True)
        yield here, tuple(counterparts[at] for at in positions) if found else ()


_Pair: TypeAlias = tuple[int, int]

#: Worth of a step kept in order: one more step counts for more than any preference.
_KEPT: Final = 1 << 32


def _in_order(pairs: Sequence[_Pair], moments: Sequence[Moment]) -> list[_Pair]:
    """Choose as many pairs as possible that rise in both runs, those that deviate last.

    Args:
        pairs: Positions in both runs, rising in the first.
        moments: Steps of the first run.
    """
    # The best chain of each worth that ends lowest: (its end, its worth), both rising.
    ends: list[int] = []
    best: list[tuple[int, int]] = []
    before: list[int] = []
    for number, (at, to) in enumerate(pairs):
        below = bisect_left(ends, to)
        worth, previous = best[below - 1] if below else (0, -1)
        worth += _KEPT + (not moments[at].deviates)
        before.append(previous)
        beaten = below
        while beaten < len(best) and best[beaten][0] <= worth:
            beaten += 1
        ends[below:beaten] = [to]
        best[below:beaten] = [(worth, number)]
    chain = []
    number = best[-1][1] if best else -1
    while number >= 0:
        chain.append(pairs[number])
        number = before[number]
    return chain[::-1]


def _stretches(pairs: Sequence[_Pair]) -> Iterator[list[_Pair]]:
    """Cut a chain of pairs where either run has something in between."""
    stretch: list[_Pair] = []
    for at, to in pairs:
        if stretch and stretch[-1] != (at - 1, to - 1):
            yield stretch
            stretch = []
        stretch.append((at, to))
    if stretch:
        yield stretch
