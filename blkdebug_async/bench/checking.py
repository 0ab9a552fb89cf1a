"""Requests of verifying jobs: what is written is stamped, what is read is compared.

verify.py says what is right; here is who waits for whom, and the last phase, which reads
everything that was written.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from blkdebug_async.bench.buffers import aligned
from blkdebug_async.bench.issue import Call, Place, Site
from blkdebug_async.bench.job import Op
from blkdebug_async.bench.result import Damage, Verification
from blkdebug_async.bench.verify import Kind, Ledger
from blkdebug_async.bench.workload import Range, Step
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.disk import Disk
from blkdebug_async.units import MIB, align_down, align_up

#: So much damage is told in full; all of it is counted.
_MOST_TOLD: Final = 20
#: Most bytes that one read of the last phase asks for.
_LONGEST_READ: Final = MIB


class SharedLedger:
    """The ledger of a disk, and those who wait for a block that is being changed.

    Args:
        ledger: Shared by all jobs on that disk.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._freed = asyncio.Event()

    async def begin(self, offset: int, length: int) -> int:
        """Wait until no change of these blocks is in flight, then note that one begins."""
        while self.ledger.is_busy(offset, length):
            await self._freed.wait()
        return self.ledger.begin(offset, length)

    def finish(self, offset: int, length: int, state: int) -> None:
        """Note that a change has ended."""
        self.ledger.finish(offset, length, state)
        freed, self._freed = self._freed, asyncio.Event()
        freed.set()


class Checker:
    """What the verifying of one job comes to.

    Args:
        shared: Of the disk.
    """

    def __init__(self, shared: SharedLedger) -> None:
        self.shared = shared
        self._checked = self._unchecked = 0
        self._counts: Counter[str] = Counter()
        self._damages: list[Damage] = []
        self._errors: Counter[int] = Counter()
        self._complete = False

    async def check(self, disk: Disk, offset: int, data: memoryview, expected: list[int]) -> None:
        """Look at what was read, and once more at what was not there."""
        checked = self.shared.ledger.check(offset, data, expected)
        self._checked += checked.checked
        self._unchecked += checked.unchecked
        for damage in checked.damages:
            found = damage
            if damage.kind in (Kind.LOST, Kind.TORN) and await self._is_there(disk, damage):
                found = replace(
                    damage,
                    kind=Kind.STALE,
                    message=f"{Kind.STALE}: read again it is right; {damage.message}",
                )
            self._counts[found.kind] += 1
            if len(self._damages) < _MOST_TOLD:
                self._damages.append(found)

    async def _is_there(self, disk: Disk, damage: Damage) -> bool:
        ledger = self.shared.ledger
        start = align_down(damage.offset, ledger.block)
        data = aligned(align_up(damage.offset + damage.length, ledger.block) - start)
        expected = ledger.expect(start, len(data))
        try:
            await disk.preadv(start, Iovec.of((data,)))
        except OSError:
            return False
        again = ledger.check(start, data, expected)
        # What has been written anew since then proves nothing.
        return not again.damages and not again.unchecked

    async def check_all(self, disk: Disk, span: Range, depth: int) -> None:
        """Read everything in a range that was written and not failed since."""
        ranges = self.shared.ledger.written(span.start, span.end, _LONGEST_READ)
        async with asyncio.TaskGroup() as group:
            for _ in range(depth):
                group.create_task(self._check_ranges(disk, ranges))
        self._complete = True

    def verification(self) -> Verification:
        """What it came to so far."""
        return Verification(
            checked_bytes=self._checked,
            unchecked_bytes=self._unchecked,
            counts=dict(self._counts),
            damages=tuple(self._damages),
            errors=dict(self._errors),
            complete=self._complete,
        )

    async def _check_ranges(self, disk: Disk, ranges: Iterator[tuple[int, int]]) -> None:
        memory = aligned(max(_LONGEST_READ, self.shared.ledger.block))
        for offset, length in ranges:
            data = memory[:length]
            expected = self.shared.ledger.expect(offset, length)
            try:
                await disk.preadv(offset, Iovec.of((data,)))
            except OSError as error:
                self._errors[error.errno or 0] += 1
            else:
                await self.check(disk, offset, data, expected)
            # Reads that never wait would keep everybody else from going on.
            await asyncio.sleep(0)


class CheckingPlace(Place):
    """Issues requests of a verifying job.

    Args:
        site: The job, and where its requests go.
        checker: Of the job.
    """

    def __init__(self, site: Site, checker: Checker) -> None:
        super().__init__(site)
        self._checker = checker

    async def _issue(self, step: Step, began_ns: int, due_ns: int) -> bool:
        op, offset, length = step
        shared = self._checker.shared
        if op is Op.FLUSH:
            return await super()._issue(step, began_ns, due_ns)
        if op is Op.READ:
            return await self._read(step, began_ns, due_ns)
        generation = await shared.begin(offset, length)
        state = 0
        try:
            if op is Op.WRITE:
                shared.ledger.stamp(self._buffers.memory[:length], offset, generation)
            # Preparing it is not the disk's doing; being late is.
            ready_ns = self._clock()
            due_ns = ready_ns if due_ns == began_ns else due_ns
            at_once = await super()._issue(step, ready_ns, due_ns)
            if self._error is None:
                state = _state_after(op, generation)
        finally:
            shared.finish(offset, length, state)
        return at_once

    async def _read(self, step: Step, began_ns: int, due_ns: int) -> bool:
        _, offset, length = step
        expected = self._checker.shared.ledger.expect(offset, length)
        at_once = await super()._issue(step, began_ns, due_ns)
        if self._error is None:
            data = self._buffers.memory[:length]
            await self._checker.check(self._disk, offset, data, expected)
        return at_once

    def _call(self, step: Step) -> Call:
        op, offset, length = step
        if op is Op.WRITE:
            return self._disk.pwritev(offset, self._buffers.iovs[length])
        return super()._call(step)


def _state_after(op: Op, generation: int) -> int:
    match op:
        case Op.WRITE:
            return generation
        case Op.ZERO:
            return -generation
        case _:
            # What is discarded reads as anything.
            return 0
