"""What is put into anyio's classes, so that a run notes who uses their objects.

anyio's events and what its locks wake are asyncio's; what they remember besides is noted here.
"""

from __future__ import annotations

import functools
import sys
from asyncio import Task
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol, TypeAlias

from blkdebug_async.explore.footprint import Touch
from blkdebug_async.explore.handles import Callback

#: Class and name to what is put in.
Patches: TypeAlias = dict[tuple[type, str], object]

_BACKEND: Final = "anyio._backends._asyncio"
_STREAMS: Final = "anyio.streams.memory"
_LOCKS: Final = "anyio._core._synchronization"
#: Module and class, to methods that change its objects and to those that look at them.
_METHODS: Final[dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]]] = {
    (_BACKEND, "Lock"): (("acquire", "acquire_nowait", "release"), ("locked", "statistics")),
    (_BACKEND, "Semaphore"): (("acquire", "acquire_nowait", "release"), ("statistics",)),
    (_BACKEND, "CapacityLimiter"): (
        ("acquire_on_behalf_of", "acquire_on_behalf_of_nowait", "release_on_behalf_of"),
        ("statistics",),
    ),
    (_BACKEND, "CancelScope"): (("__enter__", "__exit__", "cancel"), ()),
    (_LOCKS, "Condition"): (("wait", "notify", "notify_all"), ("statistics",)),
    (_LOCKS, "ResourceGuard"): (("__enter__", "__exit__"), ()),
    (_STREAMS, "MemoryObjectSendStream"): (
        ("send", "send_nowait", "clone", "close"),
        ("statistics",),
    ),
    (_STREAMS, "MemoryObjectReceiveStream"): (
        ("receive", "receive_nowait", "clone", "close"),
        ("statistics",),
    ),
}
#: Properties that look at an object, and may change it.
_PROPERTIES: Final = {
    (_BACKEND, "Semaphore"): ("value",),
    (_BACKEND, "CapacityLimiter"): ("total_tokens", "borrowed_tokens", "available_tokens"),
    (_BACKEND, "CancelScope"): ("cancel_called", "shield"),
}
#: What gets its name from who makes it.
_NAMED: Final = (
    (_BACKEND, "CancelScope"),
    (_BACKEND, "CapacityLimiter"),
    (_BACKEND, "Lock"),
    (_BACKEND, "Semaphore"),
    (_BACKEND, "TaskGroup"),
    (_LOCKS, "Condition"),
    (_LOCKS, "ResourceGuard"),
    (_STREAMS, "_MemoryObjectStreamState"),
)


class Notes(Protocol):
    """How uses are noted."""

    def noting(self, original: Callback, touch: Touch, part: str = "") -> object:
        """Make a method that notes its use, of one that does not.

        Args:
            original: The method.
            touch: How it uses its object.
            part: The attribute that it uses of it; "": the object itself.
        """
        ...

    def naming(self, original: Callback) -> object:
        """Make a constructor that names what it makes, of one that does not."""
        ...

    def note(self, thing: object, touch: Touch) -> None:
        """Note that the step under way used an object."""
        ...

    def note_task(self, task: Task[object]) -> None:
        """Note that the step under way changed what a task does."""
        ...


class _Scope(Protocol):
    _tasks: set[Task[object]]


def is_loaded() -> bool:
    """Tell whether there is anything to be patched."""
    return _BACKEND in sys.modules


def anyio_patches(notes: Notes) -> Patches:
    """Make what is put into anyio's classes; nothing as long as nobody uses it."""
    if not is_loaded():
        return {}
    made = dict(_methods(notes))
    made |= {
        (kind, name): _noting_property(vars(kind)[name], notes)
        for place, names in _PROPERTIES.items()
        for kind in _found(place)
        for name in names
    }
    for kind in (kind for place in _NAMED for kind in _found(place)):
        made[kind, "__init__"] = notes.naming(vars(kind)["__init__"])
    for kind in _found((_BACKEND, "CancelScope")):
        made[kind, "_deliver_cancellation"] = _delivering(vars(kind), notes)
    for kind in _found((_BACKEND, "TaskGroup")):
        made[kind, "__aexit__"] = _leaving(vars(kind)["__aexit__"], notes)
    return made


def _methods(notes: Notes) -> Iterator[tuple[tuple[type, str], object]]:
    for place, (changing, looking) in _METHODS.items():
        # The two ends of a stream have this in common.
        part = "_state" if place[0] == _STREAMS else ""
        for kind in _found(place):
            for name in (*changing, *looking):
                touch = Touch.WRITE if name in changing else Touch.READ
                yield (kind, name), notes.noting(vars(kind)[name], touch, part)


def _found(place: tuple[str, str]) -> Iterator[type]:
    module, name = place
    kind = getattr(sys.modules.get(module), name, None)
    if isinstance(kind, type):
        yield kind


def _noting_property(original: property, notes: Notes) -> property:
    def reading(get: Callable[[object], object]) -> Callable[[object], object]:
        def read(thing: object) -> object:
            notes.note(thing, Touch.READ)
            return get(thing)

        return read

    def writing(put: Callable[[object, object], None]) -> Callable[[object, object], None]:
        def write(thing: object, value: object) -> None:
            notes.note(thing, Touch.WRITE)
            put(thing, value)

        return write

    getter = original.fget and reading(original.fget)
    return property(getter, original.fset and writing(original.fset), doc=original.__doc__)


def _delivering(original: Mapping[str, Callback], notes: Notes) -> object:
    deliver = original["_deliver_cancellation"]

    @functools.wraps(deliver)
    def delivering(scope: _Scope, origin: object) -> object:
        notes.note(scope, Touch.WRITE)
        # Whether one can be cancelled yet is looked at, too.
        for task in scope._tasks:
            notes.note_task(task)
        return deliver(scope, origin)

    return delivering


def _leaving(leave: Callback, notes: Notes) -> object:
    @functools.wraps(leave)
    async def leaving(group: _Scope, *error: object) -> object:
        if not group._tasks:
            # It may as well have waited for the last one.
            notes.note(group, Touch.WRITE)
        return await leave(group, *error)  # type: ignore[misc]

    return leaving
