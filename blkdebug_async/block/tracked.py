"""Requests in flight on one node: which overlap, who waits for whom, when all are done.

A request that must be alone on its bytes is marked serialising. Two requests conflict when their
ranges meet and at least one of them is serialising. Nobody waits for a request that itself waits:
that is what makes the waiting free of deadlock.

Whoever ends wakes all who wait for it, and they look again, one after the other: that is the rule.
Mostly the first one goes on and all others wait for that one. So only the first one is woken where
all others would have to wait for it, and these are handed on to it, or to whoever is found in their
way when it looks. Who looks first, whom each one waits for and who goes on when is the same.

QEMU: block/io.c, bdrv_wait_serialising_requests().
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from blkdebug_async.block.context import Context
from blkdebug_async.block.overlap import RangeIndex
from blkdebug_async.block.waiting import WaitQueue
from blkdebug_async.events import IoType
from blkdebug_async.units import align_down, align_up


class Request:
    """One request on one node, from its entry until it is finished."""

    __slots__ = (
        "_task",
        "alone",
        "end",
        "flags",
        "id",
        "length",
        "node",
        "offset",
        "op",
        "parent",
        "queue",
        "serialising",
        "start",
        "waiters",
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
    #: It is serialising, and nobody is on its bytes: whoever comes waits, so nobody will be.
    alone: bool
    #: Where this one waits for another; still there after it was woken, until it has looked.
    queue: WaitQueue[Request] | None
    #: Who waits for this one.
    waiters: WaitQueue[Request] | None

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
        self.alone = False
        self.queue = None
        self.waiters = None
        self._task = _running_task() if parent is None else None

    @property
    def waiting_for(self) -> Request | None:
        """The request that this one waits for, if it waits."""
        return self.queue.blocker if self.queue is not None and self in self.queue else None

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
    # A coroutine may be driven by hand, without a loop, as long as nothing makes it wait.
    loop = asyncio._get_running_loop()
    return None if loop is None else asyncio.current_task(loop)


class Tracker:
    """The requests in flight on one node."""

    __slots__ = ("_context", "_index", "requests", "serialising")

    #: Among so many requests one is looked for without an index.
    few: ClassVar[int] = 64

    def __init__(self, context: Context) -> None:
        self._context = context
        #: In the order in which they came; the values mean nothing.
        self.requests: dict[Request, None] = {}
        #: How many of them are serialising.
        self.serialising = 0
        # Made when many are in flight and one must be found; gone when none is in flight.
        self._index: _Index | None = None

    def begin(self, request: Request) -> None:
        """Count a request in."""
        self.requests[request] = None
        if self._index is not None:
            self._index.add(request)
        if self._context.observer is not None:
            self._context.observer.request_started(request)

    def end(self, request: Request, error: BaseException | None) -> None:
        """Count a request out and wake whoever waited for it."""
        del self.requests[request]
        if self._index is not None:
            self._index.discard(request)
            if not self.requests:
                self._index = None
        if request.serialising:
            self.serialising -= 1
        if request.waiters is not None:
            waiters, request.waiters = request.waiters, None
            self._wake(waiters)
        if self._context.drains and not self.requests:
            self._context.nudge()
        if self._context.observer is not None:
            self._context.observer.request_finished(request, error)

    def mark_serialising(self, request: Request, align: int) -> None:
        """Widen a request to whole blocks of align bytes and let it be alone there.

        Who changes its start or end before, without waiting in between, need not tell.
        """
        if self._index is not None:
            self._index.discard(request)
        if not request.serialising:
            request.serialising = True
            self.serialising += 1
        request.start = min(request.start, align_down(request.start, align))
        request.end = max(request.end, align_up(request.end, align))
        request.alone = False
        if self._index is not None:
            self._index.add(request)

    # --- who meets whom ---

    def conflict(self, request: Request) -> Request | None:
        """Find the newest request that this one has to wait for."""
        return self._newest(request.start, request.end, request, everybody=request.serialising)

    def _newest(
        self, start: int, end: int, besides: Request | None, *, everybody: bool
    ) -> Request | None:
        """Find the newest request under way that meets a range; unless everybody, a serialising."""
        if self._index is None:
            if len(self.requests) <= self.few:
                return self._scan(start, end, besides, everybody)
            self._index = _Index(self.requests)
        return self._index.newest(start, end, besides, everybody)

    def _scan(
        self, start: int, end: int, besides: Request | None, everybody: bool
    ) -> Request | None:
        for other in reversed(self.requests):
            if (
                (other.serialising or everybody)
                and other.start < end
                and start < other.end
                and other is not besides
                and other.queue is None
                and other.op is not IoType.FLUSH
                and other.op is not IoType.BLOCK_STATUS
            ):
                return other
        return None

    # --- waiting ---

    async def wait(self, request: Request) -> None:
        """Wait until no other request conflicts with this one.

        A plain request passes at once when the node has nothing serialising; ask for that before
        calling, it saves a coroutine.
        """
        if request.alone:
            return
        while (blocker := self.conflict(request)) is not None:
            wake = self._join(request, blocker)
            self._hand_on(request, blocker)
            try:
                await wake
            finally:
                self._leave(request)
        request.alone = request.serialising
        self._hand_on(request, request)

    def _join(self, request: Request, blocker: Request) -> asyncio.Future[None]:
        # Two requests of one chain on one node can never both finish: a driver called itself.
        assert not _descends(request, blocker)
        if self._index is not None:
            self._index.discard(request)
        if not blocker.waiters:
            blocker.waiters = WaitQueue(blocker)
        wake = blocker.waiters.join(request)
        if self._context.observer is not None:
            self._context.observer.request_waits(request, blocker)
        return wake

    def _leave(self, request: Request) -> None:
        if request.queue is not None:
            request.queue.leave(request)
        if self._index is not None:
            self._index.add(request)

    def _wake(self, queue: WaitQueue[Request]) -> None:
        """Let those look who waited for a request that has ended."""
        if queue:
            first = self._wake_one(queue)
            if not first.waiters and queue.all_meet(first):
                queue.blocker, queue.handed_on = first, True
                first.waiters = queue
            else:
                self._wake_all(queue)

    def _wake_all(self, queue: WaitQueue[Request]) -> None:
        while queue:
            self._wake_one(queue)

    def _wake_one(self, queue: WaitQueue[Request]) -> Request:
        return queue.wake(self._context.pick(len(queue), f"wake {queue.blocker.node}"))

    def _hand_on(self, request: Request, found: Request) -> None:
        """Decide for those who were woken together with a request, now that it has looked.

        Args:
            request: It waits for found, or goes on, and is then itself what is found.
            found: The newest under way that meets it.
        """
        queue = request.waiters
        if queue is None or not queue.handed_on:
            return
        inside = request.start <= queue.start and queue.end <= request.end
        if not (inside and request.serialising and queue.all_meet(found)):
            newest = self._newest(queue.start, queue.end, None, everybody=queue.any_serialising)
            if newest is None or not queue.all_meet(newest):
                request.waiters = None
                self._wake(queue) if newest is None else self._wake_all(queue)
                return
            found = newest
        queue.handed_on = False
        if self._context.observer is not None:
            for waiter in queue:
                self._context.observer.request_waits(waiter, found)
        if found is not request:
            request.waiters = None
            found.waiters = found.waiters.followed_by(queue) if found.waiters else queue
            found.waiters.blocker = found


class _Index:
    """Requests under way that have a range, so that one that meets another is found quickly."""

    __slots__ = ("_fresh_plain", "_fresh_serialising", "_plain", "_serialising")

    def __init__(self, requests: Iterable[Request]) -> None:
        self._serialising: RangeIndex[Request] = RangeIndex()
        self._plain: RangeIndex[Request] = RangeIndex()
        # Of whom nobody wanted to know yet: most end, or wait, before somebody does.
        self._fresh_serialising: dict[Request, None] = {}
        self._fresh_plain: dict[Request, None] = {}
        for request in requests:
            if request.queue is None:
                self.add(request)

    def add(self, request: Request) -> None:
        if request.op is IoType.FLUSH or request.op is IoType.BLOCK_STATUS:
            return
        fresh = self._fresh_serialising if request.serialising else self._fresh_plain
        fresh[request] = None

    def discard(self, request: Request) -> None:
        if request.serialising:
            fresh, index = self._fresh_serialising, self._serialising
        else:
            fresh, index = self._fresh_plain, self._plain
        if request in fresh:
            del fresh[request]
        else:
            index.discard(request)

    def newest(
        self, start: int, end: int, besides: Request | None, everybody: bool
    ) -> Request | None:
        if self._fresh_serialising:
            _enter(self._fresh_serialising, self._serialising, besides)
        found = self._serialising.newest(start, end, besides)
        if not everybody:
            return found
        if self._fresh_plain:
            _enter(self._fresh_plain, self._plain, besides)
        plain = self._plain.newest(start, end, besides)
        return plain if found is None or (plain is not None and plain.id > found.id) else found


def _enter(fresh: dict[Request, None], index: RangeIndex[Request], besides: Request | None) -> None:
    """Let fresh requests be found, but for the one that asks: it may be about to wait."""
    asks = besides is not None and besides in fresh
    for request in fresh:
        if request is not besides:
            index.add(request)
    fresh.clear()
    if asks and besides is not None:
        fresh[besides] = None


def _descends(request: Request, ancestor: Request) -> bool:
    step: Request | None = request
    while step is not None:
        if step is ancestor:
            return True
        step = step.parent
    return False
