"""Callbacks by which asyncio and anyio count which of several things are over.

Each of them runs once for each thing, and wakes somebody after the last. Of things that went well
they only take note, so the order in which they do is nobody's business, and they need not wait for
other callbacks. For footprints they are COUNT on all that is counted for, and the last one that
changes it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CellType, CodeType
from typing import Final

from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Touch, sync_footprint
from blkdebug_async.explore.handles import Callback
from blkdebug_async.explore.sync_futures import NotedFuture
from blkdebug_async.explore.sync_names import name_of, prints_of

_COUNTERS: Final = frozenset(
    {
        ("anyio._backends._asyncio", "TaskGroup._spawn.<locals>.task_done"),
        ("asyncio.taskgroups", "TaskGroup._on_task_done"),
        ("asyncio.tasks", "_wait.<locals>._on_completion"),
        ("asyncio.tasks", "gather.<locals>._done_callback"),
    }
)
_NAMES: Final = frozenset(name for _, name in _COUNTERS)
#: What they call the group or the future that they count for.
_COUNTED_FOR: Final = ("waiter", "outer", "self")


def is_counter(callback: object) -> bool:
    """Tell whether a callback counts."""
    name = getattr(callback, "__qualname__", None)
    return name in _NAMES and (getattr(callback, "__module__", None), name) in _COUNTERS


def is_free(callback: object, args: tuple[object, ...]) -> bool:
    """Tell whether a callback comes in any order, as steps do: it counts what went well.

    Args:
        callback: What is scheduled.
        args: What with.
    """
    return getattr(callback, "__qualname__", None) in _NAMES and (
        is_counter(callback) and _went_well(args[0])
    )


def _went_well(future: object) -> bool:
    # Asking it by its methods would count as having looked.
    state, error = getattr(future, "_state", None), getattr(future, "_exception", future)
    return state == "FINISHED" and error is None


def run_counter(
    callback: Callback, run: Callable[[], None], exploration: Exploration, *, free: bool
) -> None:
    """Run a callback that counts, and note that.

    Args:
        callback: The callback.
        run: Runs it.
        exploration: Where to note it.
        free: Whether it counts what went well.
    """
    counted_for = _counted_for(callback)
    looked, changed = prints_of(counted_for, exploration)
    if not free:
        exploration.touch(changed)
    elif not isinstance(counted_for, NotedFuture):
        # What is gathered may be cancelled; a group may be found empty before anybody waits for it.
        exploration.touch(looked)
    everything = f"all of {name_of(counted_for)}"
    exploration.touch(sync_footprint(everything, Touch.COUNT))
    before = set(exploration.touched)
    run()
    touched = [each for each in [*exploration.touched.values()] if id(each) not in before]
    if any(each.touch is Touch.WRITE for each in touched):
        # It was the last, and has woken somebody.
        exploration.touch(sync_footprint(everything))


def _counted_for(callback: Callback) -> object:
    """Give the task group, or the future that is set after the last."""
    group: object = getattr(callback, "__self__", None)
    if group is not None:
        return group
    code: CodeType = callback.__code__  # type: ignore[attr-defined]
    cells: tuple[CellType, ...] = callback.__closure__  # type: ignore[attr-defined]
    variables = dict(zip(code.co_freevars, cells, strict=True))
    return next(variables[name].cell_contents for name in _COUNTED_FOR if name in variables)
