"""Processes of our own that make runs.

Each has a thread here that starts it, hands it one batch after the other, notices when it is gone,
and starts another one. Processes are spawned, not forked: there are threads.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context, resource_tracker
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Final, Protocol

from blkdebug_async.explore.batches import (
    Answer,
    Trouble,
    make_runs,
    unpack,
    unpack_schedulers,
)
from blkdebug_async.explore.team import Batch, Lost, Reply

#: A process that has nothing to do gets so many seconds to end by itself.
_GRACE: Final = 1.0
#: multiprocessing's own books are not for several threads.
_BOOKS: Final = Lock()


class Wire(Protocol):
    """One end of a pipe between two processes."""

    def send(self, told: object, /) -> None: ...
    def recv(self) -> object: ...
    def send_bytes(self, told: bytes, /) -> None: ...
    def recv_bytes(self) -> bytes: ...
    def close(self) -> None: ...
    @property
    def closed(self) -> bool: ...


class Workers:
    """A team of processes on this machine; none is started before there is something to do.

    Args:
        number: How many.
        packed: What is explored.
    """

    def __init__(self, number: int, packed: bytes) -> None:
        self.answers: SimpleQueue[tuple[Batch, Reply]] = SimpleQueue()
        #: One is made while the next one waits.
        self.wanted = 2 * number
        self._number = number
        self._packed = packed
        self._batches: SimpleQueue[Batch | None] = SimpleQueue()
        self._overseers: list[_Overseer] = []

    def send(self, batch: Batch) -> None:
        if not self._overseers:
            for _ in range(self._number):
                overseer = _Overseer(self._packed, self._batches, self.answers)
                self._overseers.append(overseer)
                overseer.start()
        self._batches.put(batch)

    def close(self) -> None:
        with suppress(Empty):
            while True:
                self._batches.get_nowait()
        for overseer in self._overseers:
            self._batches.put(None)
            overseer.break_off()
        for overseer in self._overseers:
            overseer.join()
        self._overseers.clear()


class _Overseer(Thread):
    """Looks after one process.

    Args:
        packed: What is explored.
        batches: What is to be made, by whichever process has time; None: nothing any more.
        answers: Where answers go.
    """

    def __init__(
        self,
        packed: bytes,
        batches: SimpleQueue[Batch | None],
        answers: SimpleQueue[tuple[Batch, Reply]],
    ) -> None:
        super().__init__(name="blkdebug-async explore", daemon=True)
        self._packed = packed
        self._batches = batches
        self._answers = answers
        self._worker: Worker | None = None
        self._lock = Lock()
        self._busy = False
        self._over = False

    def run(self) -> None:
        while (batch := self._batches.get()) is not None:
            try:
                reply = self._made(batch)
            # Whatever it is, somebody waits for an answer.
            except Exception as error:
                reply = Trouble(f"a worker could not be started: {error!r}")
            self._answers.put((batch, reply))
        if self._worker is not None:
            self._worker.end()

    def break_off(self) -> None:
        """See that the process is soon done, whatever it is doing."""
        with self._lock:
            self._over = True
            if self._busy and self._worker is not None:
                self._worker.kill()

    def _made(self, batch: Batch) -> Reply:
        with self._lock:
            if self._over:
                return Lost("nobody wants it any more")
            self._busy = True
            worker = self._worker = self._worker or Worker(self._packed, serve)
        reply = worker.make(batch.packed)
        with self._lock:
            self._busy = False
            if not worker.is_open:
                self._worker = None
        return reply


class Worker:
    """A process that makes runs; it ends when its connection does.

    Args:
        packed: What is explored.
        serve: What it does.
    """

    def __init__(self, packed: bytes, serve: Callable[[Wire, bytes], None]) -> None:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._connection: Wire = ours
        self._process = context.Process(
            target=serve, args=(theirs, packed), name="blkdebug-async explore", daemon=True
        )
        with _BOOKS:
            # Whoever starts it lets signals through afterwards.
            resource_tracker.ensure_running()
            with _interrupts_held():
                self._process.start()
        theirs.close()
        self._ready = False
        self._how = ""
        self._was_killed = False

    @property
    def is_open(self) -> bool:
        """Whether more can be asked of it."""
        return not self._connection.closed

    def make(self, packed: bytes) -> Reply:
        """Have a batch made; Lost or Trouble: the process is gone."""
        trouble = self.greet()
        if trouble is not None:
            return trouble
        try:
            self.send(packed)
            reply = self.receive()
        except (EOFError, OSError):
            return Lost(self.end())
        assert isinstance(reply, Answer)
        return reply

    def send(self, packed: bytes) -> None:
        """Hand it a batch.

        Raises:
            OSError: It is gone.
        """
        self._connection.send_bytes(packed)

    def receive(self) -> object:
        """Wait for what it tells next.

        Raises:
            EOFError: It is gone.
            OSError: It is gone.
        """
        return self._connection.recv()

    def greet(self) -> Trouble | Lost | None:
        """Wait until it is ready for work; or end it, and say why it is not."""
        if self._ready:
            return None
        try:
            trouble = self.receive()
        except (EOFError, OSError):
            how = self.end()
            if self._was_killed:
                # Somebody did, and it need not happen again.
                return Lost(how)
            return Trouble(
                f"a worker could not be started: {how}. A script that explores with jobs must be "
                "a file, and do so under `if __name__ == '__main__':`, since workers import it too"
            )
        if isinstance(trouble, Trouble):
            self.end()
            return trouble
        self._ready = True
        return None

    def kill(self) -> None:
        """End it at once, unless it is gone."""
        with suppress(ValueError):
            self._process.kill()

    def end(self) -> str:
        """End it when it has nothing more to do, at once after a while; tell how it ended."""
        if not self.is_open:
            return self._how
        self._connection.close()
        if not connection.wait([self._process.sentinel], _GRACE):
            self._process.kill()
        with _BOOKS:
            self._process.join()
            code = self._process.exitcode
            self._process.close()
        self._how = _ending(code or 0)
        self._was_killed = (code or 0) < 0
        return self._how


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Keep Ctrl-C from what is started meanwhile: it is for us, who end the others."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(code: int) -> str:
    if code >= 0:
        return f"it ended with status {code}"
    try:
        return f"it was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"it was killed by signal {-code}"


def serve(theirs: Wire, packed: bytes) -> None:
    """Be such a process: make batches as long as somebody asks."""
    unpacked = unpack(packed)
    if isinstance(unpacked, Trouble):
        theirs.send(unpacked)
        return
    theirs.send(None)
    # They stop asking, or are gone.
    with suppress(EOFError, OSError):
        while True:
            theirs.send(make_runs(unpacked, unpack_schedulers(theirs.recv_bytes())))
