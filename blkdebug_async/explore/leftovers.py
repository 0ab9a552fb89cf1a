"""What a run leaves behind when its main task is over: tasks, requests, errors, generators.

To be asked before the loop is closed. All of it is looked up rather than heard when Python throws
it away, so it is the same in each run, as long as the garbage collector does not come in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from types import AsyncGeneratorType
from typing import Final

from blkdebug_async.explore.deadlock import describe_wait
from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.explore.task_names import path_of, short_name

#: As asyncio has it: how often a set may change while it is listed.
_TRIES: Final = 1000


def leftovers(loop: ExploringLoop) -> tuple[str, ...]:
    """List what is left behind, a line each.

    Args:
        loop: It does not run any more.
    """
    tasks = _tasks_of(loop)
    lines = [_unfinished(task) for task in tasks if not _is_over(task)]
    if flying := loop.exploration.left_in_flight():
        lines += _in_flight([action.key for action in flying])
    lines += [_unheard(task) for task in tasks if _is_unheard(task)]
    alive: Collection[object] = getattr(loop, "_asyncgens", ())
    if alive:
        lines += _generators(alive)
    return tuple(lines)


def unheard_errors(loop: ExploringLoop) -> tuple[BaseException, ...]:
    """List the errors that tasks ended with, and that nobody has asked for.

    asyncio says so too, but not before the last reference to the task is gone.
    """
    return tuple(_error_of(task) for task in _tasks_of(loop) if _is_unheard(task))


def _tasks_of(loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[object]]:
    """List the tasks of a loop that are alive, in the order in which they were made."""
    # Later versions of Python keep no set with those that are over; asyncio tells of them itself.
    everyone = getattr(asyncio.tasks, "_all_tasks", None)
    if everyone is None:
        everyone = asyncio.all_tasks(loop)
    return sorted([task for task in _listed(everyone) if task.get_loop() is loop], key=hash)


def _listed(everyone: Iterable[asyncio.Task[object]]) -> list[asyncio.Task[object]]:
    """List a set that other threads, with loops of their own, may change meanwhile."""
    for _ in range(_TRIES):
        with suppress(RuntimeError):
            return list(everyone)
    return list(everyone)


def _is_over(task: asyncio.Task[object]) -> bool:
    # What its own done() would do, the run is told of. What closes a generator ends by itself.
    return asyncio.Future.done(task) or type(task.get_coro()).__name__ == "async_generator_athrow"


def _unfinished(task: asyncio.Task[object]) -> str:
    wait = describe_wait(task)
    future: asyncio.Future[object] | None = getattr(task, "_fut_waiter", None)
    if future is None or asyncio.Future.done(future):
        does = "could go on"
    else:
        does = f"waits for {wait.what}"
    cancelled = ", and was cancelled" if task.cancelling() else ""
    return f"task {wait.task} is not done: it {does}, at {wait.where}{cancelled}"


def _in_flight(keys: list[str]) -> Iterator[str]:
    for key in keys:
        if key:
            yield f"{key} is still in flight"
    if unnamed := keys.count(""):
        yield f"{unnamed} request{'s' if unnamed > 1 else ''} still in flight"


def _is_unheard(task: asyncio.Task[object]) -> bool:
    return bool(getattr(task, "_log_traceback", False))


def _unheard(task: asyncio.Task[object]) -> str:
    return f"task {path_of(task)} failed, and nobody has asked: {_error_of(task)!r}"


def _error_of(task: asyncio.Task[object]) -> BaseException:
    # Not by exception(), after which somebody has asked.
    error: BaseException = getattr(task, "_exception")  # noqa: B009  mypy does not know it
    return error


def _generators(alive: Iterable[object]) -> Iterator[str]:
    for generator in alive:
        if isinstance(generator, AsyncGeneratorType) and generator.ag_frame is not None:
            frame = generator.ag_frame
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            yield f"generator {short_name(generator)} is not closed, at {place}"
