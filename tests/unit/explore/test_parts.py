"""Cutting what was asked of a disk until every request is on all bytes of a part."""

from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.events import IoType
from blkdebug_async.explore.operation import Operation
from blkdebug_async.explore.parts import Part, cut_up
from blkdebug_async.explore.register import Access


def done(
    op: IoType, offset: int, length: int, began: int = 0, data: bytes | None = None
) -> Operation:
    if data is None and op in (IoType.READ, IoType.WRITE):
        data = bytes(length)
    return Operation("disk", op, offset, length, data, began=began, ended=began + 1)


def spans(*operations: Operation) -> list[tuple[int, int, int]]:
    return [(part.start, part.end, len(part.operations)) for part in cut_up(operations)]


def test_requests_to_the_same_bytes_are_one_part() -> None:
    first, second = done(IoType.WRITE, 0, 512), done(IoType.READ, 0, 512, 2)
    assert list(cut_up([first, second])) == [Part(0, 512, [first, second])]


def test_requests_that_do_not_meet_are_parts_in_the_order_of_bytes() -> None:
    assert spans(done(IoType.WRITE, 512, 512), done(IoType.READ, 0, 512, 2)) == [
        (0, 512, 1),
        (512, 1024, 1),
    ]


def test_requests_that_meet_are_cut_where_they_begin_and_end() -> None:
    assert spans(done(IoType.WRITE, 0, 300), done(IoType.READ, 100, 100, 2)) == [
        (0, 100, 1),
        (100, 200, 2),
        (200, 300, 1),
    ]


def test_the_requests_of_a_part_are_in_the_order_in_which_they_began() -> None:
    early, late = done(IoType.WRITE, 100, 100, 0), done(IoType.READ, 0, 300, 2)
    parts = {part.start: part.operations for part in cut_up([early, late])}
    assert parts[100] == [early, late]


def test_what_neither_reads_nor_changes_is_left_out() -> None:
    failed = done(IoType.READ, 0, 512)
    failed.error = "EIO"
    unfinished = done(IoType.READ, 0, 512)
    unfinished.ended = None
    nothing = Operation("disk", IoType.READ, 0, 512, began=0, ended=1, error="EIO")
    operations = [failed, unfinished, nothing, done(IoType.FLUSH, 0, 0), done(IoType.WRITE, 0, 0)]
    assert spans(*operations) == []


def test_a_change_counts_also_if_it_failed_or_is_not_over() -> None:
    failed, unfinished = done(IoType.WRITE, 0, 512), done(IoType.DISCARD, 0, 512)
    failed.error, unfinished.ended = "EIO", None
    assert spans(failed, unfinished) == [(0, 512, 2)]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=12))
def test_every_byte_of_every_request_is_in_one_part_with_it(ranges: list[tuple[int, int]]) -> None:
    numbers = count(0, 2)
    operations = [done(IoType.WRITE, offset, length, next(numbers)) for offset, length in ranges]
    parts = list(cut_up(operations))
    for operation in operations:
        mine = [part for part in parts if operation in part.operations]
        covered = [byte for part in mine for byte in range(part.start, part.end)]
        assert covered == list(range(operation.offset, operation.end))


def test_a_part_is_cut_at_multiples_of_a_unit() -> None:
    pieces = Part(700, 2000, []).pieces(512)
    assert [(piece.start, piece.end) for piece in pieces] == [
        (700, 1024),
        (1024, 1536),
        (1536, 2000),
    ]


def test_a_part_within_a_unit_stays_whole() -> None:
    assert list(Part(512, 1024, []).pieces(512)) == [Part(512, 1024, [])]


def test_what_nobody_reads_is_no_register() -> None:
    assert Part(0, 1 << 60, [done(IoType.WRITE_ZEROES, 0, 1 << 60)]).accesses() == []


def test_a_register_holds_what_was_read_and_written_of_the_part() -> None:
    operations = [
        done(IoType.WRITE, 0, 6, 0, b"abcdef"),
        done(IoType.WRITE_ZEROES, 0, 6, 2),
        done(IoType.DISCARD, 0, 6, 4),
        done(IoType.READ, 0, 6, 6, b"uvwxyz"),
    ]
    assert Part(2, 4, operations).accesses() == [
        Access(0, 1, True, b"cd"),
        Access(2, 3, True, bytes(2)),
        Access(4, 5, True, None),
        Access(6, 7, False, b"wx"),
    ]


def test_a_write_that_failed_need_not_have_happened() -> None:
    failed, read = done(IoType.WRITE, 0, 1, 0, b"a"), done(IoType.READ, 0, 1, 2, b"b")
    failed.error = "EIO"
    assert Part(0, 1, [failed, read]).accesses()[0] == Access(0, None, True, b"a")


def test_what_was_there_in_the_beginning_is_known_up_to_some_byte() -> None:
    assert Part(2, 4, []).initial(b"abcd") == b"cd"
    assert Part(2, 4, []).initial(b"abc") is None
