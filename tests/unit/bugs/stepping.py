from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Scenario = Callable[[], Coroutine[object, object, None]]


class Hang(Exception):
    """Nothing can happen any more, and the scenario is not over."""


class Decider(Protocol):
    """Says what happens next, and how whatever else could go otherwise goes."""

    def pick(self, events: Sequence[str]) -> int: ...

    def happened(self, event: str) -> None: ...

    def choose(self, n: int, key: str) -> int: ...


@dataclass(frozen=True)
class Order:
    """An order made by hand: the default, but that some events wait for others."""

    #: (what waits, what it waits for); both are names of events.
    holds: Sequence[tuple[str, str]] = ()
    #: Answers of choose() by key; 0 where there is none.
    choices: Mapping[str, int] = field(default_factory=dict)


class ByHand:
    """Decides by an Order. Where all that could happen is held, the order cannot be had."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._happened: set[str] = set()
        #: Whether something had to happen before what it was to wait for.
        self.broken = False

    def pick(self, events: Sequence[str]) -> int:
        free = [index for index, event in enumerate(events) if not self._held(event)]
        self.broken |= not free
        return free[0] if free else 0

    def happened(self, event: str) -> None:
        self._happened.add(event)

    def _held(self, event: str) -> bool:
        return any(
            event == later and earlier not in self._happened for later, earlier in self._order.holds
        )

    def choose(self, n: int, key: str) -> int:
        return min(self._order.choices.get(key, 0), n - 1)


@dataclass
class InFlight:
    """A request in flight, and what it does when it completes."""

    label: str
    effect: Callable[[], None]
    waiter: asyncio.Future[None]
    completed: bool = False


class StepLoop(asyncio.BaseEventLoop):
    """A loop without a clock or sockets, whose next step a Decider picks.

    What happens anyway: ready callbacks first, then requests, oldest first, then the next timer.
    """

    _ready: deque[asyncio.Handle]
    _scheduled: list[asyncio.TimerHandle]
    _stopping: bool

    def __init__(self, decider: Decider) -> None:
        super().__init__()
        self.decider = decider
        self.requests: list[InFlight] = []
        #: Names of all events so far.
        self.trace: list[str] = []
        self._now = 0.0
        self._seen: Counter[str] = Counter()

    @property
    def exploration(self) -> StepLoop:
        return self

    @property
    def scheduler(self) -> Decider:
        return self.decider

    def time(self) -> float:
        return self._now

    async def hold(self, what: str, effect: Callable[[], None]) -> None:
        """Wait until this request is picked, and with it takes effect."""
        task = asyncio.current_task(self)
        assert task is not None
        request = InFlight(f"{task.get_name()} {what}", effect, self.create_future())
        self.requests.append(request)
        cancelled = False
        while not request.completed:
            try:
                await request.waiter
            except asyncio.CancelledError:
                # What is on its way to the disk cannot be called back.
                cancelled = True
                request.waiter = self.create_future()
        if cancelled:
            raise asyncio.CancelledError

    def _run_once(self) -> None:
        self._ready = deque(handle for handle in self._ready if not handle.cancelled())
        self._scheduled = [timer for timer in self._scheduled if not timer.cancelled()]
        heapq.heapify(self._scheduled)
        labels = [_label(handle) for handle in self._ready]
        labels += [request.label for request in self.requests]
        labels += [f"timer {timer.when():.3f}" for timer in self._scheduled[:1]]
        if not labels:
            if self._stopping:
                return
            raise Hang(", ".join(sorted(task.get_name() for task in asyncio.all_tasks(self))))
        self._step(self._pick(labels))

    def _pick(self, labels: list[str]) -> int:
        counts = self._seen.copy()
        events = []
        for label in labels:
            counts[label] += 1
            events.append(label if counts[label] == 1 else f"{label} ({counts[label]})")
        chosen = self.decider.pick(events) if len(events) > 1 else 0
        self.decider.happened(events[chosen])
        self._seen[labels[chosen]] += 1
        self.trace.append(events[chosen])
        return chosen

    def _step(self, chosen: int) -> None:
        if chosen < len(self._ready):
            handle = self._ready[chosen]
            del self._ready[chosen]
            handle._run()
            return
        chosen -= len(self._ready)
        if chosen < len(self.requests):
            request = self.requests.pop(chosen)
            request.effect()
            request.completed = True
            if not request.waiter.done():
                request.waiter.set_result(None)
            return
        timer = heapq.heappop(self._scheduled)
        self._now = max(self._now, timer.when())
        timer._run()

    def _process_events(self, event_list: object) -> None:
        raise AssertionError("there is no selector")

    def _write_to_self(self) -> None:
        """Nobody sleeps."""


def _label(handle: asyncio.Handle) -> str:
    callback = getattr(handle, "_callback", None)
    owner = getattr(callback, "__self__", None)
    if isinstance(owner, asyncio.Task):
        return owner.get_name()
    return getattr(callback, "__qualname__", type(callback).__name__)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    error: BaseException | None
    trace: Sequence[str]
    #: Tasks and requests that were left behind.
    leftovers: Sequence[str]


def run(scenario: Scenario, decider: Decider) -> Outcome:
    """Run a scenario once."""
    loop = StepLoop(decider)
    error: BaseException | None = None
    asyncio.set_event_loop(loop)
    try:
        loop.set_exception_handler(lambda _loop, _context: None)
        main = loop.create_task(scenario(), name="main")
        try:
            loop.run_until_complete(main)
        except (Exception, asyncio.CancelledError, Hang) as raised:
            error = raised
        trace = tuple(loop.trace)
        leftovers = [task.get_name() for task in asyncio.all_tasks(loop)]
        leftovers += [request.label for request in loop.requests]
        _put_away(loop)
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return Outcome(error, trace, sorted(leftovers))


def _put_away(loop: StepLoop) -> None:
    """End what a failed run left behind, so that nothing is said about it later."""
    loop.decider = ByHand(Order())
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    while any(not task.done() for task in tasks):
        try:
            loop._run_once()
        except Hang:
            break
    for task in tasks:
        if task.done() and not task.cancelled():
            task.exception()
