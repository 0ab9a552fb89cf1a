"""A queue-depth limiter: so many requests at a time, the others wait.

Whoever is woken has to look again, or the slot has to be handed over. A slot that was handed to
somebody who is cancelled belongs to the next, and one that is held through an error leaks.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, cancelled, faulty, may_fail, memory, pause, put, together
from blkdebug_async import Disk

KIND: Final = "queue-depth limiter"


class Gate:
    """One at a time. In memory."""

    def __init__(self, *, fixed: bool) -> None:
        self.fixed = fixed
        self.inside = 0
        self.free = asyncio.Event()

    async def enter(self) -> None:
        """Wait until nobody is inside."""
        while self.inside:
            await self.free.wait()
            if not self.fixed:
                break
        self.inside += 1
        self.free.clear()
        assert self.inside == 1, "more inside than allowed"

    def leave(self) -> None:
        """Let the next ones look."""
        self.inside -= 1
        self.free.set()


async def woken_and_overtaken(*, fixed: bool) -> None:
    """Enter just when somebody else was woken for that."""
    gate = Gate(fixed=fixed)
    await gate.enter()

    async def pass_through(after: int) -> None:
        await pause(after)
        await gate.enter()
        await pause()
        gate.leave()

    async def leave_soon() -> None:
        await pause(2)
        gate.leave()

    await together(patient=pass_through(0), leaver=leave_soon(), quick=pass_through(5))


class Handover:
    """Hands a slot to the one who has waited longest."""

    def __init__(self, *, fixed: bool) -> None:
        self.fixed = fixed
        self.busy = False
        self.queue: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Wait for a slot."""
        if not self.busy:
            self.busy = True
            return
        turn = asyncio.get_running_loop().create_future()
        self.queue.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # Handed over and cancelled in one turn of the loop: it is the next one's.
            if self.fixed and turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Hand the slot on, or give it back."""
        while self.queue:
            turn = self.queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.busy = False


async def handed_to_a_dead_one(*, fixed: bool) -> None:
    """Cancel a task that waits for a slot, when it has just got it."""
    gate = Handover(fixed=fixed)
    await gate.enter()

    async def use() -> None:
        await gate.enter()
        try:
            await pause()
        finally:
            gate.leave()

    async def leave() -> None:
        await pause(2)
        gate.leave()

    await cancelled(use(), after=pause(4), patient=use(), leaver=leave())


class Skipping(Handover):
    """Meets somebody in the queue who was cancelled, and wakes nobody."""

    def leave(self) -> None:
        if self.fixed:
            super().leave()
            return
        if self.queue:
            turn = self.queue.popleft()
            if not turn.done():
                turn.set_result(None)
        else:
            self.busy = False


async def wakeup_lost_on_the_dead(*, fixed: bool) -> None:
    """Cancel the first of two who wait for a slot, before the slot is free."""
    gate = Skipping(fixed=fixed)
    await gate.enter()

    async def use() -> None:
        await gate.enter()
        try:
            await pause()
        finally:
            gate.leave()

    async def leave() -> None:
        await pause()
        gate.leave()

    await cancelled(use(), after=pause(3), patient=use(), leaver=leave())


class Slots:
    """Lets so many writes through, each with a slot of its own."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.slots = asyncio.Semaphore(1)

    async def write(self, block: int, word: str) -> None:
        """Write when there is a slot."""
        await self.slots.acquire()
        try:
            await put(self.disk, block, word)
        except OSError:
            if self.fixed:
                self.slots.release()
            raise
        self.slots.release()


async def slot_lost_to_an_error(*, fixed: bool) -> None:
    """Write after a write has failed."""
    async with faulty(2) as disk:
        slots = Slots(disk, fixed=fixed)
        may_fail(disk, 0)
        try:
            await slots.write(0, "a")
        except OSError:
            await slots.write(0, "a")
        await slots.write(1, "b")


async def slot_lost_to_a_cancellation(*, fixed: bool) -> None:
    """Cancel a write that has a slot; the next one needs it."""
    async with memory(3) as disk:
        slots = asyncio.Semaphore(1)

        async def write() -> None:
            await slots.acquire()
            try:
                await put(disk, 0, "a")
            finally:
                if fixed:
                    slots.release()
            if not fixed:
                slots.release()

        await cancelled(write(), after=busy(disk, 2))
        await together(next=write())


class Throttle:
    """Refills slots by the clock; who finds none waits for the next refill."""

    def __init__(self, *, fixed: bool) -> None:
        self.fixed = fixed
        self.tokens = 1
        self.refilled = asyncio.Event()

    async def take(self) -> None:
        """Take a token."""
        while not self.tokens:
            if not self.fixed:
                await pause()
            self.refilled.clear()
            await self.refilled.wait()
        self.tokens -= 1

    async def refill(self) -> None:
        """Add one token after a while."""
        await asyncio.sleep(0.01)
        self.tokens += 1
        self.refilled.set()


async def refill_unseen(*, fixed: bool) -> None:
    """Let the refill come between seeing that there is no token and waiting for one."""
    throttle = Throttle(fixed=fixed)

    async def spend() -> None:
        await throttle.take()
        await throttle.take()

    await together(spender=spend(), clock=throttle.refill())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        woken_and_overtaken,
        KIND,
        Needs.SCHEDULE,
        3,
        "Who was woken goes in without looking whether somebody else was quicker.",
        io=False,
    ),
    bug(
        handed_to_a_dead_one,
        KIND,
        Needs.CANCEL,
        2,
        "A slot is handed to a task that is cancelled before it runs, and nobody gets it.",
        io=False,
    ),
    bug(
        wakeup_lost_on_the_dead,
        KIND,
        Needs.CANCEL,
        2,
        "A wakeup meant for the next in the queue is spent on one who was cancelled.",
        io=False,
    ),
    bug(
        slot_lost_to_an_error,
        KIND,
        Needs.FAULT,
        1,
        "A request that fails keeps its slot for ever.",
    ),
    bug(
        slot_lost_to_a_cancellation,
        KIND,
        Needs.CANCEL,
        2,
        "A request that is cancelled keeps its slot for ever.",
    ),
    bug(
        refill_unseen,
        KIND,
        Needs.TIMER,
        2,
        "The event is cleared after the last look at what it announces, with a wait in between.",
        io=False,
    ),
)
