"""What is wrong with a run whose main task is over and has raised nothing."""

from __future__ import annotations

import asyncio

from blkdebug_async.explore.history import Violation
from blkdebug_async.explore.leftovers import leftovers, unheard_errors
from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.units import SECTOR_SIZE


class BackgroundError(AssertionError):
    """Something failed in the background, and the scenario did not hear of it."""


class LeftBehindError(AssertionError):
    """The scenario is over, and tasks or requests are not."""

    def __init__(self, left: tuple[str, ...]) -> None:
        #: What is left, in words, one each.
        self.left = left
        lines = ["The scenario is over, and this is left behind:", *(f"  {each}" for each in left)]
        super().__init__("\n".join(lines))


class UnexplainedReadError(AssertionError):
    """A read returned what no serial order of the writes explains."""

    def __init__(self, violation: Violation) -> None:
        #: Which read it was, and what it could have returned.
        self.violation = violation
        super().__init__(str(violation))


class Background:
    """Hears what a loop's exception handler hears, and makes errors of it."""

    def __init__(self) -> None:
        self._errors: list[BackgroundError] = []

    def hear(self, loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
        """Take down what went wrong; to be the exception handler of a loop."""
        message = str(context.get("message", "something failed in the background"))
        cause = context.get("exception")
        self._errors.append(_background_error(message, cause))

    def check(self) -> None:
        """Complain of the first thing that went wrong.

        Raises:
            BackgroundError: Something did.
        """
        if self._errors:
            raise self._errors[0]


def _background_error(message: str, cause: object) -> BackgroundError:
    if not isinstance(cause, BaseException):
        return BackgroundError(message)
    error = BackgroundError(f"{message}: {cause!r}")
    error.__cause__ = cause
    return error


def check_end(loop: ExploringLoop, *, may_leave: bool, atomic_unit: int | None) -> None:
    """Look at a run whose main task is over.

    Args:
        loop: It does not run any more.
        may_leave: Whether tasks and requests may be left behind; then tasks are cancelled and
            waited for, as asyncio.run() does.
        atomic_unit: As in Conditions.

    Raises:
        BackgroundError: A task failed, and nobody has asked it.
        UnexplainedReadError: A read has returned what it never could.
        LeftBehindError: Something is left.
    """
    for error in unheard_errors(loop):
        raise _background_error("A task failed, and nobody has asked it", error)
    unit = max(atomic_unit or SECTOR_SIZE, 1)
    violation = loop.exploration.history.judge(unit=unit).violation
    if violation is not None:
        raise UnexplainedReadError(violation)
    if may_leave:
        asyncio.runners._cancel_all_tasks(loop)  # type: ignore[attr-defined]
        loop.run_until_complete(loop.shutdown_asyncgens())
        return
    if left := leftovers(loop):
        raise LeftBehindError(left)
