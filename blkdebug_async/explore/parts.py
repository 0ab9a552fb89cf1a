"""Cutting what was asked of a disk into parts, on each of which every request is on all bytes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final, NamedTuple

from blkdebug_async.events import IoType
from blkdebug_async.explore.operation import Operation
from blkdebug_async.explore.register import Access
from blkdebug_async.units import align_down

# Looking up a member of an Enum takes longer than what is done with it here.
_READ: Final = IoType.READ
_WRITE: Final = IoType.WRITE
_WRITE_ZEROES: Final = IoType.WRITE_ZEROES
#: Requests after which nobody knows what is there.
_SPOIL: Final = frozenset({IoType.DISCARD, IoType.TRUNCATE})

_Span = tuple[int, int]


class Part(NamedTuple):
    """Bytes of a disk, and the reads and changes of them, each of which is on all of them."""

    start: int
    end: int
    #: By their beginnings.
    operations: list[Operation]

    def pieces(self, unit: int) -> Iterator[Part]:
        """Cut it at all multiples of a unit."""
        cuts = range(align_down(self.start, unit) + unit, self.end, unit)
        for start, end in zip((self.start, *cuts), (*cuts, self.end), strict=True):
            yield Part(start, end, self.operations)

    def accesses(self) -> list[Access]:
        """Give what happened to it as a register; nothing if nobody has read it."""
        start, end, operations = self
        if not any(each.op is _READ for each in operations):
            # So that no zeroes are made that are more than what somebody has read.
            return []
        found: list[Access] = []
        for each in operations:
            data = each.part(start, end)
            if each.op is _READ:
                found.append(Access(each.began, each.ended, False, data))
                continue
            if each.op is _WRITE_ZEROES:
                data = bytes(end - start)
            found.append(Access(each.began, each.ended if each.error is None else None, True, data))
        return found

    def initial(self, content: bytes) -> bytes | None:
        """Give what was there in the beginning; None: it is not all known."""
        return content[self.start : self.end] if len(content) >= self.end else None


def cut_up(operations: Iterable[Operation]) -> Iterator[Part]:
    """Cut a disk where requests begin or end; leaves out where nothing was read or changed.

    Args:
        operations: Of one disk, by their beginnings.
    """
    spans: dict[_Span, list[Operation]] = {}
    for each in operations:
        if each.length and _matters(each):
            spans.setdefault((each.offset, each.end), []).append(each)
    meeting: list[_Span] = []
    reach = -1
    for span in sorted(spans):
        if meeting and span[0] >= reach:
            yield from _cut_meeting(meeting, spans)
            meeting = []
        meeting.append(span)
        reach = max(reach, span[1])
    if meeting:
        yield from _cut_meeting(meeting, spans)


def _matters(operation: Operation) -> bool:
    """Tell whether it is a change, or a read that tells something."""
    if operation.data is not None:
        return operation.op is _WRITE or (operation.ended is not None and operation.error is None)
    return operation.op is _WRITE_ZEROES or operation.op in _SPOIL


def _cut_meeting(meeting: list[_Span], spans: dict[_Span, list[Operation]]) -> Iterator[Part]:
    """Cut ranges that meet where they begin or end."""
    if len(meeting) == 1:
        span = meeting[0]
        yield Part(span[0], span[1], spans[span])
        return
    cuts = sorted({cut for span in meeting for cut in span})
    pieces: list[list[Operation]] = [[] for _ in cuts[1:]]
    for span in meeting:
        for number in range(bisect_left(cuts, span[0]), bisect_left(cuts, span[1])):
            pieces[number] += spans[span]
    for number, operations in enumerate(pieces):
        operations.sort(key=attrgetter("began"))
        yield Part(cuts[number], cuts[number + 1], operations)
