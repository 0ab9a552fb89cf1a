"""The facts of one node that every step of the request path needs."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from functools import lru_cache
from typing import TypeVar

from blkdebug_async.block.context import Context
from blkdebug_async.block.driver import Driver, has
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.limits import UNLIMITED, Limits, check_limits
from blkdebug_async.block.split import ZeroPlan, plan_zeroes, transfer_limit
from blkdebug_async.block.tracked import Request, Tracker
from blkdebug_async.events import Event, IoType
from blkdebug_async.units import MAX_REQUEST, SECTOR_SIZE, align_up

_T = TypeVar("_T")


# Most nodes have the same limits as many others.
@lru_cache(maxsize=64)
def _derive(limits: Limits) -> tuple[int, ZeroPlan]:
    check_limits(limits)
    return transfer_limit(limits), plan_zeroes(limits)


class NodeState:
    """One node, as its request path sees it. Numbers derived from the limits are kept ready."""

    __slots__ = (
        "align_mask",
        "answers_at_once",
        "context",
        "copy_on_read",
        "driver",
        "flags",
        "generation",
        "has_zeroes",
        "known_length",
        "limits",
        "longest_at_once",
        "longest_transfer",
        "name",
        "tracker",
        "variable_length",
        "zero_plan",
    )

    name: str
    driver: Driver
    context: Context
    flags: OpenFlags
    limits: Limits
    #: request_alignment - 1.
    align_mask: int
    #: Whether it may be worth while to ask the driver for anything at once.
    answers_at_once: bool
    #: Longest read or write that the driver may be given, in bytes.
    longest_transfer: int
    #: The same, and no longer than any request may be.
    longest_at_once: int
    zero_plan: ZeroPlan
    #: Whether the driver can write zeros by itself.
    has_zeroes: bool
    #: Whether the driver is asked for the length at each use.
    variable_length: bool
    #: Whether reads copy what they find in the backing node.
    copy_on_read: bool
    #: Rises with every write, zero write and discard, also with failed ones.
    generation: int
    #: What length was when it was last asked for or written past; all of it for most drivers.
    known_length: int

    def __init__(self, name: str, driver: Driver, context: Context, flags: OpenFlags) -> None:
        self.name = name
        self.driver = driver
        self.context = context
        self.flags = flags
        self.tracker = Tracker(context)
        self.has_zeroes = has(driver, "pwrite_zeroes")
        self.copy_on_read = flags.copy_on_read
        self.variable_length = driver.has_variable_length
        self.answers_at_once = driver.answers_at_once
        self.generation = 0
        self.known_length = 0
        self.set_limits(UNLIMITED)

    def set_limits(self, limits: Limits) -> None:
        """Use these limits from the next request on.

        Raises:
            OptionError: EINVAL; the request alignment is above 1 GiB.
        """
        self.longest_transfer, self.zero_plan = _derive(limits)
        self.longest_at_once = min(self.longest_transfer, MAX_REQUEST)
        self.align_mask = limits.request_alignment - 1
        self.limits = limits

    @property
    def length(self) -> int:
        """Length in bytes, a multiple of 512; the driver is asked only if it may vary."""
        return self.refresh_length() if self.variable_length else self.known_length

    def refresh_length(self) -> int:
        """Ask the driver for the length and remember it.

        Raises:
            OSError: The driver cannot tell.
        """
        self.known_length = align_up(self.driver.length(), SECTOR_SIZE)
        return self.known_length

    def grow_to(self, end: int) -> None:
        """Remember that a write has reached end."""
        if end > self.known_length:
            self.known_length = align_up(end, SECTOR_SIZE)

    def begin(
        self, op: IoType, offset: int, length: int, flags: int, parent: Request | None
    ) -> Request:
        """Make a request and count it in."""
        request = Request(self.context.next_id(), self.name, op, offset, length, flags, parent)
        self.tracker.begin(request)
        return request

    def hears(self, event: Event) -> bool:
        """Tell whether an event is of interest to the driver or an observer."""
        return event in self.driver.heard or self.context.observer is not None

    def fire(self, event: Event, request: Request | None) -> Coroutine[object, None, None]:
        """Deliver an event to this node. The driver may wait; skip the call if not hears()."""
        if self.context.observer is not None:
            self.context.observer.event_fired(self.name, event, request)
        return self.driver.fire(event, request) if event in self.driver.heard else _nothing()

    async def run(self, request: Request, work: Awaitable[_T]) -> _T:
        """Await the work of a request, then count the request out."""
        try:
            result = await work
        except BaseException as error:
            await self.end_failed(request, error)
            raise
        if self.driver.holds_completion:
            await self.end_held(request, None)
        else:
            self.tracker.end(request, None)
        return result

    async def end_failed(self, request: Request, error: BaseException) -> None:
        """Count a failed request out; a cancelled one is not held any more."""
        if self.driver.holds_completion and isinstance(error, Exception):
            await self.end_held(request, error)
        else:
            self.tracker.end(request, error)

    async def end_held(self, request: Request, error: Exception | None) -> None:
        """Count a request out after the driver has seen it one last time."""
        try:
            await self.driver.before_completion(request)
        except BaseException as caught:
            self.tracker.end(request, caught)
            raise
        self.tracker.end(request, error)


async def _nothing() -> None:
    """Do what is to be done where nobody listens."""
