from __future__ import annotations

import asyncio

import pytest

from blkdebug_async import open_disk
from blkdebug_async.drivers import DRIVERS
from tests.unit.bugs.holding import HoldingDriver
from tests.unit.bugs.stepping import ByHand, Hang, Order, run


async def two_tasks() -> list[str]:
    said: list[str] = []

    async def say(word: str) -> None:
        await asyncio.sleep(0)
        said.append(word)

    async with asyncio.TaskGroup() as group:
        group.create_task(say("a"), name="a")
        group.create_task(say("b"), name="b")
    return said


async def a_comes_first() -> None:
    assert await two_tasks() == ["a", "b"]


def test_tasks_take_turns_as_usual() -> None:
    assert run(a_comes_first, ByHand(Order())).error is None


def test_what_is_held_waits_for_the_other() -> None:
    outcome = run(a_comes_first, ByHand(Order([("a (2)", "b (2)")])))
    assert isinstance(outcome.error, AssertionError)
    assert outcome.trace.index("b (2)") < outcome.trace.index("a (2)")


def test_an_order_that_cannot_be_had_is_broken() -> None:
    decider = ByHand(Order([("a", "b"), ("b", "a")]))
    assert run(a_comes_first, decider).error is None
    assert decider.broken


async def overlapping_writes() -> None:
    async with open_disk({"driver": "memory", "size": 512}) as disk:
        async with asyncio.TaskGroup() as group:
            group.create_task(disk.pwrite(0, b"a"), name="a")
            group.create_task(disk.pwrite(0, b"b"), name="b")
        assert await disk.pread(0, 1) == b"b"


def test_a_write_takes_effect_when_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DRIVERS, "memory", HoldingDriver)
    assert run(overlapping_writes, ByHand(Order())).error is None
    reverse = ByHand(Order([("a write 0", "b write 0")]))
    assert isinstance(run(overlapping_writes, reverse).error, AssertionError)


async def cancelled_write() -> None:
    async with open_disk({"driver": "memory", "size": 512}) as disk:
        async with asyncio.TaskGroup() as group:
            doomed = group.create_task(disk.pwrite(0, b"a"), name="doomed")
            await asyncio.sleep(0)
            doomed.cancel()
        assert doomed.cancelled()
        assert await disk.pread(0, 1) == b"a"


def test_what_is_on_its_way_arrives_though_it_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(DRIVERS, "memory", HoldingDriver)
    outcome = run(cancelled_write, ByHand(Order()))
    assert (outcome.error, outcome.leftovers) == (None, [])


async def never() -> None:
    await asyncio.Event().wait()


def test_a_scenario_that_cannot_go_on_hangs_and_names_its_tasks() -> None:
    outcome = run(never, ByHand(Order()))
    assert isinstance(outcome.error, Hang)
    assert outcome.leftovers == ["main"]


async def sleeps() -> None:
    start = asyncio.get_running_loop().time()
    await asyncio.sleep(3600)
    assert asyncio.get_running_loop().time() == start + 3600


def test_time_goes_on_when_nothing_else_happens() -> None:
    assert run(sleeps, ByHand(Order())).error is None
