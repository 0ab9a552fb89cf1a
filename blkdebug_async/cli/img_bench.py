"""The load of `img bench`: so many requests at a time, each a step behind the one before.

Requests that are answered in the call are sent in bursts by one worker. The first one that has to
wait brings in as many workers as there may be requests at a time: each has one in flight, so that
no request needs a task of its own. All use one buffer, as in QEMU.

QEMU: qemu-img.c, bench_cb().
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from errno import EIO
from time import perf_counter
from typing import Final, Protocol

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.cli.failures import ErrorReport

#: How long the loop may stand still while requests are answered at once, in seconds.
_TURN_S: Final = 0.002
#: How long one of many workers may have at least, for giving way costs 2 us.
_LEAST_TURN_S: Final = 0.0001
#: Requests in a first burst, and the most in any.
_FIRST_BURST: Final = 16
_LONGEST_BURST: Final = 1 << 14
#: When one has to wait, a worker sends so many without trying whether they have to.
_PATIENCE: Final = 16


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent."""

    #: Requests in all, >= 0.
    count: int
    #: Most at a time, > 0.
    depth: int
    #: Where the first one goes, in bytes; may be past the end.
    offset: int
    #: Bytes from one to the next, modulo the disk's length.
    step: int
    #: What all of them read into or write from.
    buffer: Iovec
    is_write: bool = False
    #: Flush whenever the number of requests not sent yet is a multiple; 0: never.
    flush_interval: int = 0
    #: Wait for all that are in flight before a flush, and send none until it has ended.
    drains: bool = True


class Target(Protocol):
    """Gets the requests; a Disk is one."""

    @property
    def length(self) -> int: ...

    async def preadv(self, offset: int, buffers: Iovec, /) -> None: ...

    async def pwritev(self, offset: int, buffers: Iovec, /) -> None: ...

    def preadv_nowait(self, offset: int, buffers: Iovec, /) -> bool: ...

    def pwritev_nowait(self, offset: int, buffers: Iovec, /) -> bool: ...

    async def flush(self) -> None: ...


class LoadRun:
    """Sends a load to a disk, once.

    Args:
        disk: Gets the requests; not empty.
        load: Which ones.
        completed: Hears how many seconds it took as soon as the last request is answered; a last
            flush may still be going on.
    """

    def __init__(self, disk: Target, load: Load, completed: Callable[[float], None]) -> None:
        self._load = load
        self._buffer = load.buffer
        self._call = disk.pwritev if load.is_write else disk.preadv
        self._call_nowait = disk.pwritev_nowait if load.is_write else disk.preadv_nowait
        self._call_flush = disk.flush
        self._length = disk.length
        self._completed = completed
        self._offset = load.offset
        self._unsent = load.count
        self._in_flight = 0
        self._started_at = 0.0
        self._burst = _FIRST_BURST
        self._burst_time_s = _TURN_S
        #: So many unsent ones must wait for a flush, or for ever.
        self._stop_at = 0
        if load.flush_interval:
            self._stop_at = (load.count - 1) // load.flush_interval * load.flush_interval
        #: Set once the flush has ended that nobody may pass; None: there is none.
        self._gate: asyncio.Event | None = None
        #: Set when nothing is in flight any more, for the flush that waits for it.
        self._idle = asyncio.Event()
        self._group = asyncio.TaskGroup()
        self._has_all_workers = load.depth == 1

    async def run(self) -> None:
        """Send everything, and wait for it.

        Raises:
            ErrorReport: A request failed; the others are given up.
        """
        self._started_at = perf_counter()
        if not self._unsent:
            self._completed(0.0)
            return
        try:
            async with self._group:
                await self._work()
        except* ErrorReport as failed:
            raise failed.exceptions[0] from None

    async def _work(self) -> None:
        while self._unsent:
            if self._gate is not None:
                await self._gate.wait()
            elif self._unsent == self._stop_at:
                await self._flush_before_more()
            else:
                if not self._send_at_once():
                    self._bring_in_workers()
                    await self._send_and_wait()
                await self._after_answers()
                # None of them need have left the turn of the loop.
                await asyncio.sleep(0)

    def _send_at_once(self) -> bool:
        """Send what is answered in the call; whether the next one need not be waited for either."""
        nowait, buffer = self._call_nowait, self._buffer
        offset, step, length = self._offset, self._load.step, self._length
        most = min(self._burst, self._unsent - self._stop_at)
        began_at = perf_counter()
        sent = 0
        while sent < most and nowait(offset, buffer):
            offset = (offset + step) % length
            sent += 1
        self._offset = offset
        self._unsent -= sent
        if sent == self._burst:
            self._adapt_burst(perf_counter() - began_at)
        return sent == most

    def _adapt_burst(self, took_s: float) -> None:
        if took_s > self._burst_time_s:
            self._burst = max(1, self._burst // 2)
        elif took_s * 2 < self._burst_time_s:
            self._burst = min(_LONGEST_BURST, self._burst * 2)

    def _bring_in_workers(self) -> None:
        if self._has_all_workers:
            return
        self._has_all_workers = True
        workers = min(self._load.depth, self._unsent)
        # All of them may have a burst in one turn of the loop.
        self._burst_time_s = max(_TURN_S / workers, _LEAST_TURN_S)
        self._burst = min(self._burst, _FIRST_BURST)
        for _ in range(workers - 1):
            self._group.create_task(self._work())

    async def _send_and_wait(self) -> None:
        """Send some that may have to be waited for, one after the other."""
        call, buffer, step, length = self._call, self._buffer, self._load.step, self._length
        try:
            for _ in range(_PATIENCE):
                offset = self._offset
                self._offset = (offset + step) % length
                self._unsent -= 1
                self._in_flight += 1
                await call(offset, buffer)
                self._in_flight -= 1
                if self._unsent == self._stop_at:
                    return
        except OSError as error:
            raise _failed("request", error) from error

    # --- flushes, and the end ---

    async def _flush_before_more(self) -> None:
        if not self._load.drains:
            self._stop_at -= self._load.flush_interval
            self._group.create_task(self._flush())
            return
        gate = self._gate = asyncio.Event()
        if self._in_flight:
            self._idle.clear()
            await self._idle.wait()
        await self._flush()
        self._stop_at -= self._load.flush_interval
        self._gate = None
        gate.set()

    async def _after_answers(self) -> None:
        if self._in_flight:
            return
        self._idle.set()
        if not self._unsent:
            self._completed(perf_counter() - self._started_at)
            if self._load.flush_interval:
                await self._flush()

    async def _flush(self) -> None:
        try:
            await self._call_flush()
        except OSError as error:
            what = "request" if self._load.drains else "flush request"
            raise _failed(what, error) from error


def _failed(what: str, error: OSError) -> ErrorReport:
    return ErrorReport(f"Failed {what}: {os.strerror(error.errno or EIO)}")
