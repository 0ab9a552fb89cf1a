from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from blkdebug_async.bench.issue import Timed


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def look(self) -> int:
        return self.now


async def drive(body: Callable[[Clock], Coroutine[object, None, None]]) -> tuple[Timed, Clock]:
    clock = Clock()
    timed = Timed(body(clock), clock.look)
    await timed
    return timed, clock


async def test_a_call_that_does_not_wait_returns_when_it_is_done() -> None:
    async def body(clock: Clock) -> None:
        clock.now = 7

    timed, _ = await drive(body)
    assert (timed.at_once, timed.returned_ns) == (True, 7)


async def test_a_call_that_waits_returns_when_it_begins_to_wait() -> None:
    async def body(clock: Clock) -> None:
        for clock.now in (1, 2, 3):
            await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, int)
        clock.now = 9

    timed, clock = await drive(body)
    assert (timed.at_once, timed.returned_ns, clock.now) == (False, 1, 9)


@pytest.mark.parametrize("turns", [0, 1, 2])
async def test_errors_come_through(turns: int) -> None:
    clock = Clock()

    async def body() -> None:
        for clock.now in range(1, turns + 1):
            await asyncio.sleep(0)
        raise OSError(5, "I/O error")

    timed = Timed(body(), clock.look)
    with pytest.raises(OSError, match="I/O error"):
        await timed
    assert timed.at_once == (turns == 0)


async def test_a_cancellation_reaches_the_call_and_what_it_does_then_is_awaited() -> None:
    seen: list[str] = []
    waiting = asyncio.Event()

    async def body() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cleaned up")
            raise

    async def main() -> None:
        await Timed(body(), Clock().look)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(main())
        await waiting.wait()
        task.cancel()
    assert seen == ["cleaned up"]
    assert task.cancelled()


async def test_a_call_may_refuse_to_be_cancelled() -> None:
    waiting = asyncio.Event()

    async def body() -> None:
        try:
            waiting.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return

    async def main() -> str:
        await Timed(body(), Clock().look)
        return "done"

    async with asyncio.TaskGroup() as group:
        task = group.create_task(main())
        await waiting.wait()
        task.cancel()
    assert task.result() == "done"
