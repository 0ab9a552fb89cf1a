"""What was done to one disk in a run: when each request went to it, and when it took effect there.

Between the two it was in flight. This can be told only of requests that reach the disk as they were
made: each as one, whole, and about the same bytes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from blkdebug_async.events import IoType
from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.operation import Operation
from blkdebug_async.explore.timeline import Timeline
from blkdebug_async.report.words import doer

#: What requests in flight are called.
_VERBS: Final = {
    IoType.READ: "read",
    IoType.WRITE: "write",
    IoType.WRITE_ZEROES: "zero write",
    IoType.DISCARD: "discard",
}
_TRUNCATE: Final = re.compile(r"truncate to (\d+)")


class UnsayableError(ValueError):
    """What happened to a disk cannot be told as a row of whole requests."""


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """A request that reached the disk."""

    operation: Operation
    #: When it went to the disk; moments of requests are numbers that rise.
    sent: int
    #: When it took effect; the same as sent: at once; None: never.
    landed: int | None
    #: The length that a truncation makes.
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Point:
    """A request goes to the disk, or takes effect there."""

    request: Request
    #: Whether it goes to the disk here.
    sent: bool
    #: Whether it takes effect here.
    lands: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What was done to a disk."""

    disk: str
    #: In their order.
    points: tuple[Point, ...]
    #: Operations that never reached the disk.
    left_out: tuple[Operation, ...]


def requests_to(timeline: Timeline, disk: str | None = None) -> Told:
    """Tell what was done to a disk.

    Args:
        timeline: The run.
        disk: Name of the disk; None: the only one that is used.

    Raises:
        UnsayableError: It cannot be told so, and why.
    """
    names = sorted({each.disk for each in timeline.operations})
    if disk is None and len(names) > 1:
        raise UnsayableError(f"there are {len(names)} disks, so say which: {', '.join(names)}")
    name = disk if disk is not None else "".join(names)
    operations = [
        each
        for each in timeline.operations
        if each.disk == name and (each.length or each.op is IoType.FLUSH)
    ]
    if not operations:
        raise UnsayableError(f"nothing was asked of disk {name!r}" if name else "there is no disk")
    _refuse_torn_writes(timeline)
    flights = _Flights(timeline)
    requests = [request for each in operations if (request := flights.request(each))]
    reached = {id(each.operation) for each in requests}
    left_out = tuple(each for each in operations if id(each) not in reached)
    return Told(name, tuple(_points(requests)), left_out)


def describe(operation: Operation) -> str:
    """Name an operation in a few words: "write 0+512 by main"."""
    where = "" if operation.op is IoType.FLUSH else f" {operation.offset}+{operation.length}"
    by = f" by {operation.task}" if operation.task else ""
    return f"{operation.op}{where}{by}"


def _refuse_torn_writes(timeline: Timeline) -> None:
    for moment in timeline.moments:
        for choice in moment.choices:
            if choice.value and " amid " in choice.key:
                raise UnsayableError(f"a write was done in part: {choice.key}")


def _points(requests: Sequence[Request]) -> Iterator[Point]:
    """Order what happens; what takes effect before anything else happens is one point."""
    moments = sorted(
        {(each.sent, each.operation.began, number) for number, each in enumerate(requests)}
        | {
            (each.landed, -1, number)
            for number, each in enumerate(requests)
            if each.landed is not None and each.landed != each.sent
        }
    )
    numbers = [number for _, _, number in moments]
    done = set()
    for at, number in enumerate(numbers):
        request = requests[number]
        if number in done:
            continue
        first = number not in numbers[:at]
        at_once = first and (request.landed == request.sent or numbers[at + 1 : at + 2] == [number])
        if at_once:
            done.add(number)
        yield Point(request, sent=first, lands=at_once or not first)


class _Flights:
    """Finds what the operations of a run sent to the disk."""

    def __init__(self, timeline: Timeline) -> None:
        self._sent: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        self._landed: dict[str, int] = {}
        for moment in timeline.moments:
            for key in moment.launched:
                self._sent[doer(key, Kind.REQUEST).owner].append((moment.number, key))
            if moment.action.kind is Kind.REQUEST:
                self._landed[moment.action.key] = moment.number

    def request(self, operation: Operation) -> Request | None:
        """Find what an operation sent to the disk; None: nothing, and it failed."""
        if operation.step is None or not operation.task:
            raise UnsayableError(f"it is not known by which task there was {describe(operation)}")
        # What its task sends off in the step in which it ends is of the next one.
        mine = self._sent[operation.task]
        first = bisect_left(mine, operation.step, key=_step_of)
        last = operation.last_step
        flights = mine[first : None if last is None else bisect_left(mine, last, key=_step_of)]
        if len(flights) > 1:
            whats = ", ".join(doer(key, Kind.REQUEST).thing for _, key in flights)
            raise UnsayableError(f"{describe(operation)} reached the disk in parts: {whats}")
        if not flights:
            return self._without_flight(operation)
        ((sent, key),) = flights
        size = _size_if_same(operation, key)
        if operation.error not in (None, "cancelled"):
            raise UnsayableError(f"{describe(operation)} failed at the disk: {operation.error}")
        return Request(operation, sent, self._landed.get(key), size)

    def _without_flight(self, operation: Operation) -> Request | None:
        if operation.error is not None or operation.last_step is None:
            return None
        assert operation.step is not None
        if operation.op is IoType.FLUSH:
            # It found nothing to do, or joined another one.
            return Request(operation, operation.last_step, operation.last_step)
        if operation.last_step != operation.step or operation.op is IoType.TRUNCATE:
            raise UnsayableError(f"it is not known when {describe(operation)} reached the disk")
        return Request(operation, operation.step, operation.step)


def _step_of(sent: tuple[int, str]) -> int:
    return sent[0]


def _size_if_same(operation: Operation, key: str) -> int | None:
    """Check that a request reached the disk as it was; give the length that it makes, if any."""
    what = doer(key, Kind.REQUEST).thing
    if operation.op is IoType.FLUSH and what == "flush":
        return None
    if operation.op is IoType.TRUNCATE and (match := _TRUNCATE.fullmatch(what)):
        return int(match[1])
    if what != f"{_VERBS.get(operation.op)} {operation.offset}+{operation.length}":
        raise UnsayableError(f"{describe(operation)} reached the disk as another request: {what}")
    return None
