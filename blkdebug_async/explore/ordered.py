"""Tasks, generators and coroutines whose sets are in order.

asyncio keeps them in sets, which are in the order of addresses: which child a task group cancels
first, or which coroutine as_completed() begins first, is another one in each run. A run must be the
same each time, so here that is the order in which they were made or given.
"""

from __future__ import annotations

import asyncio
import asyncio.tasks
import threading
import weakref
from collections.abc import AsyncGenerator, Collection, Iterable, Iterator
from typing import Protocol, TypeAlias, TypeVar

_T = TypeVar("_T")
_Generator: TypeAlias = AsyncGenerator[object, object]


class OrderedTask(asyncio.Task[_T]):
    """A task that hashes by its number, counted by its loop: small sets are in that order."""

    #: 0: it is just being made, as asyncio puts it into a set of all tasks.
    number = 0

    def __hash__(self) -> int:
        if not self.number:
            loop: Counting = self.get_loop()  # type: ignore[assignment]
            self.number = next(loop.task_numbers)
        return self.number


class Counting(Protocol):
    """A loop that counts the tasks made in it."""

    #: For the next ones.
    task_numbers: Iterator[int]


class OrderedGenerators:
    """Asynchronous generators that are alive, as a WeakSet has them, the oldest first."""

    _alive: weakref.WeakKeyDictionary[_Generator, None] | None = None

    def __len__(self) -> int:
        return len(self._alive or ())

    def __iter__(self) -> Iterator[_Generator]:
        return iter(self._alive or ())

    def add(self, generator: _Generator) -> None:
        """Count one in."""
        if self._alive is None:
            # Most runs have none.
            self._alive = weakref.WeakKeyDictionary()
        self._alive[generator] = None

    def discard(self, generator: _Generator) -> None:
        """Count one out, if it is in."""
        if self._alive is not None:
            self._alive.pop(generator, None)

    def clear(self) -> None:
        """Count all out."""
        self._alive = None


class OrderedCoroutines:
    """Keeps coroutines in asyncio.as_completed() in order, while anybody wants that."""

    def __init__(self) -> None:
        self._users = 0
        self._lock = threading.Lock()

    def hold(self) -> None:
        """Begin, as one more loop."""
        with self._lock:
            self._users += 1
            vars(asyncio.tasks)["set"] = _set_of

    def release(self) -> None:
        """End, as one loop less; after the last one all is as it was."""
        with self._lock:
            self._users -= 1
            if not self._users:
                del vars(asyncio.tasks)["set"]


def _set_of(items: Iterable[object] = ()) -> Collection[object]:
    """Make a set, or what is in order as well if there are coroutines."""
    items = list(items)
    if any(asyncio.iscoroutine(item) for item in items):
        return dict.fromkeys(items)
    return set(items)
