"""Futures and tasks that note who completes, cancels, awaits and asks them.

An exploring loop makes these where footprints are wanted. A future that somebody makes without the
loop, by asyncio.Future(), is noted only as far as it wakes a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import ClassVar, Self, TypeVar

from blkdebug_async.explore.exploration import Arrival, Exploration
from blkdebug_async.explore.footprint import Touch
from blkdebug_async.explore.ordered import OrderedTask
from blkdebug_async.explore.possible import known_actor
from blkdebug_async.explore.sync_objects import current_exploration, note

_T = TypeVar("_T")


class NotedFuture(asyncio.Future[_T]):
    """A future whose uses are noted."""

    #: What its name begins with.
    kind: ClassVar[str] = "future"

    def set_result(self, result: _T, /) -> None:
        note(self, Touch.WRITE)
        super().set_result(result)

    def set_exception(self, exception: type | BaseException, /) -> None:
        note(self, Touch.WRITE)
        super().set_exception(exception)

    def cancel(self, msg: object = None) -> bool:
        note(self, Touch.WRITE)
        return super().cancel(msg)

    def done(self) -> bool:
        note(self, Touch.READ)
        return super().done()

    def cancelled(self) -> bool:
        note(self, Touch.READ)
        return super().cancelled()

    def result(self) -> _T:
        note(self, Touch.READ)
        return super().result()

    def exception(self) -> BaseException | None:
        note(self, Touch.READ)
        return super().exception()

    def add_done_callback(
        self, fn: Callable[[Self], object], /, *, context: Context | None = None
    ) -> None:
        note(self, Touch.READ)
        super().add_done_callback(fn, context=context)

    def __await__(self) -> Generator[object, None, _T]:
        note(self, Touch.READ)
        return super().__await__()


class NotedArrival(NotedFuture[_T], Arrival[_T]):
    """What the maker of something in flight awaits, its uses noted."""

    kind = "flight"


class NamedTask(OrderedTask[_T]):
    """A task that is known by the name that it is given."""

    def set_name(self, value: object, /) -> None:
        super().set_name(value)
        # asyncio.TaskGroup of 3.11 does that right after it has made the task.
        actor = known_actor(self)
        if not actor.steps:
            exploration: Exploration = self.get_loop().exploration  # type: ignore[attr-defined]
            exploration.touched.pop(id(actor.changed), None)
            actor.rename(str(value))
            exploration.touch(actor.changed)


class NotedTask(NamedTask[_T]):
    """A task whose cancelling, awaiting and asking are noted; the loop notes its steps."""

    def cancel(self, msg: object = None) -> bool:
        self._note(Touch.WRITE)
        return super().cancel(msg)

    def done(self) -> bool:
        self._note(Touch.READ)
        return super().done()

    def cancelled(self) -> bool:
        self._note(Touch.READ)
        return super().cancelled()

    def result(self) -> _T:
        self._note(Touch.READ)
        return super().result()

    def exception(self) -> BaseException | None:
        self._note(Touch.READ)
        return super().exception()

    def add_done_callback(
        self, fn: Callable[[Self], object], /, *, context: Context | None = None
    ) -> None:
        self._note(Touch.READ)
        super().add_done_callback(fn, context=context)

    def __await__(self) -> Generator[object, None, _T]:
        self._note(Touch.READ)
        return super().__await__()

    def _note(self, touch: Touch) -> None:
        exploration = current_exploration()
        if exploration is not None:
            actor = known_actor(self)
            exploration.touch(actor.looked if touch is Touch.READ else actor.changed)
