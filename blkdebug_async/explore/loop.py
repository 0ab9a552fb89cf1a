"""An event loop in which a scheduler decides what happens next, and time is virtual.

A scheduler that always picks the first action gets exactly what asyncio's own loop does. Time
stands still while anything else can happen, then jumps to the next timer. possible.py says which
orders there are besides, turns.py how a run goes on.

A run is fast when its scheduler wants no actions: it picks by number and nothing has a name.
Otherwise tasks and callbacks are named when they are made, and the scheduler hears of each step.
"""

from __future__ import annotations

import asyncio
import heapq
import threading
from collections.abc import Coroutine, Generator
from concurrent.futures import Executor
from contextvars import Context
from functools import partial
from math import inf
from types import MethodType
from typing import Final, TypeAlias, TypeVar

from blkdebug_async.explore.actions import Scheduler
from blkdebug_async.explore.counters import is_free
from blkdebug_async.explore.exploration import CLOCK_READ, QUEUE_CHANGED, QUEUE_READ
from blkdebug_async.explore.footprint import sync_footprint
from blkdebug_async.explore.handles import (
    FIRST_STEP,
    WAKEUP,
    WAKEUP_NAME,
    Call,
    Callback,
    FreeCall,
    StepHandle,
    Timer,
    describe_call,
    describe_timer,
    is_again,
    is_step,
)
from blkdebug_async.explore.ordered import OrderedCoroutines, OrderedGenerators, OrderedTask
from blkdebug_async.explore.refusals import REFUSED, REMOVERS, intruder, refuse, remove_nothing
from blkdebug_async.explore.sync_futures import NamedTask, NotedArrival, NotedFuture, NotedTask
from blkdebug_async.explore.sync_names import prints_of
from blkdebug_async.explore.sync_objects import SyncObjects
from blkdebug_async.explore.task_names import Actor, actor_of, name_task, short_name
from blkdebug_async.explore.threads import AnyioWorkers, Host, start_job
from blkdebug_async.explore.turns import TurningLoop

_T = TypeVar("_T")
_Coroutine: TypeAlias = (
    Generator[asyncio.Future[object] | None, None, _T] | Coroutine[object, object, _T]
)

#: Given to asyncio's tasks for a handle, which they drop.
_NO_HANDLE: Final = asyncio.Handle.__new__(asyncio.Handle)
#: So often may what is ended wait on its way out.
_LAST_WAITS: Final = 100
# asyncio's call_soon() looks at it.
setattr(_NO_HANDLE, "_source_traceback", None)  # noqa: B010


class ExploringLoop(TurningLoop):
    """An event loop for one run; close it, and make another one for the next.

    Args:
        scheduler: Decides what happens next.
        step_limit: Most steps that a run may take; None: any number.

    Raises, from whatever runs the loop:
        DeadlockError: Nothing can happen any more.
        EndlessRunError: There were more steps than step_limit.
        NotExplorableError: A thread came in that the loop does not know.
        RedundantRunError: The scheduler wants to see no more.
    """

    # asyncio's own.
    _executor_shutdown_called: bool
    _thread_id: int | None

    def __init__(self, scheduler: Scheduler, step_limit: int | None = None) -> None:
        super().__init__(scheduler, step_limit)
        # The task that create_task() is about to make: its coroutine, its maker, its name.
        self._making: tuple[object, Actor, object] | None = None
        self._asyncgens = OrderedGenerators()
        _COROUTINES.hold()
        _WORKERS.hold()
        if self._noting:
            _SYNC_OBJECTS.hold(self.exploration)
            self.exploration.arrival_class = NotedArrival
        self._install_fast_paths()

    def close(self) -> None:
        if not self.is_closed() and not self.is_running():
            try:
                self.exploration.at_end.close()
            finally:
                _WORKERS.release()
                _COROUTINES.release()
                if self._noting:
                    _SYNC_OBJECTS.release(self.exploration)
            # From now on asyncio's own methods answer, which say that the loop is closed. Cycles
            # of references end here too.
            self.__dict__.pop("call_soon", None)
            self.__dict__.pop("create_task", None)
            self.__dict__.pop("create_future", None)
        super().close()

    def abandon(self) -> None:
        """Close the loop amid a run: what is not over ends here, and nobody hears of it."""
        self.set_exception_handler(lambda _, __: None)
        for task in sorted(asyncio.all_tasks(self), key=hash):
            task._log_destroy_pending = False  # type: ignore[attr-defined]
            _end(task.get_coro())
        self.close()

    def set_debug(self, enabled: bool) -> None:
        super().set_debug(enabled)
        if hasattr(self, "_making") and not self.is_closed():
            self._install_fast_paths()

    def _install_fast_paths(self) -> None:
        """Put into the instance what is called most."""
        methods = self.__dict__
        methods.pop("call_soon", None)
        methods["create_task"] = self._create_task
        if self._named:
            methods["create_task"] = self._create_named_task
            if self._noting:
                methods["create_future"] = self._create_named_future
            if not self._debug:
                methods["call_soon"] = _named_call_soon(self)
        elif not self._debug:
            methods["call_soon"] = _fast_call_soon(self)

    # --- callbacks and timers ---

    def _call_soon(
        self, callback: Callback, args: tuple[object, ...], context: Context | None
    ) -> asyncio.Handle:
        if is_step(callback):
            if self._named:
                self._note_waking(callback)
            if not self._debug and context is not None:
                self._ready.append((callback, args, context))
                return _NO_HANDLE
            handle: asyncio.Handle = StepHandle(callback, args, self, context)
        else:
            free = is_free(callback, args)
            handle = call = (FreeCall if free else Call)(callback, args, self, context)
            call.action = None
            call.again = is_again(callback, self._possible.running)
            if self._named:
                call.action = describe_call(self.exploration.acting(), callback, free=free)
                self.exploration.touch(QUEUE_READ if free else QUEUE_CHANGED)
        self._ready.append(handle)
        self._possible.calls += 1
        return handle

    def _note_waking(self, callback: Callback) -> None:
        task: asyncio.Task[object] = callback.__self__  # type: ignore[attr-defined]
        actor = actor_of(task) or self._name(task)
        if task is not self.exploration.stepping:
            self.exploration.touch(actor.changed)
        self.exploration.touch(QUEUE_READ)

    def _note_timer(self, timer: Timer) -> None:
        """Note that the step under way sets a timer, which changes which one is next.

        Each of two for different times keeps the later one waiting, whichever was set first.
        """
        assert timer.action is not None
        touch = self.exploration.touch
        touch(CLOCK_READ)
        touch(sync_footprint(timer.action.key))
        for other in (*self._scheduled, *self._ready):
            if isinstance(other, Timer) and not other._cancelled and other._when != timer._when:
                assert other.action is not None
                touch(sync_footprint(other.action.key))

    def note_cancelled(self, handle: Call | Timer) -> None:
        """Note that the step under way stops a callback."""
        if isinstance(handle, Timer):
            # It changes which timer is next.
            self.exploration.touch(CLOCK_READ)
        else:
            assert handle.action is not None
            self.exploration.touch(sync_footprint(f"call {handle.action.key}"))
            self.exploration.touch(QUEUE_CHANGED)

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callback, *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        if self._thread_id not in (None, threading.get_ident()):
            self._fault = intruder(threading.current_thread().name)
            raise self._fault
        return super().call_soon_threadsafe(callback, *args, context=context)

    def _write_to_self(self) -> None:
        """Nobody sleeps, so there is nobody to wake."""

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callback, *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        if when is None:
            raise TypeError("when cannot be None")
        self._check_closed()
        if self._debug:
            self._check_thread()
            _check_callback(self, callback, "call_at")
        timer = Timer(when, callback, args, self, context)
        timer.action = None
        if self._named:
            timer.action = describe_timer(self.exploration.acting(), callback)
            self._note_timer(timer)
        # Who sleeps for ever sets a timer that never comes.
        if when < inf:
            heapq.heappush(self._scheduled, timer)
            timer._scheduled = True
        return timer

    # --- tasks ---

    def _create_task(
        self,
        coro: _Coroutine[_T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **others: object,
    ) -> asyncio.Task[_T]:
        if self.get_task_factory() is None:
            return OrderedTask(coro, loop=self, name=name, context=context, **others)
        return super().create_task(coro, name=name, context=context, **others)

    def _create_named_task(
        self,
        coro: _Coroutine[_T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **others: object,
    ) -> asyncio.Task[_T]:
        self._check_closed()
        outer, self._making = self._making, (coro, self.exploration.acting(), name)
        try:
            if self.get_task_factory() is None:
                kind = NotedTask if self._noting else NamedTask
                task: asyncio.Task[_T] = kind(coro, loop=self, name=name, context=context, **others)
            else:
                task = super().create_task(coro, name=name, context=context, **others)
            # Its first step has named it, unless it was begun at once.
            if actor_of(task) is None:
                self._name(task)
        finally:
            self._making = outer
        return task

    def _create_named_future(self) -> asyncio.Future[object]:
        future: NotedFuture[object] = NotedFuture(loop=self)
        prints_of(future, self.exploration)
        return future

    def _name(self, task: asyncio.Task[object]) -> Actor:
        making, coroutine = self._making, task.get_coro()
        if making is not None and making[0] is coroutine:
            _, maker, name = making
        else:
            maker, name = self.exploration.acting(), None
        actor = maker.make(short_name(coroutine) if name is None else str(name))
        name_task(task, actor)
        return actor

    # --- work for threads ---

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callback, *args: object
    ) -> asyncio.Future[object]:
        self._check_closed()
        if self._debug:
            _check_callback(self, func, "run_in_executor")
        if executor is None:
            self._check_default_executor()
        return start_job(self, partial(func, *args) if args else func)

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ASYNC109  as in asyncio
    ) -> None:
        """Wait until all that was handed to threads is done, however long that takes."""
        self._executor_shutdown_called = True
        while self._possible.jobs:
            newest = next(reversed(self._possible.jobs))
            over = self.create_future()
            newest.when_over = partial(over.set_result, None)
            await over


def _fast_call_soon(loop: ExploringLoop) -> Callback:
    """Make call_soon() for a run that wants no names, and has no debugging."""
    possible = loop._possible
    append = possible.ready.append

    def call_soon(
        callback: Callback, *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        kind = type(callback)
        if context is not None and (
            kind is FIRST_STEP
            or (kind is WAKEUP and callback.__name__ == WAKEUP_NAME)  # type: ignore[attr-defined]
            or (kind is MethodType and is_step(callback))
            or is_free(callback, args)
        ):
            append((callback, args, context))
            return _NO_HANDLE
        call = Call(callback, args, loop, context)
        call.action = None
        call.again = is_again(callback, possible.running)
        append(call)
        possible.calls += 1
        return call

    return call_soon  # type: ignore[return-value]  # it takes no other keyword


def _named_call_soon(loop: ExploringLoop) -> Callback:
    """Make the same for a run that wants names: it notes who is woken, by whom."""
    append, name, exploration = loop._ready.append, loop._name, loop.exploration
    slow, queue_read = partial(asyncio.BaseEventLoop.call_soon, loop), id(QUEUE_READ)

    def call_soon(
        callback: Callback, *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        kind = type(callback)
        if context is None or not (
            kind is FIRST_STEP
            or (kind is WAKEUP and callback.__name__ == WAKEUP_NAME)  # type: ignore[attr-defined]
            or (kind is MethodType and is_step(callback))
        ):
            return slow(callback, *args, context=context)
        # As _note_waking().
        task: asyncio.Task[object] = callback.__self__  # type: ignore[attr-defined]
        actor = actor_of(task) or name(task)
        touched = exploration.touched
        if task is not exploration.stepping:
            changed = actor.changed
            touched[id(changed)] = changed
        touched[queue_read] = QUEUE_READ
        append((callback, args, context))
        return _NO_HANDLE

    return call_soon  # type: ignore[return-value]  # it takes no other keyword


def _end(coroutine: _Coroutine[object]) -> None:
    """End a coroutine where it waits, and wherever it waits on its way out."""
    # What a scenario does in its last moment, it does on a loop that stands still.
    for _ in range(_LAST_WAITS):
        try:
            coroutine.close()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            # It may have waited once more, which is an error, too.
            continue
        return


def _check_callback(loop: asyncio.AbstractEventLoop, callback: Callback, method: str) -> None:
    getattr(loop, "_check_callback")(callback, method)  # noqa: B009  mypy does not know it


def _host_of(loop: asyncio.AbstractEventLoop) -> Host | None:
    return loop if isinstance(loop, ExploringLoop) else None


_WORKERS: Final = AnyioWorkers(_host_of)
_SYNC_OBJECTS: Final = SyncObjects()
_COROUTINES: Final = OrderedCoroutines()

for _name, _advice in REFUSED.items():
    setattr(ExploringLoop, _name, refuse(_name, _advice))
for _name in REMOVERS:
    setattr(ExploringLoop, _name, remove_nothing)
