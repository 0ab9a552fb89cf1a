from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.limits import Limits
from blkdebug_async.block.split import (
    Span,
    next_zero_length,
    plan_zeroes,
    split_discard,
    split_transfer,
    transfer_limit,
)
from blkdebug_async.units import GIB, INT_MAX, MIB

alignments = st.sampled_from([1, 2, 4])
#: Best alignments need not be powers of two.
best_alignments = st.none() | st.integers(1, 24)


def whole_blocks(best: int | None, align: int) -> int:
    return -(-(best or 1) // align) * align


def cut_zeroes(
    offset: int, length: int, limits: Limits, *, fallback: bool
) -> list[tuple[int, int]]:
    plan = plan_zeroes(limits)
    end, spans = offset + length, []
    head, tail = offset % plan.align, end % plan.align
    while offset < end:
        size = next_zero_length(end - offset, head, tail, plan)
        if head:
            head = (head + size) % plan.align
        if fallback:
            size = min(size, plan.bounce)
        spans.append((size, offset))
        offset += size
    return spans


@pytest.mark.parametrize(
    ("limits", "longest"),
    [
        (Limits(), INT_MAX),
        (Limits(512), INT_MAX // 512 * 512),
        (Limits(512, max_transfer=4096), 4096),
        (Limits(512, max_transfer=5000), 4608),
        (Limits(max_transfer=1 << 40), INT_MAX),
    ],
)
def test_transfer_is_limited_to_whole_blocks(limits: Limits, longest: int) -> None:
    assert transfer_limit(limits) == longest


@given(st.integers(0, 100), st.integers(0, 100), st.integers(1, 30))
def test_transfer_is_cut_into_longest_pieces_and_a_rest(
    offset: int, length: int, longest: int
) -> None:
    spans = list(split_transfer(offset, length, longest))
    covered = [at for span in spans for at in range(span.offset, span.offset + span.length)]
    assert covered == list(range(offset, offset + length))
    assert all(span.length == longest for span in spans[:-1])
    assert spans[-1].length <= longest


def test_empty_transfer_stays_one_piece() -> None:
    assert list(split_transfer(512, 0, 512)) == [Span(512, 0)]


def test_zero_write_is_cut_as_qemu_cuts_it() -> None:
    limits = Limits(512, pwrite_zeroes_alignment=4096, max_pwrite_zeroes=16384)
    # write -z 1000 50000, what is left between the unaligned edges.
    assert cut_zeroes(1024, 50688 - 1024, limits, fallback=False) == [
        (3072, 1024),
        (16384, 4096),
        (16384, 20480),
        (12288, 36864),
        (1536, 49152),
    ]


def test_zero_write_from_a_buffer_takes_16_mib_at_a_time() -> None:
    spans = cut_zeroes(0, 40 * MIB, Limits(512), fallback=True)
    assert spans == [(16 * MIB, 0), (16 * MIB, 16 * MIB), (8 * MIB, 32 * MIB)]


@given(
    st.integers(0, 60),
    st.integers(1, 200),
    alignments,
    best_alignments,
    st.none() | st.integers(4, 80),
    st.none() | st.integers(4, 40),
    st.booleans(),
)
def test_zero_write_is_cut_without_gaps_in_aligned_pieces_within_the_limits(  # noqa: PLR0913
    start: int,
    blocks: int,
    align: int,
    best: int | None,
    most: int | None,
    transfer: int | None,
    fallback: bool,
) -> None:
    limits = Limits(
        align, max_transfer=transfer, pwrite_zeroes_alignment=best, max_pwrite_zeroes=most
    )
    offset, length = start * align, blocks * align
    spans = cut_zeroes(offset, length, limits, fallback=fallback)
    covered = [at for size, place in spans for at in range(place, place + size)]
    assert covered == list(range(offset, offset + length))
    assert all(size % align == place % align == 0 for size, place in spans)
    assert most is None or all(size <= most for size, _ in spans)
    if fallback and transfer is not None:
        assert all(size <= transfer for size, _ in spans)
    if not fallback and (most is None or most >= whole_blocks(best, align)):
        unit = whole_blocks(best, align)
        inner = [(size, place) for size, place in spans if size >= unit]
        assert all(size % unit == place % unit == 0 for size, place in inner)


def test_buffer_of_zeros_is_whole_blocks_even_if_blocks_are_huge() -> None:
    assert plan_zeroes(Limits(GIB)).bounce == GIB
    assert plan_zeroes(Limits(512, max_transfer=1000)).bounce == 512


def test_discard_is_cut_as_qemu_cuts_it() -> None:
    limits = Limits(512, pdiscard_alignment=4096, max_pdiscard=16384)
    # discard 1000 50000
    assert list(split_discard(1000, 50000, limits)) == [
        Span(1000, 24),
        Span(1024, 3072),
        Span(4096, 16384),
        Span(20480, 16384),
        Span(36864, 12288),
        Span(49152, 1536),
        Span(50688, 312),
    ]


def test_empty_discard_has_no_pieces() -> None:
    assert list(split_discard(0, 0, Limits(512))) == []


@given(
    st.integers(0, 200),
    st.integers(0, 300),
    alignments,
    best_alignments,
    st.none() | st.integers(24, 80),
)
def test_discard_is_cut_without_gaps_into_pieces_within_the_limits(
    offset: int, length: int, align: int, best: int | None, most: int | None
) -> None:
    limits = Limits(align, pdiscard_alignment=best, max_pdiscard=most)
    spans = list(split_discard(offset, length, limits))
    covered = [at for span in spans for at in range(span.offset, span.offset + span.length)]
    assert covered == list(range(offset, offset + length))
    assert all(0 < span.length <= (most or length) for span in spans)


@given(
    st.integers(0, 60),
    st.integers(0, 200),
    alignments,
    best_alignments,
    st.none() | st.integers(24, 80),
)
def test_discard_of_whole_blocks_is_cut_at_the_best_alignment(
    start: int, blocks: int, align: int, best: int | None, most: int | None
) -> None:
    limits = Limits(align, pdiscard_alignment=best, max_pdiscard=most)
    spans = [
        (span.offset, span.length) for span in split_discard(start * align, blocks * align, limits)
    ]
    unit = whole_blocks(best, align)
    assert spans == naive_discard(start * align, blocks * align, unit, most)


def naive_discard(offset: int, length: int, unit: int, most: int | None) -> list[tuple[int, int]]:
    # Up to the best alignment, then bulk, then what is left over.
    end = offset + length
    first, last = -(-offset // unit) * unit, end // unit * unit
    cuts = {offset, end} | {cut for cut in (first, last) if offset < cut < end}
    cuts |= set(range(first, last, most // unit * unit if most else 1 << 40))
    return [(low, high - low) for low, high in pairwise(sorted(cuts))]


def test_longest_discard_counts_more_than_the_best_alignment() -> None:
    limits = Limits(512, pdiscard_alignment=65536, max_pdiscard=1536)
    assert [span.length for span in split_discard(0, 4096, limits)] == [1536, 1536, 1024]
