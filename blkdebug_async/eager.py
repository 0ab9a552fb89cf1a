"""Running a coroutine at once, up to its first wait, and on again where the loop must not turn.

QEMU enters a request's coroutine when it is submitted and when it is woken, inside the call that
does so; other requests go on only when the event loop is polled. asyncio starts and wakes tasks in
a later turn of the loop, which lets everybody else run too. An Activity is a task whose coroutine
can be a step or more ahead of it.

Entering and leaving a task is asyncio's documented interface for loops and tasks of one's own
(asyncio-extending); it keeps current_task() and timeouts right. asyncio.eager_task_factory of 3.12
could start but not wake, so there is one way for all versions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterable
from contextvars import copy_context
from types import TracebackType
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Activity(Generic[_T]):
    """A coroutine that has begun; make one with start_now()."""

    def __init__(self, coroutine: Coroutine[object, None, _T]) -> None:
        loop = asyncio.get_running_loop()
        self._context = copy_context()
        self._steps = _Steps(coroutine)
        self._task = asyncio.Task(self._steps, loop=loop, context=self._context)

    @property
    def finished(self) -> bool:
        """Whether the coroutine has ended; the task may learn of it a turn later."""
        return self._steps.finished

    @property
    def is_ready(self) -> bool:
        """Whether what the coroutine waits for has happened, so that it could go on."""
        return self._steps.is_ready

    @property
    def task(self) -> asyncio.Task[_T]:
        """The task, to await or to cancel."""
        return self._task

    def advance(self) -> None:
        """Run the coroutine on, as long as it has nothing to wait for."""
        loop = asyncio.get_running_loop()
        caller = asyncio.current_task()
        if caller is not None:
            asyncio._leave_task(loop, caller)
        asyncio._enter_task(loop, self._task)
        try:
            while self._steps.is_ready:
                self._context.run(self._steps.run_ahead)
        finally:
            asyncio._leave_task(loop, self._task)
            if caller is not None:
                asyncio._enter_task(loop, caller)


def start_now(coroutine: Coroutine[object, None, _T]) -> Activity[_T]:
    """Run a coroutine under a task of its own, at once and up to its first wait.

    What it raises at once is raised by its task, not here.
    """
    activity = Activity(coroutine)
    activity.advance()
    return activity


def advance_all(activities: Iterable[Activity[_T]]) -> None:
    """Run everybody on who can, until nobody can: one may wake another."""
    waiting = list(activities)
    while ready := [activity for activity in waiting if activity.is_ready]:
        for activity in ready:
            activity.advance()


class _Steps(Coroutine[object, None, _T]):
    """What the task drives: passes steps on, and catches it up on those taken ahead."""

    def __init__(self, coroutine: Coroutine[object, None, _T]) -> None:
        self._coroutine = coroutine
        self._started = False
        #: Taken ahead, and the task has not seen its outcome.
        self._ahead = False
        #: What the last step yielded: a future to wait for, or None for one turn of the loop.
        self._yielded: object = None
        #: How the coroutine ended, if it has.
        self._end: BaseException | None = None

    @property
    def finished(self) -> bool:
        return self._end is not None

    @property
    def is_ready(self) -> bool:
        if self.finished:
            return False
        if not self._started:
            return True
        future = self._yielded
        return (
            isinstance(future, asyncio.Future)
            and future.done()
            # A failed or cancelled future is left to the task, which throws what it holds.
            and not future.cancelled()
            and future.exception() is None
        )

    def run_ahead(self) -> None:
        self._started = self._ahead = True
        try:
            self._yielded = self._coroutine.send(None)
        except BaseException as end:
            self._end = end

    def send(self, value: None) -> object:
        ahead, self._ahead = self._ahead, False
        # The task comes a turn of the loop after the steps taken ahead: if a turn was all that
        # they asked for, or what they wait for has happened, it need not come again.
        if ahead and (self.finished or not (self._yielded is None or self.is_ready)):
            return self._outcome()
        self._started = True
        try:
            self._yielded = self._coroutine.send(value)
        except BaseException as end:
            self._end = end
            raise
        return self._yielded

    def throw(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> object:
        self._started, self._ahead = True, False
        if self.finished:
            return self._outcome()
        error = typ if isinstance(typ, BaseException) else typ()
        try:
            self._yielded = self._coroutine.throw(error)
        except BaseException as end:
            self._end = end
            raise
        return self._yielded

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[object, None, _T]:
        return self._coroutine.__await__()

    def _outcome(self) -> object:
        if self._end is not None:
            raise self._end
        return self._yielded
