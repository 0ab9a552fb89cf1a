"""What a step touched, and when two steps commute.

A step is what runs between two points at which the block layer may give up control.

Whatever else steps share, a lock, a queue, the clock, counts as a node of one byte, whose name no
node can have: looking at it is reading that byte, changing it is writing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

#: What names of synchronisation objects start with; names of nodes have no colon.
_SYNC = "sync:"


class Touch(StrEnum):
    """How a step touched a node."""

    READ = "read"
    WRITE = "write"
    FLUSH = "flush"
    #: Being one of several things, in any order among each other, the last of which changes it.
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Footprint:
    """A range of bytes on a node, and what was done to it."""

    #: Name of the node whose driver was called.
    node: str
    #: First byte.
    offset: int
    #: Bytes; a flush touches all bytes and has length 0.
    length: int
    touch: Touch


def commutes(left: Footprint, right: Footprint) -> bool:
    """Tell whether two touches have the same effect in either order.

    Reads commute with reads, and ranges that do not meet commute. A flush orders the writes
    before it against those after it, so it commutes with reads and flushes only.
    """
    if left.node != right.node:
        return True
    if left.touch is not Touch.WRITE and right.touch is not Touch.WRITE:
        return True
    if left.touch is Touch.FLUSH or right.touch is Touch.FLUSH:
        return False
    return left.offset + left.length <= right.offset or right.offset + right.length <= left.offset


def all_commute(lefts: Iterable[Footprint], rights: Sequence[Footprint]) -> bool:
    """Tell whether all touches of one step have the same effect before and after another's.

    Args:
        lefts: What one step touched.
        rights: What the other touched; gone through once for each of lefts.
    """
    for left in lefts:
        for right in rights:
            if left.node == right.node and not commutes(left, right):
                return False
    return True


def sync_footprint(name: str, touch: Touch = Touch.WRITE) -> Footprint:
    """Give the footprint of using a synchronisation object.

    Args:
        name: A stable name of it, of no other object.
        touch: READ where it was only looked at.
    """
    return Footprint(_SYNC + name, 0, 1, touch)


def is_sync(footprint: Footprint) -> bool:
    """Tell whether it is that of using a synchronisation object."""
    return footprint.node.startswith(_SYNC)
