"""The tree: nodes, the edges between them, permissions, limits, drained sections, closing.

QEMU: block.c.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from errno import EBUSY
from typing import Final, Protocol

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.context import Context
from blkdebug_async.block.driver import Driver
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.flush import Flusher
from blkdebug_async.block.graph import node_permissions, parents_first
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits, merge_limits
from blkdebug_async.block.nowait import NowaitPath
from blkdebug_async.block.path import RequestPath
from blkdebug_async.block.permissions import Permissions, Role
from blkdebug_async.block.state import NodeState
from blkdebug_async.block.status import query_status
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.errors import SuspendedError
from blkdebug_async.events import Event
from blkdebug_async.options.filename import Gathered, gather, json_name
from blkdebug_async.trace import RequestView


class Parent(Protocol):
    """Who holds an edge to a node: another node, or a user."""

    def describe(self) -> str:
        """Say for people who this is."""
        ...

    def quiesce_begin(self) -> None:
        """Send no new requests until quiesce_end()."""
        ...

    def quiesce_end(self) -> None:
        """Requests may be sent again."""
        ...

    def busy(self) -> bool:
        """Tell whether requests are still under way here."""
        ...


class Read(Protocol):
    """A read."""

    def __call__(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> Coroutine[object, None, None]: ...


class ReadNowait(Protocol):
    """A read that is done at once or not at all."""

    def __call__(self, offset: int, length: int, iov: Iovec) -> bool: ...


class Child:
    """An edge from a parent down to a node; this is how drivers reach what lies below them.

    The request methods return the coroutine of the path below without one of their own.
    """

    __slots__ = (
        "name",
        "node",
        "nowait",
        "parent",
        "permissions",
        "preadv",
        "preadv_nowait",
        "role",
    )

    #: The node below; change it with point_to().
    node: Node
    #: What it answers at once.
    nowait: NowaitPath
    # The path below itself: here a call more would be felt.
    preadv: Read
    preadv_nowait: ReadNowait

    def __init__(self, name: str, node: Node, parent: Parent, role: Role) -> None:
        self.name = name
        self.point_to(node)
        self.parent = parent
        self.role = role
        self.permissions = Permissions(0, perms.ALL)

    def point_to(self, node: Node) -> None:
        """Lead to another node."""
        self.node = node
        self.nowait = node.nowait
        self.preadv = node.path.preadv
        self.preadv_nowait = node.nowait.preadv

    @property
    def node_name(self) -> str:
        return self.node.name

    @property
    def length(self) -> int:
        return self.node.length

    @property
    def limits(self) -> Limits:
        return self.node.limits

    @property
    def cluster_size(self) -> int:
        return self.node.driver.cluster_size()

    @property
    def write_flags(self) -> int:
        return self.node.driver.write_flags

    @property
    def zero_flags(self) -> int:
        return self.node.driver.zero_flags

    @property
    def plain_filename(self) -> str | None:
        return self.node.plain_filename

    @property
    def is_protocol(self) -> bool:
        return self.node.driver.is_protocol

    def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> Coroutine[object, None, None]:
        assert self.permissions.taken & (perms.WRITE | perms.WRITE_UNCHANGED)
        return self.node.path.pwritev(offset, length, iov, flags, parent)

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        assert self.permissions.taken & (perms.WRITE | perms.WRITE_UNCHANGED)
        return self.nowait.pwritev(offset, length, iov, flags)

    def pwrite_zeroes(
        self, offset: int, length: int, flags: int, parent: Request | None
    ) -> Coroutine[object, None, None]:
        assert self.permissions.taken & (perms.WRITE | perms.WRITE_UNCHANGED)
        return self.node.path.pwrite_zeroes(offset, length, flags, parent)

    def pdiscard(
        self, offset: int, length: int, parent: Request | None
    ) -> Coroutine[object, None, None]:
        assert self.permissions.taken & perms.WRITE
        return self.node.path.pdiscard(offset, length, parent)

    def flush(self, parent: Request | None) -> Coroutine[object, None, None]:
        return self.node.flusher.flush(parent)

    def is_flushed(self) -> bool:
        return self.node.flusher.is_flushed()

    def block_status(
        self, offset: int, length: int, want_zero: bool, parent: Request | None
    ) -> Coroutine[object, None, BlockStatus]:
        return query_status(self.node, offset, length, want_zero, parent)

    def truncate(
        self, size: int, how: Truncation, parent: Request | None
    ) -> Coroutine[object, None, None]:
        assert self.permissions.taken & perms.RESIZE
        return self.node.path.truncate(size, how, parent)

    def hears(self, event: Event) -> bool:
        return self.node.hears(event)

    def fire(self, event: Event, parent: Request | None) -> Coroutine[object, None, None]:
        return self.node.fire(event, parent)


#: The roles of a child that limits requests.
_HOLDING: Final = Role.DATA | Role.FILTERED | Role.COW
_NOT_GATHERED: Final = Gathered({}, False)


class Node(NodeState):
    """One opened driver in the tree."""

    __slots__ = (
        "_plain_filename",
        "_quiesced",
        "_told",
        "children",
        "flusher",
        "nowait",
        "parents",
        "path",
    )

    #: Edges to the nodes below, in the order in which the driver opened them.
    children: list[Child]
    #: Edges from above.
    parents: list[Child]
    #: What opens this node again; nothing: it is not worked out yet.
    _told: Gathered
    _plain_filename: str | None

    def __init__(self, name: str, driver: Driver, context: Context, flags: OpenFlags) -> None:
        super().__init__(name, driver, context, flags)
        self.children = []
        self.parents = []
        self._told = _NOT_GATHERED
        self._plain_filename = None
        self.flusher = Flusher(self)
        self.path = RequestPath(self, self.flusher)
        self.nowait = NowaitPath(self)
        self._quiesced = 0
        driver.used = True
        driver.on_suspend = self._suspended
        driver.on_resume = self._resumed

    def describe(self) -> str:
        return f"node '{self.name}'"

    # --- edges ---

    def attach(self, name: str, node: Node, role: Role) -> Child:
        """Make node a child of this one.

        Raises:
            OSError: EPERM; its other parents do not allow what this one must take.
        """
        child = Child(name, node, self, role)
        self.children.append(child)
        node.add_parent(child)
        try:
            node_permissions(self, all_below=False)
        except OSError:
            self.detach(child)
            raise
        return child

    def detach(self, child: Child) -> None:
        """Take a child away; it is not closed."""
        self.children.remove(child)
        child.node.remove_parent(child)
        node_permissions(child.node, all_below=False)

    def add_parent(self, edge: Child) -> None:
        """Let an edge lead here; in a drained section its parent sends nothing, as the others."""
        self.parents.append(edge)
        if self._quiesced:
            edge.parent.quiesce_begin()

    def remove_parent(self, edge: Child) -> None:
        """Let an edge lead here no more; a drained section is none of its parent's any more."""
        self.parents.remove(edge)
        if self._quiesced:
            edge.parent.quiesce_end()

    def walk(self) -> Iterator[Node]:
        """Visit this node and all below it, each once, parents first."""
        found = [self]
        seen = {self}
        # The list grows meanwhile.
        for node in found:
            yield node
            for child in node.children:
                if child.node not in seen:
                    seen.add(child.node)
                    found.append(child.node)

    def _below(self) -> list[Node]:
        return [edge.node for edge in self.children]

    def closed_with(self) -> dict[Node, None]:
        """List this node and those below that only it and they use: they are closed with it."""
        going: dict[Node, None] = {self: None}
        for node in parents_first(self, Node._below):
            if all(edge.parent in going for edge in node.parents):
                going[node] = None
        return going

    def primary_chain(self) -> Iterator[Node]:
        """Visit this node, its primary child, that one's primary child, and so on."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.primary_child()

    def primary_child(self) -> Node | None:
        """Give the node below that holds what this one shows."""
        for edge in self.children:
            if Role.PRIMARY in edge.role:
                return edge.node
        return None

    # --- facts ---

    def refresh_limits(self) -> None:
        """Work the limits out again, from the children and the driver.

        Raises:
            OptionError: EINVAL; the driver asks for too large an alignment.
        """
        # What holds nothing but a driver's own tables does not limit requests.
        merged = merge_limits([edge.node.limits for edge in self.children if edge.role & _HOLDING])
        self.answers_at_once = self.driver.answers_at_once and all(
            edge.node.answers_at_once for edge in self.children if Role.FILTERED in edge.role
        )
        limits = self.driver.refresh_limits(merged)
        if limits is not self.limits:
            self.set_limits(limits)

    @property
    def filename(self) -> str:
        """Name that opens this node again, json: if need be."""
        self.refresh_filename()
        return self.plain_filename or json_name(self._told)

    @property
    def plain_filename(self) -> str | None:
        """A file name that opens this node again; None: only json: can say it.

        As of the last time that names were worked out; at first they are when they are asked for.
        """
        if not self._told.options:
            self.refresh_filename()
        return self._plain_filename

    def refresh_filename(self) -> None:
        """Work out the names of this node and all below it again.

        QEMU: block.c, bdrv_refresh_filename().
        """
        for node in reversed(parents_first(self, Node._below)):
            driver = node.driver
            below = {child.name: child.node._told for child in node.children}
            node._told = gather(driver.name, driver.options, driver.strong_options, below)
            node._plain_filename = driver.plain_filename(node._told)

    # --- drained sections ---

    def quiesce_begin(self) -> None:
        self._quiesced += 1
        if self._quiesced == 1:
            for edge in self.parents:
                edge.parent.quiesce_begin()
            self.driver.drain_begin()

    def quiesce_end(self) -> None:
        self._quiesced -= 1
        if self._quiesced == 0:
            self.driver.drain_end()
            for edge in self.parents:
                edge.parent.quiesce_end()

    def busy(self) -> bool:
        return bool(self.tracker.requests) or any(edge.parent.busy() for edge in self.parents)

    @asynccontextmanager
    async def drained(self) -> AsyncIterator[None]:
        """Keep new requests out, and wait until none is in flight on this node."""
        self.quiesce_begin()
        try:
            await self.settle()
            yield
        finally:
            self.quiesce_end()

    async def settle(self) -> None:
        """Wait until no request is in flight on this node or above.

        Raises:
            SuspendedError: EBUSY; a request is held at a breakpoint, so this would take for ever.
                Not with the switch drain_waits_for_suspended.
        """
        if not self.busy():
            return
        event = asyncio.Event()
        self.context.drains[event] = None
        try:
            while self.busy():
                if not self.context.compat.drain_waits_for_suspended:
                    self._refuse_suspended()
                event.clear()
                await event.wait()
        finally:
            del self.context.drains[event]

    def _suspended(self, tag: str, request: RequestView | None) -> None:
        if self.context.observer is not None:
            self.context.observer.request_suspended(self.name, tag, request)
        self.context.nudge()

    def _resumed(self, tag: str, request: RequestView | None) -> None:
        if self.context.observer is not None:
            self.context.observer.request_resumed(self.name, tag, request)

    def suspended(self) -> list[tuple[str, RequestView | None]]:
        """List the requests held at breakpoints on this node and below, with their tags."""
        return [entry for node in self.walk() for entry in node.driver.suspended()]

    def _refuse_suspended(self) -> None:
        # What keeps a node busy may be held above it, or in another branch below that.
        nodes = {node: None for top in self._tops() for node in top.walk()}
        held = [entry for node in nodes for entry in node.driver.suspended()]
        if held:
            names = "; ".join(f"'{tag}' holds {_describe(request)}" for tag, request in held)
            raise SuspendedError(EBUSY, f"Requests are still suspended at breakpoints: {names}")

    def _tops(self) -> Iterator[Node]:
        above = [edge.parent for edge in self.parents if isinstance(edge.parent, Node)]
        if not above:
            yield self
        for node in above:
            yield from node._tops()

    def describe_in_flight(self) -> str:
        """Say for people which requests are in flight on this node and below, and who waits."""
        requests = [
            request.describe()
            + ("" if request.waiting_for is None else f", waits for {request.waiting_for.id}")
            for node in self.walk()
            for request in node.tracker.requests
        ]
        return f"in flight: {'; '.join(requests)}" if requests else "nothing is in flight"

    # --- closing ---

    async def close(self) -> None:
        """Flush and close this node, then every child that has no other parent.

        Raises:
            OSError: The first error of flushing or closing; everything is closed all the same,
                also if the task is cancelled meanwhile.
        """
        first: BaseException | None = None
        try:
            if not self.flusher.is_flushed():
                await self.flusher.flush(None)
        except BaseException as error:
            first = error
        try:
            await self.driver.close()
        except BaseException as error:
            first = _graver(first, error)
        for child in list(self.children):
            self.detach(child)
            if not child.node.parents:
                try:
                    await child.node.close()
                except BaseException as error:
                    first = _graver(first, error)
        if first is not None:
            raise first


def _graver(first: BaseException | None, error: BaseException) -> BaseException:
    """Give the first error, unless the other one is a cancellation."""
    return error if first is None or not isinstance(error, Exception) else first


def _describe(request: RequestView | None) -> str:
    if request is None:
        return "an event"
    return (
        f"request {request.id} ({request.op} of {request.length} bytes at offset "
        f"{request.offset} on node '{request.node}', task {request.task_name})"
    )
