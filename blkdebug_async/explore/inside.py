"""What a scenario asks of the run that it is part of; it does no harm where nothing is explored."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from types import CodeType, TracebackType
from typing import Self

from blkdebug_async.explore.here import exploration_here
from blkdebug_async.explore.task_names import path_of, short_name


def choose(n: int, key: str) -> int:
    """Let the explorer pick one of several ways to go on.

    Args:
        n: How many there are, >= 1.
        key: A stable name of what is chosen about.

    Returns:
        0 to n - 1; 0 is what would happen anyway, and always outside of explorations.

    Raises:
        ValueError: There is no way to go on.
    """
    if n < 1:
        raise ValueError(f"there must be something to choose from, not {n} ways")
    exploration = exploration_here()
    return 0 if exploration is None or n == 1 else exploration.scheduler.choose(n, key)


def fails(key: str) -> bool:
    """Let the explorer decide whether something goes wrong here.

    Args:
        key: A stable name of what may go wrong.

    Returns:
        Whether it does; never outside of explorations.
    """
    return choose(2, key) == 1


def always(check: Callable[[], object], name: str | None = None) -> Always:
    """Demand that something holds now and after each step, until the run is over.

    As a context manager it demands that until its block is left, at which it looks once more.
    Outside of explorations it looks now, and when a block is left. What is checked may be broken
    between two awaits, for no other task can see that.

    Args:
        check: Returns something false, other than None, or raises, where it does not hold. It must
            not wait, nor change anything.
        name: What is said to be broken; None: what the function is called.

    Raises:
        AssertionError: It does not hold; from where it was broken, it ends the run.
        TypeError: The check is a coroutine function.
    """
    return Always(check, _name_of(check) if name is None else name)


class Always:
    """A demand that always() makes."""

    def __init__(self, check: Callable[[], object], name: str) -> None:
        self.name = name
        self._check = check
        self._exploration = exploration_here()
        self.look()
        if self._exploration is not None:
            self._exploration.checks.append(self.look)

    def look(self) -> None:
        """Look whether it holds.

        Raises:
            AssertionError: It does not.
            TypeError: It would have to be awaited.
        """
        try:
            holds = self._check()
        except Exception as error:
            says = f": {error}" if str(error) else f": {type(error).__name__}"
            raise AssertionError(f"always({self.name}) does not hold{says}") from error
        if inspect.iscoroutine(holds):
            holds.close()
            raise TypeError(f"always() takes a plain function, but {self.name} is to be awaited")
        if holds is not None and not holds:
            raise AssertionError(f"always({self.name}) does not hold")

    def end(self) -> None:
        """Demand it no more."""
        if self._exploration is not None and self.look in self._exploration.checks:
            self._exploration.checks.remove(self.look)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()
        if error is None:
            self.look()


def sometimes(name: str, condition: object = True) -> None:
    """Say that something worth seeing happens, which must happen in some run of an exploration.

    A scenario that never gets to what it is to test finds nothing wrong there. So whatever was
    named here, or to explore(), and was true in no run, is reported as a failure.

    Args:
        name: Stable name of what happens.
        condition: Whether it does.
    """
    exploration = exploration_here()
    if exploration is not None:
        reached = exploration.reached
        reached[name] = reached.get(name, False) or bool(condition)


def cancel_sometime(task: asyncio.Task[object], msg: object = None) -> None:
    """Let the explorer decide whether a task is cancelled, and when, from now on.

    It is not, unless the explorer decides so; nothing happens outside of explorations, nor if the
    task is done by then. The end of a run does not wait for it. So nobody should wait for the
    cancellation of a task that does not end by itself.

    Args:
        task: What may be cancelled.
        msg: As for its cancel().
    """
    exploration = exploration_here()
    if exploration is None or task.done():
        return
    key = f"cancel {path_of(task)}"
    # Whether is a choice, so that nothing is in the way of those runs in which it is not.
    if exploration.scheduler.choose(2, key):
        exploration.whim(key, lambda: task.cancel(msg))


def _name_of(check: Callable[[], object]) -> str:
    name = short_name(check)
    code = getattr(check, "__code__", None)
    if name != "<lambda>" or not isinstance(code, CodeType):
        return name
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}"
