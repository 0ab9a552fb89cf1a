"""What was asked of disks in a run, and whether what reads returned can be explained.

Each sector is a register by itself: a read of many sectors may see some before and some after a
write that happens meanwhile, for the block layer promises no more. But each sector must look as if
requests had come one after the other, each of them at some moment between its beginning and its
end. Where requests begin or end amid a sector, each of its parts is a register.

What is known of requests:
- A write that failed, was cancelled, or never ended may have happened, or may still happen at any
  later moment, or never. Reads of that kind tell nothing.
- What was discarded, or cut off by another length, reads as anything; but then it stays so.
- What was there before the first write is not known either, unless somebody says so.

Flushes decide nothing here: they matter when power is lost.

Only disks are judged that nobody else changes: one that shares a node with another disk, other than
as the top of both, or a file, is left out, and so is one that keeps nothing.
Where only one order is tried of steps that share nothing (assume="disk-only"), whether one request
was over before another began is seen in one way only, so a violation in the other may be missed.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from blkdebug_async.events import IoType
from blkdebug_async.explore.operation import Operation, describe_bytes
from blkdebug_async.explore.parts import Part, cut_up
from blkdebug_async.explore.register import (
    Access,
    Budget,
    OutOfBudgetError,
    could_return,
    unexplained,
)
from blkdebug_async.units import SECTOR_SIZE

#: So many states may the search go through in one history; each takes some microseconds.
_BUDGET: Final = 10_000
#: And so many for each value that a read might have returned instead.
_BUDGET_OF_VALUE: Final = 2_000
#: So many operations does a violation tell of.
_MOST_TOLD: Final = 12


@dataclass(frozen=True, slots=True)
class Violation:
    """A read that no serial order of the writes explains."""

    #: Bytes of the disk that are meant: a sector, or a part of one.
    offset: int
    length: int
    read: Operation
    #: What it returned of these bytes.
    returned: bytes
    #: What it could have returned, of all that was ever there.
    possible: tuple[bytes, ...]
    #: What happened to these bytes before the read was over, in the order of the beginnings.
    operations: tuple[Operation, ...]

    def __str__(self) -> str:
        possible = " or ".join(map(describe_bytes, self.possible)) or "nothing that is known"
        lines = [
            "A read returned what no serial order of the writes explains:"
            f" bytes {self.offset} to {self.offset + self.length} of {self.read.disk}",
            f"  returned: {describe_bytes(self.returned)}",
            f"  possible: {possible}",
        ]
        left_out = len(self.operations) - _MOST_TOLD
        if left_out > 0:
            lines.append(f"  {left_out} earlier operations, then")
        lines += (f"  {self._told(each)}" for each in self.operations[-_MOST_TOLD:])
        return "\n".join(lines)

    def _told(self, operation: Operation) -> str:
        data = operation.part(self.offset, self.offset + self.length)
        words = [
            f"moment {operation.began}",
            "" if operation.ended is None else f"to {operation.ended}",
            f"{operation.op}",
            f"by {operation.task}" if operation.task else "",
            "" if data is None else f"of {describe_bytes(data)}",
            "" if operation.error is None else f"({operation.error})",
            "" if operation.ended is not None else "(not over)",
            "<- this one" if operation is self.read else "",
        ]
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about a history."""

    #: Of the reads that are not explained, the first to end; None: there is none.
    violation: Violation | None
    #: How many ranges of bytes were not decided, as that would have taken too long.
    undecided: int


_NOTHING_FOUND: Final = Verdict(None, 0)


def nobody() -> tuple[str, int | None]:
    """Say that it is not known who acts, nor how many steps are over."""
    return "", None


class History(list[Operation]):
    """The operations of a run, in the order in which they began.

    Args:
        present: Tells the stable name of who acts, and how many steps are over.
    """

    def __init__(self, present: Callable[[], tuple[str, int | None]] = nobody) -> None:
        super().__init__()
        #: Disks that are not judged: others change what they store, or they store nothing.
        self.left_out: set[str] = set()
        self._present = present
        self._moment = 0
        # The nodes live on in here, so that none is taken for another one.
        self._names: dict[Hashable, str] = {}
        self._owners: dict[Hashable, str] = {}

    def open(self, top: Hashable, name: str, parts: Iterable[Hashable]) -> str:
        """Hear that a disk was opened.

        Two disks that have a part in common are left out, unless it is the top of both.

        Args:
            top: Its top node.
            name: What it is called.
            parts: All nodes that can be reached from it, and names of what they keep data in.

        Returns:
            Its name, of no disk on another node.
        """
        known = self._names.get(top)
        if known is None:
            taken = set(self._names.values())
            known, number = name, 0
            while known in taken:
                number += 1
                known = f"{name}#{number}"
            self._names[top] = known
        for part in parts:
            owner = self._owners.setdefault(part, known)
            if owner != known:
                self.left_out |= {owner, known}
        return known

    def begin(
        self, disk: str, op: IoType, offset: int, length: int, data: bytes | None = None
    ) -> Operation:
        """Note that an operation begins.

        Args:
            disk: What open() has named it.
            op: What is asked for.
            offset: First byte.
            length: Bytes.
            data: What is written.
        """
        task, step = self._present()
        operation = Operation(disk, op, offset, length, data, task, step, self._moment)
        self._moment += 1
        self.append(operation)
        return operation

    def end(
        self, operation: Operation, data: bytes | None = None, error: str | None = None
    ) -> None:
        """Note that an operation is over.

        Args:
            operation: What begin() gave.
            data: What a read returned.
            error: Why it failed, in a word.
        """
        operation.ended = self._moment
        self._moment += 1
        operation.last_step = self._present()[1]
        operation.error = error
        if data is not None:
            operation.data = data

    def judge(self, *, unit: int = SECTOR_SIZE) -> Verdict:
        """Judge the disks that are not left out.

        Args:
            unit: As in judge().
        """
        if not self:
            return _NOTHING_FOUND
        if not self.left_out:
            return judge(self, unit=unit)
        return judge((each for each in self if each.disk not in self.left_out), unit=unit)


def check_history(
    operations: Iterable[Operation], initial: Mapping[str, bytes] | None = None
) -> Violation | None:
    """Look for a read that no serial order of the writes explains.

    Args:
        operations: As in judge().
        initial: As in judge().

    Returns:
        The first one to end; None: all are explained, or it would take too long to find out.
    """
    return judge(operations, initial).violation


def judge(
    operations: Iterable[Operation],
    initial: Mapping[str, bytes] | None = None,
    *,
    unit: int = SECTOR_SIZE,
    budget: int = _BUDGET,
) -> Verdict:
    """Do what check_history() does, and tell what was not decided.

    Args:
        operations: In the order in which they began.
        initial: What disks held in the beginning, from byte 0 on, by their names; what is not in
            there is not known before it is read.
        unit: Bytes that are never half written, a power of two.
        budget: How many states the search may go through.
    """
    disks: dict[str, list[Operation]] = {}
    for operation in operations:
        disks.setdefault(operation.disk, []).append(operation)
    court = _Judge(unit, Budget(budget))
    for name, mine in disks.items():
        content = (initial or {}).get(name, b"")
        for part in cut_up(mine):
            court.look_at(part, content)
    first = min(court.found, key=lambda violation: violation.read.ended or 0, default=None)
    return Verdict(first, court.undecided)


class _Judge:
    """Looks at the parts of a history, one after the other."""

    def __init__(self, unit: int, budget: Budget) -> None:
        self.found: list[Violation] = []
        self.undecided = 0
        self._unit = unit
        self._budget = budget

    def look_at(self, part: Part, content: bytes) -> None:
        """Judge a part: as a whole, and only where that fails, each unit of it."""
        try:
            if self._is_explained(part, content):
                return
            for piece in part.pieces(self._unit):
                accesses = piece.accesses()
                initial = piece.initial(content)
                read = unexplained(accesses, initial, self._budget)
                if read is not None:
                    self.found.append(_violation(piece, accesses, read, initial))
                    return
        except OutOfBudgetError:
            self.undecided += 1

    def _is_explained(self, part: Part, content: bytes) -> bool:
        accesses = part.accesses()
        return not accesses or (unexplained(accesses, part.initial(content), self._budget) is None)


def _violation(part: Part, accesses: list[Access], index: int, initial: bytes | None) -> Violation:
    possible = could_return(accesses, index, initial, _BUDGET_OF_VALUE)
    moment = accesses[index].began
    read = next(each for each in part.operations if each.began == moment)
    ended = read.ended or 0
    return Violation(
        offset=part.start,
        length=part.end - part.start,
        read=read,
        returned=accesses[index].value or b"",
        possible=tuple(possible),
        operations=tuple(each for each in part.operations if each.began < ended),
    )
