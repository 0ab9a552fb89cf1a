"""Run what blocks in a thread, and never leave before it is done."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Coroutine
from functools import cache
from typing import ParamSpec, TypeAlias, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_Job: TypeAlias = Callable[[], object]


def _call(job: _Job) -> None:
    job()


@cache
def _runner() -> Callable[[_Job], Coroutine[object, object, None]]:
    # aiofiles costs 5 ms to import, and a file in the page cache never needs it.
    wrap = importlib.import_module("aiofiles.os").wrap
    run: Callable[[_Job], Coroutine[object, object, None]] = wrap(_call)
    return run


async def run_in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function in a thread of the loop's executor.

    Cancellation: waits for the function all the same, because the kernel still reads or fills
    its buffers, and then raises CancelledError, the cause of which is what the function raised.
    How often it is cancelled does not matter.

    Returns:
        What the function returned.

    Raises:
        Exception: What the function raised.
    """
    results: list[T] = []
    # The one task outside of a task group: it must outlive whoever cancels the task here.
    work = asyncio.ensure_future(_runner()(lambda: results.append(function(*args, **kwargs))))
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
        except Exception:
            # Raised below, unless there is a reason not to.
            pass
    if cancelled is not None:
        raise cancelled from (None if work.cancelled() else work.exception())
    work.result()
    return results[0]
