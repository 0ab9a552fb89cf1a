"""What a parent takes from a node and shares with the node's other parents.

Pure arithmetic on permission bits. QEMU: include/block/block-common.h, block.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Flag, auto
from functools import lru_cache
from typing import Final, NamedTuple

CONSISTENT_READ: Final = 0x1
WRITE: Final = 0x2
WRITE_UNCHANGED: Final = 0x4
RESIZE: Final = 0x8
ALL: Final = 0xF

#: Names as in QAPI (BlockPermission), in QAPI's order.
NAMES: Final = {
    "consistent-read": CONSISTENT_READ,
    "write": WRITE,
    "write-unchanged": WRITE_UNCHANGED,
    "resize": RESIZE,
}


def describe(perms: int) -> str:
    """Spell permissions as QEMU's messages do: "consistent read, write", or "none"."""
    return ", ".join(_words(name) for name, bit in NAMES.items() if perms & bit) or "none"


def _words(name: str) -> str:
    return name.replace("-", " ")


class Role(Flag):
    """What a child is to its parent."""

    #: Holds guest data.
    DATA = auto()
    #: Holds the parent's own bookkeeping.
    METADATA = auto()
    #: Shows exactly what the parent shows. Excludes all others but PRIMARY.
    FILTERED = auto()
    #: Shows through where the parent has nothing.
    COW = auto()
    #: The child whose file name stands for the parent.
    PRIMARY = auto()


#: The one child of a filter.
FILTERED_CHILD: Final = Role.FILTERED | Role.PRIMARY


class Permissions(NamedTuple):
    """What one edge takes from a node, and what it lets the node's other parents take."""

    taken: int
    shared: int


# Few roles and permissions there are, and an enum.Flag is slow to ask.
@lru_cache(maxsize=256)
def child_permissions(role: Role, parent: Permissions, *, writable: bool) -> Permissions:
    """Work out what an edge takes, from what the parent's own parents take and share.

    Args:
        role: What the child is to the parent.
        parent: Of all the parent's parents together.
        writable: Whether the parent node was opened for writing.

    QEMU: block.c, bdrv_default_perms().
    """
    if Role.COW in role:
        shared = CONSISTENT_READ | WRITE_UNCHANGED
        if parent.shared & WRITE:
            shared |= WRITE | RESIZE
        return Permissions(parent.taken & CONSISTENT_READ, shared)
    # A filter passes on just what its parents take and share.
    taken, shared = parent
    if Role.METADATA in role:
        # A format may touch its own tables even if nobody writes to the image.
        taken |= CONSISTENT_READ | (WRITE | RESIZE if writable else 0)
        shared &= ~(WRITE | RESIZE)
    if Role.DATA in role:
        shared &= ~RESIZE
        if taken & WRITE_UNCHANGED:
            taken |= WRITE
        if taken & WRITE:
            # Writing behind the end of the image makes the file grow.
            taken |= RESIZE
    return Permissions(taken, shared)


#: Of a node without parents.
UNUSED: Final = Permissions(0, ALL)


def together(edges: Sequence[Permissions]) -> Permissions:
    """Combine all parents of a node: everything taken, only what all share."""
    if len(edges) < 2:
        return edges[0] if edges else UNUSED
    taken, shared = 0, ALL
    for edge in edges:
        taken |= edge.taken
        shared &= edge.shared
    return Permissions(taken, shared)


def find_conflict(edges: Sequence[Permissions]) -> tuple[int, int, int] | None:
    """Find two parents of a node of which one takes what the other does not share.

    Args:
        edges: Of all parents. The latest come first: it decides which of several conflicts is
            told.

    Returns:
        Index of the one that does not share, index of the one that takes, and the permissions.
    """
    takers = {bit: sum(1 for edge in edges if edge.taken & bit) for bit in NAMES.values()}
    for other in reversed(range(len(edges))):
        own, shared = edges[other]
        if any(count > bool(own & bit) for bit, count in takers.items() if not shared & bit):
            taker = next(
                taker
                for taker in reversed(range(len(edges)))
                if taker != other and edges[taker].taken & ~shared
            )
            return other, taker, edges[taker].taken & ~shared
    return None
