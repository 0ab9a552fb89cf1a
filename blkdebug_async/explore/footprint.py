"""What a step touched, and when two steps commute.

A step is what runs between two points at which the block layer may give up control.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Touch(StrEnum):
    """How a step touched a node."""

    READ = "read"
    WRITE = "write"
    FLUSH = "flush"


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
    kinds = {left.touch, right.touch}
    if Touch.WRITE not in kinds:
        return True
    if Touch.FLUSH in kinds:
        return False
    return left.offset + left.length <= right.offset or right.offset + right.length <= left.offset
