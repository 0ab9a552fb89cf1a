"""What the page of a run shows, as plain data for JSON; names, places and touches once each."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeAlias, TypeVar

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.footprint import Footprint, is_sync
from blkdebug_async.explore.places import Place
from blkdebug_async.explore.report import Failure, Replayed
from blkdebug_async.explore.timeline import Moment, Timeline
from blkdebug_async.explore.token import encode
from blkdebug_async.report.diff import Change, compare
from blkdebug_async.report.lanes import Row, Rows, Span, rows_of
from blkdebug_async.report.source import (
    causes_of,
    lines_around,
    shown_path,
    stack_of,
    traceback_of,
)
from blkdebug_async.report.words import Words, story_place, whose_error

#: What JSON can say.
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | dict[str, Json] | None"

#: So many lines of source are shown before and after each place.
_CONTEXT: Final = 5

_T = TypeVar("_T", bound=Hashable)


class _Numbered(Generic[_T]):
    """Things that are said once and then named by number."""

    def __init__(self) -> None:
        self._numbers: dict[_T, int] = {}

    def number(self, thing: _T) -> int:
        return self._numbers.setdefault(thing, len(self._numbers))

    def all(self) -> tuple[_T, ...]:
        return tuple(self._numbers)


@dataclass(slots=True)
class _Tables:
    """What is said once for the whole page."""

    names: _Numbered[str] = field(default_factory=_Numbered)
    places: _Numbered[Place] = field(default_factory=_Numbered)
    touches: _Numbered[Footprint] = field(default_factory=_Numbered)

    def stack(self, place: Place | None) -> list[int]:
        """Number a place and its callers, the outermost first."""
        return [self.places.number(_alone(each)) for each in stack_of(place)]


def page_data(shown: Failure | Replayed, again: str) -> dict[str, Json]:
    """Put together what the page shows of a failure, or of a run that was made again."""
    tables = _Tables()
    timeline = shown.timeline
    passing = shown.passing if isinstance(shown, Failure) else None
    words = Words(timeline, *([passing] if passing else ()))
    rows = rows_of(timeline)
    token = shown.token if isinstance(shown, Failure) else encode(shown.run)
    data: dict[str, Json] = {
        "token": token,
        "again": again.replace("{token}", token),
        "facts": _facts(shown),
        "errors": [] if shown.error is None else _errors(shown.error, tables),
        "rows": [_row(row, words, tables) for row in rows.rows],
        "steps": [_step(moment, rows, words, tables) for moment in timeline.moments],
        "raised": _raised(shown),
        "passing": None,
        "changes": [],
    }
    if passing is not None:
        their = Words(passing, timeline)
        data["passing"] = [_passing_step(moment, their, tables) for moment in passing.moments]
        data["changes"] = _changes(timeline, passing)
    data["names"] = tables.names.all()
    data["touches"] = [_touch(each) for each in tables.touches.all()]
    data.update(_source(tables.places.all()))
    return data


def _facts(shown: Failure | Replayed) -> list[Json]:
    """Say in a few words each how it was found."""
    count = len(shown.run.deviations)
    facts: list[Json] = [f"{len(shown.timeline.moments)} steps", _count(count, "deviation")]
    if isinstance(shown, Failure):
        facts.append(f"found in run {shown.runs}")
        shrunk = "simplest found" if shown.shrunk else "perhaps not the simplest"
        facts.append(f"{shrunk}, after {_count(shown.shrink_runs, 'run')} of shrinking")
    else:
        facts.append("made again")
        facts += [f"the token does not fit: {each}" for each in shown.divergences]
    return facts


def _raised(shown: Failure | Replayed) -> int | None:
    """Give the number of the step in which the error was raised; None: that is not known."""
    moment = None if shown.error is None else whose_error(shown.timeline, shown.error)
    return None if moment is None else moment.number


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _errors(error: BaseException, tables: _Tables) -> list[Json]:
    """Tell of an error and of those behind it."""
    told: list[Json] = []
    for each in causes_of(error):
        stack = [tables.places.number(_alone(place)) for place in traceback_of(each)]
        notes = [str(note) for note in getattr(each, "__notes__", ())]
        words = "\n".join([str(each), *notes]).strip()
        told.append({"type": type(each).__qualname__, "message": words, "stack": stack})
    return told


# --- rows and steps ---


def _row(row: Row, words: Words, tables: _Tables) -> dict[str, Json]:
    return {
        "name": words.task(row.name) if row.kind is Kind.TASK else row.name,
        "label": row.label,
        "kind": row.kind.value,
        "depth": row.depth,
        "begins": row.begins,
        "ends": row.ends,
        "spans": [_span(span, words, tables) for span in row.spans],
    }


def _span(span: Span, words: Words, tables: _Tables) -> dict[str, Json]:
    return {
        "key": tables.names.number(span.key),
        "label": words.thing(span.key, span.kind),
        "begins": span.begins,
        "ends": span.ends,
    }


def _step(moment: Moment, rows: Rows, words: Words, tables: _Tables) -> dict[str, Json]:
    """Tell of a step; what there is nothing to say of is left out."""
    action, name = moment.action, tables.names.number
    step: dict[str, Json] = {
        "key": name(action.key),
        "kind": action.kind.value,
        "what": words.happening(moment),
        "row": rows.of[action.actor],
        "time": moment.time,
        "before": tables.stack(moment.before),
        "after": tables.stack(moment.after),
        "touched": list(dict.fromkeys(map(tables.touches.number, moment.touched))),
    }
    if moment.waits_for:
        step["waits"] = words.people(moment.waits_for)
    if moment.raised:
        step["raised"] = moment.raised
    if moment.launched:
        step["sent"] = [name(key) for key in moment.launched]
    if action.actor in rows.senders and (sender := rows.senders[action.actor]):
        step["sender"] = rows.of[sender]
    decision = moment.decision
    if decision is not None:
        step["options"] = [
            [name(option.key), words.sentence(option)] for option in decision.actions
        ]
        step["picked"] = decision.value
        step["instead"] = rows.of.get(decision.actions[0].actor)
    if moment.choices:
        step["choices"] = [[each.key, each.n, each.value] for each in moment.choices]
    return step


def _touch(touch: Footprint) -> list[Json]:
    """Tell what was touched: how, what, and which bytes; no bytes, where it is no node."""
    if is_sync(touch):
        return [touch.touch.value, touch.node.partition(":")[2]]
    return [touch.touch.value, touch.node, touch.offset, touch.length]


# --- source ---


def _alone(place: Place) -> Place:
    """Give a place without its callers."""
    return Place(place.file, place.line, place.function)


def _source(places: Sequence[Place]) -> dict[str, Json]:
    """Give all places, and the lines around them."""
    files: dict[str, dict[int, str]] = {}
    for place in places:
        files.setdefault(place.file, {}).update(lines_around(place, _CONTEXT))
    numbers = {path: number for number, path in enumerate(files)}
    return {
        "places": [[numbers[place.file], place.line, place.function] for place in places],
        "files": [
            {"path": shown_path(path), "lines": {str(at): text for at, text in lines.items()}}
            for path, lines in files.items()
        ],
    }


# --- the nearest passing run ---


def _passing_step(moment: Moment, words: Words, tables: _Tables) -> list[Json]:
    place = None if moment.after is None else story_place(moment.after)
    shown = None if place is None else tables.places.number(_alone(place))
    return [words.owner_of(moment), words.happening(moment), shown]


def _changes(failing: Timeline, passing: Timeline) -> list[Json]:
    return [_change(change) for change in compare(failing, passing)]


def _change(change: Change) -> Json:
    """Tell of a stretch of steps: what it is, and their numbers in either run."""
    return [
        change.difference.value,
        [moment.number for moment in change.failing],
        [moment.number for moment in change.passing],
        [moment.number for moment in change.elsewhere],
    ]
