"""What parents may do with a node: permissions, worked out from above to below.

QEMU: block.c, bdrv_refresh_perms() and what it calls.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EPERM
from typing import Final, Protocol, TypeVar

from blkdebug_async.block.driver import Driver
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.flush import Flushed, Flusher
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import (
    RESIZE,
    WRITE,
    WRITE_UNCHANGED,
    Permissions,
    Role,
    child_permissions,
    describe,
    find_conflict,
    together,
)
from blkdebug_async.errors import BlockError
from blkdebug_async.units import is_aligned

N = TypeVar("N")
_WRITING: Final = WRITE | WRITE_UNCHANGED


class Holder(Protocol):
    """Who holds an edge to a node."""

    def describe(self) -> str:
        """Say for people who this is."""
        ...


class Edge(Flushed, Protocol):
    """What leads from a parent down to a node."""

    permissions: Permissions

    @property
    def name(self) -> str:
        """Name of the edge, as in the option."""
        ...

    @property
    def role(self) -> Role:
        """What the node is to the parent."""
        ...

    @property
    def node(self) -> GraphNode:
        """The node below."""
        ...

    @property
    def parent(self) -> Holder:
        """Who is above."""
        ...


class GraphNode(Protocol):
    """What of a node decides what its parents may do."""

    name: str
    driver: Driver
    flags: OpenFlags
    limits: Limits
    flusher: Flusher

    @property
    def length(self) -> int:
        """Length in bytes."""
        ...

    @property
    def parents(self) -> Sequence[Edge]:
        """Edges from above."""
        ...

    @property
    def children(self) -> Sequence[Edge]:
        """Edges to the nodes below."""
        ...


def node_permissions(node: GraphNode, *, all_below: bool = True) -> None:
    """Work out what a node's parents take together, and pass it down.

    Args:
        node: Its parents' permissions may have changed, or its children.
        all_below: To all below; otherwise only as far as any permission changes by it.

    Raises:
        OSError: EPERM: somebody takes what another does not share, or the node is read-only.
            Else the driver's. Nothing has changed then.
    """
    before: list[tuple[Edge, Permissions]] = []
    changed: list[GraphNode] = []
    # Who has several parents comes after all of them, so each node is asked once.
    nodes = parents_first(node, _below) if node.children else [node]
    stale = set(nodes) if all_below else {node}
    try:
        for each in nodes:
            if each in stale:
                _refresh(each, before, changed, stale)
    except OSError:
        for child, old in reversed(before):
            child.permissions = old
        for below in changed:
            _point_flusher(below)
            below.driver.permissions_changed(_cumulative(below))
        raise


def parents_first(top: N, below: Callable[[N], Sequence[N]]) -> list[N]:
    """List a node and all below, each once, after all of its parents that are listed.

    Args:
        top: The node.
        below: Gives the nodes right below one.
    """
    listed = [top]
    children = below(top)
    while len(children) == 1:
        listed.extend(children)
        children = below(children[0])
    return listed if not children else [*listed[:-1], *_parents_first(listed[-1], below)]


def _parents_first(top: N, below: Callable[[N], Sequence[N]]) -> list[N]:
    done: dict[N, None] = {}
    path = [(top, list(below(top)))]
    while path:
        node, left = path[-1]
        if not left:
            path.pop()
            done[node] = None
            continue
        # The last one first, as all is turned round in the end.
        child = left.pop()
        if child not in done:
            path.append((child, list(below(child))))
    return list(reversed(done))


def _below(node: GraphNode) -> Sequence[GraphNode]:
    # An empty list is there already.
    return [edge.node for edge in node.children] if node.children else ()


def _refresh(
    node: GraphNode,
    before: list[tuple[Edge, Permissions]],
    changed: list[GraphNode],
    stale: set[GraphNode],
) -> None:
    permissions = [edge.permissions for edge in node.parents]
    cumulative = together(permissions)
    if len(permissions) > 1:
        _check_sharing(node, permissions)
    if cumulative.taken & _WRITING:
        _check_node(node, cumulative.taken)
    changed.append(node)
    driver = node.driver
    driver.permissions_changed(cumulative)
    children = node.children
    if not children:
        return
    writable = not node.flags.read_only
    for child in children:
        wanted = driver.child_permissions(
            child_permissions(child.role, cumulative, writable=writable)
        )
        if wanted != child.permissions:
            before.append((child, child.permissions))
            child.permissions = wanted
            stale.add(child.node)
    _point_flusher(node)


def _point_flusher(node: GraphNode) -> None:
    """Flush the children that may be written to."""
    node.flusher.targets = [c for c in node.children if c.permissions.taken & _WRITING]


def _cumulative(node: GraphNode) -> Permissions:
    return together([edge.permissions for edge in node.parents])


def _check_sharing(node: GraphNode, permissions: list[Permissions]) -> None:
    conflict = find_conflict(permissions)
    if conflict is not None:
        other, taker, missing = conflict
        raise BlockError(
            EPERM,
            f"Permission conflict on node '{node.name}': permissions "
            f"'{describe(missing)}' are both required by {_user(node.parents[taker])} and "
            f"unshared by {_user(node.parents[other])}.",
        )


def _user(edge: Edge) -> str:
    return f"{edge.parent.describe()} (uses node '{edge.node.name}' as '{edge.name}' child)"


def _check_node(node: GraphNode, taken: int) -> None:
    if node.flags.read_only:
        raise BlockError(EPERM, "Block node is read-only")
    if (
        taken & WRITE
        and not taken & RESIZE
        and not is_aligned(node.length, node.limits.request_alignment)
    ):
        raise BlockError(
            EPERM,
            "Cannot get 'write' permission without 'resize': "
            "Image size is not a multiple of request alignment",
        )
