"""Small programs of real coroutines, and every way in which they can go on an exploring loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeAlias

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from blkdebug_async.explore.actions import RedundantRunError, Scheduler
from blkdebug_async.explore.deadlock import DeadlockError
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.explore.record import Recorded, Recorder
from blkdebug_async.explore.strategies.strategy import Ending, Strategy

#: What a task does: a word, a small number, and what it does within.
Op: TypeAlias = "tuple[str, int] | tuple[str, int, list[Op]]"
#: What its tasks do.
Program: TypeAlias = Sequence[Sequence[Op]]

#: Words for what can be done.
WORDS: dict[str, Callable[[World, list[object], int], Awaitable[None]]] = {}
#: Words for what is done around something else.
BLOCKS: dict[str, Callable[[World, list[object], int, list[Op]], Awaitable[None]]] = {}


_path: ContextVar[str] = ContextVar("_path", default="main")


class BrokenError(Exception):
    """What a task raises."""


@dataclass
class World:
    """All that the tasks of one run share."""

    program: Program
    #: Whether tasks also write to a list that they share, at each thing they do.
    share: bool
    disk: list[str] = field(default_factory=lambda: ["", ""])
    shared: list[str] = field(default_factory=list)
    logs: dict[str, list[object]] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    #: To be closed in the end.
    streams: Sequence[MemoryObjectSendStream[object] | MemoryObjectReceiveStream[object]] = ()

    async def main(self) -> None:
        self.lock = asyncio.Lock()
        self.event = asyncio.Event()
        self.queue: asyncio.Queue[str] = asyncio.Queue(1)
        self.semaphore = asyncio.Semaphore(1)
        self.condition = asyncio.Condition()
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.streams = self.sender, self.receiver = anyio.create_memory_object_stream[object](1)
        self.anyio_lock, self.anyio_event = anyio.Lock(), anyio.Event()
        self.limiter = anyio.CapacityLimiter(1)
        if "flight" in str(self.program):
            # A request that all of them know.
            self.flight = self.launched(0)
        for number, ops in enumerate(self.program):
            task = asyncio.ensure_future(self.task(f"t{number}", ops))
            task.set_name(f"t{number}")
            self.tasks.append(task)
        await asyncio.wait(self.tasks)

    async def task(self, name: str, ops: Sequence[Op]) -> None:
        _path.set(name)
        log = self.logs.setdefault(name, [])
        try:
            await self.perform(log, ops)
            log.append("ends")
        except BaseException as error:
            log.append(f"ends by {_kinds(error)}")
            if isinstance(error, asyncio.CancelledError | GeneratorExit):
                raise

    async def perform(self, log: list[object], ops: Sequence[Op]) -> None:
        for op in ops:
            word, number, *inner = op
            if self.share:
                self.shared.append(f"{path()} {word}")
            if inner:
                await BLOCKS[word](self, log, number, inner[0])
            else:
                await WORDS[word](self, log, number)

    # --- the disk ---

    async def write(self, log: list[object], number: int) -> None:
        await self.launched(number)

    async def cancelled_write(self, log: list[object], number: int) -> None:
        self.launched(number).cancel()

    def launched(self, number: int) -> asyncio.Future[None]:
        who = path()

        def effect() -> None:
            self.disk[number % 2] = who

        return self.fly("write", number % 2, Touch.WRITE, effect)

    def fly(
        self, verb: str, sector: int, touch: Touch, effect: Callable[[], None]
    ) -> asyncio.Future[None]:
        touches = (Footprint("disk", sector, 1, touch),)
        return exploration().in_flight(f"{path()}: {verb} {sector}", touches, effect)

    async def read(self, log: list[object], number: int) -> None:
        found: list[str] = []
        sector = number % 2
        await self.fly("read", sector, Touch.READ, lambda: found.append(self.disk[sector]))
        log.append(tuple(found))

    # --- asyncio ---

    async def pause(self, log: list[object], number: int) -> None:
        await asyncio.sleep(0)

    async def sleep(self, log: list[object], number: int) -> None:
        await asyncio.sleep(1 + number)
        log.append("slept")

    async def look_at_clock(self, log: list[object], number: int) -> None:
        log.append(asyncio.get_running_loop().time())

    async def set_event(self, log: list[object], number: int) -> None:
        self.event.set()

    async def clear_event(self, log: list[object], number: int) -> None:
        self.event.clear()

    async def look_at_event(self, log: list[object], number: int) -> None:
        log.append(self.event.is_set())

    async def wait_for_event(self, log: list[object], number: int) -> None:
        await self.event.wait()

    async def put(self, log: list[object], number: int) -> None:
        await self.queue.put(path())

    async def get(self, log: list[object], number: int) -> None:
        log.append(await self.queue.get())

    async def try_get(self, log: list[object], number: int) -> None:
        log.append("nothing" if self.queue.empty() else self.queue.get_nowait())

    async def notify(self, log: list[object], number: int) -> None:
        async with self.condition:
            self.condition.notify()

    async def await_condition(self, log: list[object], number: int) -> None:
        async with self.condition:
            await self.condition.wait()
        log.append("notified")

    async def complete(self, log: list[object], number: int) -> None:
        if not self.future.done():
            self.future.set_result(number)

    async def await_future(self, log: list[object], number: int) -> None:
        log.append(await asyncio.shield(self.future))

    async def look_at_future(self, log: list[object], number: int) -> None:
        log.append(self.future.done())

    async def cancel(self, log: list[object], number: int) -> None:
        log.append(self.tasks[number % len(self.tasks)].cancel())

    async def await_task(self, log: list[object], number: int) -> None:
        done, _ = await asyncio.wait([self.tasks[number % len(self.tasks)]], timeout=5)
        log.append(len(done))

    async def await_first(self, log: list[object], number: int) -> None:
        mine = asyncio.current_task()
        others = [task for task in self.tasks if task is not mine]
        if others:
            await asyncio.wait(others, return_when=asyncio.FIRST_COMPLETED)
            log.append([task.done() for task in others])

    async def look_at_flight(self, log: list[object], number: int) -> None:
        log.append(self.flight.done())

    async def await_flight(self, log: list[object], number: int) -> None:
        await self.flight

    async def cancel_flight(self, log: list[object], number: int) -> None:
        log.append(self.flight.cancel())

    async def fail(self, log: list[object], number: int) -> None:
        raise BrokenError

    async def choose(self, log: list[object], number: int) -> None:
        log.append(exploration().scheduler.choose(2, f"{path()} chooses"))

    async def thread(self, log: list[object], number: int) -> None:
        log.append(await asyncio.to_thread(str, number))

    async def soon(self, log: list[object], number: int) -> None:
        asyncio.get_running_loop().call_soon(self.event.set)

    async def soon_look(self, log: list[object], number: int) -> None:
        other = self.logs.setdefault(f"{path()} soon", [])
        asyncio.get_running_loop().call_soon(lambda: other.append(self.event.is_set()))

    async def later(self, log: list[object], number: int) -> None:
        asyncio.get_running_loop().call_later(number, self.event.set)

    async def callback(self, log: list[object], number: int) -> None:
        self.future.add_done_callback(lambda _: self.event.set())

    # --- anyio ---

    async def anyio_set(self, log: list[object], number: int) -> None:
        self.anyio_event.set()

    async def anyio_look(self, log: list[object], number: int) -> None:
        log.append(self.anyio_event.is_set())

    async def anyio_wait(self, log: list[object], number: int) -> None:
        await self.anyio_event.wait()

    async def anyio_send(self, log: list[object], number: int) -> None:
        await self.sender.send(path())

    async def anyio_receive(self, log: list[object], number: int) -> None:
        log.append(await self.receiver.receive())

    async def anyio_try_lock(self, log: list[object], number: int) -> None:
        try:
            self.anyio_lock.acquire_nowait()
            self.anyio_lock.release()
            log.append("free")
        except anyio.WouldBlock:
            log.append("held")

    # --- blocks ---

    async def with_lock(self, log: list[object], number: int, ops: list[Op]) -> None:
        async with self.lock:
            await self.perform(log, ops)

    async def with_semaphore(self, log: list[object], number: int, ops: list[Op]) -> None:
        async with self.semaphore:
            await self.perform(log, ops)

    async def with_anyio_lock(self, log: list[object], number: int, ops: list[Op]) -> None:
        async with self.anyio_lock:
            await self.perform(log, ops)

    async def with_limiter(self, log: list[object], number: int, ops: list[Op]) -> None:
        async with self.limiter:
            await self.perform(log, ops)

    async def with_timeout(self, log: list[object], number: int, ops: list[Op]) -> None:
        async with asyncio.timeout(number):
            await self.perform(log, ops)

    async def with_anyio_timeout(self, log: list[object], number: int, ops: list[Op]) -> None:
        with anyio.move_on_after(number) as scope:
            await self.perform(log, ops)
        log.append(scope.cancelled_caught)

    async def in_group(self, log: list[object], number: int, ops: list[Op]) -> None:
        async with asyncio.TaskGroup() as group:
            for place, op in enumerate(ops):
                group.create_task(self.child(f"c{place}", [op]), name=f"c{place}")

    async def in_anyio_group(self, log: list[object], number: int, ops: list[Op]) -> None:
        async with anyio.create_task_group() as group:
            for place, op in enumerate(ops):
                group.start_soon(self.child, f"c{place}", [op], name=f"c{place}")

    async def gathered(self, log: list[object], number: int, ops: list[Op]) -> None:
        children = [self.child(f"g{place}", [op]) for place, op in enumerate(ops)]
        gathered = asyncio.gather(*children, return_exceptions=number > 1)  # noqa: TID251  users do
        log.append(await gathered)

    async def child(self, name: str, ops: list[Op]) -> None:
        _path.set(f"{path()}/{name}")
        log = self.logs.setdefault(path(), [])
        try:
            await self.perform(log, ops)
        except BaseException as error:
            log.append(f"ends by {_kinds(error)}")
            raise
        log.append("ends")

    async def caught(self, log: list[object], number: int, ops: list[Op]) -> None:
        try:
            await self.perform(log, ops)
        except asyncio.CancelledError:
            log.append("cancelled")

    def outcome(self, ended: str) -> object:
        """Give what came of it: what each task saw, and what all is like in the end."""
        logs = tuple(sorted((name, repr(log)) for name, log in self.logs.items()))
        return logs, tuple(self.disk), tuple(self.shared), ended


for _name, _method in vars(World).items():
    _takes = set(getattr(_method, "__annotations__", {})) - {"return"}
    if _takes == {"log", "number"}:
        WORDS[_name.replace("_", " ")] = _method
    elif _takes == {"log", "number", "ops"}:
        BLOCKS[_name.replace("_", " ")] = _method


def _kinds(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return f"group of {[_kinds(each) for each in error.exceptions]}"
    return type(error).__name__


def exploration() -> Exploration:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ExploringLoop)
    return loop.exploration


def path() -> str:
    return _path.get()


def run(program: Program, scheduler: Scheduler, *, share: bool = False) -> tuple[object, Ending]:
    """Make one run; give what came of it."""
    world = World(program, share)
    loop = ExploringLoop(scheduler, step_limit=2_000)
    loop.set_exception_handler(lambda _, context: None)
    ended, ending = "over", Ending.PASSED
    try:
        loop.run_until_complete(loop.create_task(world.main(), name="main"))
    except DeadlockError:
        ended = "deadlock"
    except RedundantRunError:
        ending = Ending.REDUNDANT
    finally:
        outcome = world.outcome(ended)
        loop.abandon()
        for stream in world.streams:
            stream.close()
    return outcome, ending


@dataclass
class Explored:
    """What came of the runs of a strategy."""

    outcomes: set[object] = field(default_factory=set)
    runs: list[Recorded] = field(default_factory=list)
    redundant: int = 0
    #: Whether the strategy had no run left.
    exhausted: bool = False


def explore(
    program: Program,
    strategy: Strategy,
    *,
    share: bool = False,
    most: int = 1_000,
    traced: bool = False,
) -> Explored:
    """Make runs until the strategy is exhausted."""
    found = Explored()
    for number in range(most):
        if strategy.exhausted:
            break
        recorder = Recorder(strategy.scheduler(number), traced=traced)
        outcome, ending = run(program, recorder, share=share)
        strategy.heard(recorder.recorded(), ending)
        if ending is Ending.REDUNDANT:
            found.redundant += 1
        else:
            found.outcomes.add(outcome)
            found.runs.append(recorder.recorded())
    found.exhausted = strategy.exhausted
    return found
