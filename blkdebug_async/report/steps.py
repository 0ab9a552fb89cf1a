"""The steps of a run as a table: a lane for each who acts, what happened, and where.

What does not matter is folded: callbacks, what comes after the error, and, where there are more
steps than lines, all that is far from whatever went otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Final

from blkdebug_async.explore.timeline import Moment, Timeline
from blkdebug_async.report.graph import Graph
from blkdebug_async.report.lines import Line, Look, cut
from blkdebug_async.report.words import Words, story_place, tells

#: The graph may take this part of the width.
_GRAPH_PART: Final = 3
#: Characters that what happened may take before where that was.
_HAPPENING: Final = 44
_WHO: Final = 16
#: Steps of which there is little to tell are told so near to one that matters.
_NEAR: Final = 1
#: What follows a step that matters is so much less telling than what leads to it.
_AFTER: Final = 3


def step_lines(
    timeline: Timeline, words: Words, *, matters: Collection[int], width: int, most: int | None
) -> list[Line]:
    """Tell the steps of a run.

    Args:
        timeline: The run.
        words: Its words.
        matters: Numbers of steps to be folded last, at least one; the last one is what fails.
        width: Most characters of a line.
        most: Most lines; None: any number, nothing is folded.
    """
    moments = [each for each in timeline.moments if tells(each)]
    shown = _chosen(moments, words, matters, most)
    numbers = {each.number for each in shown}
    graph = Graph(timeline, numbers)
    drawn = graph if graph.width <= width // _GRAPH_PART else None
    who = max((len(words.owner_of(each)) for each in shown), default=0)
    lines = []
    for is_shown, group in groupby(moments, key=lambda each: each.number in numbers):
        if is_shown:
            lines += [_row(each, words, drawn, min(who, _WHO)) for each in group]
        else:
            lines.append(_folded(list(group), words, drawn))
    return [cut(line, width) for line in lines]


def _chosen(
    moments: Sequence[Moment], words: Words, matters: Collection[int], most: int | None
) -> Sequence[Moment]:
    """Choose which steps to show, so that they and the folds have room."""
    if most is None:
        return moments
    ending = max(matters)
    before = [each for each in moments if each.number <= ending]
    if len(before) < most:
        return before
    far = {each.number: _distance(each.number, matters) for each in before}
    telling = [each for each in before if far[each.number] <= _NEAR or not words.is_quiet(each)]
    telling.sort(key=lambda each: far[each.number])
    for count in range(min(most, len(telling)), 1, -1):
        shown = telling[:count]
        numbers = {each.number for each in shown}
        folds = groupby(moments, key=lambda each: each.number in numbers)
        if count + sum(not found for found, _ in folds) <= most:
            return shown
    return telling[:1]


def _distance(number: int, matters: Collection[int]) -> int:
    """Tell how much a step matters: 0 most; what leads to something more than what follows it."""
    far = (each - number if each >= number else _AFTER * (number - each) for each in matters)
    return min(far)


def _row(moment: Moment, words: Words, graph: Graph | None, who: int) -> Line:
    look = Look.BAD if moment.raised and moment.raised != "CancelledError" else Look.PLAIN
    if moment.deviates:
        look = Look.ODD
    mark = "◆" if moment.deviates else " "
    lanes = graph.row(moment) if graph else f"{mark} "
    place = moment.after or moment.before
    place = place and story_place(place)
    where = f"{place.short} {place.text}" if place else ""
    return (
        (f"{moment.number:>5} ", Look.DIM),
        (f"{lanes} ", Look.ODD if moment.deviates else Look.FLIGHT),
        (f"{words.owner_of(moment).ljust(who)}  ", look),
        (f"{words.happening(moment).ljust(_HAPPENING)}  ", look),
        (where, Look.DIM),
    )


def _folded(moments: Sequence[Moment], words: Words, graph: Graph | None) -> Line:
    lanes = graph.between(moments[0].number, moments[-1].number) if graph else "  "
    steps = "1 step" if len(moments) == 1 else f"{len(moments)} steps"
    names = dict.fromkeys(words.owner_of(each) for each in moments)
    return (
        ("    ⋮ ", Look.DIM),
        (f"{lanes} ", Look.FLIGHT),
        (f"{steps} of {', '.join(names)}", Look.DIM),
    )
