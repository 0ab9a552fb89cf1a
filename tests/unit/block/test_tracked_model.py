from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blkdebug_async.block.context import Context
from blkdebug_async.block.tracked import Request, Tracker
from blkdebug_async.events import IoType
from blkdebug_async.explore.choices import Choices
from blkdebug_async.trace import Observer, RequestView
from blkdebug_async.units import align_down, align_up


class Waiting(Protocol):
    requests: dict[Request, None]

    def begin(self, request: Request) -> None: ...
    def end(self, request: Request, error: BaseException | None) -> None: ...
    def mark_serialising(self, request: Request, align: int) -> None: ...
    async def wait(self, request: Request) -> None: ...


class PlainTracker:
    """The rule to the letter: who ends wakes all, who look at everybody, one after the other."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.requests: dict[Request, None] = {}
        self.waits_for: dict[Request, Request] = {}
        self.waiters: dict[Request, list[asyncio.Event]] = {}

    def begin(self, request: Request) -> None:
        self.requests[request] = None

    def end(self, request: Request, error: BaseException | None) -> None:
        del self.requests[request]
        waiters = self.waiters.pop(request, [])
        while waiters:
            self.context.wake_one(waiters, "wake")

    def mark_serialising(self, request: Request, align: int) -> None:
        request.serialising = True
        request.start = align_down(request.start, align)
        request.end = align_up(request.end, align)

    def conflict(self, request: Request) -> Request | None:
        return next((other for other in reversed(self.requests) if self.meet(other, request)), None)

    def meet(self, other: Request, request: Request) -> bool:
        return (
            other is not request
            and other not in self.waits_for
            and (other.serialising or request.serialising)
            and other.start < request.end
            and request.start < other.end
            and other.op not in (IoType.FLUSH, IoType.BLOCK_STATUS)
        )

    async def wait(self, request: Request) -> None:
        while (blocker := self.conflict(request)) is not None:
            event = asyncio.Event()
            waiters = self.waiters.setdefault(blocker, [])
            waiters.append(event)
            self.waits_for[request] = blocker
            try:
                await event.wait()
            finally:
                del self.waits_for[request]
                if event in waiters:
                    waiters.remove(event)


# --- what happens in a session -------------------------------------------------------------------


@dataclass(frozen=True)
class Arrive:
    offset: int
    length: int
    #: In blocks of so many bytes; None: a plain one.
    unit: int | None
    #: Finished for the first time, it grows by so many bytes, and waits again.
    grows: int = 0
    #: It ends as soon as nobody is in its way.
    quick: bool = False
    op: IoType = IoType.WRITE


@dataclass(frozen=True)
class Finish:
    pick: int


@dataclass(frozen=True)
class Cancel:
    pick: int


Move = Arrive | Finish | Cancel


@dataclass
class Session:
    """Plays bursts of moves; nobody reacts to a move before its burst is over."""

    tracker: Waiting
    log: list[tuple[str, int]] = field(default_factory=list)
    under_way: dict[int, asyncio.Event] = field(default_factory=dict)
    tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    arrived: int = 0

    async def play(self, bursts: Iterable[Sequence[Move]]) -> list[tuple[str, int]]:
        for burst in bursts:
            for move in burst:
                self._make(move)
            await self._settle()
        while self.tasks:
            assert self.under_way, "all that are left wait for each other"
            self._make(Finish(0))
            await self._settle()
        assert not self.tracker.requests
        return self.log

    def _make(self, move: Move) -> None:
        match move:
            case Arrive():
                number = self.arrived = self.arrived + 1
                request = Request(number, "node", move.op, move.offset, move.length, 0, None)
                task = asyncio.Task(self._tracked(request, move))
                task.add_done_callback(lambda _: self.tasks.pop(number))
                self.tasks[number] = task
            case Finish(pick):
                if self.under_way:
                    self.under_way.pop(sorted(self.under_way)[pick % len(self.under_way)]).set()
            case Cancel(pick):
                if self.tasks:
                    self.tasks[sorted(self.tasks)[pick % len(self.tasks)]].cancel()

    async def _settle(self) -> None:
        for _ in range(3 * len(self.tasks) + 5):
            await asyncio.sleep(0)

    async def _tracked(self, request: Request, move: Arrive) -> None:
        self.tracker.begin(request)
        try:
            if move.unit is not None:
                self.tracker.mark_serialising(request, move.unit)
            await self._go(request, "goes on")
            if move.grows:
                await self._hold(request)
                request.end += move.grows
                self.tracker.mark_serialising(request, move.unit or 1)
                await self._go(request, "goes on again")
            if not move.quick:
                await self._hold(request)
                # As before it writes: nobody can have come in between.
                await self._go(request, "is still there")
        except asyncio.CancelledError:
            self.log.append(("is cancelled", request.id))
            raise
        finally:
            self.tracker.end(request, None)

    async def _hold(self, request: Request) -> None:
        gate = self.under_way[request.id] = asyncio.Event()
        try:
            await gate.wait()
        finally:
            self.under_way.pop(request.id, None)

    async def _go(self, request: Request, what: str) -> None:
        await self.tracker.wait(request)
        self.log.append((what, request.id))


class Indexed(Tracker):
    few: ClassVar[int] = 0


class IndexedLater(Tracker):
    few: ClassVar[int] = 4


TRACKERS = [Tracker, Indexed, IndexedLater]


def outcome(
    make: Callable[[Context], Waiting],
    bursts: Iterable[Sequence[Move]],
    choices: Choices | None = None,
) -> list[tuple[str, int]]:
    return asyncio.run(Session(make(Context(choices=choices))).play(bursts))


# --- the same as by the rule ---------------------------------------------------------------------

picks = st.integers(0, 30)
units = st.sampled_from([None, 1, 4, 4, 4, 16])
arrivals = st.builds(
    Arrive,
    st.integers(0, 20),
    st.integers(0, 8),
    units,
    grows=st.sampled_from([0, 0, 0, 0, 5]),
    quick=st.sampled_from([False, False, True]),
    op=st.sampled_from([IoType.WRITE, IoType.READ]),
)
#: All on the same bytes, so that queues are long.
crowding = st.builds(Arrive, st.just(1), st.integers(1, 2), st.sampled_from([4, 4, 4, None]))
flush = st.just(Arrive(0, 0, None, op=IoType.FLUSH))
moves = st.one_of(
    arrivals, crowding, crowding, flush, st.builds(Finish, picks), st.builds(Cancel, picks)
)


@pytest.mark.parametrize("make", TRACKERS)
@settings(max_examples=300)
@given(st.lists(moves, max_size=40))
def test_who_goes_on_when_is_as_if_all_were_woken_each_time(
    make: type[Tracker], session: list[Move]
) -> None:
    bursts = [[move] for move in session]
    assert outcome(make, bursts) == outcome(PlainTracker, bursts)


@pytest.mark.parametrize("make", TRACKERS)
@settings(max_examples=200)
@given(st.lists(st.lists(moves, min_size=1, max_size=6), max_size=12))
def test_nobody_is_lost_whatever_happens_at_the_same_time(
    make: type[Tracker], bursts: list[list[Move]]
) -> None:
    log = outcome(make, bursts)
    if not any(isinstance(move, Cancel) for burst in bursts for move in burst):
        arrived = sum(isinstance(move, Arrive) for burst in bursts for move in burst)
        assert sorted(number for what, number in log if what == "goes on") == [
            number + 1 for number in range(arrived)
        ]


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.sets(picks, max_size=8))
def test_crowd_goes_on_in_order_whoever_is_cancelled_with_the_one_it_waits_for(
    quick: list[bool], cancelled: set[int]
) -> None:
    holder = Arrive(1, 1, 4)
    crowd = [Arrive(1, 1, 4, quick=each) for each in quick]
    # The last one arrived holds everybody up; then all at once: it ends, and some are cancelled.
    burst: list[Move] = [Finish(0), *(Cancel(1 + pick % len(crowd)) for pick in cancelled)]
    bursts: list[Sequence[Move]] = [[holder], crowd, burst]
    log = outcome(Tracker, bursts)
    went_on = [number for what, number in log if what == "goes on"]
    gone = {2 + pick % len(crowd) for pick in cancelled}
    assert went_on == [number for number in range(1, len(crowd) + 2) if number not in gone]


# --- choices -------------------------------------------------------------------------------------


class Fixed:
    """Choices that are given, then 0."""

    def __init__(self, given: Sequence[int]) -> None:
        self._given = given
        #: Out of how many each choice was made.
        self.asked: list[int] = []

    def choose(self, n: int, key: str) -> int:
        self.asked.append(n)
        place = len(self.asked) - 1
        return self._given[place] if place < len(self._given) else 0


def all_outcomes(
    make: Callable[[Context], Waiting], bursts: Sequence[Sequence[Move]]
) -> set[tuple[tuple[str, int], ...]]:
    found = set()
    left: list[list[int]] = [[]]
    while left:
        given = left.pop()
        choices = Fixed(given)
        found.add(tuple(outcome(make, bursts, choices)))
        for place in range(len(given), len(choices.asked)):
            zeros = [0] * (place - len(given))
            left += [[*given, *zeros, pick] for pick in range(1, choices.asked[place])]
    return found


@pytest.mark.parametrize(
    "crowd",
    [
        [Arrive(1, 1, 4), Arrive(2, 1, 4), Arrive(3, 1, 4)],
        [Arrive(1, 1, 4), Arrive(2, 1, None), Arrive(3, 1, 4)],
        [Arrive(1, 1, 4), Arrive(5, 1, 4), Arrive(2, 4, 4)],
        [Arrive(1, 1, None), Arrive(1, 1, None), Arrive(0, 8, 4)],
    ],
)
def test_choices_reach_every_order_that_waking_all_could_give(crowd: list[Move]) -> None:
    bursts: list[list[Move]] = [[Arrive(0, 8, 4)], *([move] for move in crowd)]
    assert all_outcomes(Tracker, bursts) == all_outcomes(PlainTracker, bursts)


def test_each_wake_is_one_choice() -> None:
    choices = Fixed([2, 1])
    crowd = [Arrive(0, 1, 4) for _ in range(4)]
    log = outcome(Tracker, [[Arrive(0, 1, 4)], crowd], choices)
    assert [number for what, number in log if what == "goes on"] == [1, 4, 3, 2, 5]
    assert choices.asked == [4, 3, 2]


# --- what observers hear -------------------------------------------------------------------------


class Listener(Observer):
    def __init__(self) -> None:
        self.waits: list[tuple[int, int]] = []

    def request_waits(self, request: RequestView, blocker: RequestView) -> None:
        self.waits.append((request.id, blocker.id))


def test_who_is_handed_on_is_heard_to_wait_for_the_next() -> None:
    listener = Listener()
    tracker = Tracker(Context(observer=listener))
    crowd = [Arrive(1, 1, 4) for _ in range(3)]
    asyncio.run(Session(tracker).play([[move] for move in crowd]))
    assert listener.waits == [(2, 1), (3, 1), (3, 2)]


async def test_who_was_woken_and_has_not_looked_waits_for_nobody_yet() -> None:
    tracker = Tracker(Context())
    requests = [Request(number, "node", IoType.WRITE, 0, 4, 0, None) for number in range(3)]
    for request in requests:
        tracker.begin(request)
        tracker.mark_serialising(request, 4)
    waiting = [asyncio.Task(tracker.wait(request)) for request in requests[1:]]
    await asyncio.sleep(0)
    # The last one began last, so it is newer than the one that looked first.
    assert [request.waiting_for for request in requests] == [None, requests[2], requests[0]]
    tracker.end(requests[0], None)
    assert [request.waiting_for for request in requests[1:]] == [requests[2], None]
    await waiting[1]
    tracker.end(requests[2], None)
    await waiting[0]
    tracker.end(requests[1], None)


# --- how much work it is -------------------------------------------------------------------------


class Counting(Tracker):
    __slots__ = ("looks",)

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.looks = 0

    def conflict(self, request: Request) -> Request | None:
        self.looks += 1
        return super().conflict(request)


@pytest.mark.parametrize("quick", [False, True])
def test_each_of_a_crowd_on_one_block_looks_twice(quick: bool) -> None:
    tracker = Counting(Context())
    crowd = [Arrive(1, 1, 4, quick=quick) for _ in range(50)]
    asyncio.run(Session(tracker).play([[Arrive(1, 1, 4)], crowd]))
    assert tracker.looks == 1 + 2 * len(crowd)


def test_crowd_is_handed_on_to_whoever_was_quicker() -> None:
    async def play() -> int:
        tracker = Counting(Context())
        session = Session(tracker)

        async def again_and_again() -> None:
            # Begins anew before those who wait for it could look.
            for number in range(100, 120):
                request = Request(number, "node", IoType.WRITE, 1, 1, 0, None)
                tracker.begin(request)
                tracker.mark_serialising(request, 4)
                await tracker.wait(request)
                await asyncio.sleep(0)
                tracker.end(request, None)

        busy = asyncio.Task(again_and_again())
        await asyncio.sleep(0)
        await session.play([[Arrive(1, 1, 4) for _ in range(50)]])
        await busy
        return tracker.looks

    assert asyncio.run(play()) <= 20 + 2 * 20 + 2 * 50
