"""Requests parked by tag, one future each.

Which requests are parked, and when, the machine has decided. Whoever resumes a request takes it
out of here; a cancelled one takes itself out. Thousands may be parked, under one tag or under as
many: nothing here looks through them but what lists them. Nobody waits here with a timeout: doors
own those, and find the words for their message in describe_waiting().
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from errno import EBADF

from blkdebug_async.errors import BlockError
from blkdebug_async.trace import RequestView


@dataclass(slots=True, eq=False)
class Parked:
    """A request held under a tag; nothing about it changes, but frozen it would take longer."""

    tag: str
    #: None: it was announced by an event that belongs to no request.
    request: RequestView | None
    #: The loop's time at which it was parked, in seconds.
    since: float
    #: Rising with each one parked.
    serial: int
    #: What it awaits; a task that is cancelled cancels it, and takes the request out soon after.
    resumed: asyncio.Future[None]

    def __str__(self) -> str:
        """Name the request and its breakpoint, for people."""
        request = self.request
        if request is None:
            return f"an event without a request at '{self.tag}'"
        task = "no task" if request.task_name is None else f"task '{request.task_name}'"
        return (
            f"{request.op} of {request.length} bytes at {request.offset} on node"
            f" '{request.node}' (request {request.id}, {task}) at '{self.tag}'"
        )


def _nobody(_: Parked) -> None:
    """Hear of something, and do nothing."""


class Breakpoints:
    """The parked requests of a node.

    Args:
        on_suspend: Called when a request is parked, before anybody who waits for that.
        on_resume: Called when a request is resumed, before it continues.
    """

    def __init__(
        self,
        on_suspend: Callable[[Parked], None] = _nobody,
        on_resume: Callable[[Parked], None] = _nobody,
    ) -> None:
        self._on_suspend = on_suspend
        self._on_resume = on_resume
        # Ordered sets by tag, oldest first; a tag without any is not there.
        self._parked: dict[str, dict[Parked, None]] = {}
        self._waiters: dict[str, dict[asyncio.Future[None], None]] = {}
        self._serial = 0
        self._closed = False

    async def park_all(self, tags: Iterable[str], request: RequestView | None = None) -> None:
        """Hold a request under all of these tags until it was resumed under each, in any order.

        Args:
            tags: In the order in which they are parked; the same one may occur again.
            request: The request; None: nobody's. Cancelled, it is parked no longer.

        QEMU: block/blkdebug.c, blkdebug_co_debug_event().
        """
        # Without an await in between: whoever sees one of them sees them all.
        held = [self._add(tag, request) for tag in tags]
        try:
            for parked in held:
                self._announce(parked)
            for parked in held:
                await parked.resumed
        finally:
            for parked in held:
                self._forget(parked)

    def resume(self, tag: str) -> bool:
        """Resume the request that was parked last under a tag.

        It continues when the loop comes to it.

        Returns:
            Whether there was one.
        """
        entries = self._parked.get(tag)
        while entries:
            # Not by reversed(): that would pass over all the places that were taken out before.
            parked, _ = entries.popitem()
            if not entries:
                del self._parked[tag]
            # A task cancelled in this very turn is still there, but no longer to be resumed.
            if not parked.resumed.cancelled():
                self._let_go(parked)
                return True
        return False

    def resume_all(self, tag: str) -> int:
        """Resume all requests that are now parked under a tag, the last one first.

        Returns:
            How many there were.
        """
        return self._release_all(reversed(tuple(self._parked.get(tag, ()))))

    def resume_everything(self) -> int:
        """Resume all requests under all tags, the last one first.

        Returns:
            How many were parked, a request counting once for each of its tags.
        """
        return self._release_all(reversed(self.parked()))

    def is_suspended(self, tag: str) -> bool:
        """Tell whether any request is parked under a tag."""
        # One that was cancelled in this very turn is still there.
        return any(not parked.resumed.cancelled() for parked in self._parked.get(tag, ()))

    def parked(self) -> list[Parked]:
        """List all that is parked, the oldest first."""
        everything = (parked for entries in self._parked.values() for parked in entries)
        held = [parked for parked in everything if not parked.resumed.cancelled()]
        return sorted(held, key=lambda parked: parked.serial)

    async def wait_suspended(self, tag: str) -> None:
        """Wait until a request is parked under a tag, at once if one is.

        Somebody else may have resumed it by the time the caller continues.

        Raises:
            BlockError: EBADF; the node was closed instead.
        """
        if self.is_suspended(tag):
            return
        suspended = asyncio.get_running_loop().create_future()
        waiters = self._waiters.setdefault(tag, {})
        waiters[suspended] = None
        try:
            await suspended
        finally:
            del waiters[suspended]
            if not waiters:
                del self._waiters[tag]
        if self._closed:
            raise BlockError(EBADF, f"The disk was closed; no request was suspended at '{tag}'")

    def close(self) -> None:
        """Let nobody wait any longer for a request to be parked: none will come."""
        self._closed = True
        for waiters in self._waiters.values():
            for suspended in waiters:
                _set(suspended)

    def describe_waiting(self) -> str:
        """Say in one line which requests are held where, and which tags are waited for."""
        parts = [f"held: {parked}" for parked in self.parked()] or ["no request is held"]
        parts += [f"waited for: '{tag}'" for tag in self._waiters]
        return "; ".join(parts)

    def _add(self, tag: str, request: RequestView | None) -> Parked:
        self._serial += 1
        loop = asyncio.get_running_loop()
        parked = Parked(tag, request, loop.time(), self._serial, loop.create_future())
        entries = self._parked.get(tag)
        if entries is None:
            self._parked[tag] = {parked: None}
        else:
            entries[parked] = None
        return parked

    def _announce(self, parked: Parked) -> None:
        self._on_suspend(parked)
        for suspended in self._waiters.get(parked.tag, ()):
            _set(suspended)

    def _release_all(self, everything: Iterable[Parked]) -> int:
        count = 0
        for parked in everything:
            self._release(parked)
            count += 1
        return count

    def _release(self, parked: Parked) -> None:
        self._forget(parked)
        self._let_go(parked)

    def _let_go(self, parked: Parked) -> None:
        self._on_resume(parked)
        _set(parked.resumed)

    def _forget(self, parked: Parked) -> None:
        entries = self._parked.get(parked.tag)
        if entries is None or parked not in entries:
            return
        if len(entries) == 1:
            del self._parked[parked.tag]
        else:
            del entries[parked]


def _set(future: asyncio.Future[None]) -> None:
    """Let whoever awaits it go on; it may have been set already, or cancelled."""
    if not future.done():
        future.set_result(None)
