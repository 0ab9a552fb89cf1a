"""Small asyncio programs for tests: made by hypothesis, and telling what happens in which order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import ClassVar

from hypothesis import strategies as st

#: What a task does next: a name and a small number, or a block of further ones.
Op = tuple[str, int] | tuple[str, int, list["Op"]]

_SIMPLE = st.tuples(
    st.sampled_from(
        [
            "yield",
            "sleep",
            "soon",
            "later",
            "set",
            "clear",
            "wait",
            "put",
            "get",
            "acquire release",
            "semaphore",
            "notify",
            "await condition",
            "barrier",
            "cancel",
            "raise",
            "complete",
            "await future",
            "await task",
            "agen",
            "shielded",
            "variable",
            "gather",
            "wait first",
            "wait for",
            "callback",
            "loop error",
        ]
    ),
    st.integers(0, 3),
)
_BLOCKS = ["spawn", "group", "locked", "timeout", "catching"]
OPS = st.lists(
    st.recursive(
        _SIMPLE,
        lambda inner: st.tuples(
            st.sampled_from(_BLOCKS), st.integers(0, 3), st.lists(inner, max_size=4)
        ),
        max_leaves=25,
    ),
    max_size=8,
)

_variable: ContextVar[int] = ContextVar("_variable", default=0)


@dataclass
class Program:
    """One run of some operations, on whichever loop runs it."""

    ops: list[Op]
    #: What happened, in order.
    trace: list[str] = field(default_factory=list)
    tasks: list[asyncio.Task[object]] = field(default_factory=list)

    async def main(self) -> None:
        self.events = [asyncio.Event() for _ in range(4)]
        self.locks = [asyncio.Lock() for _ in range(4)]
        self.semaphores = [asyncio.Semaphore(1 + n % 2) for n in range(4)]
        self.queues: list[asyncio.Queue[str]] = [asyncio.Queue(n) for n in range(4)]
        self.conditions = [asyncio.Condition() for _ in range(4)]
        self.barrier = asyncio.Barrier(2)
        loop = asyncio.get_running_loop()
        self.futures: list[asyncio.Future[int]] = [loop.create_future() for _ in range(4)]
        loop.set_exception_handler(lambda _, context: self.say("!", str(context["message"])[:20]))
        # Whoever waits for what never comes is let go after a while.
        self.watch = loop.call_later(1000, self.let_go)
        try:
            await self.perform("main", self.ops)
        except (Exception, asyncio.CancelledError) as error:
            self.say("main", f"ends by {type(error).__name__}")
        for task in self.tasks:
            try:
                await task
            except (Exception, asyncio.CancelledError) as error:
                self.say("main", f"found {type(error).__name__}")
        self.watch.cancel()

    def let_go(self) -> None:
        self.say("watch", "lets go")
        for task in sorted(asyncio.all_tasks(), key=hash):
            task.cancel()
        self.watch = asyncio.get_running_loop().call_later(1000, self.let_go)

    def say(self, who: str, what: str) -> None:
        when = round(asyncio.get_running_loop().time(), 6)
        self.trace.append(f"{when} {who}: {what}")

    async def perform(self, who: str, ops: list[Op]) -> None:
        for place, op in enumerate(ops):
            kind, number, *inner = op
            where = f"{who}.{place}"
            self.say(where, kind)
            if inner:
                await self.blocks[kind](self, where, number, inner[0])
            else:
                await self.simple[kind](self, where, number)
            self.say(where, "over")

    # --- blocks ---

    async def spawn(self, who: str, number: int, ops: list[Op]) -> None:
        task = asyncio.ensure_future(self.perform(who, ops))
        self.tasks.append(task)

    async def group(self, who: str, number: int, ops: list[Op]) -> None:
        async with asyncio.TaskGroup() as group:
            for n, op in enumerate(ops):
                self.tasks.append(group.create_task(self.perform(f"{who}/{n}", [op])))

    async def locked(self, who: str, number: int, ops: list[Op]) -> None:
        async with self.locks[number]:
            await self.perform(who, ops)

    async def timeout(self, who: str, number: int, ops: list[Op]) -> None:
        async with asyncio.timeout(number):
            await self.perform(who, ops)

    async def catching(self, who: str, number: int, ops: list[Op]) -> None:
        try:
            await self.perform(who, ops)
        except (Exception, asyncio.CancelledError) as error:
            self.say(who, f"caught {error!r}")

    blocks: ClassVar[dict[str, Callable[[Program, str, int, list[Op]], Awaitable[None]]]] = {
        "spawn": spawn,
        "group": group,
        "locked": locked,
        "timeout": timeout,
        "catching": catching,
    }

    # --- operations ---

    async def yield_(self, who: str, number: int) -> None:
        for _ in range(number):
            await asyncio.sleep(0)

    async def sleep(self, who: str, number: int) -> None:
        await asyncio.sleep(number / 2)

    async def soon(self, who: str, number: int) -> None:
        loop = asyncio.get_running_loop()
        handles = [loop.call_soon(self.say, who, f"called {n}") for n in range(number + 1)]
        handles[number // 2].cancel()

    async def later(self, who: str, number: int) -> None:
        loop = asyncio.get_running_loop()
        handles = [loop.call_later(n, self.say, who, f"late {n}") for n in (number, number, 0, 1)]
        handles[number].cancel()

    async def set(self, who: str, number: int) -> None:
        self.events[number].set()

    async def clear(self, who: str, number: int) -> None:
        self.events[number].clear()

    async def wait(self, who: str, number: int) -> None:
        await self.events[number].wait()

    async def put(self, who: str, number: int) -> None:
        await self.queues[number].put(who)

    async def get(self, who: str, number: int) -> None:
        self.say(who, f"got {await self.queues[number].get()}")

    async def acquire_release(self, who: str, number: int) -> None:
        await self.locks[number].acquire()
        await asyncio.sleep(0)
        self.locks[number].release()

    async def semaphore(self, who: str, number: int) -> None:
        async with self.semaphores[number]:
            await asyncio.sleep(number)

    async def notify(self, who: str, number: int) -> None:
        async with self.conditions[number]:
            self.conditions[number].notify(1 + number)

    async def await_condition(self, who: str, number: int) -> None:
        async with self.conditions[number]:
            await self.conditions[number].wait()

    async def meet(self, who: str, number: int) -> None:
        await self.barrier.wait()

    async def cancel(self, who: str, number: int) -> None:
        if self.tasks:
            self.tasks[number % len(self.tasks)].cancel()

    async def raise_(self, who: str, number: int) -> None:
        if number:
            raise ValueError(number)

    async def complete(self, who: str, number: int) -> None:
        if not self.futures[number].done():
            self.futures[number].set_result(number)

    async def await_future(self, who: str, number: int) -> None:
        await asyncio.shield(self.futures[number])

    async def await_task(self, who: str, number: int) -> None:
        if self.tasks and self.tasks[-1] is not asyncio.current_task():
            await asyncio.wait([self.tasks[-1]], timeout=number)

    async def agen(self, who: str, number: int) -> None:
        async def count() -> AsyncIterator[int]:
            try:
                for n in range(number + 2):
                    yield n
                    await asyncio.sleep(0)
            finally:
                await asyncio.sleep(0)
                self.say(who, "agen closed")

        async for n in count():
            if n == number:
                break

    async def shielded(self, who: str, number: int) -> None:
        self.tasks.append(asyncio.ensure_future(asyncio.sleep(number)))
        await asyncio.shield(self.tasks[-1])

    async def variable(self, who: str, number: int) -> None:
        self.say(who, f"variable {_variable.get()}")
        _variable.set(number)

    async def gather(self, who: str, number: int) -> None:
        each = (asyncio.sleep(n % 2, n) for n in range(number))
        self.say(who, str(await asyncio.gather(*each)))  # noqa: TID251  users do

    async def wait_first(self, who: str, number: int) -> None:
        each = [asyncio.ensure_future(asyncio.sleep(n % 3)) for n in range(number + 1)]
        done, _ = await asyncio.wait(each, return_when=asyncio.FIRST_COMPLETED)
        self.say(who, f"{len(done)} done")
        for task in each:
            task.cancel()

    async def wait_for(self, who: str, number: int) -> None:
        try:
            await asyncio.wait_for(asyncio.sleep(number), 1)  # noqa: TID251  users do
        except TimeoutError:
            self.say(who, "too late")

    async def callback(self, who: str, number: int) -> None:
        self.futures[number].add_done_callback(lambda _: self.say(who, "told"))
        if self.tasks:
            self.tasks[-1].add_done_callback(lambda _: self.say(who, "told of task"))

    async def loop_error(self, who: str, number: int) -> None:
        def fail() -> None:
            raise RuntimeError(who)

        asyncio.get_running_loop().call_soon(fail)

    simple: ClassVar[dict[str, Callable[[Program, str, int], Awaitable[None]]]] = {
        "yield": yield_,
        "sleep": sleep,
        "soon": soon,
        "later": later,
        "set": set,
        "clear": clear,
        "wait": wait,
        "put": put,
        "get": get,
        "acquire release": acquire_release,
        "semaphore": semaphore,
        "notify": notify,
        "await condition": await_condition,
        "barrier": meet,
        "cancel": cancel,
        "raise": raise_,
        "complete": complete,
        "await future": await_future,
        "await task": await_task,
        "agen": agen,
        "shielded": shielded,
        "variable": variable,
        "gather": gather,
        "wait first": wait_first,
        "wait for": wait_for,
        "callback": callback,
        "loop error": loop_error,
    }
