"""What went otherwise in a run: who went first, who was held back meanwhile, and at which lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.places import Place
from blkdebug_async.explore.record import Decision
from blkdebug_async.explore.timeline import Timeline
from blkdebug_async.report.lines import Line, Look, cut, plain
from blkdebug_async.report.source import stack_of
from blkdebug_async.report.words import Words, doer, line_of, story_place


def deviation_lines(
    deviations: Sequence[Decision], timeline: Timeline, words: Words, width: int
) -> list[Line]:
    """Tell of the deviations of a run, those together that hold back the same thing.

    Args:
        deviations: What went otherwise, in order.
        timeline: The run.
        words: Its words.
        width: Most characters of a line.
    """
    telling = _Telling(timeline, words)
    lines: list[Line] = []
    for key, group in groupby(deviations, key=lambda each: (bool(each.actions), each.key)):
        decisions = list(group)
        lines += telling.held_back(decisions) if key[0] else telling.chosen(decisions)
    return [cut(line, width) for line in lines]


class _Telling:
    """Tells of deviations of one kind."""

    def __init__(self, timeline: Timeline, words: Words) -> None:
        self._timeline = timeline
        self._words = words

    def chosen(self, decisions: Sequence[Decision]) -> Iterator[Line]:
        """Tell of choices: faults and the like."""
        for decision in decisions:
            yield self._headed((decision.step,), self._words.choice(decision))
            moment = self._timeline.moments[decision.step]
            yield from self._where(moment.before or moment.after)

    def held_back(self, decisions: Sequence[Decision]) -> Iterator[Line]:
        """Tell of picks that did not take the same thing, though it could have happened."""
        first = decisions[0].step
        held = decisions[0].actions[0]
        noun = self._noun(held)
        yield ((f"  held back {self._until(held, first)}: ", Look.DIM), (noun, Look.HEADING))
        yield from self._where(self._place_before(held, first))
        taken = [(each.step, each.actions[each.value]) for each in decisions]
        for _, group in groupby(taken, key=lambda each: self._noun(each[1])):
            steps, actions = zip(*group, strict=True)
            times = {1: "", 2: " twice"}.get(len(steps), f" {len(steps)} times")
            what = self._words.sentence(actions[-1])
            yield self._headed(steps, f"{what}{times} before it")
            yield from self._where(self._place_before(actions[-1], steps[-1]))

    def _noun(self, action: Action) -> str:
        return self._words.noun(action.actor, action.kind)

    def _headed(self, steps: Sequence[int], what: str) -> Line:
        numbers = ", ".join(map(str, steps))
        if len(steps) > 2 and len(steps) == steps[-1] - steps[0] + 1:
            numbers = f"{steps[0]} to {steps[-1]}"
        step = "step" if len(steps) == 1 else "steps"
        return ((f"  {step} {numbers}: ", Look.DIM), (what, Look.ODD))

    def _until(self, action: Action, first: int) -> str:
        moments = self._timeline.moments[first:]
        happened = next((each.number for each in moments if each.action.key == action.key), None)
        return "for ever" if happened is None else f"until step {happened}"

    def _where(self, place: Place | None) -> Iterator[Line]:
        if place is None:
            return
        told = story_place(place)
        yield plain(f"      {line_of(told)}")
        outermost = stack_of(place)[0]
        if outermost != told:
            yield plain(f"        called in {line_of(outermost)}", Look.DIM)

    def _place_before(self, action: Action, step: int) -> Place | None:
        """Give the line at which somebody waited before a step, or sent off what is in flight."""
        moments = self._timeline.moments
        if action.kind is Kind.TASK:
            earlier = [each for each in moments[:step] if each.action.actor == action.actor]
            if earlier:
                return earlier[-1].after
            later = (each for each in moments[step:] if each.action.actor == action.actor)
            return next((each.before for each in later), None)
        sent = next((each for each in moments[:step] if action.key in each.launched), None)
        if sent is None:
            owner = doer(action.actor, action.kind).owner
            sent = next(
                (each for each in reversed(moments[:step]) if each.action.actor == owner), None
            )
        return None if sent is None else sent.after or sent.before
