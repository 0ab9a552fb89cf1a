"""Trace points: what an observer of a node tree may hear. Free when nobody listens.

Observers look; they never change a request, raise or wait.
"""

from __future__ import annotations

from typing import Protocol

from blkdebug_async.events import Event, IoType


class RequestView(Protocol):
    """What everybody may know of a request in flight."""

    @property
    def id(self) -> int:
        """Number of the request, unique in its node tree, rising with time."""
        ...

    @property
    def node(self) -> str:
        """Name of the node that works on it."""
        ...

    @property
    def op(self) -> IoType:
        """What it does."""
        ...

    @property
    def offset(self) -> int:
        """First byte as asked for by the parent, before any padding."""
        ...

    @property
    def length(self) -> int:
        """Bytes as asked for by the parent, before any padding."""
        ...

    @property
    def flags(self) -> int:
        """Request flags (block.flags)."""
        ...

    @property
    def parent(self) -> RequestView | None:
        """The request, on a node above, on whose behalf this one runs; None: a user's own."""
        ...

    @property
    def task_name(self) -> str | None:
        """Name of the asyncio task that it runs in; None: it runs in no task."""
        ...


class Observer(Protocol):
    """Hears of every request on every node of a tree; derive from it to hear of some things."""

    def request_started(self, request: RequestView) -> None:
        """A request is now tracked by its node."""
        return

    def request_waits(self, request: RequestView, blocker: RequestView) -> None:
        """A request waits until an overlapping one is finished."""
        return

    def event_fired(self, node: str, event: Event, request: RequestView | None) -> None:
        """A debug event is delivered to a node."""
        return

    def request_suspended(self, node: str, tag: str, request: RequestView | None) -> None:
        """A breakpoint of a node holds a request; None: an event that no request announced."""
        return

    def request_resumed(self, node: str, tag: str, request: RequestView | None) -> None:
        """A held request is about to go on."""
        return

    def driver_called(self, request: RequestView, op: IoType, offset: int, length: int) -> None:
        """A node's driver is about to be called for one piece of a request: its footprint."""
        return

    def request_finished(self, request: RequestView, error: BaseException | None) -> None:
        """A request is no longer tracked; error is None on success."""
        return
