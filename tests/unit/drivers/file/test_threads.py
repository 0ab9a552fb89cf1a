from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from blkdebug_async.drivers.file.threads import run_in_thread


class Gate:
    """Something in a thread that ends when it is told to."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.entered = asyncio.Event()
        self.open = threading.Event()
        self.passed = False

    def wait(self, error: Exception | None = None) -> str:
        self._loop.call_soon_threadsafe(self.entered.set)
        assert self.open.wait(10)
        self.passed = True
        if error is not None:
            raise error
        return "done"


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    gate = Gate()
    yield gate
    gate.open.set()


async def test_the_answer_comes_back_from_another_thread() -> None:
    assert await run_in_thread(threading.get_ident) != threading.get_ident()


async def test_arguments_are_passed_on() -> None:
    assert await run_in_thread(int, "ff", base=16) == 255


async def test_an_error_comes_back() -> None:
    with pytest.raises(ZeroDivisionError):
        await run_in_thread(divmod, 1, 0)


async def test_the_loop_goes_on_meanwhile(gate: Gate) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run_in_thread(gate.wait))
        await gate.entered.wait()
        assert not task.done()
        gate.open.set()
    assert task.result() == "done"


@pytest.mark.parametrize("cancels", [1, 3])
@pytest.mark.parametrize("error", [None, OSError(5, "broken")])
async def test_a_cancelled_task_waits_for_its_thread(
    gate: Gate, cancels: int, error: Exception | None
) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run_in_thread(gate.wait, error))
        await gate.entered.wait()
        for _ in range(cancels):
            task.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert not task.done()
        gate.open.set()
    assert task.cancelled()
    assert gate.passed
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert caught.value.__cause__ is error


async def test_a_deadline_is_told_as_such_after_the_thread_is_done(gate: Gate) -> None:
    async def open_later() -> None:
        await gate.entered.wait()
        await asyncio.sleep(0)
        gate.open.set()

    async with asyncio.TaskGroup() as group:
        group.create_task(open_later())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await run_in_thread(gate.wait)
        assert gate.passed
