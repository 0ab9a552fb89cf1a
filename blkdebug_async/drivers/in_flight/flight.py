"""One request in flight: done in the step in which its completion is picked.

The driver's own coroutine does it. Most drivers wait for nothing, so that is one step and an effect
of the device; where one has to wait, the task that sent the request off goes on with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Generic, Protocol, TypeVar

from blkdebug_async.block.iovec import Iovec

_T = TypeVar("_T")


class Put(Protocol):
    """Makes a coroutine that writes."""

    def __call__(self, offset: int, length: int, iov: Iovec, /) -> Coroutine[object, None, None]:
        """Write iov, exactly length bytes, at offset."""
        ...


class Flight(Generic[_T]):
    """A request that was sent off.

    Args:
        key: Stable name; empty if nobody wants names.
        offset: First byte that it is about.
        length: Bytes.
        work: Makes the coroutine that does it.
    """

    __slots__ = (
        *("_task", "_waiter", "_work", "done", "end"),
        *("error", "key", "offset", "rest", "result"),
    )

    #: What it answered, if it is done and has not failed.
    result: _T

    def __init__(
        self, key: str, offset: int, length: int, work: Callable[[], Coroutine[object, None, _T]]
    ) -> None:
        self.key = key
        self.offset = offset
        #: Byte after the last one.
        self.end = offset + length
        #: Whether its completion was picked.
        self.done = False
        #: What it has failed with.
        self.error: BaseException | None = None
        #: What is left to do, if it had to wait.
        self.rest: Rest[_T] | None = None
        self._work = work
        self._task = asyncio.current_task()
        self._waiter: asyncio.Future[None] | None = None

    def complete(self) -> None:
        """Do it, up to its first wait."""
        self.done = True
        self._drive(self._work())
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def wait_again(self) -> asyncio.Future[None]:
        """Give what is done when this is, for a task that was cancelled while it waited."""
        self._waiter = asyncio.get_running_loop().create_future()
        return self._waiter

    def _drive(self, coroutine: Coroutine[object, None, _T]) -> None:
        """Take the first step of a coroutine, on behalf of the task that made the request."""
        loop, task = asyncio.get_running_loop(), self._task
        caller = asyncio.current_task(loop)
        if caller is not None:
            asyncio._leave_task(loop, caller)
        if task is not None:
            asyncio._enter_task(loop, task)
        try:
            self.rest = Rest(coroutine, coroutine.send(None))
        except StopIteration as answer:
            self.result = answer.value
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.error = error
        finally:
            if task is not None:
                asyncio._leave_task(loop, task)
            if caller is not None:
                asyncio._enter_task(loop, caller)


class WriteFlight(Flight[None]):
    """A write that may be done in part before it completes.

    Args:
        key: As in Flight.
        offset: First byte.
        iov: What is written.
        put: Makes a coroutine that writes a part of it, and never waits.
    """

    __slots__ = ("_iov", "_put", "landed")

    def __init__(self, key: str, offset: int, iov: Iovec, put: Put) -> None:
        super().__init__(key, offset, iov.length, self._put_rest)
        #: Byte after the last one that is written already.
        self.landed = offset
        self._iov = iov
        self._put = put

    def land(self, stop: int) -> None:
        """Write what comes before stop and is not written yet."""
        start, self.landed = self.landed, stop
        self._drive(self._put_part(start, stop))
        assert self.rest is None, "what writes in parts must not wait"

    async def _put_rest(self) -> None:
        if self.error is None:
            await self._put_part(self.landed, self.end)

    def _put_part(self, start: int, stop: int) -> Coroutine[object, None, None]:
        length = stop - start
        return self._put(start, length, self._iov.slice(start - self.offset, length))


class Rest(Generic[_T]):
    """A coroutine that began elsewhere and waits: awaiting this goes on with it.

    Args:
        coroutine: It has yielded once.
        yielded: What it waits for: a future, or None for one turn of the loop.
    """

    def __init__(self, coroutine: Coroutine[object, None, _T], yielded: object) -> None:
        self._coroutine = coroutine
        self._yielded = yielded
        #: Called at each step; what it touches should be noted.
        self.at_step: Callable[[], None] | None = None
        #: Whether its task was cancelled meanwhile, so that it has to hear of that.
        self.cancelled = False

    def __await__(self) -> Generator[object, None, _T]:
        coroutine, yielded = self._coroutine, self._yielded
        try:
            if self.cancelled:
                yielded = self._cancel()
            while True:
                if isinstance(yielded, asyncio.Future):
                    # Whoever else has awaited it since has taken this back.
                    yielded._asyncio_future_blocking = True
                try:
                    yield yielded
                except BaseException as error:
                    self._note()
                    yielded = coroutine.throw(error)
                else:
                    self._note()
                    yielded = coroutine.send(None)
        except StopIteration as answer:
            result: _T = answer.value
            return result

    def _cancel(self) -> object:
        if isinstance(self._yielded, asyncio.Future):
            self._yielded.cancel()
        self._note()
        return self._coroutine.throw(asyncio.CancelledError())

    def _note(self) -> None:
        if self.at_step is not None:
            self.at_step()
