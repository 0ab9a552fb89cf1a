"""Alignments and maxima of a node, and merging them from children.

QEMU: include/block/block_int-common.h, BlockLimits; block/io.c, bdrv_refresh_limits().
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from blkdebug_async.errors import OptionError
from blkdebug_async.units import MAX_ALIGNMENT


@dataclass(frozen=True, slots=True)
class Limits:
    """What requests that reach a driver must look like. None: no limit."""

    #: Offsets and lengths reaching the driver are multiples of this power of two, in bytes.
    request_alignment: int = 1
    #: Longest single read or write in bytes, cut down to a multiple of request_alignment.
    max_transfer: int | None = None
    #: Preferred transfer length in bytes: a hint only.
    opt_transfer: int | None = None
    #: Zero writes are best aligned to this many bytes; any positive number.
    pwrite_zeroes_alignment: int | None = None
    #: Longest single zero write in bytes.
    max_pwrite_zeroes: int | None = None
    #: Discards are best aligned to this many bytes; any positive number.
    pdiscard_alignment: int | None = None
    #: Longest single discard in bytes.
    max_pdiscard: int | None = None
    #: Buffers must be aligned to this many bytes (direct I/O).
    min_mem_alignment: int = 512
    #: Buffers are best aligned to this many bytes.
    opt_mem_alignment: int = 4096
    #: Most entries in an I/O vector.
    max_iov: int = 1024


#: The limits of nodes that have none.
UNLIMITED: Final = Limits()


def merge_limits(children: Iterable[Limits]) -> Limits:
    """Work out a node's limits from those of its data, filtered and backing children.

    Only transfer sizes, memory alignments, the discard alignment and the vector length are
    inherited; a child takes care of its own request alignment.

    QEMU: block/io.c, bdrv_merge_limits().
    """
    return _merge(tuple(children))


# Most nodes have children with the same limits as those of many others.
@lru_cache(maxsize=64)
def _merge(children: tuple[Limits, ...]) -> Limits:
    merged = UNLIMITED
    for index, child in enumerate(children):
        merged = replace(
            merged,
            max_transfer=smaller(merged.max_transfer, child.max_transfer),
            opt_transfer=_larger(merged.opt_transfer, child.opt_transfer),
            pdiscard_alignment=_larger(merged.pdiscard_alignment, child.pdiscard_alignment),
            min_mem_alignment=max(merged.min_mem_alignment, child.min_mem_alignment),
            opt_mem_alignment=max(merged.opt_mem_alignment, child.opt_mem_alignment),
            max_iov=child.max_iov if index == 0 else min(merged.max_iov, child.max_iov),
        )
    # The very object is recognised sooner than an equal one.
    return UNLIMITED if merged == UNLIMITED else merged


def check_limits(limits: Limits) -> Limits:
    """Refuse limits that no request could keep.

    Raises:
        OptionError: EINVAL; the request alignment is above 1 GiB, or something may not even be
            one block long (QEMU 7.2 fails an assertion at the first request then).
    """
    align = limits.request_alignment
    if align > MAX_ALIGNMENT:
        raise OptionError("Driver requires too large request alignment")
    for name in ("max_transfer", "max_pwrite_zeroes", "max_pdiscard"):
        most: int | None = getattr(limits, name)
        if most is not None and most < align:
            raise OptionError(
                f"Driver's {name} of {most} bytes is less than a block of {align} bytes"
            )
    return limits


def smaller(left: int | None, right: int | None) -> int | None:
    """Give the smaller of two limits, of which None is the largest."""
    if left is None or right is None:
        return right if left is None else left
    return min(left, right)


def _larger(left: int | None, right: int | None) -> int | None:
    if left is None or right is None:
        return right if left is None else left
    return max(left, right)
