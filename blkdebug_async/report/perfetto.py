"""A run as a trace for ui.perfetto.dev: a track for each task, and below it what it has sent off.

The trace has track events, Perfetto's own format, and not Chrome's JSON, as only these have tracks
below tracks, in an order, and requests that never end. A step takes a microsecond, since virtual
time mostly stands still; it is among what is told of a step.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.footprint import Footprint, is_sync
from blkdebug_async.explore.places import Place
from blkdebug_async.explore.record import Decision
from blkdebug_async.explore.report import Failure, Replayed
from blkdebug_async.explore.timeline import Moment
from blkdebug_async.report.lanes import Row, Span, rows_of
from blkdebug_async.report.protobuf import double, fixed64, message, text, varint
from blkdebug_async.report.source import stack_of
from blkdebug_async.report.words import Words, line_of

#: What is told of an event.
_Told: TypeAlias = "int | float | str | Sequence[_Told] | Mapping[str, _Told]"

#: Nanoseconds of a step, of which its slice takes the first part.
_STEP: Final = 1000
_TAKEN: Final = 900
#: Slices in flight end behind that of their completion.
_LANDED: Final = 950
#: Identifiers of the first tracks; those of the rows follow.
_RUN, _DEVIATIONS, _FIRST_ROW = 1, 2, 3
#: Kinds of track events.
_BEGIN, _END, _INSTANT = 1, 2, 3
#: How tracks below one track are arranged: as their ranks say, and each by itself.
_BY_RANK, _NEVER_MERGED = 3, 2
#: How a future of something in flight is called.
_FLIGHT: Final = "flight "
#: A sequence of packets has a number, and its first packet says that nothing came before.
_SEQUENCE, _CLEARED = 1, 1


def perfetto_trace(shown: Failure | Replayed, *, title: str = "run") -> bytes:
    """Make a trace of a failure, or of a run that was made again.

    Args:
        shown: What to show.
        title: What the track above all others is called.

    Returns:
        What a file has that ui.perfetto.dev opens, or Perfetto's trace_processor.
    """
    return _Tracing(shown, title).trace()


def write_perfetto(
    shown: Failure | Replayed, path: str | os.PathLike[str], *, title: str = "run"
) -> None:
    """Write the trace of a failure, or of a run that was made again, into a file.

    Args:
        shown: What to show.
        path: The file, by custom "*.pftrace"; what is there is lost.
        title: As of perfetto_trace().

    Raises:
        OSError: It cannot be written.
    """
    Path(path).write_bytes(perfetto_trace(shown, title=title))


class _Tracing:
    """A trace that is being made."""

    def __init__(self, shown: Failure | Replayed, title: str) -> None:
        self._title = title
        self._moments = shown.timeline.moments
        self._words = Words(shown.timeline)
        self._rows = rows_of(shown.timeline)
        #: Of each task, the numbers of its steps.
        self._steps: defaultdict[str, list[int]] = defaultdict(list)
        for moment in self._moments:
            self._steps[moment.action.actor].append(moment.number)
        #: Numbers of arrows, by what they belong to; those that begin, or end, with a step.
        self._arrows = {key: number for number, key in enumerate(self._rows.senders, 1)}
        self._arriving = self._arrivals()

    def trace(self) -> bytes:
        """Put the packets together: tracks, then events in the order of time."""
        events = [
            *(event for moment in self._moments for event in self._step(moment)),
            *(event for row in self._rows.rows for span in row.spans for event in self._span(span)),
        ]
        # Stable, so that what happens at one time stays in its order.
        events.sort(key=lambda event: event[0])
        packets = [*self._tracks(), *(_packet(event, when) for when, event in events)]
        return b"".join(packets)

    # --- tracks ---

    def _tracks(self) -> Iterator[bytes]:
        yield _packet(_track(_RUN, self._title, None, 0), cleared=True)
        yield _packet(_track(_DEVIATIONS, "deviations", _RUN, 0))
        above: list[int] = []
        for number, row in enumerate(self._rows.rows):
            del above[row.depth :]
            parent = above[-1] if above else _RUN
            yield _packet(_track(_FIRST_ROW + number, self._name(row), parent, number + 1))
            above.append(_FIRST_ROW + number)

    def _name(self, row: Row) -> str:
        return row.label or self._words.thing(row.name, row.kind)

    def _track_of(self, name: str) -> int:
        return _FIRST_ROW + self._rows.of[name]

    # --- steps ---

    def _step(self, moment: Moment) -> Iterator[tuple[int, bytes]]:
        action, start = moment.action, moment.number * _STEP
        track = self._track_of(action.actor)
        name = self._words.happening(moment)
        told = dict(self._told(moment))
        arrows = [self._arrows[key] for key in moment.launched]
        ending = self._arriving[moment.number]
        if moment.deviates:
            name = f"▼ {name}"
            for words in self._deviations(moment):
                yield start, _event(_INSTANT, _DEVIATIONS, words, {"step": moment.number})
        yield start, _event(_BEGIN, track, name, told, arrows, ending)
        yield start + _TAKEN, _event(_END, track)
        if action.kind is Kind.TASK and moment.after is not None:
            yield from self._wait(moment, track)

    def _wait(self, moment: Moment, track: int) -> Iterator[tuple[int, bytes]]:
        """Draw a task's wait up to its next step; if there is none, it never ends."""
        assert moment.after is not None
        name = f"waits for {self._awaited(moment)}"
        told: dict[str, _Told] = {"at": _stack(moment.after)}
        yield moment.number * _STEP + _TAKEN, _event(_BEGIN, track, name, told)
        going_on = self._next_step(moment.action.actor, moment.number)
        if going_on is not None:
            yield going_on * _STEP, _event(_END, track)

    def _awaited(self, moment: Moment) -> str:
        if moment.waits_for.startswith(_FLIGHT):
            return "what it sent off"
        return self._words.people(moment.waits_for) or "its turn"

    def _told(self, moment: Moment) -> Iterator[tuple[str, _Told]]:
        """Tell all that is known of a step."""
        yield "step", moment.number
        yield "action", moment.action.key
        yield "virtual time in s", moment.time
        if moment.before is not None:
            yield "from", _stack(moment.before)
        if moment.after is not None:
            yield "to", _stack(moment.after)
        if moment.waits_for:
            yield "then waits for", moment.waits_for
        if moment.raised:
            yield "raised", moment.raised
        if moment.touched:
            yield "touched", [_touch(each) for each in dict.fromkeys(moment.touched)]
        if moment.launched:
            yield "sent off", moment.launched
        if moment.decision is not None:
            yield "possible", [option.key for option in moment.decision.actions]
            yield "taken", moment.decision.value
        if moment.choices:
            yield "chosen", {each.key: each.value for each in moment.choices}

    def _deviations(self, moment: Moment) -> Iterator[str]:
        decision = moment.decision
        if decision is not None and decision.value:
            yield self._instead(decision)
        yield from (self._words.choice(each) for each in moment.choices if each.value)

    def _instead(self, decision: Decision) -> str:
        taken, usual = decision.actions[decision.value], decision.actions[0]
        return f"{self._words.sentence(taken)}, before {self._words.sentence(usual)}"

    # --- what is in flight ---

    def _span(self, span: Span) -> Iterator[tuple[int, bytes]]:
        """Draw a request from when it was sent off; one that never completes has no end."""
        track = self._track_of(span.key)
        told: dict[str, _Told] = {"key": span.key, "sent off in step": span.begins}
        words = self._words.thing(span.key, span.kind)
        arrows = [self._arrows[span.key]]
        yield span.begins * _STEP + _TAKEN, _event(_BEGIN, track, words, told, arrows)
        if span.ends is not None:
            yield span.ends * _STEP + _LANDED, _event(_END, track)

    def _arrivals(self) -> defaultdict[int, list[int]]:
        """Find the steps with which somebody goes on whose request has completed."""
        arriving: defaultdict[int, list[int]] = defaultdict(list)
        for row in self._rows.rows:
            for span in row.spans:
                if span.ends is None:
                    continue
                going_on = self._next_step(self._rows.senders[span.key], span.ends)
                if going_on is not None:
                    arriving[going_on].append(self._arrows[span.key])
        return arriving

    def _next_step(self, name: str, number: int) -> int | None:
        """Give the first step of a task behind a step; None: there is none."""
        steps = self._steps[name]
        place = bisect_right(steps, number)
        return steps[place] if place < len(steps) else None


# --- packets: field numbers as in Perfetto's protos/perfetto/trace ---


def _packet(body: bytes, when: int | None = None, *, cleared: bool = False) -> bytes:
    time = b"" if when is None else varint(8, when)
    flags = varint(13, _CLEARED) if cleared else b""
    return message(1, time, varint(10, _SEQUENCE), flags, body)


def _track(uuid: int, name: str, parent: int | None, rank: int) -> bytes:
    above = b"" if parent is None else varint(5, parent)
    order = varint(11, _BY_RANK) + varint(12, rank) + varint(15, _NEVER_MERGED)
    return message(60, varint(1, uuid), text(2, name), above, order)


def _event(
    kind: int,
    track: int,
    name: str = "",
    told: Mapping[str, _Told] | None = None,
    arrows: Sequence[int] = (),
    ending: Sequence[int] = (),
) -> bytes:
    """Write a track event; arrows go through all slices that name them, up to where they end."""
    fields = [varint(9, kind), varint(11, track)]
    if name:
        fields.append(text(23, name))
    fields += [message(4, text(10, key), _value(value)) for key, value in (told or {}).items()]
    fields += [fixed64(47, arrow) for arrow in arrows]
    fields += [fixed64(48, arrow) for arrow in ending]
    return message(11, *fields)


def _value(value: _Told) -> bytes:
    """Write what is told as the value of a debug annotation."""
    match value:
        case int():
            return varint(4, value)
        case float():
            return double(5, value)
        case str():
            return text(6, value)
        case Mapping():
            entries = (message(11, text(10, key), _value(each)) for key, each in value.items())
            return b"".join(entries)
        case _:
            return b"".join(message(12, _value(each)) for each in value)


def _stack(place: Place) -> list[str]:
    return [line_of(each) for each in stack_of(place)]


def _touch(touch: Footprint) -> str:
    name = touch.node.partition(":")[2] if is_sync(touch) else touch.node
    reach = f" {touch.offset}+{touch.length}" if touch.length and not is_sync(touch) else ""
    return f"{touch.touch} {name}{reach}"
