from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.padding import EdgeRead, Padding, plan_edge_reads, plan_padding
from blkdebug_async.events import Event

HEAD, AFTER_HEAD = Event.PWRITEV_RMW_HEAD, Event.PWRITEV_RMW_AFTER_HEAD
TAIL, AFTER_TAIL = Event.PWRITEV_RMW_TAIL, Event.PWRITEV_RMW_AFTER_TAIL
KIB = 1024

aligns = st.sampled_from([1, 2, 8, 16])
requests = st.tuples(st.integers(0, 100), st.integers(1, 100), aligns)


def spell(reads: tuple[EdgeRead, ...]) -> list[Event]:
    return [event for read in reads for event in (*read.before, *read.after)]


@given(requests)
def test_grown_request_is_the_smallest_aligned_one_around_it(request: tuple[int, int, int]) -> None:
    offset, length, align = request
    padding = plan_padding(offset, length, align)
    blocks = [
        block
        for block in range(300)
        if offset < (block + 1) * align and block * align < offset + length
    ]
    assert padding.start == blocks[0] * align
    assert padding.grown == len(blocks) * align
    assert bool(padding) == (padding.start != offset or padding.grown != length)


@given(requests, st.booleans())
def test_reads_fill_exactly_the_edges_that_are_not_written(
    request: tuple[int, int, int], as_in_2018: bool
) -> None:
    offset, length, align = request
    padding = plan_padding(offset, length, align)
    if not padding:
        return
    disk = bytes(range(256))
    scratch = bytearray(padding.scratch_length)
    for read in plan_edge_reads(padding, as_in_2018=as_in_2018):
        assert read.offset % align == read.length % align == 0
        scratch[read.scratch : read.scratch + read.length] = disk[
            read.offset : read.offset + read.length
        ]
    assert scratch[: padding.head] == disk[padding.start : offset]
    end = padding.start + padding.grown
    assert scratch[len(scratch) - padding.tail :] == disk[end - padding.tail : end]


@given(requests)
def test_no_byte_is_read_twice(request: tuple[int, int, int]) -> None:
    padding = plan_padding(*request)
    if not padding:
        return
    read = [
        at
        for edge in plan_edge_reads(padding)
        for at in range(edge.offset, edge.offset + edge.length)
    ]
    assert len(read) == len(set(read)) <= 2 * padding.align


def test_aligned_request_needs_no_padding() -> None:
    assert not plan_padding(4 * KIB, 8 * KIB, 4 * KIB)


@pytest.mark.parametrize(
    ("offset", "length", "events", "events_of_2018"),
    [
        (1, 7, [HEAD, AFTER_HEAD], [HEAD, AFTER_HEAD]),
        (3, 1, [HEAD, AFTER_HEAD], [HEAD, AFTER_HEAD]),
        (0, 1, [TAIL, AFTER_TAIL], [TAIL, AFTER_TAIL]),
        (0, 5, [TAIL, AFTER_TAIL], [TAIL, AFTER_TAIL]),
        (1, 1, [HEAD, TAIL, AFTER_HEAD, AFTER_TAIL], [HEAD, AFTER_HEAD]),
        (1, 4, [HEAD, TAIL, AFTER_HEAD, AFTER_TAIL], [HEAD, AFTER_HEAD, TAIL, AFTER_TAIL]),
        (1, 8, [HEAD, AFTER_HEAD, TAIL, AFTER_TAIL], [HEAD, AFTER_HEAD, TAIL, AFTER_TAIL]),
    ],
    ids=[
        "head only",
        "head within a block",
        "tail within a block",
        "tail only",
        "both in one block",
        "both in two blocks",
        "both in three blocks",
    ],
)
def test_events_come_in_the_order_of_qemu(
    offset: int, length: int, events: list[Event], events_of_2018: list[Event]
) -> None:
    padding = plan_padding(offset * KIB, length * KIB, 4 * KIB)
    assert spell(plan_edge_reads(padding)) == events
    assert spell(plan_edge_reads(padding, as_in_2018=True)) == events_of_2018


def test_two_blocks_with_both_edges_are_read_at_once() -> None:
    (read,) = plan_edge_reads(plan_padding(5 * KIB, 4 * KIB, 4 * KIB))
    assert (read.offset, read.length, read.scratch) == (4 * KIB, 8 * KIB, 0)


def test_three_blocks_are_read_at_their_ends_only() -> None:
    reads = plan_edge_reads(plan_padding(1 * KIB, 8 * KIB, 4 * KIB))
    assert [(read.offset, read.length) for read in reads] == [(0, 4 * KIB), (8 * KIB, 4 * KIB)]


def test_empty_aligned_request_stays_empty() -> None:
    padding = plan_padding(4 * KIB, 0, 4 * KIB)
    assert padding == Padding(4 * KIB, 0, 0, 0, 4 * KIB)
    assert not padding
