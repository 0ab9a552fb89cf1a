"""Requests in flight on one node: which overlap, who waits for whom, when all are done.

A request that must be alone on its bytes is marked serialising. Two requests conflict when their
ranges meet and at least one of them is serialising. Nobody waits for a request that itself waits:
that is what makes the waiting free of deadlock.

QEMU: block/io.c, bdrv_wait_serialising_requests().
"""

from __future__ import annotations

import asyncio

from blkdebug_async.block.context import Context
from blkdebug_async.events import IoType
from blkdebug_async.units import align_down, align_up

#: Kinds of request that never meet others on their bytes.
_RANGELESS = frozenset({IoType.FLUSH, IoType.BLOCK_STATUS})


class Request:
    """One request on one node, from its entry until it is finished."""

    __slots__ = (
        "_task",
        "end",
        "flags",
        "id",
        "length",
        "node",
        "offset",
        "op",
        "parent",
        "serialising",
        "start",
        "waiters",
        "waiting_for",
    )

    #: Number in the node tree, rising with time.
    id: int
    #: Name of the node.
    node: str
    op: IoType
    #: First byte as the parent asked for it, before padding.
    offset: int
    #: Bytes as the parent asked for them, before padding.
    length: int
    #: Request flags, see block.flags.
    flags: int
    #: The request one node up that caused this one; None at the top.
    parent: Request | None
    #: First byte that others may not touch while this one is serialising.
    start: int
    #: Byte after the last such byte.
    end: int
    serialising: bool
    #: The request that this one waits for, if it waits.
    waiting_for: Request | None
    #: One event per request that waits for this one, oldest first.
    waiters: list[asyncio.Event] | None

    def __init__(  # noqa: PLR0913  the one place that fills every field
        self,
        number: int,
        node: str,
        op: IoType,
        offset: int,
        length: int,
        flags: int,
        parent: Request | None,
    ) -> None:
        self.id = number
        self.node = node
        self.op = op
        self.offset = self.start = offset
        self.length = length
        self.end = offset + length
        self.flags = flags
        self.parent = parent
        self.serialising = False
        self.waiting_for = None
        self.waiters = None
        self._task = _running_task() if parent is None else None

    @property
    def task(self) -> asyncio.Task[object] | None:
        """The task on whose behalf this request runs."""
        request = self
        while request.parent is not None:
            request = request.parent
        return request._task

    @property
    def task_name(self) -> str | None:
        """Name of that task."""
        task = self.task
        return None if task is None else task.get_name()

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def describe(self) -> str:
        """Say for people which request this is."""
        what = "" if self.op is IoType.FLUSH else f" {self.length} bytes at offset {self.offset}"
        return f"request {self.id}: {self.op}{what} on node '{self.node}'"


def _running_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        # A coroutine may be driven by hand, without a loop, as long as nothing makes it wait.
        return None


class Tracker:
    """The requests in flight on one node."""

    __slots__ = ("_context", "requests", "serialising")

    def __init__(self, context: Context) -> None:
        self._context = context
        #: In the order in which they came; the values mean nothing.
        self.requests: dict[Request, None] = {}
        #: How many of them are serialising.
        self.serialising = 0

    def begin(self, request: Request) -> None:
        """Count a request in."""
        self.requests[request] = None
        if self._context.observer is not None:
            self._context.observer.request_started(request)

    def end(self, request: Request, error: BaseException | None) -> None:
        """Count a request out and wake whoever waited for it."""
        del self.requests[request]
        if request.serialising:
            self.serialising -= 1
        if request.waiters:
            self._wake(request)
        if self._context.drains and not self.requests:
            self._context.nudge()
        if self._context.observer is not None:
            self._context.observer.request_finished(request, error)

    def _wake(self, request: Request) -> None:
        waiters = request.waiters or []
        while waiters:
            self._context.wake_one(waiters, f"wake {request.node}")

    def mark_serialising(self, request: Request, align: int) -> None:
        """Widen a request to whole blocks of align bytes and let it be alone there."""
        if not request.serialising:
            request.serialising = True
            self.serialising += 1
        request.start = min(request.start, align_down(request.start, align))
        request.end = max(request.end, align_up(request.end, align))

    def conflict(self, request: Request) -> Request | None:
        """Find the newest request that this one has to wait for."""
        for other in reversed(self.requests):
            if (
                (other.serialising or request.serialising)
                and other.start < request.end
                and request.start < other.end
                and other is not request
                and other.waiting_for is None
                and other.op not in _RANGELESS
            ):
                return other
        return None

    async def wait(self, request: Request) -> None:
        """Wait until no other request conflicts with this one.

        A plain request passes at once when the node has nothing serialising; ask for that before
        calling, it saves a coroutine.
        """
        while (blocker := self.conflict(request)) is not None:
            await self._wait_for(request, blocker)

    async def _wait_for(self, request: Request, blocker: Request) -> None:
        # Two requests of one chain on one node can never both finish: a driver called itself.
        assert not _descends(request, blocker)
        event = asyncio.Event()
        if blocker.waiters is None:
            blocker.waiters = []
        blocker.waiters.append(event)
        request.waiting_for = blocker
        if self._context.observer is not None:
            self._context.observer.request_waits(request, blocker)
        try:
            await event.wait()
        finally:
            request.waiting_for = None
            if event in blocker.waiters:
                blocker.waiters.remove(event)


def _descends(request: Request, ancestor: Request) -> bool:
    step: Request | None = request
    while step is not None:
        if step is ancestor:
            return True
        step = step.parent
    return False
