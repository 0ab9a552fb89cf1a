"""Rows in a picture of a run: tasks below who made them, requests below who sent them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.footprint import is_sync
from blkdebug_async.explore.timeline import Moment, Timeline

#: Up to so many requests of a task get a row each; more share rows where they do not overlap.
ROWS_PER_TASK: Final = 8
#: The row of callbacks that belong to no task.
_LOOP: Final = "event loop"
#: What the footprint of a task is called.
_TASK_NODE: Final = "sync:task "


@dataclass(frozen=True, slots=True)
class Span:
    """Something in flight: a request, or the work of a thread."""

    key: str
    kind: Kind
    #: Number of the step that sent it off.
    begins: int
    #: Number of the step that completed it; None: none did.
    ends: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the picture."""

    #: Of a task its stable name; of requests that of the first one.
    name: str
    #: The same, as short as the rows above it allow; "" where there is one span, which has a name.
    label: str
    kind: Kind
    #: How far it is indented.
    depth: int
    #: Number of the step that made it.
    begins: int
    #: Number of the step with which it was over; None: it never was.
    ends: int | None
    #: What is in flight; () of a task.
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of a picture."""

    rows: tuple[Row, ...]
    #: Number of the row of whoever acts, and of whatever goes into flight.
    of: dict[str, int]
    #: Who sent off what is in flight: the name of a task, "" for the event loop.
    senders: dict[str, str]


def rows_of(timeline: Timeline) -> Rows:
    """Give everybody in a run a row."""
    moments = timeline.moments
    tasks = _tasks(moments)
    senders, spans = _sent(moments, tasks)
    rows: list[Row] = []
    of: dict[str, int] = {}
    for task in _family(tasks):
        of[task.name] = len(rows)
        rows.append(task)
        _add_spans(spans[task.name], task.depth + 1, rows, of)
    strangers = [
        moment.action.actor
        for moment in moments
        if moment.action.actor not in of and not _owner(moment.action.actor, tasks)
    ]
    if strangers or spans[""]:
        of |= dict.fromkeys(strangers, len(rows))
        rows.append(Row(_LOOP, _LOOP, Kind.CALL, 0, 0, None))
        _add_spans(spans[""], 1, rows, of)
    for moment in moments:
        actor = moment.action.actor
        if actor not in of:
            of[actor] = of[_owner(actor, tasks)]
    return Rows(tuple(rows), of, senders)


# --- tasks ---


def _tasks(moments: Sequence[Moment]) -> dict[str, Row]:
    """Find all tasks, in the order in which they were made."""
    acting = {
        action.actor
        for moment in moments
        for action in (moment.action, *(moment.decision.actions if moment.decision else ()))
        if action.kind is Kind.TASK
    }
    begins: dict[str, int] = {}
    ends: dict[str, int | None] = {}
    for moment in moments:
        if moment.action.kind is Kind.TASK:
            begins.setdefault(moment.action.actor, moment.number)
            ends[moment.action.actor] = None if moment.after else moment.number
        # Whoever makes a task touches it.
        for footprint in moment.touched:
            name = footprint.node.removeprefix(_TASK_NODE)
            if is_sync(footprint) and name in acting:
                begins.setdefault(name, moment.number)
    for name in acting:
        begins.setdefault(name, 0)
    return {
        name: Row(name, name, Kind.TASK, 0, begin, ends.get(name)) for name, begin in begins.items()
    }


def _family(tasks: dict[str, Row]) -> Iterator[Row]:
    """Put each task below its maker, and shorten its label by the maker's name."""
    children: defaultdict[str, list[str]] = defaultdict(list)
    for name in tasks:
        children[_owner(name, tasks, "/")].append(name)
    waiting = [(name, 0) for name in reversed(children[""])]
    while waiting:
        name, depth = waiting.pop()
        maker = _owner(name, tasks, "/")
        label = name.removeprefix(f"{maker}/") if maker else name
        yield replace(tasks[name], label=label, depth=depth)
        waiting += [(child, depth + 1) for child in reversed(children[name])]


def _owner(name: str, tasks: dict[str, Row], mark: str = ">") -> str:
    """Give the longest name of a task that a name begins with, up to a mark; "": there is none."""
    while mark in name:
        name = name.rpartition(mark)[0]
        if name in tasks:
            return name
    return ""


# --- what is in flight ---


def _sent(
    moments: Sequence[Moment], tasks: dict[str, Row]
) -> tuple[dict[str, str], defaultdict[str, list[Span]]]:
    """Find who sent off what, and how long it was in flight."""
    ends = {moment.action.key: (moment.action.kind, moment.number) for moment in moments}
    senders: dict[str, str] = {}
    spans: defaultdict[str, list[Span]] = defaultdict(list)
    for moment in moments:
        actor = moment.action.actor
        sender = actor if actor in tasks else senders.get(actor) or _owner(actor, tasks)
        for key in moment.launched:
            senders[key] = sender
            kind, end = ends.get(key, (Kind.REQUEST, None))
            spans[sender].append(Span(key, kind, moment.number, end))
    return senders, spans


def _add_spans(spans: Sequence[Span], depth: int, rows: list[Row], of: dict[str, int]) -> None:
    """Add the rows of what one task has sent off."""
    alone = len(spans) <= ROWS_PER_TASK
    lines = [[span] for span in spans] if alone else _packed(spans)
    for number, line in enumerate(lines):
        label = ""
        if not alone:
            label = f"in flight {number + 1}" if len(lines) > 1 else "in flight"
        end = line[-1].ends
        of |= dict.fromkeys((span.key for span in line), len(rows))
        rows.append(Row(line[0].key, label, line[0].kind, depth, line[0].begins, end, tuple(line)))


def _packed(spans: Sequence[Span]) -> list[list[Span]]:
    """Put spans into as few lines as possible, so that those of one line do not overlap."""
    lines: list[list[Span]] = []
    for span in spans:
        for line in lines:
            end = line[-1].ends
            if end is not None and end < span.begins:
                line.append(span)
                break
        else:
            lines.append([span])
    return lines
