"""A failure as text for a terminal: what to look at stands at the ends, and the rest is folded.

The error comes first, then what went otherwise, the steps, and the nearest run that passes. The
token and how to run it again come last, where they stay on the screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from blkdebug_async.explore.deadlock import DeadlockError, Wait
from blkdebug_async.explore.places import Place, raising_place
from blkdebug_async.explore.report import Failure, Replayed
from blkdebug_async.explore.token import encode
from blkdebug_async.report.beside import beside_lines
from blkdebug_async.report.deviations import deviation_lines
from blkdebug_async.report.lines import EMPTY, Line, Look, cut, plain, rendered
from blkdebug_async.report.source import causes_of
from blkdebug_async.report.steps import step_lines
from blkdebug_async.report.words import Words, line_of, whose_error

#: So many lines has a report that is not in full, at most.
_MOST: Final = 60
#: So many of them at most are about the error, the deviations, and the run that passes.
_MOST_OF_ERROR: Final = 12
_MOST_DEVIATIONS: Final = 16
_MOST_BESIDE: Final = 10
_LEGEND: Final = plain(
    "    ● step  ╷┆○ request sent off, in flight, completed  ◆◇ went before what was due", Look.DIM
)
#: At least so many are left for the steps.
_LEAST_STEPS: Final = 12


def text_report(
    shown: Failure | Replayed,
    *,
    width: int = 100,
    colour: bool = False,
    full: bool = False,
    again: str = 'replay(scenario, "{token}").check()',
) -> str:
    """Tell of a failure in text, or of a run that was made again.

    Args:
        shown: What to tell of.
        width: Most characters of a line; the token and the last line may be longer.
        colour: Whether to colour it, for terminals (ANSI).
        full: Whether to show every step; else there are at most 60 lines.
        again: How to run it again, with {token} in it; the last line.
    """
    return rendered(_Telling(shown, width, full).lines(again), colour=colour)


class _Telling:
    """A report in the making."""

    def __init__(self, shown: Failure | Replayed, width: int, full: bool) -> None:
        self._shown = shown
        self._timeline = shown.timeline
        self._error = shown.error
        self._width = width
        self._full = full
        if isinstance(shown, Failure):
            self._deviations, self._passing, self._token = (
                shown.deviations,
                shown.passing,
                shown.token,
            )
        else:
            run = shown.run
            self._deviations = tuple(run.decisions[at] for at in run.deviations)
            self._passing, self._token = None, encode(run)
        self._words = Words(self._timeline, *([self._passing] if self._passing else []))
        error = self._error
        self._raising = None if error is None else whose_error(self._timeline, error)

    def lines(self, again: str) -> list[Line]:
        """Give all lines."""
        above = [
            *self._limited(list(self._ending_lines()), _MOST_OF_ERROR),
            *self._titled("Who waits for what", list(self._waits())),
            *self._titled("What went otherwise than it would have anyway", self._deviation_lines()),
        ]
        below = [*self._titled(*self._beside()), EMPTY, *self._end(again)]
        room = max(_MOST - len(above) - len(below) - 2, _LEAST_STEPS)
        return [
            *above,
            *self._titled("The run", [*self._steps(room), cut(_LEGEND, self._width)]),
            *below,
        ]

    def _titled(self, title: str, lines: list[Line]) -> list[Line]:
        return [EMPTY, plain(title, Look.HEADING), *lines] if lines else []

    def _limited(self, lines: list[Line], most: int) -> list[Line]:
        if self._full or len(lines) <= most:
            return lines
        return [*lines[: most - 1], plain(f"    ⋮ {len(lines) - most + 1} more lines", Look.DIM)]

    # --- the error ---

    def _ending_lines(self) -> Iterator[Line]:
        error = self._error
        if error is None:
            yield plain("The run passed", Look.GOOD)
        else:
            yield from (cut(line, self._width) for line in self._error_lines(error))
        yield cut(plain(f"  {self._facts()}", Look.DIM), self._width)
        if isinstance(self._shown, Replayed):
            for divergence in self._shown.divergences:
                yield cut(plain(f"  The replay diverged: {divergence}", Look.ODD), self._width)

    def _error_lines(self, error: BaseException) -> Iterator[Line]:
        for cause in causes_of(error) if isinstance(error, BaseExceptionGroup) else (error,):
            first, *more = f"{type(cause).__name__}: {cause}".removesuffix(": ").splitlines()
            yield plain(self._words.people(first), Look.BAD)
            if not isinstance(cause, DeadlockError):
                yield from (plain(f"  {line}") for line in more)
        place = raising_place(error)
        if place is not None and not isinstance(error, DeadlockError):
            yield plain(f"  {line_of(place)}")

    def _facts(self) -> str:
        count = len(self._timeline.moments)
        steps = "1 step" if count == 1 else f"{count} steps"
        if self._raising is not None:
            who = self._words.owner_of(self._raising)
            steps = f"by {who} in step {self._raising.number} of {steps}"
        found = f"; found in run {self._shown.runs}" if isinstance(self._shown, Failure) else ""
        return steps + found

    def _waits(self) -> Iterator[Line]:
        error = self._error
        waits = error.waits if isinstance(error, DeadlockError) else ()
        # Those who wait for others to be over tell least.
        waits = tuple(sorted(waits, key=lambda wait: "task" in wait.what))
        tasks = {wait: self._words.task(wait.task) for wait in waits}
        width = max(map(len, tasks.values()), default=0)
        for wait, task in tasks.items():
            what = self._words.people(wait.what)
            place = _place_of(wait)
            where = f", {line_of(place)}" if place else f", at {wait.where}"
            line = ((f"  {task.ljust(width)}  ", Look.BAD), (what, Look.PLAIN), (where, Look.DIM))
            yield cut(line, self._width)

    # --- the run ---

    def _deviation_lines(self) -> list[Line]:
        lines = deviation_lines(self._deviations, self._timeline, self._words, self._width)
        return self._limited(lines, _MOST_DEVIATIONS)

    def _steps(self, most: int) -> list[Line]:
        return step_lines(
            self._timeline,
            self._words,
            matters=self._what_matters(),
            width=self._width,
            most=None if self._full else most,
        )

    def _what_matters(self) -> set[int]:
        """Give the numbers of steps that must be told of; the last one is the one that fails."""
        concerned = {
            action.key
            for each in self._deviations
            if each.actions
            for action in (each.actions[0], each.actions[each.value])
        }
        return {self._ending} | {
            each.number
            for each in self._timeline.moments[: self._ending]
            if each.deviates or concerned.intersection((each.action.key, *each.launched))
        }

    @property
    def _ending(self) -> int:
        """Number of the step that fails."""
        last = self._timeline.moments[-1:]
        return self._raising.number if self._raising else last[0].number if last else 0

    def _beside(self) -> tuple[str, list[Line]]:
        passing = self._passing
        if passing is None:
            return "", []
        lines = beside_lines(
            self._timeline,
            passing,
            ending=self._ending,
            width=self._width,
            most=None if self._full else _MOST_BESIDE,
        )
        return "This run, and beside it the nearest one that passes", lines

    def _end(self, again: str) -> Iterator[Line]:
        token = self._token
        yield (("token: ", Look.DIM), (token, Look.HEADING))
        yield (("again: ", Look.DIM), (again.replace("{token}", token), Look.HEADING))


def _place_of(wait: Wait) -> Place | None:
    position, found, function = wait.where.rpartition(" in ")
    file, colon, line = position.rpartition(":")
    return Place(file, int(line), function) if found and colon and line.isdigit() else None
