from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from errno import EIO, ENOTSUP
from itertools import count

from blkdebug_async.block.flags import FUA
from blkdebug_async.disk import Disk
from blkdebug_async.testing import Answer, Call

#: What no write of a race writes.
INITIAL = 0xFF
#: More turns of the loop than any race needs.
PATIENCE = 5000


@dataclass(frozen=True)
class Move:
    kind: str
    offset: int
    length: int
    fua: bool = False
    #: Turns of the loop before it is sent.
    wait: int = 0
    #: Turns after which it is cancelled.
    cancel: int | None = None


@dataclass
class Play:
    move: Move
    #: What it writes; None: nobody knows.
    value: int | None
    start: int = -1
    end: int = 1 << 30
    outcome: BaseException | str = "lost"
    data: bytes = field(default=b"", repr=False)

    @property
    def done(self) -> bool:
        return self.outcome == "done"

    @property
    def stop(self) -> int:
        return self.move.offset + self.move.length


@dataclass(frozen=True)
class Script:
    turns: Sequence[int]
    #: Index of a call to how many blocks of it are done before it fails.
    faults: dict[int, int]
    block: int = 1
    #: Whether events are heard.
    heard: bool = True

    def bind(self) -> Callable[[Call], Answer]:
        calls = count()

        def answer(call: Call) -> Answer:
            index = next(calls)
            slow = Answer(turns=self.turns[index % len(self.turns)] if self.turns else 0)
            if index not in self.faults:
                return slow
            done = self.faults[index]
            errno = ENOTSUP if call.op == "write-zeroes" and done == 0 else EIO
            return replace(slow, errno=errno, applied=min(done * self.block, call.length))

        return answer


async def run_race(disk: Disk, moves: Sequence[Move]) -> list[Play]:
    clock = count()
    plays = [Play(move, _value(index, move)) for index, move in enumerate(moves)]
    tasks = [asyncio.Task(_play(disk, play, clock)) for play in plays]
    for turn in range(PATIENCE):
        for play, task in zip(plays, tasks, strict=True):
            if play.move.cancel == turn:
                task.cancel()
        if all(task.done() for task in tasks):
            return plays
        await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    raise AssertionError(f"deadlock: {[play for play in plays if play.outcome == 'lost']}")


def _value(index: int, move: Move) -> int | None:
    return {"zeroes": 0, "discard": None}.get(move.kind, index + 1)


async def _play(disk: Disk, play: Play, clock: count[int]) -> None:
    try:
        for _ in range(play.move.wait):
            await asyncio.sleep(0)
        play.start = next(clock)
        await _send(disk, play)
        play.outcome = "done"
    except OSError as error:
        play.outcome = error
    except asyncio.CancelledError as error:
        play.outcome = error
        raise
    finally:
        play.end = next(clock)


async def _send(disk: Disk, play: Play) -> None:
    move, flags = play.move, FUA if play.move.fua else 0
    match move.kind:
        case "read":
            play.data = await disk.pread(move.offset, move.length)
        case "write":
            await disk.pwrite(move.offset, bytes([play.value or 0]) * move.length, flags)
        case "zeroes":
            await disk.pwrite_zeroes(move.offset, move.length, flags)
        case "discard":
            await disk.pdiscard(move.offset, move.length)
        case _:
            await disk.flush()


# --- what may come out -------------------------------------------------------------------------


def writes_of(plays: Sequence[Play]) -> list[Play]:
    kinds = ("write", "zeroes", "discard")
    return [play for play in plays if play.move.kind in kinds and play.start >= 0]


def explains(block: bytes, offset: int, writes: Sequence[Play]) -> bool:
    # Whether some order of the writes gives the block: from the last write back to the first.
    # What failed may be left out; who had ended before another began comes before it.
    here = [
        each for each in writes if each.move.offset < offset + len(block) and each.stop > offset
    ]
    return _explains(dict(enumerate(block, offset)), here)


def _explains(left: dict[int, int], writes: list[Play]) -> bool:
    if not any(each.done for each in writes) and set(left.values()) <= {INITIAL}:
        return True
    for last in writes:
        rest = [each for each in writes if each is not last]
        if not last.done and _explains(left, rest):
            return True
        if any(each.start > last.end and each.done for each in rest):
            continue
        inside = {at: value for at, value in left.items() if last.move.offset <= at < last.stop}
        if last.value is not None and set(inside.values()) - {last.value}:
            continue
        outside = {at: value for at, value in left.items() if at not in inside}
        if _explains(outside, rest):
            return True
    return False


def could_be_read(play: Play, writes: Sequence[Play]) -> bool:
    # Whether each byte of a read was there at some time while it ran.
    for at, value in enumerate(play.data, play.move.offset):
        over = [each for each in writes if each.move.offset <= at < each.stop]
        known = [each for each in over if each.done and each.end < play.start]
        fresh = [
            each
            for each in over
            if each.start < play.end and not any(other.start > each.end for other in known)
        ]
        values = {each.value for each in fresh} | (set() if known else {INITIAL})
        if None not in values and value not in values:
            return False
    return True
