"""Plan how far an unaligned request must grow, and in which order its edges are read.

The scratch memory is one block where the grown request is one block long or only one edge is
unaligned; two blocks otherwise. If the whole grown request fits the scratch, one read serves both
edges ("merged").
"""

from __future__ import annotations

from typing import NamedTuple

from blkdebug_async.events import Event


class EdgeRead(NamedTuple):
    """One read of a read-modify-write."""

    #: First byte on the node.
    offset: int
    #: Bytes, a multiple of the alignment.
    length: int
    #: Where in the scratch it goes.
    scratch: int
    #: Events before the read, in order.
    before: tuple[Event, ...]
    #: Events after it succeeded, in order.
    after: tuple[Event, ...]


class Padding(NamedTuple):
    """How a request grows. Falsy when it is aligned already."""

    #: First byte of the request as asked for.
    offset: int
    #: Bytes as asked for.
    length: int
    #: Bytes to add before the request.
    head: int
    #: Bytes to add after it.
    tail: int
    align: int

    def __bool__(self) -> bool:
        return bool(self.head or self.tail)

    @property
    def start(self) -> int:
        """First byte of the grown request."""
        return self.offset - self.head

    @property
    def grown(self) -> int:
        """Bytes of the grown request."""
        return self.head + self.length + self.tail

    @property
    def scratch_length(self) -> int:
        """Bytes of scratch memory that hold the edge blocks."""
        two = self.grown > self.align and self.head and self.tail
        return 2 * self.align if two else self.align

    @property
    def merged(self) -> bool:
        """Whether the scratch holds the whole grown request."""
        return self.grown == self.scratch_length


def plan_padding(offset: int, length: int, align: int) -> Padding:
    """Work out how far a request must grow to be aligned.

    Args:
        offset: First byte, >= 0.
        length: Bytes, >= 0; 0 only if offset is aligned.
        align: Block size in bytes, a power of two.

    QEMU: block/io.c, bdrv_init_padding().
    """
    return Padding(offset, length, offset % align, -(offset + length) % align, align)


def plan_edge_reads(padding: Padding, *, as_in_2018: bool = False) -> tuple[EdgeRead, ...]:
    """Plan the reads that a read-modify-write makes before it writes.

    Args:
        padding: Of the request; truthy.
        as_in_2018: Head and tail never share a read, and a block that is both counts as head.

    QEMU: block/io.c, bdrv_padding_rmw_read(); QEMU 3.0: bdrv_co_pwritev().
    """
    align, last = padding.align, padding.start + padding.grown - padding.align
    two_edges = bool(padding.head and padding.tail)
    head_only = EdgeRead(
        padding.start, align, 0, (Event.PWRITEV_RMW_HEAD,), (Event.PWRITEV_RMW_AFTER_HEAD,)
    )
    tail_only = EdgeRead(
        last,
        align,
        padding.scratch_length - align,
        (Event.PWRITEV_RMW_TAIL,),
        (Event.PWRITEV_RMW_AFTER_TAIL,),
    )
    if not two_edges:
        return (head_only,) if padding.head else (tail_only,)
    if as_in_2018:
        return (head_only,) if padding.grown == align else (head_only, tail_only)
    if padding.merged:
        return (
            EdgeRead(
                padding.start,
                padding.grown,
                0,
                (Event.PWRITEV_RMW_HEAD, Event.PWRITEV_RMW_TAIL),
                (Event.PWRITEV_RMW_AFTER_HEAD, Event.PWRITEV_RMW_AFTER_TAIL),
            ),
        )
    return (head_only, tail_only)
