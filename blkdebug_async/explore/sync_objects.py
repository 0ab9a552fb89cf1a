"""What steps share besides the disk, as far as asyncio knows of it: locks, events, queues, tasks.

Each is a node of one byte to footprints, see explore.footprint. asyncio's classes are patched while
there is an exploring loop that wants footprints, and only loops of that kind are noted; after the
last one the classes are as before. An object is named after who made it, because who uses it first
is a matter of order.

anyio's are seen too, see explore.sync_anyio. Not seen is whatever else is shared by way of
Python's variables.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from asyncio import events
from collections.abc import Callable, Coroutine, Mapping
from typing import Final

from blkdebug_async.explore import sync_anyio
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Touch
from blkdebug_async.explore.handles import Callback
from blkdebug_async.explore.possible import known_actor
from blkdebug_async.explore.sync_names import prints_of, set_owner

#: What asyncio.gather() gives.
_Gathering: Final[type] = asyncio.tasks._GatheringFuture  # type: ignore[attr-defined]
#: Methods that change an object; waiting in its queue changes it too.
_CHANGING: Final[dict[type, tuple[str, ...]]] = {
    asyncio.Lock: ("acquire", "release"),
    asyncio.Event: ("set", "clear"),
    asyncio.Semaphore: ("acquire", "release"),
    asyncio.Condition: ("wait", "notify"),
    asyncio.Queue: ("put", "get", "put_nowait", "get_nowait", "task_done", "shutdown"),
}
#: Methods that look at one. Waiting for an event is like looking: all who wait are woken.
_LOOKING: Final[dict[type, tuple[str, ...]]] = {
    asyncio.Lock: ("locked",),
    asyncio.Event: ("is_set", "wait"),
    asyncio.Semaphore: ("locked",),
    asyncio.Queue: ("empty", "full", "join", "qsize"),
}


class SyncObjects:
    """Keeps asyncio's classes patched while exploring loops want footprints."""

    def __init__(self) -> None:
        self._users: dict[Exploration, int] = {}
        # Class and method to what was there and what is put in.
        self._patches: dict[tuple[type, str], tuple[object, object]] = {}
        # Whether anyio is among them.
        self._with_anyio = False
        self._lock = threading.Lock()

    def hold(self, exploration: Exploration) -> None:
        """Note what a run does from now on; what this thread makes meanwhile belongs to it."""
        with self._lock:
            if not self._users:
                self._install()
            self._users[exploration] = threading.get_ident()

    def release(self, exploration: Exploration) -> None:
        """Note that run no longer; after the last one all is as it was."""
        with self._lock:
            if self._users.pop(exploration, None) is not None and not self._users:
                for (owner, name), (original, _) in self._patches.items():
                    setattr(owner, name, original)

    def _install(self) -> None:
        current = {place: vars(place[0])[place[1]] for place in self._patches}
        if (
            not current
            or self._with_anyio != sync_anyio.is_loaded()
            or any(original is not current[place] for place, (original, _) in self._patches.items())
        ):
            self._patches = self._make_patches()
            self._with_anyio = sync_anyio.is_loaded()
        for (owner, name), (_, replacement) in self._patches.items():
            setattr(owner, name, replacement)

    def _make_patches(self) -> dict[tuple[type, str], tuple[object, object]]:
        """Make what is put in for each method; worth keeping, as each run needs it."""
        made: dict[tuple[type, str], object] = {}
        for table, touch in ((_CHANGING, Touch.WRITE), (_LOOKING, Touch.READ)):
            for owner, names in table.items():
                for name in names:
                    if name in vars(owner):
                        made[owner, name] = _noting(getattr(owner, name), touch)
        for owner in _CHANGING:
            made[owner, "__init__"] = self.naming(vars(owner)["__init__"])
        noting = made[asyncio.Lock, "acquire"], made[asyncio.Lock, "release"]
        made[asyncio.Lock, "acquire"] = _owning(noting[0])  # type: ignore[arg-type]
        made[asyncio.Lock, "release"] = _disowning(noting[1])  # type: ignore[arg-type]
        made |= sync_anyio.anyio_patches(self)
        made |= _group_patches(vars(asyncio.TaskGroup))
        for owner in (asyncio.TaskGroup, _Gathering):
            made[owner, "__init__"] = self.naming(vars(owner)["__init__"])
        made[_Gathering, "cancel"] = _noting(vars(_Gathering)["cancel"], Touch.WRITE)
        return {
            (owner, name): (vars(owner)[name], replacement)
            for (owner, name), replacement in made.items()
        }

    def noting(self, original: Callback, touch: Touch, part: str = "") -> object:
        """Make a method that notes its use, of one that does not."""
        return _noting(original, touch, part)

    def note(self, thing: object, touch: Touch) -> None:
        """Note that the step under way used an object."""
        note(thing, touch)

    def note_task(self, task: asyncio.Task[object]) -> None:
        """Note that the step under way changed what a task does."""
        exploration = current_exploration()
        if exploration is not None:
            exploration.touch(known_actor(task).changed)

    def naming(self, original: Callback) -> object:
        """Make a constructor that names what it makes, of one that does not."""

        @functools.wraps(original)
        def method(thing: object, *args: object, **kwargs: object) -> None:
            original(thing, *args, **kwargs)
            if (exploration := self._makers_run()) is not None:
                prints_of(thing, exploration)

        return method

    def _makers_run(self) -> Exploration | None:
        """Tell whose object is being made: also a loop's that does not run yet."""
        if events._get_running_loop() is not None:
            return current_exploration()
        home = threading.get_ident()
        mine = [exploration for exploration, thread in self._users.items() if thread == home]
        return mine[-1] if mine else None


def current_exploration() -> Exploration | None:
    """Give the running loop's exploration, if it has one that wants footprints."""
    found: object = getattr(events._get_running_loop(), "exploration", None)
    return found if isinstance(found, Exploration) and found.wants_touches else None


def note(thing: object, touch: Touch) -> None:
    """Note that the step under way used an object."""
    exploration = current_exploration()
    if exploration is not None:
        read, write = prints_of(thing, exploration)
        exploration.touch(write if touch is Touch.WRITE else read)


class _Group(asyncio.TaskGroup):
    """A task group's own, as far as used."""

    _tasks: set[asyncio.Task[object]]


def _group_patches(original: Mapping[str, Callback]) -> dict[tuple[type, str], object]:
    """Make what is put into task groups; the loop notes when it counts children out."""
    leave = original["__aexit__"]

    @functools.wraps(leave)
    async def leaving(group: _Group, *error: object) -> object:
        found_empty = not group._tasks
        try:
            return await leave(group, *error)  # type: ignore[misc]
        finally:
            if found_empty:
                # It may as well have waited for the last one.
                note(group, Touch.WRITE)

    return {
        (asyncio.TaskGroup, "__aexit__"): leaving,
        (asyncio.TaskGroup, "create_task"): _noting(original["create_task"], Touch.READ),
        (asyncio.TaskGroup, "_abort"): _noting(original["_abort"], Touch.WRITE),
    }


def _noting(original: Callback, touch: Touch, part: str = "") -> object:
    """Make a method that notes its use, or that of a part of its object."""

    def use(thing: object) -> None:
        note(getattr(thing, part) if part else thing, touch)

    if inspect.iscoroutinefunction(original):
        # A coroutine uses its object in the steps in which it begins and goes on.
        @functools.wraps(original)
        async def coroutine(thing: object, *args: object, **kwargs: object) -> object:
            use(thing)
            try:
                return await original(thing, *args, **kwargs)
            finally:
                use(thing)

        return coroutine

    @functools.wraps(original)
    def method(thing: object, *args: object, **kwargs: object) -> object:
        use(thing)
        return original(thing, *args, **kwargs)

    return method


def _owning(original: Callable[[asyncio.Lock], Coroutine[object, object, bool]]) -> object:
    @functools.wraps(original)
    async def acquire(lock: asyncio.Lock) -> bool:
        answer = await original(lock)
        exploration = current_exploration()
        set_owner(lock, None if exploration is None else exploration.acting())
        return answer

    return acquire


def _disowning(original: Callable[[asyncio.Lock], None]) -> object:
    @functools.wraps(original)
    def release(lock: asyncio.Lock) -> None:
        set_owner(lock, None)
        original(lock)

    return release
