"""Data that tells where and when it was written, and what a disk has to read as.

No asyncio in here. Every sector that a verifying job writes carries the run, its offset, the
generation of the write and a checksum, so that what went wrong can be named when it is read.

Requests that overlap need care: while a write is in flight, nobody can say what its blocks read
as. So a block is checked only if no change to it was in flight at any moment of the read, and two
changes of the same block are never in flight together: who comes second waits (Ledger.is_busy).
After a change that failed or was cancelled its blocks may hold either; they are not checked until
they are written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from random import Random
from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

from blkdebug_async.bench.result import Damage
from blkdebug_async.units import SECTOR_SIZE

#: Magic, checksum of all that follows, run, offset, generation.
_STAMP: Final = Struct("<4sIQQQ")
_MAGIC: Final = b"BdAs"
#: What of the stamp the checksum does not cover.
_UNCHECKED: Final = 8
_ZEROS: Final = bytes(SECTOR_SIZE)
#: The rest of a sector is a window onto this much randomness that moves with each write.
_POOL_SIZE: Final = 1 << 16


class Kind(StrEnum):
    """What is wrong with a range."""

    #: It reads as before the last write, as if that had never been.
    LOST = "lost"
    #: It reads as even earlier, or as earlier although it is right when it is read again.
    STALE = "stale"
    #: A part of a write is there, and a part is not.
    TORN = "torn"
    #: It holds what belongs elsewhere.
    MISPLACED = "misplaced"
    #: It holds what nobody wrote.
    CORRUPT = "corrupt"


class _Stamp(NamedTuple):
    magic: bytes
    checksum: int
    run: int
    offset: int
    generation: int


class _Finding(NamedTuple):
    """One sector: what it had to be, and what is wrong; None: nothing."""

    expected: int
    kind: Kind | None
    offset: int
    message: str


class Checked(NamedTuple):
    """What looking at the data of one read came to."""

    #: Bytes that were compared, and bytes of which nobody knows what they should be.
    checked: int
    unchecked: int
    damages: Sequence[Damage]


class Ledger:
    """What each block of a disk was written with last.

    A block's state is a number that no other state of it ever had: of the write that stamped it,
    or that number negated if it was zeroed. 0: nobody knows.

    Args:
        run: Tells this run's data from that of all others, 0 to 2**64 - 1.
        block: Bytes; every offset and length is a multiple of it, and it of 512.
    """

    def __init__(self, run: int, block: int) -> None:
        self._run = run
        self.block = block
        self._pool = Random(run).randbytes(_POOL_SIZE + SECTOR_SIZE)
        self._generation = 0
        self._states: dict[int, int] = {}
        #: The state that a block had before its last change.
        self._before: dict[int, int] = {}
        self._changing: set[int] = set()

    def is_busy(self, offset: int, length: int) -> bool:
        """Whether a change to any of these blocks is in flight."""
        return bool(self._changing) and not self._changing.isdisjoint(self._blocks(offset, length))

    def begin(self, offset: int, length: int) -> int:
        """A change is going to be issued; is_busy() was false. Returns its generation."""
        assert not self.is_busy(offset, length)
        self._changing.update(self._blocks(offset, length))
        self._generation += 1
        return self._generation

    def finish(self, offset: int, length: int, state: int) -> None:
        """A change has ended: with its generation, that negated for zeros, or 0 if unknown."""
        blocks = self._blocks(offset, length)
        self._changing.difference_update(blocks)
        for block in blocks:
            self._before[block] = self._states.get(block, 0)
            self._states[block] = state

    def stamp(self, buffer: memoryview, offset: int, generation: int) -> None:
        """Fill a buffer with what a write at offset is to contain."""
        pool, run = self._pool, self._run
        for start in range(0, len(buffer), SECTOR_SIZE):
            sector = buffer[start : start + SECTOR_SIZE]
            window = (generation * 4093 + start) % _POOL_SIZE
            sector[_STAMP.size :] = pool[window : window + SECTOR_SIZE - _STAMP.size]
            _STAMP.pack_into(sector, 0, _MAGIC, 0, run, offset + start, generation)
            _STAMP.pack_into(
                sector, 0, _MAGIC, crc32(sector[_UNCHECKED:]), run, offset + start, generation
            )

    def expect(self, offset: int, length: int) -> list[int]:
        """The states of these blocks, to be handed to check() after reading them."""
        states, changing = self._states, self._changing
        return [
            0 if block in changing else states.get(block, 0)
            for block in self._blocks(offset, length)
        ]

    def check(self, offset: int, data: memoryview, expected: Sequence[int]) -> Checked:
        """Look at what a read found.

        Args:
            offset: Of the data, in bytes.
            data: What was read.
            expected: What expect() said when the read was issued.
        """
        findings: list[_Finding] = []
        unchecked = 0
        now = self.expect(offset, len(data))
        for index, state in enumerate(expected):
            if state and state == now[index]:
                start = index * self.block
                block = data[start : start + self.block]
                findings += self._examine(offset + start, block, state)
            else:
                unchecked += self.block
        return Checked(len(data) - unchecked, unchecked, list(_damages(findings)))

    def written(self, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
        """Where in a range the contents are known: offset and length of each part, in order."""
        most = max(longest // self.block, 1)
        span = self._blocks(start, end - start)
        known = sorted(block for block, state in self._states.items() if state and block in span)
        for _, members in groupby(enumerate(known), key=lambda each: each[1] - each[0]):
            blocks = [block for _, block in members]
            for first in range(0, len(blocks), most):
                part = blocks[first : first + most]
                yield part[0] * self.block, len(part) * self.block

    def _blocks(self, offset: int, length: int) -> range:
        return range(offset // self.block, (offset + length) // self.block)

    def _examine(self, offset: int, data: memoryview, state: int) -> Iterator[_Finding]:
        before = self._before.get(offset // self.block, 0)
        for start in range(0, len(data), SECTOR_SIZE):
            sector = data[start : start + SECTOR_SIZE]
            kind, found = self._judge(offset + start, sector, state, before)
            yield _Finding(state, kind, offset + start, found)

    def _judge(
        self, offset: int, sector: memoryview, state: int, before: int
    ) -> tuple[Kind | None, str]:
        stamp = _Stamp(*_STAMP.unpack_from(sector))
        if stamp.magic != _MAGIC:
            return _judge_unstamped(sector, state, before)
        if stamp.checksum != crc32(sector[_UNCHECKED:]):
            return Kind.CORRUPT, "a stamp whose checksum is wrong"
        if stamp.run != self._run:
            return Kind.LOST if not before else Kind.STALE, "data of another run"
        found = f"what write {stamp.generation} put at {stamp.offset}"
        if stamp.offset != offset:
            return Kind.MISPLACED, found
        if stamp.generation == state:
            return None, found
        return Kind.LOST if stamp.generation == before else Kind.STALE, found


def _judge_unstamped(sector: memoryview, state: int, before: int) -> tuple[Kind | None, str]:
    if sector == _ZEROS:
        if state < 0:
            return None, "zeros"
        # Zeros are also what most disks have where nobody has written.
        return Kind.LOST if before <= 0 else Kind.STALE, "zeros"
    return Kind.LOST if not before else Kind.CORRUPT, "data that nobody wrote here"


def _damages(findings: Sequence[_Finding]) -> Iterator[Damage]:
    """What is wrong with each write of which a part was looked at."""
    for expected, group in groupby(findings, key=attrgetter("expected")):
        sectors = list(group)
        bad = [each for each in sectors if each.kind is not None]
        if not bad:
            continue
        absent = all(each.kind in (Kind.LOST, Kind.STALE) for each in bad)
        whole = len(bad) == len(sectors)
        kind = Kind.TORN if absent and not whole else bad[0].kind
        assert kind is not None
        wanted = f"write {expected}" if expected > 0 else f"zeros of write {-expected}"
        first, last = bad[0].offset, bad[-1].offset
        yield Damage(
            kind,
            first,
            last + SECTOR_SIZE - first,
            f"{kind}: {len(bad)} of {len(sectors)} sectors from {first} on should be {wanted}; "
            f"the first is {bad[0].message}",
        )
