"""What a parent takes from a node and shares with the node's other parents.

Pure arithmetic on permission bits. QEMU: include/block/block-common.h, block.c.
"""

from __future__ import annotations

from enum import Flag, auto
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


class Permissions(NamedTuple):
    """What one edge takes from a node, and what it lets the node's other parents take."""

    taken: int
    shared: int


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


def together(edges: list[Permissions]) -> Permissions:
    """Combine all parents of a node: everything taken, only what all share."""
    taken, shared = 0, ALL
    for edge in edges:
        taken |= edge.taken
        shared &= edge.shared
    return Permissions(taken, shared)
