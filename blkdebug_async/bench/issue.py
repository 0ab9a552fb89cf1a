"""Issuing requests and timing them, in one place in flight.

A job has as many places as it has depth. Each is a task that issues one request after the other,
so that no request needs a task of its own; those that are answered in the call never leave
burst(), which ends every millisecond so that others get their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from itertools import islice
from typing import Final, NamedTuple, assert_never

from blkdebug_async.bench.buffers import Buffers, Contents
from blkdebug_async.bench.job import Op
from blkdebug_async.bench.load import Load
from blkdebug_async.bench.workload import Step
from blkdebug_async.disk import Disk

#: What tells the time, in nanoseconds from anywhere.
Clock = Callable[[], int]
Call = Coroutine[object, None, None]

#: How long requests may be issued before everybody else gets a turn.
TURN_NS: Final = 1_000_000
#: Timers are rounded up to milliseconds, by asyncio and again by select; the end of a wait is spent
#: on turns of the loop, which keeps a processor busy.
_LATE_NS: Final = 2_200_000
_NS_PER_S: Final = 1_000_000_000


class Site(NamedTuple):
    """What all places of a job share."""

    load: Load
    disk: Disk
    clock: Clock
    contents: Contents
    #: Held by who waits until the next request is due.
    gate: asyncio.Lock


class Place:
    """Issues a job's requests, one at a time.

    Args:
        site: The job, and where its requests go.
    """

    def __init__(self, site: Site) -> None:
        self._load = site.load
        self._disk = site.disk
        self._clock = site.clock
        self._contents = site.contents
        self._gate = site.gate
        self._buffers = Buffers(site.load.job)
        #: Of the last request.
        self._error: OSError | None = None

    async def work(self) -> None:
        """Issue requests until the job is over."""
        job = self._load.job
        if job.is_paced or job.think_s or job.verify:
            await self._work_in_time()
        else:
            await self._work_at_once()

    async def _work_at_once(self) -> None:
        load, clock = self._load, self._clock
        turn_ns, at_once = 0, True
        while load.goes_on(began_ns := clock()):
            if began_ns >= turn_ns:
                await asyncio.sleep(0)
                turn_ns = clock() + TURN_NS
                continue
            # A request that waits was tried at once too; where that is in vain, once is enough.
            missed = self.burst(load.ask_again_at(began_ns, turn_ns)) if at_once else None
            if missed is not None:
                step, began_ns = missed
            elif at_once:
                continue
            else:
                step = load.take()
            at_once = await self._issue(step, began_ns, began_ns)
            if not at_once:
                turn_ns = clock() + TURN_NS

    async def _work_in_time(self) -> None:
        load, clock = self._load, self._clock
        think_ns = round(load.job.think_s * _NS_PER_S)
        turn_ns = 0
        while True:
            async with self._gate:
                # Before and after the wait: the last answer may be there, or time be over.
                if not load.goes_on(clock()):
                    return
                step = next(load.steps)
                due_ns = load.due(step)
                if due_ns is not None:
                    await self._wait_until(due_ns)
                if not load.goes_on(clock()):
                    return
                load.count_step(step)
            began_ns = clock()
            await self._issue(step, began_ns, began_ns if due_ns is None else due_ns)
            if think_ns:
                if load.goes_on(now_ns := clock()):
                    await self._wait_until(now_ns + think_ns)
            elif clock() >= turn_ns:
                await asyncio.sleep(0)
                turn_ns = clock() + TURN_NS

    async def _wait_until(self, when_ns: int) -> None:
        """Wait, but not longer than the job goes on."""
        # An event would come as late as a timer does.
        while (left_ns := min(when_ns, self._load.end_ns) - self._clock()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(max(left_ns - _LATE_NS, 0) / _NS_PER_S)

    def burst(self, until_ns: int) -> tuple[Step, int] | None:
        """Issue requests as long as each is answered in the call.

        Args:
            until_ns: When to stop.

        Returns:
            The one that has to wait, and when it was issued; None: none has to.
        """
        load, clock = self._load, self._clock
        read, write = self._disk.preadv_nowait, self._disk.pwritev_nowait
        targets, sources = self._buffers.iovs, self._contents.iovs
        op_read, op_write = Op.READ, Op.WRITE
        recorders = load.recorders
        note = {op: each.instant.append for op, each in recorders.items()}
        before = [(each, len(each.instant), each.bytes) for each in recorders.values()]
        missed = None
        for step in islice(load.steps, load.budget()):
            op, offset, length = step
            if op is op_read:
                iov = targets[length]
                began_ns = clock()
                done = read(offset, iov)
            elif op is op_write:
                iov = next(sources[length])
                began_ns = clock()
                done = write(offset, iov)
            else:
                began_ns = clock()
                done = False
            if not done:
                missed = step, began_ns
                break
            ended_ns = clock()
            note[op](ended_ns - began_ns)
            recorders[op].bytes += length
            if ended_ns >= until_ns:
                break
        for recorder, requests, moved in before:
            load.count(len(recorder.instant) - requests, recorder.bytes - moved)
        if missed is not None:
            load.count_step(missed[0])
        return missed

    async def _issue(self, step: Step, began_ns: int, due_ns: int) -> bool:
        """Issue one request and note what comes of it. Returns whether it did not wait."""
        load = self._load
        op, _, length = step
        recorder = load.recorders[op]
        call = Timed(self._call(step), self._clock)
        self._error = None
        load.in_flight += 1
        try:
            await call
        except OSError as error:
            self._error = error
            load.fail(recorder, error)
        except asyncio.CancelledError:
            recorder.cancelled += 1
            raise
        else:
            ended_ns = self._clock()
            recorder.bytes += length
            if call.at_once and due_ns == began_ns:
                recorder.instant.append(ended_ns - began_ns)
            else:
                recorder.answer(call.returned_ns - began_ns, ended_ns - began_ns, ended_ns - due_ns)
        finally:
            load.in_flight -= 1
        return call.at_once

    def _call(self, step: Step) -> Call:
        op, offset, length = step
        match op:
            case Op.READ:
                return self._disk.preadv(offset, self._buffers.iovs[length])
            case Op.WRITE:
                return self._disk.pwritev(offset, next(self._contents.iovs[length]))
            case Op.ZERO:
                return self._disk.pwrite_zeroes(offset, length)
            case Op.DISCARD:
                return self._disk.pdiscard(offset, length)
            case Op.FLUSH:
                return self._disk.flush()
            case _:
                assert_never(op)


class Timed:
    """Awaits a coroutine, and notes when it returned to its caller for the first time.

    Args:
        coroutine: Not begun yet.
        clock: Tells the time.
    """

    __slots__ = ("_clock", "_coroutine", "at_once", "returned_ns")

    def __init__(self, coroutine: Call, clock: Clock) -> None:
        self._coroutine = coroutine
        self._clock = clock
        #: Whether it never waited.
        self.at_once = False
        #: When it first waited, or was done.
        self.returned_ns = 0

    def __await__(self) -> Generator[object, None, None]:
        coroutine = self._coroutine
        self.at_once = True
        try:
            waits_for = coroutine.send(None)
            self.at_once = False
        except StopIteration:
            return
        finally:
            self.returned_ns = self._clock()
        while True:
            try:
                try:
                    yield waits_for
                except BaseException as error:
                    waits_for = coroutine.throw(error)
                else:
                    waits_for = coroutine.send(None)
            except StopIteration:
                return
