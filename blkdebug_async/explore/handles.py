"""What waits in an exploring loop: steps of tasks, plain callbacks, timers, and what is in flight.

A step of a task is a plain tuple, as nobody ever sees it and runs are made of little else; with
asyncio's debugging on, it is a Handle, as asyncio's messages show one.
"""

from __future__ import annotations

import asyncio
from asyncio.base_events import _run_until_complete_cb  # type: ignore[attr-defined]
from asyncio.futures import _set_result_unless_cancelled  # type: ignore[attr-defined]
from collections.abc import Callable
from contextvars import Context
from types import BuiltinMethodType, MethodType
from typing import Final, Protocol, TypeAlias

from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.task_names import Actor, short_name


class Callback(Protocol):
    """What can be called back, with whatever it was scheduled with."""

    def __call__(self, *args: object, **kwargs: object) -> object: ...


#: A step of a task: what to call, with what, in which context.
Step: TypeAlias = tuple[Callback, tuple[object, ...], Context]


async def _nothing() -> None:
    """Do nothing, so that its task shows what asyncio calls a first step."""


def _type_of_first_step() -> type:
    """Find out which type of callable asyncio's compiled tasks schedule."""
    seen: list[type] = []

    class Peeking(asyncio.BaseEventLoop):
        def call_soon(  # type: ignore[no-untyped-def,override]
            self, callback, *args, context=None
        ):
            seen.append(type(callback))

    loop = Peeking()
    coroutine = _nothing()
    try:
        task: asyncio.Task[None] = asyncio.Task(coroutine, loop=loop)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    finally:
        coroutine.close()
        loop.close()
    return seen[0]


#: Type of the callable that begins or goes on with a compiled task; MethodType for one in Python.
FIRST_STEP: Final = _type_of_first_step()
#: Type of the callable that wakes a compiled task: a method of the task.
WAKEUP: Final = BuiltinMethodType
#: Its name.
WAKEUP_NAME: Final = "task_wakeup"
_METHODS_OF_PYTHON_TASKS: Final = frozenset(
    f"{prefix}__{name}" for prefix in ("", "_Task", "_PyTask") for name in ("step", "wakeup")
)


def is_step(callback: object) -> bool:
    """Tell whether a callback is a step of a task, rather than anything else."""
    kind = type(callback)
    if kind is FIRST_STEP:
        return True
    if kind is MethodType:
        return (
            isinstance(callback, MethodType)
            and isinstance(callback.__self__, asyncio.Future)
            and getattr(callback.__func__, "__name__", "") in _METHODS_OF_PYTHON_TASKS
        )
    return isinstance(callback, BuiltinMethodType) and callback.__name__ == WAKEUP_NAME


def is_sleep(callback: object) -> bool:
    """Tell whether a timer's callback ends an asyncio.sleep()."""
    return callback is _set_result_unless_cancelled


def is_again(callback: Callback, running: Call | None) -> bool:
    """Tell whether a callback is scheduled by itself.

    Args:
        callback: The callback.
        running: Which one is running; None: none is.
    """
    return running is not None and running._callback == callback


class StepHandle(asyncio.Handle):
    """A step of a task, with asyncio's debugging on."""

    __slots__ = ()
    _callback: Callback


class Call(asyncio.Handle):
    """A plain callback."""

    __slots__ = ("action", "again")
    _callback: Callback
    _cancelled: bool
    #: What it is, named when it was scheduled; None: nobody wants to know.
    action: Action | None
    #: Whether it was scheduled by itself.
    again: bool

    def cancel(self) -> None:
        if self.action is not None and not self._cancelled:
            host_of(self).note_cancelled(self)
        super().cancel()


class FreeCall(Call):
    """A plain callback that comes in any order, as steps do, with names wanted."""

    __slots__ = ()


class Timer(asyncio.TimerHandle):
    """A callback for later."""

    __slots__ = ("action",)
    _callback: Callback
    _when: float
    _scheduled: bool
    action: Action | None

    def cancel(self) -> None:
        if self.action is not None and not self._cancelled:
            host_of(self).note_cancelled(self)
        super().cancel()


class Noting(Protocol):
    """A loop that notes who stops what."""

    def note_cancelled(self, handle: Call | Timer) -> None:
        """Note that a callback is stopped."""
        ...


def host_of(handle: asyncio.Handle) -> Noting:
    """Look up the loop that a callback is of."""
    loop: Noting = handle._loop  # type: ignore[attr-defined]  # asyncio's own
    return loop


#: What stands in a loop's ready queue.
Ready: TypeAlias = Step | asyncio.Handle


class Flight:
    """Something in flight: a request to a disk, or a function that a thread is to run."""

    __slots__ = ("action", "arrive", "kind", "when_over")

    def __init__(self, action: Action, arrive: Callable[[], None], kind: Kind) -> None:
        self.action = action
        #: What it is, also where nothing is named.
        self.kind = kind
        #: Lets it take effect and complete.
        self.arrive = arrive
        #: Called when it has; None: nobody wants to know.
        self.when_over: Callable[[], None] | None = None


def describe_call(origin: Actor, callback: Callback, *, free: bool) -> Action:
    """Name a plain callback after who scheduled it.

    Args:
        origin: Who did.
        callback: The callback.
        free: As is_free() has it.
    """
    key = origin.own(short_name(callback))
    if free:
        return Action(key, key, Kind.COUNT)
    return Action(key, key, Kind.END if callback is _run_until_complete_cb else Kind.CALL)


def describe_timer(origin: Actor, callback: Callback) -> Action:
    """Name a timer after who set it."""
    key = origin.own("sleep" if is_sleep(callback) else f"timer {short_name(callback)}")
    return Action(key, key, Kind.TIMER)


def describe_step(actor: Actor) -> Action:
    """Name the next step of a task."""
    if actor.action is None:
        actor.action = Action(f"{actor.path}:{actor.steps}", actor.path, Kind.TASK)
    return actor.action
