"""Reads that no serial order of the writes explains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.events import IoType
from blkdebug_async.explore.history import History, Verdict, check_history, judge
from blkdebug_async.explore.operation import Operation

SECTOR = 512


class Session:
    """Notes requests, each by one call or by two."""

    def __init__(self, disk: str = "disk") -> None:
        self.history = History()
        self.disk = disk

    def begin(self, op: IoType, offset: int, length: int, data: bytes | None = None) -> Operation:
        return self.history.begin(self.disk, op, offset, length, data)

    def end(
        self, operation: Operation, data: bytes | None = None, error: str | None = None
    ) -> None:
        self.history.end(operation, data, error)

    def write(self, offset: int, data: bytes, error: str | None = None) -> None:
        self.end(self.begin(IoType.WRITE, offset, len(data), data), error=error)

    def read(self, offset: int, data: bytes) -> Operation:
        operation = self.begin(IoType.READ, offset, len(data))
        self.end(operation, data)
        return operation


def sector(letter: str, number: int = 1) -> bytes:
    return letter.encode() * (SECTOR * number)


def test_a_read_of_what_was_overwritten_is_a_violation() -> None:
    session = Session()
    session.write(0, sector("a"))
    session.write(0, sector("b"))
    culprit = session.read(0, sector("a"))
    violation = check_history(session.history)
    assert violation is not None
    assert violation.read is culprit
    assert (violation.offset, violation.length) == (0, SECTOR)
    assert (violation.returned, violation.possible) == (sector("a"), (sector("b"),))
    assert violation.operations == tuple(session.history)


def test_a_read_of_what_was_written_last_is_none() -> None:
    session = Session()
    session.write(0, sector("a"))
    session.read(0, sector("a"))
    assert check_history(session.history) is None


def test_a_read_may_see_some_sectors_before_and_some_after_a_write_meanwhile() -> None:
    session = Session()
    session.write(0, sector("a", 2))
    write = session.begin(IoType.WRITE, 0, 2 * SECTOR, sector("b", 2))
    session.read(0, sector("b") + sector("a"))
    session.end(write)
    assert check_history(session.history) is None


def test_a_sector_is_seen_whole() -> None:
    session = Session()
    session.write(0, sector("a"))
    write = session.begin(IoType.WRITE, 0, SECTOR, sector("b"))
    session.read(0, b"b" * 256 + b"a" * 256)
    session.end(write)
    assert check_history(session.history) is not None
    assert session.history.judge(unit=256).violation is None


def test_of_many_sectors_the_one_that_is_wrong_is_named() -> None:
    session = Session()
    session.write(0, sector("a", 3))
    session.read(0, sector("a") + sector("x") + sector("a"))
    violation = check_history(session.history)
    assert violation is not None
    assert (violation.offset, violation.length) == (SECTOR, SECTOR)


def test_the_read_that_ended_first_is_told_of() -> None:
    session = Session()
    session.write(0, sector("a", 2))
    first = session.read(SECTOR, sector("x"))
    session.read(0, sector("y"))
    violation = check_history(session.history)
    assert violation is not None
    assert violation.read is first


def test_disks_are_judged_one_by_one() -> None:
    session = Session("left")
    session.write(0, sector("a"))
    session.disk = "right"
    session.read(0, sector("b"))
    assert check_history(session.history) is None


def test_what_a_disk_held_in_the_beginning_may_be_said() -> None:
    session = Session()
    session.read(0, sector("b"))
    assert check_history(session.history, {"other": bytes(SECTOR)}) is None
    assert check_history(session.history, {"disk": bytes(SECTOR)}) is not None


def test_what_takes_too_long_is_not_decided_and_counted() -> None:
    session = Session()
    write = session.begin(IoType.WRITE, 0, SECTOR, sector("a"))
    session.read(0, sector("x"))
    session.read(0, sector("y"))
    session.end(write)
    assert judge(session.history, budget=0) == Verdict(None, 1)
    assert judge(session.history).violation is not None


def test_a_write_that_failed_may_be_seen_later() -> None:
    session = Session()
    session.write(0, sector("a"))
    session.write(0, sector("b"), error="EIO")
    session.read(0, sector("a"))
    session.read(0, sector("b"))
    assert check_history(session.history) is None


def test_where_nothing_was_asked_nothing_is_wrong() -> None:
    assert History().judge() == Verdict(None, 0)


def test_moments_rise_with_each_beginning_and_each_end() -> None:
    session = Session()
    outer = session.begin(IoType.WRITE, 0, SECTOR, sector("a"))
    inner = session.begin(IoType.FLUSH, 0, 0)
    session.end(inner)
    session.end(outer, error="EIO")
    assert (outer.began, inner.began, inner.ended, outer.ended) == (0, 1, 2, 3)
    assert (inner.error, outer.error) == (None, "EIO")


def test_who_acts_and_when_is_noted() -> None:
    present = iter([("main/a", 3), ("main/a", 5)])
    history = History(lambda: next(present))
    operation = history.begin("disk", IoType.FLUSH, 0, 0)
    history.end(operation)
    assert (operation.task, operation.step, operation.last_step) == ("main/a", 3, 5)


# --- which disks ---


def test_disks_of_one_name_are_told_apart() -> None:
    history = History()
    names = [history.open(node, "raw", [node]) for node in ("one", "two", "three", "two")]
    assert names == ["raw", "raw#1", "raw#2", "raw#1"]


def test_disks_on_one_node_share_its_name_and_are_judged() -> None:
    history = History()
    history.open("top", "raw", ["top", "file"])
    history.open("top", "raw", ["top", "file"])
    assert history.left_out == set()


def test_disks_that_meet_below_their_tops_are_left_out() -> None:
    session = Session()
    history = session.history
    history.open("above", "raw", ["above", "file"])
    history.open("file", "file", ["file"])
    history.open("apart", "other", ["apart"])
    assert history.left_out == {"raw", "file"}
    for session.disk in ("raw", "other"):
        session.write(0, sector("a"))
        session.read(0, sector("b"))
    violation = history.judge().violation
    assert violation is not None
    assert violation.read.disk == "other"


# --- in words ---


def test_a_violation_explains_itself() -> None:
    discarding, failing = ("main/writer", 1), ("main/other", 2)
    first = [("main", 0), ("main", 1), discarding, ("", 2), failing, ("", 3)]
    present = iter([*first, ("", 3), ("main/reader", 4), ("", 5)])
    history = History(lambda: next(present))
    history.end(history.begin("disk", IoType.WRITE, 0, SECTOR, sector("a")))
    history.end(history.begin("disk", IoType.DISCARD, SECTOR, SECTOR))
    history.end(history.begin("disk", IoType.WRITE, 0, SECTOR, sector("b")), error="EIO")
    history.begin("disk", IoType.WRITE_ZEROES, 0, 2 * SECTOR)
    history.end(history.begin("disk", IoType.READ, 0, SECTOR), sector("x"))
    assert str(history.judge().violation).splitlines() == [
        "A read returned what no serial order of the writes explains: bytes 0 to 512 of disk",
        "  returned: 0x78 only",
        "  possible: 0x61 only or 0x62 only or zeroes",
        "  moment 0 to 1 write by main of 0x61 only",
        "  moment 4 to 5 write by main/other of 0x62 only (EIO)",
        "  moment 6 write-zeroes (not over)",
        "  moment 7 to 8 read by main/reader of 0x78 only <- this one",
    ]


def test_of_many_operations_the_last_ones_are_told() -> None:
    session = Session()
    for letter in "abcdefghijklmnop":
        session.write(0, sector(letter))
    session.read(0, sector("x"))
    lines = str(check_history(session.history)).splitlines()
    assert lines[3] == "  5 earlier operations, then"
    assert len(lines) == 16


def test_nothing_may_be_possible_that_is_known() -> None:
    session = Session()
    session.read(0, sector("a"))
    for letter in "bcd":
        session.begin(IoType.WRITE, 0, SECTOR, sector(letter))
    session.read(0, sector("x"))
    violation = check_history(session.history)
    assert violation is not None
    unknown = type(violation)(
        violation.offset, violation.length, violation.read, violation.returned, (), ()
    )
    assert "possible: nothing that is known" in str(unknown)


# --- laws ---

WORDS = st.sampled_from([b"a", b"b", b"c"])


@st.composite
def served(draw: st.DrawFn) -> History:
    """Give what a disk of 12 bytes has done, in units of 2, with requests that overlap in time."""
    session = Session()
    content = bytearray(b"a" * 12)
    under_way: list[tuple[Operation, bytearray]] = []
    for _ in range(draw(st.integers(1, 25))):
        kind = draw(st.sampled_from(["read", "write", "write", "zeroes", "end", "end", "end"]))
        if kind == "end" and under_way:
            _end(session, content, *under_way.pop(draw(st.integers(0, len(under_way) - 1))))
        elif kind != "end":
            offset = draw(st.integers(0, 11))
            length = draw(st.integers(1, 12 - offset))
            if kind == "write":
                data = draw(WORDS) * length
                operation = session.begin(IoType.WRITE, offset, length, data)
            else:
                op = IoType.READ if kind == "read" else IoType.WRITE_ZEROES
                operation = session.begin(op, offset, length)
            under_way.append((operation, bytearray(length)))
        # Whoever is under way may take effect now, a unit at a time.
        for operation, seen in under_way:
            if draw(st.booleans()):
                _happen(content, operation, seen, draw(st.integers(0, 5)))
    return session.history


def _happen(content: bytearray, operation: Operation, seen: bytearray, unit: int) -> None:
    """Let one unit of a request take effect, once."""
    for byte in range(2 * unit, 2 * unit + 2):
        place = byte - operation.offset
        if not 0 <= place < operation.length or seen[place]:
            continue
        if operation.op is IoType.READ:
            seen[place] = content[byte] + 1
        else:
            content[byte] = 0 if operation.data is None else operation.data[place]
            seen[place] = 1


def _end(session: Session, content: bytearray, operation: Operation, seen: bytearray) -> None:
    for unit in range(6):
        _happen(content, operation, seen, unit)
    read = operation.op is IoType.READ
    session.end(operation, bytes(byte - 1 for byte in seen) if read else None)


@given(served())
def test_what_a_disk_has_done_is_always_explained(history: History) -> None:
    assert history.judge(unit=2) == Verdict(None, 0)


@given(served(), st.data())
def test_a_byte_that_was_never_there_is_always_found(history: History, data: st.DataObject) -> None:
    reads = [each for each in history if each.op is IoType.READ and each.ended is not None]
    if not reads:
        return
    read = data.draw(st.sampled_from(reads))
    assert read.data is not None
    place = data.draw(st.integers(0, read.length - 1))
    read.data = read.data[:place] + b"z" + read.data[place + 1 :]
    verdict = judge(history, {"disk": b"a" * 12}, unit=2)
    assert verdict.violation is not None


@pytest.mark.parametrize("op", [IoType.DISCARD, IoType.TRUNCATE])
def test_what_nobody_needs_any_more_reads_as_anything_once(op: IoType) -> None:
    session = Session()
    session.write(0, sector("a"))
    session.end(session.begin(op, 0, SECTOR))
    session.read(0, sector("x"))
    assert check_history(session.history) is None
    session.read(0, sector("a"))
    assert check_history(session.history) is not None
