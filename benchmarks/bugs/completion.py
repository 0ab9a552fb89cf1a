"""Completing a request twice, resuming one twice, and waking nobody.

A request is completed by whoever comes first: the disk, a time limit, an abort. The second one must
notice. A wakeup counts for one, and it has to meet either who waits already or who will look.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, memory, pause, put, together
from blkdebug_async import Disk

KIND: Final = "completion"


class Requests:
    """Counts its requests in flight. The disk completes them, or a time limit does."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.in_flight = 1
        self.completed = False

    def complete(self) -> None:
        """Count a request as done, if it is not."""
        if self.completed and self.fixed:
            return
        self.completed = True
        self.in_flight -= 1

    async def write(self) -> None:
        """Write, and complete the request."""
        await put(self.disk, 0, "word")
        self.complete()

    async def limit(self) -> None:
        """Complete the request if it takes too long."""
        await asyncio.sleep(0.01)
        if not self.completed:
            self.complete()


async def completed_twice(*, fixed: bool) -> None:
    """Let a request take longer than its time limit."""
    async with memory(2) as disk:
        requests = Requests(disk, fixed=fixed)
        await together(writer=requests.write(), limit=requests.limit())
        assert requests.in_flight == 0, "a request was completed twice"


class Parking:
    """Holds requests until they are resumed, one each time."""

    def __init__(self, *, fixed: bool) -> None:
        self.fixed = fixed
        self.parked: list[asyncio.Event] = []
        self.both = asyncio.Event()

    async def park(self) -> None:
        """Wait to be resumed."""
        event = asyncio.Event()
        self.parked.append(event)
        if len(self.parked) == 2:
            self.both.set()
        await event.wait()
        if not self.fixed:
            self.parked.remove(event)

    def resume(self) -> None:
        """Resume the one that has waited longest."""
        event = self.parked.pop(0) if self.fixed else self.parked[0]
        event.set()


async def resumed_twice(*, fixed: bool) -> None:
    """Resume two requests, one after the other."""
    parking = Parking(fixed=fixed)

    async def resume(after: int) -> None:
        await parking.both.wait()
        await pause(after)
        parking.resume()

    await together(a=parking.park(), b=parking.park(), first=resume(0), second=resume(2))


class Mailbox:
    """A server that is woken for work, and says that it has heard when it has finished."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.words: list[str] = []
        self.bell = asyncio.Event()
        self.served = 0

    def send(self, word: str) -> None:
        """Leave a word and ring."""
        self.words.append(word)
        self.bell.set()

    async def serve(self, count: int) -> None:
        """Write so many words."""
        while self.served < count:
            await self.bell.wait()
            if self.fixed:
                self.bell.clear()
            words, self.words = self.words, []
            for word in words:
                await put(self.disk, 0, word)
                self.served += 1
            if not self.fixed:
                self.bell.clear()


async def bell_unheard(*, fixed: bool) -> None:
    """Send a word while the server is writing the one before."""
    async with memory(2) as disk:
        mailbox = Mailbox(disk, fixed=fixed)
        mailbox.send("a")

        async def send() -> None:
            await busy(disk, 2)
            mailbox.send("b")

        await together(server=mailbox.serve(2), client=send())


class Condition:
    """Waits for room by a condition, and wakes one where it should wake all."""

    def __init__(self, *, fixed: bool) -> None:
        self.fixed = fixed
        self.changed = asyncio.Condition()
        self.words: list[str] = []

    async def put(self, word: str) -> None:
        """Add a word when there is room for it."""
        async with self.changed:
            while self.words:
                await self.changed.wait()
            self.words.append(word)
            self.wake()

    async def take(self) -> str:
        """Take a word when there is one."""
        async with self.changed:
            while not self.words:
                await self.changed.wait()
            self.wake()
            return self.words.pop()

    def wake(self) -> None:
        """Tell others that something has changed."""
        if self.fixed:
            self.changed.notify_all()
        else:
            self.changed.notify(1)


async def woke_the_wrong_one(*, fixed: bool) -> None:
    """Two put and two take; those who wait are of both kinds."""
    box = Condition(fixed=fixed)

    async def put_later(word: str, after: int) -> None:
        await pause(after)
        await box.put(word)

    async def take_later(after: int) -> None:
        await pause(after)
        await box.take()

    await together(
        taker=box.take(), giver=put_later("a", 2), other=take_later(4), next=put_later("b", 2)
    )


class Aborting:
    """Aborts what is queued; what is being served is left alone, or should be."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.queue = ["a", "b"]
        self.answers: list[str] = []

    async def serve(self) -> None:
        """Write what is queued, and answer."""
        while self.queue:
            word = self.queue.pop(0) if self.fixed else self.queue[0]
            await put(self.disk, 0, word)
            if not self.fixed and word in self.queue:
                self.queue.remove(word)
            self.answers.append(word)

    async def abort(self) -> None:
        """Answer everything that is still queued."""
        await busy(self.disk, 3)
        self.answers += self.queue
        self.queue.clear()


async def aborted_and_answered(*, fixed: bool) -> None:
    """Abort while one of two requests is being served."""
    async with memory(2) as disk:
        requests = Aborting(disk, fixed=fixed)
        await together(server=requests.serve(), aborter=requests.abort())
        assert sorted(requests.answers) == ["a", "b"], "a request was answered twice"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        completed_twice,
        KIND,
        Needs.TIMER,
        1,
        "A time limit completes a request, and later the disk does so again.",
    ),
    bug(
        resumed_twice,
        KIND,
        Needs.SCHEDULE,
        2,
        "A parked request can be resumed until it runs, so that the second resume gets lost.",
        io=False,
    ),
    bug(
        bell_unheard,
        KIND,
        Needs.COMPLETION,
        2,
        "An event is cleared after the work and not before, with what was announced meanwhile.",
    ),
    bug(
        woke_the_wrong_one,
        KIND,
        Needs.SCHEDULE,
        3,
        "One waiter is woken where two kinds wait, and it is of the kind that cannot go on.",
        io=False,
    ),
    bug(
        aborted_and_answered,
        KIND,
        Needs.COMPLETION,
        2,
        "A request stays queued while it is served, so that an abort answers it too.",
    ),
)
