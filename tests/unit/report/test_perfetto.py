from __future__ import annotations

import asyncio
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from blkdebug_async.explore import Failure, Replayed, replay
from blkdebug_async.explore.here import exploration_here
from blkdebug_async.report import perfetto_trace, write_perfetto
from tests.unit.report.failures import crossed_locks, found, racing_writes, unlucky_choice
from tests.unit.report.wire import fields_of

BEGIN, END, INSTANT = 1, 2, 3

Scenario = Callable[[], Coroutine[object, object, None]]


@dataclass
class Event:
    # A track event, read by the field numbers of Perfetto's track_event.proto.
    when: int
    kind: int = 0
    track: int = 0
    name: str = ""
    told: dict[str, Any] = field(default_factory=dict)
    arrows: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)


@dataclass
class Track:
    name: str = ""
    parent: int | None = None
    rank: int = 0
    settings: dict[int, int] = field(default_factory=dict)


class Trace:
    def __init__(self, data: bytes) -> None:
        self.tracks: dict[int, Track] = {}
        self.events: list[Event] = []
        self.flags: list[int | None] = []
        for number, packet in fields_of(data):
            assert number == 1
            assert isinstance(packet, bytes)
            self._read(dict(fields_of(packet)))

    def _read(self, packet: dict[int, Any]) -> None:
        assert packet[10] == 1, "each packet is of the sequence"
        self.flags.append(packet.get(13))
        if 60 in packet:
            fields = dict(fields_of(packet[60]))
            track = Track(fields[2].decode(), fields.get(5), fields[12])  # type: ignore[union-attr,arg-type]
            track.settings = {key: fields[key] for key in (11, 15)}  # type: ignore[misc]
            self.tracks[fields[1]] = track  # type: ignore[index]
        else:
            self.events.append(event_of(packet[8], packet[11]))

    def named(self, name: str) -> int:
        (uuid,) = (uuid for uuid, track in self.tracks.items() if track.name == name)
        return uuid

    def below(self, name: str) -> list[str]:
        uuid = self.named(name)
        own = [track for track in self.tracks.values() if track.parent == uuid]
        return [track.name for track in sorted(own, key=lambda track: track.rank)]

    def on(self, name: str, kind: int = BEGIN) -> list[Event]:
        uuid = self.named(name)
        return [each for each in self.events if each.track == uuid and each.kind == kind]


def event_of(when: int, body: bytes) -> Event:
    event = Event(when)
    for number, value in fields_of(body):
        match number, value:
            case 9, int():
                event.kind = value
            case 11, int():
                event.track = value
            case 23, bytes():
                event.name = value.decode()
            case 4, bytes():
                (_, key), *rest = fields_of(value)
                event.told[key.decode()] = told_of(rest)  # type: ignore[union-attr]
            case 47, bytes():
                event.arrows.append(int.from_bytes(value, "little"))
            case 48, bytes():
                event.ends.append(int.from_bytes(value, "little"))
            case _:
                raise AssertionError(f"field {number}")
    return event


def told_of(fields: list[tuple[int, Any]]) -> Any:
    kinds = {number for number, _ in fields}
    if kinds == {12}:
        return [told_of(fields_of(value)) for _, value in fields]
    if kinds == {11}:
        entries = [fields_of(value) for _, value in fields]
        return {entry[0][1].decode(): told_of(entry[1:]) for entry in entries}  # type: ignore[union-attr]
    ((number, value),) = fields
    read = {4: lambda: value, 5: lambda: struct.unpack("<d", value)[0], 6: lambda: value.decode()}
    return read[number]()


@cache
def race() -> Failure:
    return found(racing_writes)


def trace(shown: Failure | Replayed) -> Trace:
    return Trace(perfetto_trace(shown))


def every() -> list[Failure | Replayed]:
    return [race(), found(crossed_locks), found(unlucky_choice), replay(racing_writes, [])]


# --- rules of the format ---


@pytest.mark.parametrize("shown", every(), ids=["race", "deadlock", "choice", "passing"])
def test_slices_nest_and_only_what_never_ends_is_left_open(shown: Failure | Replayed) -> None:
    read = trace(shown)
    assert [event.when for event in read.events] == sorted(event.when for event in read.events)
    opened: defaultdict[int, list[str]] = defaultdict(list)
    for event in read.events:
        if event.kind == BEGIN:
            assert event.name
            opened[event.track].append(event.name)
        elif event.kind == END:
            opened[event.track].pop()
    left = [name for names in opened.values() for name in names]
    assert all(name.startswith("waits for ") for name in left)
    assert bool(left) == ("DeadlockError" in repr(shown.error))


@pytest.mark.parametrize("shown", every(), ids=["race", "deadlock", "choice", "passing"])
def test_events_are_on_tracks_that_were_described_before(shown: Failure | Replayed) -> None:
    read = trace(shown)
    assert {event.track for event in read.events} <= set(read.tracks)
    roots = [track.name for track in read.tracks.values() if track.parent is None]
    assert roots == ["run"]
    assert all(track.parent in read.tracks for track in read.tracks.values() if track.parent)
    assert read.flags[0] == 1
    assert set(read.flags[1:]) == {None}


def test_tracks_stay_in_their_order_and_are_never_merged() -> None:
    by_rank, never_merged = 3, 2
    settings = {(each.settings[11], each.settings[15]) for each in trace(race()).tracks.values()}
    assert settings == {(by_rank, never_merged)}


# --- what is shown ---


def test_each_task_has_a_track_below_its_maker_and_each_request_below_its_sender() -> None:
    read = trace(race())
    assert read.below("run") == ["deviations", "main"]
    assert {"one", "two"} <= set(read.below("main"))
    assert read.below("one") == ["write 0+512"]


def test_a_step_takes_a_microsecond_of_the_trace() -> None:
    read = trace(race())
    begins = {event.told["step"]: event.when for event in read.events if "action" in event.told}
    assert begins == {each.number: each.number * 1000 for each in race().timeline.moments}


def test_a_deviation_says_what_came_before_what() -> None:
    read = trace(race())
    said = [(event.told["step"], event.name) for event in read.on("deviations", INSTANT)]
    assert [step for step, _ in said] == [each.step for each in race().deviations]
    assert all(" before " in words for _, words in said)
    marked = {event.told["step"] for event in read.events if event.name.startswith("▼ ")}
    assert marked == {step for step, _ in said}


def test_a_choice_that_deviates_is_named() -> None:
    read = trace(found(unlucky_choice))
    assert [event.name for event in read.on("deviations", INSTANT)] == ["the lamp breaks"]
    (step,) = (event for event in read.events if "chosen" in event.told)
    assert step.told["chosen"] == {"the lamp breaks": 1}


def test_a_step_tells_where_it_was_and_what_it_touched() -> None:
    read = trace(race())
    sends = next(event for event in read.on("one") if "sent off" in event.told)
    assert "await disk.pwrite" in sends.told["to"][-1]
    completes = next(event for event in read.events if event.told.get("action", "").count("write"))
    assert any(touch.startswith("write #block") for touch in completes.told["touched"])
    assert completes.told["virtual time in s"] == 0.0
    assert isinstance(completes.told["taken"], int)


def test_an_arrow_goes_from_the_sender_through_its_request_to_who_goes_on() -> None:
    read = trace(race())
    for name in ("one", "two"):
        uuid = read.named(name)
        ((request, arrow),) = (
            (event, event.arrows[0])
            for event in read.events
            if read.tracks[event.track].parent == uuid and event.arrows
        )
        (sender,) = (event for event in read.on(name) if arrow in event.arrows)
        (woken,) = (event for event in read.on(name) if arrow in event.ends)
        assert sender.when < request.when < woken.when


def test_arrows_of_different_requests_differ() -> None:
    counted = Counter(arrow for event in trace(race()).events for arrow in event.ends)
    assert set(counted.values()) == {1}


def test_a_request_that_never_completes_has_no_end() -> None:
    async def fly() -> None:
        exploration = exploration_here()
        assert exploration is not None
        await exploration.in_flight(f"{exploration.acting().path}: read")

    async def scenario() -> None:
        asyncio.get_running_loop().create_task(fly(), name="reader")
        await asyncio.sleep(0)

    read = trace(replay(scenario, []))
    assert len(read.on("read", BEGIN)) == 1
    assert read.on("read", END) == []


def test_the_track_above_all_others_has_the_title() -> None:
    assert Trace(perfetto_trace(race(), title="my run")).below("my run")[0] == "deviations"


def test_a_trace_is_written_into_a_file(tmp_path: Path) -> None:
    path = tmp_path / "race.pftrace"
    write_perfetto(race(), path)
    assert path.read_bytes() == perfetto_trace(race())
