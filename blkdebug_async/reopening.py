"""An open tree gets other flags and options: all nodes that are concerned, or none.

A node keeps what it was told itself; below it, whoever was opened by it has the rest from it again.

QEMU: block.c, bdrv_reopen_queue_child(), bdrv_reopen_multiple(), bdrv_reopen_prepare().
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from errno import EIO, EPERM

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.graph import node_permissions
from blkdebug_async.block.node import Child, Node
from blkdebug_async.block.permissions import Role
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.generic import inherit, take_policies, take_switches, told_to_driver
from blkdebug_async.options.tree import (
    Options,
    Scalar,
    clone,
    drop_child,
    extract,
    merge,
    qemu_order,
)
from blkdebug_async.tree import TreeOpener


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of one node."""

    node: Node
    explicit: Options
    effective: Options


async def reopen_tree(tree: TreeOpener, node: Node, options: Options) -> None:
    """Give a node other options, and those below that have theirs from it.

    Meanwhile nothing is in flight to any of them. Only one of this at a time.

    Args:
        tree: Has opened the node.
        node: Any node of it.
        options: Those that change, those of children included; `file=NODE` puts a node in the
            place of the child.

    Raises:
        OSError: EINVAL: something cannot be changed. EPERM: somebody needs what is to be given up.
            EBUSY: requests are held at breakpoints, as in Node.settle(). Then nothing has changed.
    """
    changes = list(_plan(tree, node, dict(options)))
    async with AsyncExitStack() as drained:
        for change in changes:
            await drained.enter_async_context(change.node.drained())
        await _reopen(tree, node, changes)


async def _reopen(tree: TreeOpener, node: Node, changes: list[_Change]) -> None:
    for change in changes:
        await _flush(change.node)
    replaced: list[Node] = []
    were_writable = {change.node for change in changes if not change.node.flags.read_only}
    async with AsyncExitStack() as undo:
        undo.callback(node_permissions, node)
        for change in changes:
            await _Reopening(tree, change, undo, replaced).apply()
        _settle_permissions(node, changes, were_writable)
        undo.pop_all()
    for change in reversed(changes):
        _settle(tree, change)
    for old in replaced:
        if not old.parents:
            # It is flushed, so nothing is lost with it.
            with suppress(OSError):
                await tree.close(old)


def _settle_permissions(node: Node, changes: list[_Change], were_writable: set[Node]) -> None:
    try:
        node_permissions(node)
    except OSError as error:
        for each in (change.node for change in changes):
            taken = perms.together([edge.permissions for edge in each.parents]).taken
            writing = taken & (perms.WRITE | perms.WRITE_UNCHANGED)
            if error.errno == EPERM and writing and each.flags.read_only and each in were_writable:
                text = f"Read-only block node '{each.name}' cannot support read-write users"
                raise BlockError(EPERM, text) from error
        raise


def _plan(
    tree: TreeOpener,
    node: Node,
    options: Options,
    role: Role | None = None,
    parent: Mapping[str, Scalar] | None = None,
) -> Iterator[_Change]:
    """Work out who gets what, from above to below.

    What is asked for comes first, then what the node was told, what its parent now has, what it
    had so far.
    """
    told = tree.told[node]
    options = merge(options, told.explicit)
    explicit = clone(options)
    if role is not None and parent is not None:
        inherit(options, role, parent)
    options = merge(options, told.effective)
    below: list[tuple[Child, Options]] = []
    for child in reversed(node.children):
        if tree.told[child.node].inherits_from is not told:
            # It was there before, so it has nothing from here.
            continue
        if child.name not in options:
            drop_child(explicit, child.name)
            below.append((child, extract(options, f"{child.name}.")))
        elif options[child.name] == child.node_name:
            below.append((child, {}))
    yield _Change(node, explicit, options)
    for child, wanted in below:
        yield from _plan(tree, child.node, wanted, child.role, options)


async def _flush(node: Node) -> None:
    try:
        await node.flusher.flush(None)
    except OSError as error:
        number = error.errno or EIO
        raise BlockError(number, f"Error flushing drive: {os.strerror(number)}") from error


class _Reopening:
    """Changes one node, and remembers how to change it back."""

    def __init__(
        self, tree: TreeOpener, change: _Change, undo: AsyncExitStack, replaced: list[Node]
    ) -> None:
        self._tree = tree
        self._node = change.node
        self._options = clone(change.effective)
        self._undo = undo
        self._replaced = replaced

    async def apply(self) -> None:
        node, options = self._node, self._options
        shared = {name: options[name] for name in ("force-share",) if name in options}
        flags = take_policies(options, take_switches(options, node.flags))
        # This one may not change, and is compared below as it was given.
        options.update(shared)
        flags = replace(flags, force_share=node.flags.force_share)
        if flags.read_only and node.copy_on_read:
            raise OptionError(f"Can't set node '{node.name}' to r/o with copy-on-read enabled")
        if not node.driver.can_reopen:
            raise OptionError(
                f"Block format '{node.driver.name}' used by node '{node.name}' does not support "
                "reopening files"
            )
        await self._change_driver(flags)
        self._check_backing(options.pop("backing", None))
        if "file" in options:
            await self._replace_file(options.pop("file"))
        self._refuse_others()

    async def _change_driver(self, flags: OpenFlags) -> None:
        node, told = self._node, self._tree.told[self._node]
        names = node.driver.mutable_options
        await node.driver.reopen(flags, {name: self._options.pop(name, None) for name in names})
        before = {name: told.effective.get(name) for name in names}
        self._undo.push_async_callback(self._change_back, node.flags, before)
        node.flags = flags

    async def _change_back(self, flags: OpenFlags, options: Options) -> None:
        self._node.flags = flags
        # The first error is what matters.
        with suppress(OSError):
            await self._node.driver.reopen(flags, options)

    def _check_backing(self, name: Scalar) -> None:
        node = self._node
        if not isinstance(name, str):
            return
        wanted = self._find(name, "backing")
        if node.driver.is_filter:
            raise OptionError(
                f"'{node.name}' is a {node.driver.name} filter node that does not support a "
                "backing child"
            )
        if not node.driver.supports_backing:
            raise OptionError(
                f"Driver '{node.driver.name}' of node '{node.name}' does not support backing files"
            )
        if wanted not in (child.node for child in node.children if Role.COW in child.role):
            raise OptionError("Cannot change the option 'backing'")

    async def _replace_file(self, name: Scalar) -> None:
        primary = [child for child in self._node.children if Role.PRIMARY in child.role]
        wanted = self._find(name, "file") if isinstance(name, str) else None
        if wanted is None or not primary:
            raise OptionError("Cannot change the option 'file'")
        child = primary[0]
        old = child.node
        if wanted is old:
            return
        await _flush(old)
        _point(child, wanted)
        self._undo.callback(_point, child, old)
        self._replaced.append(old)

    def _find(self, name: str, child: str) -> Node:
        found = self._tree.find(name)
        if self._node in found.walk():
            raise OptionError(
                f"Making '{name}' a {child} child of '{self._node.name}' would create a cycle"
            )
        return found

    def _refuse_others(self) -> None:
        before = self._tree.told[self._node].effective
        children = {child.name: child.node_name for child in self._node.children}
        for key in qemu_order(self._options):
            new, old = self._options[key], before.get(key)
            if children.get(key) == new or (type(new) is type(old) and new == old):
                continue
            raise OptionError(f"Cannot change the option '{key}'")


def _point(child: Child, node: Node) -> None:
    child.node.remove_parent(child)
    child.point_to(node)
    node.add_parent(child)


def _settle(tree: TreeOpener, change: _Change) -> None:
    """Remember how a node is opened now."""
    node, told = change.node, tree.told[change.node]
    told.explicit, told.effective = change.explicit, change.effective
    for name in ("backing", *(child.name for child in node.children)):
        told.explicit.pop(name, None)
        told.effective.pop(name, None)
    node.driver.options = told_to_driver(told)
    # As in QEMU, who cannot tell any more keeps what was known.
    with suppress(OSError):
        node.refresh_length()
    with suppress(OSError):
        node.refresh_limits()
