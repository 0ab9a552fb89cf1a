"""Who waits for one request, in the order in which they came, and what is sure about all of them.

With that a whole queue can be handed on to another request without looking at everybody in it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from typing import Generic, Protocol, Self, TypeVar


class Waiter(Protocol):
    """A request, as far as waiting goes."""

    #: Where it waits; still set after it was woken, until it goes on or waits again.
    queue: WaitQueue[Self] | None

    @property
    def start(self) -> int:
        """First byte of its range."""
        ...

    @property
    def end(self) -> int:
        """Byte after the last one."""
        ...

    @property
    def serialising(self) -> bool:
        """Whether it must be alone on its range."""
        ...


_T = TypeVar("_T", bound=Waiter)


class WaitQueue(Generic[_T]):
    """Requests that wait for the same one; empty, it is false.

    What it knows of their ranges takes in those who have left, so it errs on the safe side only.
    """

    __slots__ = (
        "_inner_end",
        "_inner_start",
        "_plain",
        "_wakes",
        "blocker",
        "end",
        "handed_on",
        "start",
    )

    def __init__(self, blocker: _T) -> None:
        #: Whom they wait for.
        self.blocker = blocker
        #: They waited for somebody else, and nobody has looked whether this is the right one now.
        self.handed_on = False
        #: Nobody's range begins before this.
        self.start = 1 << 64
        #: Nobody's range ends after this.
        self.end = 0
        # Nobody's begins after this one, nor ends before that one.
        self._inner_start = 0
        self._inner_end = 1 << 64
        # How many are not serialising.
        self._plain = 0
        # What each one awaits. Whose task is cancelled stays until the task comes to know of it.
        self._wakes: OrderedDict[_T, asyncio.Future[None]] = OrderedDict()

    @property
    def any_serialising(self) -> bool:
        """Whether any of them must be alone on its range."""
        return self._plain < len(self._wakes)

    def __len__(self) -> int:
        return len(self._wakes)

    def __iter__(self) -> Iterator[_T]:
        return iter(self._wakes)

    def __contains__(self, waiter: _T) -> bool:
        return waiter in self._wakes

    def join(self, waiter: _T) -> asyncio.Future[None]:
        """Let somebody stand at the end.

        Returns:
            What to await; leave the queue after that, in any case.
        """
        self._cover(waiter.start, waiter.start, waiter.end, waiter.end)
        self._plain += not waiter.serialising
        waiter.queue = self
        wake = self._wakes[waiter] = asyncio.get_running_loop().create_future()
        return wake

    def leave(self, waiter: _T) -> None:
        """Take somebody out who may have been woken, or moved to another queue."""
        queue, waiter.queue = waiter.queue, None
        if queue is not None and queue._wakes.pop(waiter, None) is not None:
            queue._plain -= not waiter.serialising

    def wake(self, number: int) -> _T:
        """Take somebody out and let it look, when the loop comes to it; 0 is the oldest."""
        if number:
            waiter = next(islice(self._wakes, number, None))
            wake = self._wakes.pop(waiter)
        else:
            waiter, wake = self._wakes.popitem(last=False)
        self._plain -= not waiter.serialising
        if not wake.done():
            wake.set_result(None)
        return waiter

    def all_meet(self, request: _T) -> bool:
        """Tell whether everybody here certainly has to wait for a request that is under way."""
        return (
            (request.serialising or not self._plain)
            and request.start < self._inner_end
            and self._inner_start < request.end
        )

    def followed_by(self, other: WaitQueue[_T]) -> WaitQueue[_T]:
        """Join two queues: the shorter one moves. Gives the queue in which all are now."""
        if len(self) < len(other):
            for waiter in reversed(self._wakes):
                other._take(waiter, self._wakes[waiter])
                other._wakes.move_to_end(waiter, last=False)
            return other._absorb(self)
        for waiter in other._wakes:
            self._take(waiter, other._wakes[waiter])
        return self._absorb(other)

    def _take(self, waiter: _T, wake: asyncio.Future[None]) -> None:
        waiter.queue = self
        self._wakes[waiter] = wake

    def _absorb(self, other: WaitQueue[_T]) -> WaitQueue[_T]:
        self._cover(other.start, other._inner_start, other._inner_end, other.end)
        self._plain += other._plain
        return self

    def _cover(self, start: int, inner_start: int, inner_end: int, end: int) -> None:
        self.start = min(self.start, start)
        self._inner_start = max(self._inner_start, inner_start)
        self._inner_end = min(self._inner_end, inner_end)
        self.end = max(self.end, end)
