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
#: After one that had to wait, so many are sent without trying whether they have to.
_PATIENCE: Final = 15


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
        #: Requests to send before any is tried at once again.
        self._patience = 0
        #: Requests that were not sent yet when a flush was due the last time.
        self._flushed_at = load.count
        #: Set once the flush has ended that nobody may pass; None: there is none.
        self._gate: asyncio.Event | None = None
        #: Set whenever nothing is in flight any more.
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
            elif self._is_flush_due():
                await self._flush_before_more()
            elif not self._patience and self._send_at_once():
                await self._end_if_answered()
                await asyncio.sleep(0)
            else:
                self._bring_in_workers()
                await self._send_one()
                await self._end_if_answered()
                await self._pause_now_and_then()

    def _send_at_once(self) -> bool:
        """Send what is answered in the call; whether the next one need not be waited for either."""
        nowait, buffer = self._call_nowait, self._buffer
        offset, step, length = self._offset, self._load.step, self._length
        most = min(self._burst, self._unsent_until_flush())
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

    def _unsent_until_flush(self) -> int:
        """How many may be sent before there may have to be a flush."""
        interval = self._load.flush_interval
        return (self._unsent % interval or interval) if interval else self._unsent

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

    async def _send_one(self) -> None:
        offset = self._offset
        self._offset = (offset + self._load.step) % self._length
        self._unsent -= 1
        self._in_flight += 1
        self._idle.clear()
        try:
            await self._call(offset, self._buffer)
        except OSError as error:
            raise _failed("request", error) from error
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()

    async def _pause_now_and_then(self) -> None:
        if self._patience:
            self._patience -= 1
            return
        self._patience = _PATIENCE
        # It may have been answered at once all the same, and so may the next ones.
        await asyncio.sleep(0)

    # --- flushes, and the end ---

    def _is_flush_due(self) -> bool:
        interval = self._load.flush_interval
        return interval > 0 and not self._unsent % interval and self._unsent != self._flushed_at

    async def _flush_before_more(self) -> None:
        self._flushed_at = self._unsent
        if not self._load.drains:
            self._group.create_task(self._flush())
            return
        gate = self._gate = asyncio.Event()
        if self._in_flight:
            await self._idle.wait()
        await self._flush()
        self._gate = None
        gate.set()

    async def _end_if_answered(self) -> None:
        if self._unsent or self._in_flight:
            return
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
