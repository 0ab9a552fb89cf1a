"""Plan how a long read, write, zero write or discard is cut into calls of the driver.

Reads and writes are cut up front. Zero writes and discards are cut one piece at a time, because
how far a piece got depends on what the driver answered to the one before.

QEMU: block/io.c, bdrv_aligned_preadv(), bdrv_co_do_pwrite_zeroes(), bdrv_co_pdiscard().
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from blkdebug_async.block.limits import Limits, smaller
from blkdebug_async.units import INT64_MAX, INT_MAX, MAX_BOUNCE, align_down, align_up, is_aligned


class Span(NamedTuple):
    """A piece of a request."""

    #: First byte on the node.
    offset: int
    #: Bytes, > 0 unless the request itself is empty.
    length: int


def transfer_limit(limits: Limits) -> int:
    """Work out the longest read or write that one driver call may carry, in bytes."""
    return align_down(smaller(limits.max_transfer, INT_MAX) or INT_MAX, limits.request_alignment)


def split_transfer(offset: int, length: int, longest: int) -> Iterator[Span]:
    """Cut a read or write.

    Args:
        offset: First byte, aligned.
        length: Bytes, aligned; an empty request stays one empty piece.
        longest: Longest piece in bytes, > 0, see transfer_limit().
    """
    end = offset + length
    while True:
        step = min(end - offset, longest)
        yield Span(offset, step)
        offset += step
        if offset >= end:
            return


class ZeroPlan(NamedTuple):
    """How zero writes on a node are cut."""

    #: What bulk pieces are aligned to, in bytes.
    align: int
    #: Longest bulk piece in bytes.
    longest: int
    #: Longest piece that is written from a buffer of zeros, in bytes.
    bounce: int


def plan_zeroes(limits: Limits) -> ZeroPlan:
    """Work out how zero writes on a node with these limits are cut."""
    block = limits.request_alignment
    align = _whole_blocks(limits.pwrite_zeroes_alignment, block)
    return ZeroPlan(
        align=align,
        longest=_longest(limits.max_pwrite_zeroes, align, block),
        # Whole blocks; QEMU forgets this where the limits are odd.
        bounce=max(
            align_down(smaller(limits.max_transfer, MAX_BOUNCE) or MAX_BOUNCE, block), block
        ),
    )


def _whole_blocks(best: int | None, block: int) -> int:
    """Work out the best alignment that is made of whole blocks; QEMU asserts that it is."""
    return align_up(best or block, block)


def _longest(most: int | None, align: int, block: int) -> int:
    """Work out the longest piece; where it cannot be aligned as is best, it is whole blocks."""
    if most is None:
        return align_down(INT64_MAX, align)
    return align_down(most, align) or align_down(most, block)


def next_zero_length(left: int, head: int, tail: int, plan: ZeroPlan) -> int:
    """Give the length of the next piece of a zero write.

    Args:
        left: Bytes of the request that are not yet zeroed, > 0.
        head: How far into a block of plan.align the piece starts, while the first, unaligned block
            is not yet done; 0 after that, also where a short piece has left the alignment.
        tail: How far into such a block the request ends.
        plan: From plan_zeroes().

    Returns:
        Bytes, > 0. Pieces that touch an unaligned edge stay within one block of plan.align, so
        that the bulk is aligned at both ends.
    """
    length = left
    if head:
        length = min(length, plan.bounce, plan.align - head)
    elif tail and length > plan.align:
        length -= tail
    return min(length, plan.longest)


def split_discard(offset: int, length: int, limits: Limits) -> Iterator[Span]:
    """Cut a discard.

    Args:
        offset: First byte, of any alignment.
        length: Bytes, of any alignment; nothing is yielded for 0.
        limits: Of the node.
    """
    block = limits.request_alignment
    align = _whole_blocks(limits.pdiscard_alignment, block)
    longest = _longest(limits.max_pdiscard, align, block)
    end = offset + length
    tail = end % align
    while offset < end:
        step = end - offset
        head = offset % align
        if head:
            step = min(step, align - head)
            if not is_aligned(step, block):
                # The bit below the block size goes alone; the driver may refuse it.
                step %= block
        elif tail:
            if step > align:
                step -= tail
            elif not is_aligned(tail, block) and tail > block:
                tail %= block
                step -= tail
        step = min(step, longest)
        yield Span(offset, step)
        offset += step
