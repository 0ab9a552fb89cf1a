"""Work for threads, in a run that has none: a function runs when the scheduler picks it.

It runs in the loop's own thread, as one step, without a running loop and in an empty context, as in
a thread of its own. Meanwhile it may block on the loop only by the result of a concurrent future,
as run_coroutine_threadsafe() and anyio.from_thread give one: then the loop goes on inside of it.
anyio hands work to threads of its own, which an exploring loop keeps from starting.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import importlib
import sys
import threading
from asyncio import events
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Final, Protocol, TypeVar

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.task_names import short_name

_T = TypeVar("_T")
_ANYIO_BACKEND: Final = "anyio._backends._asyncio"


class Host(Protocol):
    """The loop, as far as work for threads goes."""

    exploration: Exploration

    def run_inside(self, done: Callable[[], bool]) -> None:
        """Go on inside a step until something is done."""
        ...


def start_job(host: Host, function: Callable[[], _T]) -> asyncio.Future[_T]:
    """Let a function be in flight as if in a thread.

    Cancelling the future does not keep it from running: its thread may have begun.
    """
    exploration = host.exploration
    key = "thread"
    if exploration.wants_actions:
        key = exploration.acting().own(f"thread {short_name(function)}")

    def run() -> _T:
        with _as_in_a_thread(host):
            return function()

    return exploration.fly(Kind.THREAD, key, None, run, Context())


@contextmanager
def _as_in_a_thread(host: Host) -> Iterator[None]:
    loop = events._get_running_loop()
    home = threading.get_ident()
    original = concurrent.futures.Future.result

    def result(future: concurrent.futures.Future[object], timeout: float | None = None) -> object:
        if threading.get_ident() == home and not future.done():
            host.run_inside(future.done)
        return original(future, timeout)

    concurrent.futures.Future.result = result  # type: ignore[method-assign,assignment]
    events._set_running_loop(None)
    try:
        yield
    finally:
        events._set_running_loop(loop)
        concurrent.futures.Future.result = original  # type: ignore[method-assign]


class _Worker(Protocol):
    """anyio's worker thread, as far as used."""

    loop: asyncio.AbstractEventLoop
    queue: object

    def run(self) -> None:
        """Take work from the queue until None comes."""
        ...


class _Inbox:
    """The queue of a worker that never starts: its work becomes jobs of the loop."""

    def __init__(self, host: Host, worker: _Worker) -> None:
        self._host = host
        self._worker = worker
        self._items: list[object] = []

    def put_nowait(self, item: object) -> None:
        if item is None:
            return

        def work() -> None:
            # The worker's own run() takes this one item, and then ends.
            self._items = [None, item]
            self._worker.run()

        work.__qualname__ = _name_of_work(item)
        start_job(self._host, work)

    def get(self) -> object:
        return self._items.pop()

    def task_done(self) -> None:
        """Nobody waits for that."""


def _name_of_work(item: object) -> str:
    return short_name(item[1]) if isinstance(item, tuple) and len(item) > 1 else "work"


class AnyioWorkers:
    """Keeps anyio's worker threads from starting in exploring loops, while there are any."""

    def __init__(self, host_of: Callable[[asyncio.AbstractEventLoop], Host | None]) -> None:
        self._host_of = host_of
        self._users = 0
        self._undo: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def hold(self) -> None:
        """Begin, as one more loop; does nothing as long as nobody uses anyio."""
        with self._lock:
            self._users += 1
            if self._undo is None and "anyio" in sys.modules:
                self._undo = self._install()

    def release(self) -> None:
        """End, as one loop less; after the last one all is as it was."""
        with self._lock:
            self._users -= 1
            if not self._users and self._undo is not None:
                self._undo()
                self._undo = None

    def _install(self) -> Callable[[], None]:
        worker_class = importlib.import_module(_ANYIO_BACKEND).WorkerThread
        original = worker_class.start
        host_of = self._host_of

        def start(worker: _Worker) -> None:
            host = host_of(worker.loop)
            if host is None:
                original(worker)
            else:
                worker.queue = _Inbox(host, worker)

        def undo() -> None:
            worker_class.start = original

        worker_class.start = start
        return undo
