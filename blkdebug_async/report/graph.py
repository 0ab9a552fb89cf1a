"""The lanes of a run, drawn with characters: a column for each task and each request in flight."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.timeline import Lane, Moment, Timeline

#: Characters of a column.
COLUMN: Final = 2

_TASK, _TASK_ACTS, _TASK_DEVIATES = "│", "●", "◆"
_FLIGHT, _FLIGHT_BEGINS, _FLIGHT_LANDS, _FLIGHT_DEVIATES = "┆", "╷", "○", "◇"


@dataclass(frozen=True, slots=True)
class _Stretch:
    lane: Lane
    first: int
    last: int


class Graph:
    """Columns for those who act in some steps of a run; one column serves several, in turn.

    Args:
        timeline: The run.
        shown: Numbers of the steps that are shown.
    """

    def __init__(self, timeline: Timeline, shown: Collection[int]) -> None:
        acting = {
            name
            for moment in timeline.moments
            if moment.number in shown
            for name in (moment.action.actor, *moment.launched)
        }
        alive = {
            moment.action.actor: moment.after is not None
            for moment in timeline.moments
            if moment.action.kind is Kind.TASK
        }
        self._columns: list[list[_Stretch]] = []
        for lane in timeline.lanes():
            if lane.name in acting:
                goes_on = lane.ends is None or alive.get(lane.name, False)
                last = len(timeline.moments) if goes_on else lane.ends or 0
                self._add(_Stretch(lane, lane.begins, last))

    @property
    def width(self) -> int:
        """Characters of a row."""
        return COLUMN * len(self._columns)

    def row(self, moment: Moment) -> str:
        """Draw a step."""
        cells = (self._cell(column, moment) for column in self._columns)
        return "".join(cell.ljust(COLUMN) for cell in cells)

    def between(self, before: int, after: int) -> str:
        """Draw steps that are left out, by their numbers: who is there all the time."""
        cells = (
            "".join(
                _TASK if each.lane.kind is Kind.TASK else _FLIGHT
                for each in column
                if each.first < before and each.last > after
            )
            for column in self._columns
        )
        return "".join(cell.ljust(COLUMN) for cell in cells)

    def _add(self, stretch: _Stretch) -> None:
        for column in self._columns:
            if column[-1].last < stretch.first:
                column.append(stretch)
                return
        self._columns.append([stretch])

    def _cell(self, column: list[_Stretch], moment: Moment) -> str:
        number = moment.number
        stretch = next((each for each in column if each.first <= number <= each.last), None)
        if stretch is None:
            return ""
        is_task = stretch.lane.kind is Kind.TASK
        if stretch.lane.name == moment.action.actor:
            if moment.deviates:
                return _TASK_DEVIATES if is_task else _FLIGHT_DEVIATES
            return _TASK_ACTS if is_task else _FLIGHT_LANDS
        if is_task:
            return _TASK
        return _FLIGHT_BEGINS if number == stretch.first else _FLIGHT
