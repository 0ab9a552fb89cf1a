from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import TypeVar

import pytest

from blkdebug_async.explore.actions import Action, Kind, RedundantRunError
from blkdebug_async.explore.deadlock import DeadlockError
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.explore.refusals import NotExplorableError
from blkdebug_async.explore.turns import EndlessRunError
from tests.unit.explore.loop_schedulers import ByKey, Listed

T = TypeVar("T")
SECTOR = Footprint("disk", 0, 512, Touch.WRITE)


def run(main: Coroutine[object, object, T], scheduler: Listed | None = None) -> T:
    loop = ExploringLoop(scheduler or Listed(), step_limit=10_000)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.abandon()


def running() -> ExploringLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ExploringLoop)
    return loop


def fly(key: str, done: list[str]) -> asyncio.Future[None]:
    return running().exploration.in_flight(key, (SECTOR,), lambda: done.append(key))


async def two_requests(done: list[str]) -> None:
    first, second = fly("first", done), fly("second", done)
    await second
    await first


@pytest.mark.parametrize("named", [False, True])
def test_requests_complete_oldest_first_unless_picked_otherwise(named: bool) -> None:
    done: list[str] = []
    run(two_requests(done), Listed(wants_actions=named))
    assert done == ["first", "second"]


@pytest.mark.parametrize("named", [False, True])
def test_requests_complete_in_the_order_that_is_picked(named: bool) -> None:
    done: list[str] = []
    run(two_requests(done), Listed([1], wants_actions=named))
    assert done == ["second", "first"]


def test_a_request_completes_after_everything_that_is_ready() -> None:
    async def main() -> list[str]:
        done: list[str] = []
        request = fly("request", done)
        for _ in range(3):
            await asyncio.sleep(0)
            done.append("step")
        await request
        return done

    assert run(main()) == ["step", "step", "step", "request"]


def test_a_timer_fires_after_all_requests() -> None:
    async def main() -> list[str]:
        done: list[str] = []
        asyncio.get_running_loop().call_later(0.001, done.append, "timer")
        await fly("request", done)
        await asyncio.sleep(1)
        return done

    assert run(main()) == ["request", "timer"]


def test_a_timer_can_come_before_a_request() -> None:
    async def main() -> float:
        await fly("request", [])
        return asyncio.get_running_loop().time()

    async def timed() -> float:
        async with asyncio.timeout(5):
            return await main()

    with pytest.raises(TimeoutError):
        run(timed(), ByKey(likes=lambda key: "timer" in key))


def test_time_stands_still_but_for_timers() -> None:
    async def main() -> list[float]:
        times = [asyncio.get_running_loop().time()]
        for seconds in (3600, 0.5):
            await asyncio.sleep(seconds)
            times.append(asyncio.get_running_loop().time())
        return times

    assert run(main()) == [0, 3600, 3600.5]


def test_what_an_effect_raises_is_raised_by_the_request() -> None:
    def fail() -> None:
        raise OSError(5, "no")

    async def main() -> None:
        await running().exploration.in_flight("request", None, fail)

    with pytest.raises(OSError, match="no"):
        run(main())


@pytest.mark.parametrize("named", [False, True])
def test_a_request_whose_task_is_cancelled_takes_effect_all_the_same(named: bool) -> None:
    async def main() -> list[str]:
        done: list[str] = []
        future = fly("request", done)
        future.cancel()
        await asyncio.sleep(1)
        return done

    assert run(main(), Listed(wants_actions=named)) == ["request"]


def test_a_cancelled_request_without_effect_is_forgotten() -> None:
    async def main() -> None:
        running().exploration.in_flight("request").cancel()
        await asyncio.sleep(1)

    scheduler = Listed()
    run(main(), scheduler)
    assert [action.kind for action, _ in scheduler.steps if action.kind is Kind.REQUEST] == []


def test_the_scheduler_sees_what_a_request_will_touch_and_hears_that_it_did() -> None:
    scheduler = Listed()
    run(two_requests([]), scheduler)
    steps = dict(scheduler.steps)
    assert steps[Action("first", "first", Kind.REQUEST, (SECTOR,))][0] == SECTOR


def test_requests_of_the_same_name_are_numbered() -> None:
    async def main() -> None:
        await asyncio.wait([asyncio.ensure_future(wait()) for _ in range(2)])

    async def wait() -> None:
        await fly("write disk 0", [])

    scheduler = Listed()
    run(main(), scheduler)
    keys = [action.key for action, _ in scheduler.steps if action.kind is Kind.REQUEST]
    assert keys == ["write disk 0", "write disk 0#1"]


@pytest.mark.parametrize("named", [False, True])
def test_polling_for_a_request_comes_to_an_end(named: bool) -> None:
    async def main() -> None:
        request = fly("request", [])
        while not request.done():  # noqa: ASYNC110  users do
            await asyncio.sleep(0)

    run(main(), Listed(wants_actions=named))


def test_polling_for_the_time_comes_to_an_end() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        # Somebody else has a timer, or time would stand still for ever.
        loop.call_later(0.2, lambda: None)
        while loop.time() < 0.2:  # noqa: ASYNC110  users do
            await asyncio.sleep(0)

    run(main())


@pytest.mark.parametrize("named", [False, True])
def test_a_run_that_never_ends_is_stopped(named: bool) -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110  users do
            await asyncio.sleep(0)

    with pytest.raises(EndlessRunError, match="10000 steps"):
        run(main(), Listed(wants_actions=named))


def test_a_scheduler_can_leave_a_run() -> None:
    class Leaving(Listed):
        def ran(self, action: Action, touched: object) -> None:
            raise RedundantRunError

    async def main() -> None:
        try:
            await asyncio.sleep(1)
        except Exception:
            pytest.fail("the scenario has seen it")

    with pytest.raises(RedundantRunError):
        run(main(), Leaving())


@pytest.mark.parametrize(
    ("use", "advice"),
    [
        (lambda loop: loop.add_reader(0, print), "memory overlay"),
        (lambda loop: loop.create_connection(asyncio.Protocol, "localhost", 1), "fake"),
        (lambda loop: loop.subprocess_exec(asyncio.SubprocessProtocol, "true"), "run_in_executor"),
        (lambda loop: loop.add_signal_handler(2, print), "from a task"),
    ],
    ids=["file", "socket", "process", "signal"],
)
def test_what_cannot_be_explored_says_what_to_do_instead(use: object, advice: str) -> None:
    async def main() -> None:
        assert callable(use)
        use(asyncio.get_running_loop())

    with pytest.raises(NotExplorableError, match=advice):
        run(main())


def test_taking_away_what_was_never_there_says_so() -> None:
    loop = ExploringLoop(Listed())
    assert not loop.remove_reader(0)
    assert not loop.remove_signal_handler(2)
    loop.close()


def test_a_closed_loop_takes_nothing_more() -> None:
    loop = ExploringLoop(Listed(wants_actions=False))
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_soon(print)
    with pytest.raises(RuntimeError, match="closed"):
        loop.call_later(1, print)


def test_a_failing_callback_is_told_to_the_exception_handler() -> None:
    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        told: list[str] = []
        loop.set_exception_handler(lambda _, context: told.append(repr(context["exception"])))
        loop.call_soon(int, "no number")
        await asyncio.sleep(0)
        return told

    for named in (False, True):
        assert "invalid literal" in run(main(), Listed(wants_actions=named))[0]


def test_slow_callbacks_are_told_in_debug_mode(caplog: pytest.LogCaptureFixture) -> None:
    loop = ExploringLoop(Listed())
    loop.set_debug(True)
    loop.slow_callback_duration = 0
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    assert "Executing" in caplog.text


def test_what_waits_on_its_way_out_is_ended_all_the_same() -> None:
    class Leaving(Listed):
        def ran(self, action: Action, touched: object) -> None:
            raise RedundantRunError

    async def main() -> None:
        try:
            await fly("request", [])
        finally:
            await fly("first last request", [])
            await fly("second last request", [])

    coroutine, loop = main(), ExploringLoop(Leaving())
    with pytest.raises(RedundantRunError):
        loop.run_until_complete(coroutine)
    loop.abandon()
    assert inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED


def test_who_ends_all_while_a_run_is_abandoned_is_heard() -> None:
    async def main() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise KeyboardInterrupt

    loop = ExploringLoop(Listed())
    with pytest.raises(DeadlockError):
        loop.run_until_complete(main())
    with pytest.raises(KeyboardInterrupt):
        loop.abandon()
    loop.close()


def test_the_second_request_of_a_name_is_none_of_a_second_thing() -> None:
    async def main() -> list[str]:
        exploration = running().exploration
        names = [exploration.name_of("node") for _ in range(2)]
        return [*names, *(f"write on {name}" for name in names)]

    first, second, *keys = run(main(), Listed(wants_actions=True))
    assert (first, second) == ("node", "node (2)")
    assert f"{keys[0]}#1" != keys[1]
