from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from blkdebug_async.bench.verify import Kind, Ledger

BLOCK = 2048
SIZE = 8 * BLOCK
RUN = 42


@dataclass
class Rig:
    """A ledger, and a disk that does what the test says."""

    ledger: Ledger = field(default_factory=lambda: Ledger(RUN, BLOCK))
    disk: bytearray = field(default_factory=lambda: bytearray(SIZE))

    def write(self, offset: int, length: int = BLOCK) -> None:
        """The write is answered, and is on the disk."""
        generation = self.write_nowhere(offset, length)
        where = memoryview(self.disk)[offset : offset + length]
        self.ledger.stamp(where, offset, generation)

    def write_nowhere(self, offset: int, length: int = BLOCK) -> int:
        """The write is answered, but the disk has nothing of it."""
        generation = self.ledger.begin(offset, length)
        self.ledger.finish(offset, length, generation)
        return generation

    def zero(self, offset: int, length: int = BLOCK) -> None:
        generation = self.ledger.begin(offset, length)
        self.disk[offset : offset + length] = bytes(length)
        self.ledger.finish(offset, length, -generation)

    def read(self, offset: int = 0, length: int = SIZE) -> list[tuple[str, int, int]]:
        expected = self.ledger.expect(offset, length)
        data = memoryview(self.disk)[offset : offset + length]
        found = self.ledger.check(offset, data, expected)
        assert found.checked + found.unchecked == length
        return [(damage.kind, damage.offset, damage.length) for damage in found.damages]


def test_what_was_written_is_found_right() -> None:
    rig = Rig()
    rig.write(0, 4 * BLOCK)
    rig.write(BLOCK)
    rig.zero(2 * BLOCK)
    assert rig.read() == []


def test_where_nobody_wrote_nothing_is_checked() -> None:
    rig = Rig()
    rig.disk[:] = b"?" * SIZE
    rig.write(BLOCK)
    found = rig.ledger.check(0, memoryview(rig.disk), rig.ledger.expect(0, SIZE))
    assert (found.checked, found.unchecked, found.damages) == (BLOCK, SIZE - BLOCK, [])


@pytest.mark.parametrize("before", [b"\0", b"x"])
def test_a_first_write_that_never_came_is_lost(before: bytes) -> None:
    rig = Rig()
    rig.disk[:] = before * SIZE
    rig.write_nowhere(BLOCK)
    assert rig.read() == [(Kind.LOST, BLOCK, BLOCK)]


def test_an_overwrite_that_never_came_is_lost() -> None:
    rig = Rig()
    rig.write(0)
    rig.write_nowhere(0)
    assert rig.read() == [(Kind.LOST, 0, BLOCK)]


def test_zeros_that_never_came_are_lost() -> None:
    rig = Rig()
    rig.write(0)
    rig.ledger.finish(0, BLOCK, -rig.ledger.begin(0, BLOCK))
    assert rig.read() == [(Kind.LOST, 0, BLOCK)]


def test_a_write_over_zeros_that_never_came_is_lost() -> None:
    rig = Rig()
    rig.zero(0)
    rig.write_nowhere(0)
    assert rig.read() == [(Kind.LOST, 0, BLOCK)]


def test_data_older_than_the_write_before_is_stale() -> None:
    rig = Rig()
    rig.write(0)
    old = bytes(rig.disk)
    rig.write(0)
    rig.write(0)
    rig.disk[:] = old
    assert rig.read() == [(Kind.STALE, 0, BLOCK)]


def test_zeros_from_before_two_writes_are_stale() -> None:
    rig = Rig()
    rig.write(0)
    rig.write_nowhere(0)
    rig.disk[:] = bytes(SIZE)
    assert rig.read() == [(Kind.STALE, 0, BLOCK)]


def test_data_that_another_run_left_means_a_lost_write() -> None:
    rig, earlier = Rig(), Rig(Ledger(RUN + 1, BLOCK))
    earlier.write(0)
    rig.disk[:] = earlier.disk
    rig.write_nowhere(0)
    assert rig.read() == [(Kind.LOST, 0, BLOCK)]


def test_data_of_another_run_over_what_was_there_is_stale() -> None:
    rig, earlier = Rig(), Rig(Ledger(RUN + 1, BLOCK))
    earlier.write(0)
    rig.write(0)
    rig.write(0)
    rig.disk[:BLOCK] = earlier.disk[:BLOCK]
    assert rig.read() == [(Kind.STALE, 0, BLOCK)]


@pytest.mark.parametrize("length", [BLOCK, 3 * BLOCK])
@pytest.mark.parametrize("there", [512, 1024, BLOCK - 512])
def test_a_write_of_which_a_part_is_there_is_torn(length: int, there: int) -> None:
    rig = Rig()
    rig.write(0, length)
    old = bytes(rig.disk)
    rig.write(0, length)
    rig.disk[there:] = old[there:]
    assert rig.read() == [(Kind.TORN, there, length - there)]


def test_a_zeroing_of_which_a_part_is_there_is_torn() -> None:
    rig = Rig()
    rig.write(0)
    old = bytes(rig.disk)
    rig.zero(0)
    rig.disk[512:1024] = old[512:1024]
    assert rig.read() == [(Kind.TORN, 512, 512)]


def test_data_of_another_place_is_misplaced() -> None:
    rig = Rig()
    rig.write(0)
    rig.write(BLOCK)
    rig.disk[:BLOCK] = rig.disk[BLOCK : 2 * BLOCK]
    assert rig.read() == [(Kind.MISPLACED, 0, BLOCK)]


@pytest.mark.parametrize("at", [8, 100, 511])
def test_a_changed_byte_is_corruption(at: int) -> None:
    rig = Rig()
    rig.write(0)
    rig.disk[512 + at] ^= 1
    assert rig.read() == [(Kind.CORRUPT, 512, 512)]


def test_rubbish_over_what_was_written_is_corruption() -> None:
    rig = Rig()
    rig.write(0)
    rig.write(0)
    rig.disk[:BLOCK] = b"?" * BLOCK
    assert rig.read() == [(Kind.CORRUPT, 0, BLOCK)]


def test_each_write_that_is_damaged_is_told_alone() -> None:
    rig = Rig()
    rig.write_nowhere(0)
    rig.write_nowhere(BLOCK)
    assert rig.read() == [(Kind.LOST, 0, BLOCK), (Kind.LOST, BLOCK, BLOCK)]


def test_damage_is_described() -> None:
    rig = Rig()
    rig.write(0)
    rig.write_nowhere(0)
    (damage,) = rig.ledger.check(0, memoryview(rig.disk), rig.ledger.expect(0, SIZE)).damages
    assert damage.message == (
        "lost: 4 of 4 sectors from 0 on should be write 2; the first is what write 1 put at 0"
    )


def test_a_block_is_not_checked_while_it_is_changed() -> None:
    rig = Rig()
    rig.write(0)
    rig.ledger.begin(0, BLOCK)
    rig.disk[:] = b"?" * SIZE
    assert rig.read() == []


@pytest.mark.parametrize("outcome", ["answered", "failed"])
def test_a_block_is_not_checked_if_it_was_changed_since_the_read_was_issued(outcome: str) -> None:
    rig = Rig()
    rig.write(0)
    expected = rig.ledger.expect(0, BLOCK)
    generation = rig.ledger.begin(0, BLOCK)
    rig.ledger.finish(0, BLOCK, generation if outcome == "answered" else 0)
    rubbish = memoryview(bytearray(b"?" * BLOCK))
    assert rig.ledger.check(0, rubbish, expected) == (0, BLOCK, [])


def test_a_block_whose_change_failed_is_not_checked_until_it_is_written_again() -> None:
    rig = Rig()
    rig.ledger.begin(0, BLOCK)
    rig.ledger.finish(0, BLOCK, 0)
    rig.disk[:] = b"?" * SIZE
    assert rig.read() == []
    rig.write_nowhere(0)
    assert rig.read() == [(Kind.LOST, 0, BLOCK)]


def test_blocks_are_busy_only_while_they_are_changed() -> None:
    ledger = Ledger(RUN, BLOCK)
    ledger.begin(BLOCK, 2 * BLOCK)
    busy = [ledger.is_busy(offset, BLOCK) for offset in range(0, 4 * BLOCK, BLOCK)]
    assert busy == [False, True, True, False]
    ledger.finish(BLOCK, 2 * BLOCK, 0)
    assert not ledger.is_busy(0, 4 * BLOCK)


@given(
    writes=st.lists(st.tuples(st.integers(0, 7), st.integers(1, 4), st.booleans()), max_size=12),
    start=st.integers(0, 4),
    end=st.integers(4, 12),
    longest=st.sampled_from([1, BLOCK, 2 * BLOCK + 1, 100 * BLOCK]),
)
def test_everything_written_is_listed_once_and_in_order(
    writes: list[tuple[int, int, bool]], start: int, end: int, longest: int
) -> None:
    ledger = Ledger(RUN, BLOCK)
    known: set[int] = set()
    for first, count, answered in writes:
        generation = ledger.begin(first * BLOCK, count * BLOCK)
        ledger.finish(first * BLOCK, count * BLOCK, generation if answered else 0)
        blocks = set(range(first, first + count))
        known = known | blocks if answered else known - blocks
    parts = list(ledger.written(start * BLOCK, end * BLOCK, longest))
    listed = [
        block
        for offset, length in parts
        for block in range(offset // BLOCK, (offset + length) // BLOCK)
    ]
    assert listed == sorted(known & set(range(start, end)))
    assert all(length <= max(longest, BLOCK) for _, length in parts)


class Overlapping(RuleBasedStateMachine):
    """Changes and reads overlap in any way that is_busy() allows; the disk is faultless.

    A change may take effect at any moment while it is in flight, or in two parts, or not at all
    if it fails.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rig = Rig()
        self.changes: list[tuple[int, int, int, bytes]] = []
        self.reads: list[tuple[int, int, list[int], bytearray]] = []

    @rule(first=st.integers(0, 7), count=st.integers(1, 3), zeros=st.booleans())
    def change(self, first: int, count: int, zeros: bool) -> None:
        offset, length = first * BLOCK, min(count, 8 - first) * BLOCK
        ledger = self.rig.ledger
        if ledger.is_busy(offset, length):
            return
        generation = ledger.begin(offset, length)
        data = bytearray(length)
        if not zeros:
            ledger.stamp(memoryview(data), offset, generation)
        self.changes.append((offset, length, -generation if zeros else generation, bytes(data)))

    @precondition(lambda self: self.changes)
    @rule(data=st.data())
    def apply_a_part(self, data: st.DataObject) -> None:
        offset, length, _, contents = data.draw(st.sampled_from(self.changes))
        part = data.draw(st.integers(0, length // 512)) * 512
        self.rig.disk[offset : offset + part] = contents[:part]

    @precondition(lambda self: self.changes)
    @rule(data=st.data(), fails=st.booleans())
    def answer(self, data: st.DataObject, fails: bool) -> None:
        index = data.draw(st.integers(0, len(self.changes) - 1))
        offset, length, state, contents = self.changes.pop(index)
        if not fails:
            self.rig.disk[offset : offset + length] = contents
        self.rig.ledger.finish(offset, length, 0 if fails else state)

    @rule(first=st.integers(0, 7), count=st.integers(1, 8))
    def begin_read(self, first: int, count: int) -> None:
        offset, length = first * BLOCK, min(count, 8 - first) * BLOCK
        expected = self.rig.ledger.expect(offset, length)
        found = self.rig.disk[offset : offset + length]
        self.reads.append((offset, length, expected, found))

    @precondition(lambda self: self.reads)
    @rule(data=st.data())
    def read_a_part_later(self, data: st.DataObject) -> None:
        offset, length, _, found = data.draw(st.sampled_from(self.reads))
        start = data.draw(st.integers(0, length // 512)) * 512
        found[start:] = self.rig.disk[offset + start : offset + length]

    @precondition(lambda self: self.reads)
    @rule(data=st.data())
    def end_read(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.reads) - 1))
        offset, _, expected, found = self.reads.pop(index)
        assert self.rig.ledger.check(offset, memoryview(found), expected).damages == []

    def teardown(self) -> None:
        assert self.rig.read() == []


TestOverlappingRequestsNeverRaiseAFalseAlarm = Overlapping.TestCase
