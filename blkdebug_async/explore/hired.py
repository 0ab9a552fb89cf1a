"""Any executor as a team: processes here, or on the machines of a cluster.

How many workers an executor has, nobody can ask it. So there are as many batches under way as it
takes for each to wait a while: as long again as it is worked on, about.
"""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, Executor, Future
from functools import partial
from queue import SimpleQueue
from time import perf_counter
from typing import Final

from blkdebug_async.explore.batches import Answer, JobsError, Trouble, introduce, make_batch
from blkdebug_async.explore.team import Batch, Broken, Lost, Reply

#: So many batches are under way at first.
_FIRST: Final = 4
#: Seconds that it may take to carry a batch there and its answer back.
_CARRYING: Final = 0.05


class Hired:
    """A team of whoever works for an executor, which is left as it is in the end.

    Args:
        executor: One of processes.
        packed: What is explored.

    Raises:
        JobsError: Nothing can be run by it.
    """

    def __init__(self, executor: Executor, packed: bytes) -> None:
        self.answers: SimpleQueue[tuple[Batch, Reply]] = SimpleQueue()
        self.wanted = _FIRST
        self._executor = executor
        self._packed = packed
        self._under_way: dict[Batch, Future[Answer | Trouble]] = {}
        try:
            trouble = executor.submit(introduce, packed).result()
        # Executors have errors of their own.
        except Exception as error:
            raise JobsError(f"the executor cannot make runs: {error!r}") from error
        if trouble is not None:
            raise JobsError(trouble.why)

    def send(self, batch: Batch) -> None:
        try:
            future = self._executor.submit(make_batch, self._packed, batch.packed)
        except Exception as error:
            self.answers.put((batch, Broken(repr(error))))
            return
        self._under_way[batch] = future
        future.add_done_callback(partial(self._answered, batch, perf_counter()))

    def close(self) -> None:
        under_way, self._under_way = self._under_way, {}
        for future in under_way.values():
            future.cancel()

    def _answered(self, batch: Batch, sent: float, future: Future[Answer | Trouble]) -> None:
        """Take an answer, in whatever thread it comes in."""
        self._under_way.pop(batch, None)
        if future.cancelled():
            self.answers.put((batch, Lost("it was cancelled")))
            return
        error = future.exception()
        if error is None:
            reply: Reply = future.result()
            if isinstance(reply, Answer):
                self._learn(perf_counter() - sent, reply.seconds)
        elif isinstance(error, BrokenExecutor):
            reply = Broken(repr(error))
        else:
            reply = Lost(f"the executor says {error!r}")
        self.answers.put((batch, reply))

    def _learn(self, took: float, worked: float) -> None:
        """Find out how many batches keep everybody busy."""
        waited = took - worked
        if waited < worked + _CARRYING:
            self.wanted += 1
        elif waited > 3 * worked + 4 * _CARRYING:
            self.wanted = max(self.wanted - 1, 2)
