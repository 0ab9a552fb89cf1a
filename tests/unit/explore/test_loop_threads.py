from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from pathlib import Path

import aiofiles
import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from anyio._backends._asyncio import WorkerThread

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.explore.refusals import NotExplorableError
from tests.unit.explore.loop_schedulers import ByKey, Listed
from tests.unit.explore.test_loop_flight import run

NAMED = pytest.mark.parametrize("named", [False, True])


@NAMED
def test_work_for_a_thread_is_done_when_it_is_picked(named: bool) -> None:
    async def main() -> list[str]:
        done: list[str] = []
        works = [asyncio.to_thread(done.append, name) for name in ("first", "second")]
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
        return done

    assert run(main(), Listed(wants_actions=named)) == ["first", "second"]


def test_work_for_threads_can_be_done_in_another_order() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        done: list[str] = []
        works = [loop.run_in_executor(None, done.append, name) for name in ("first", "second")]
        for work in works:
            await work
        return done

    assert run(main(), Listed([1])) == ["second", "first"]


def test_work_for_a_thread_is_an_action_of_its_own() -> None:
    def read() -> None: ...

    async def main() -> None:
        await asyncio.to_thread(read)

    scheduler = Listed()
    run(main(), scheduler)
    assert [action.key for action, _ in scheduler.steps if action.kind is Kind.THREAD] == [
        "main>thread read"
    ]


def test_what_a_thread_raises_is_raised_by_its_future() -> None:
    async def main() -> None:
        await asyncio.to_thread(int, "no number")

    with pytest.raises(ValueError, match="no number"):
        run(main())


def test_a_thread_that_stops_iterating_does_not_end_who_awaits_it() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().run_in_executor(None, next, iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        run(main())


def test_work_for_a_thread_sees_no_loop_and_may_run_one() -> None:
    async def inner() -> str:
        return "inner"

    async def main() -> str:
        return await asyncio.to_thread(asyncio.run, inner())

    assert run(main()) == "inner"


def test_work_for_a_thread_may_schedule_callbacks() -> None:
    async def main() -> bool:
        event = asyncio.Event()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, loop.call_soon_threadsafe, event.set)
        return await event.wait()

    assert run(main())


@NAMED
def test_work_for_a_thread_may_wait_for_the_loop(named: bool) -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()

        def work() -> float:
            future = asyncio.run_coroutine_threadsafe(asyncio.sleep(5, 7.5), loop)
            return future.result()

        return await asyncio.to_thread(work) + loop.time()

    assert run(main(), Listed(wants_actions=named)) == 12.5


def test_the_default_executor_is_shut_down_when_its_work_is_done() -> None:
    async def main() -> list[str]:
        done: list[str] = []
        loop = asyncio.get_running_loop()
        for name in ("first", "second"):
            loop.run_in_executor(None, done.append, name)
        await loop.shutdown_default_executor()
        return done

    assert run(main()) == ["first", "second"]


def test_cancelled_work_for_a_thread_is_done_all_the_same() -> None:
    async def main() -> list[str]:
        done: list[str] = []
        asyncio.get_running_loop().run_in_executor(None, done.append, "done").cancel()
        await asyncio.sleep(1)
        return done

    assert run(main()) == ["done"]


def test_a_thread_that_the_loop_does_not_know_ends_the_run() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        refused: list[Exception] = []

        def intrude() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except NotExplorableError as error:
                refused.append(error)

        thread = threading.Thread(target=intrude, name="stranger")
        thread.start()
        thread.join()
        await asyncio.sleep(0)

    with pytest.raises(NotExplorableError, match="stranger"):
        run(main())


@NAMED
def test_anyio_works_in_threads_as_in_any_other_loop(named: bool) -> None:
    async def main() -> list[str]:
        done: list[str] = []
        async with anyio.create_task_group() as group:
            for name in ("first", "second"):
                group.start_soon(anyio.to_thread.run_sync, done.append, name)
        done.append(await anyio.to_thread.run_sync(lambda: "third"))
        return done

    before = threading.active_count()
    assert run(main(), Listed(wants_actions=named)) == ["first", "second", "third"]
    assert threading.active_count() == before


def test_anyios_threads_may_call_back() -> None:
    async def answer() -> str:
        await asyncio.sleep(1)
        return "answer"

    async def main() -> str:
        return await anyio.to_thread.run_sync(anyio.from_thread.run, answer)

    assert run(main()) == "answer"


def test_anyios_threads_are_its_own_again_afterwards() -> None:
    before = WorkerThread.start
    loop, other = ExploringLoop(Listed()), ExploringLoop(Listed())
    assert WorkerThread.start is not before
    loop.close()
    assert WorkerThread.start is not before
    other.close()
    assert WorkerThread.start is before
    assert anyio.run(anyio.to_thread.run_sync, threading.get_ident) != threading.get_ident()


def test_anyios_scopes_and_groups_are_explored() -> None:
    async def main() -> tuple[bool, float]:
        with anyio.move_on_after(2) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep, 10)
                group.start_soon(anyio.sleep, 1)
        return scope.cancelled_caught, anyio.current_time()

    assert run(main()) == (True, 2)


@NAMED
def test_aiofiles_reads_and_writes(tmp_path: Path, named: bool) -> None:
    async def main() -> str:
        async with aiofiles.open(tmp_path / "file", "w") as file:
            await file.write("text")
        async with aiofiles.open(tmp_path / "file") as file:
            return await file.read()

    assert run(main(), Listed(wants_actions=named)) == "text"


def test_a_timeout_can_come_before_a_thread_is_done() -> None:
    async def main() -> None:
        async with asyncio.timeout(1):
            await asyncio.to_thread(print)

    with pytest.raises(TimeoutError):
        run(main(), ByKey(likes=lambda key: "timer" in key))


def test_concurrent_futures_are_as_before_after_work_for_a_thread() -> None:
    before = concurrent.futures.Future.result

    async def main() -> None:
        await asyncio.to_thread(int)

    run(main())
    assert concurrent.futures.Future.result is before
