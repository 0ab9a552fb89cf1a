"""Who waits where, and for what, when nothing can happen any more."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import AsyncGeneratorType, CoroutineType, FrameType, GeneratorType
from typing import Final

from blkdebug_async.explore.sync_names import name_of, owner_of
from blkdebug_async.explore.task_names import path_of

#: Packages whose frames say how somebody waits, but not where in the scenario.
_LIBRARIES: Final = ("asyncio", "anyio", "blkdebug_async")
#: What is awaited for the next value of an async generator.
_STEPS: Final = ("anext_awaitable", "async_generator_asend", "async_generator_athrow")


@dataclass(frozen=True, slots=True)
class Wait:
    """A task that waits."""

    #: Its stable name.
    task: str
    #: The innermost line of the scenario: "file:line in function".
    where: str
    #: What it waits for, in words.
    what: str

    def __str__(self) -> str:
        return f"{self.task} waits for {self.what}, at {self.where}"


class DeadlockError(RuntimeError):
    """Nothing can happen any more, and the scenario is not over."""

    def __init__(self, waits: tuple[Wait, ...]) -> None:
        #: Every task that is not done.
        self.waits = waits
        lines = ["Deadlock: no task can go on, nothing is in flight, and no timer is set."]
        lines += [f"  {wait}" for wait in waits]
        if threading.active_count() > 1:
            lines.append(
                "  (Threads are waited for only if run_in_executor() or to_thread() start them.)"
            )
        super().__init__("\n".join(lines))


def describe_waits(loop: asyncio.AbstractEventLoop) -> tuple[Wait, ...]:
    """List what every unfinished task of a loop waits for, by name of task."""
    waits = (describe_wait(task) for task in asyncio.all_tasks(loop))
    return tuple(sorted(waits, key=lambda wait: (wait.task, wait.where)))


def describe_wait(task: asyncio.Task[object]) -> Wait:
    """Say what an unfinished task waits for."""
    frames = list(frames_of(task.get_coro()))
    future: object = getattr(task, "_fut_waiter", None)
    return Wait(path_of(task), _where(frames), _what(frames, future))


def frames_of(awaited: object) -> Iterator[FrameType]:
    """Give the frames of a suspended coroutine, the outermost first."""
    while awaited is not None:
        frame: FrameType | None
        match awaited:
            case CoroutineType():
                frame, inner = awaited.cr_frame, awaited.cr_await
            case GeneratorType():
                frame, inner = awaited.gi_frame, awaited.gi_yieldfrom
            case AsyncGeneratorType():
                frame, inner = awaited.ag_frame, awaited.ag_await
            case _ if type(awaited).__name__ in _STEPS:
                frame, inner = None, _stepping(awaited)
            case _:
                return
        if frame is not None:
            yield frame
        awaited = inner


def _stepping(step: object) -> object:
    """Give the async generator whose next step something is, which does not tell itself."""
    found = gc.get_referents(step)
    return next((each for each in found if isinstance(each, AsyncGeneratorType)), None) or next(
        (each for each in found if type(each).__name__ in _STEPS), None
    )


def own_frame(frames: list[FrameType]) -> FrameType | None:
    """Give the innermost frame of the scenario, or the innermost of all; None: there is none."""
    own = (frame for frame in reversed(frames) if not is_library(frame))
    return next(own, frames[-1] if frames else None)


def _where(frames: list[FrameType]) -> str:
    frame = own_frame(frames)
    return "its end" if frame is None else _place(frame)


def is_library(frame: FrameType) -> bool:
    """Tell whether a frame says how somebody waits, but not where in the scenario."""
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] in _LIBRARIES


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_name}"


def _what(frames: list[FrameType], future: object) -> str:
    """Say what somebody waits for: whatever the innermost frames make of the future."""
    if isinstance(future, asyncio.Task):
        return f"task {path_of(future)}"
    for frame in reversed(frames):
        if not is_library(frame):
            break
        if found := _block_layer_thing(frame, future) or _asyncio_thing(frame):
            return found
    return name_of(future) or "a future"


def _asyncio_thing(frame: FrameType) -> str | None:
    """Name the lock, event, queue or the like whose method waits."""
    thing = frame.f_locals.get("self")
    if thing is None or not type(thing).__module__.startswith(("asyncio", "anyio")):
        return None
    if isinstance(thing, asyncio.Condition) and frame.f_code.co_name == "acquire":
        return None
    if isinstance(thing, asyncio.TaskGroup):
        return "the tasks of its task group"
    name = name_of(thing) or f"{_article(type(thing).__name__)} without a name"
    owner = owner_of(thing)
    return name if owner is None else f"{name}, held by {owner.path}"


def _article(noun: str) -> str:
    noun = noun.lower()
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _block_layer_thing(frame: FrameType, future: object) -> str | None:
    """Name the held request, or the request waited for, that a frame of ours holds.

    Duck typing, as exploration knows nothing of disks: what is held has the future as `resumed`,
    who waits for another has it as `waiting_for`.
    """
    if not str(frame.f_globals.get("__name__", "")).startswith("blkdebug_async."):
        return None
    for value in frame.f_locals.values():
        if not type(value).__module__.startswith("blkdebug_async."):
            continue
        if future is not None and getattr(value, "resumed", None) is future:
            return f"a breakpoint to resume {value}"
        if (blocker := getattr(value, "waiting_for", None)) is not None:
            return str(blocker)
    return None
