from __future__ import annotations

import asyncio
import os
import signal
import unittest
from collections.abc import Callable, Coroutine
from functools import partial

from blkdebug_async.explore import Scenario
from blkdebug_async.explore.here import exploration_here
from blkdebug_async.explore.inside import sometimes


class GivenUpError(Exception):
    """What a scenario raises that finds out that it is of no use."""


async def _together(**parts: Coroutine[object, object, object]) -> None:
    async with asyncio.TaskGroup() as group:
        for name, part in parts.items():
            group.create_task(part, name=name)


async def notes(when_last: Callable[[list[str]], None]) -> None:
    """Three tasks note their names, twice each; then something looks at the order."""
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)
        await asyncio.sleep(0)
        order.append(name)

    await _together(a=note("a"), b=note("b"), c=note("c"))
    when_last(order)


def _fail(order: list[str]) -> None:
    assert order != ["b", "c", "b", "a", "a", "c"], "there it is"


def _give_up(order: list[str]) -> None:
    if order[0] == "c":
        raise GivenUpError


def _leave(order: list[str]) -> None:
    if order[0] == "c":
        raise SystemExit("no more of this")


def _exit(order: list[str]) -> None:
    if order[0] == "b" and order[-1] == "b":
        os._exit(3)


def _kill(order: list[str]) -> None:
    if order[0] == "b" and order[-1] == "b":
        os.kill(os.getpid(), signal.SIGKILL)


def _fail_or_die(order: list[str]) -> None:
    if order[0] == "c":
        os._exit(6)
    assert order[0] == "a"


def _fail_or_skip(order: list[str]) -> None:
    if order[0] == "c":
        raise unittest.SkipTest("c first")
    assert order[0] == "a"


def _go_on_forever(order: list[str]) -> None:
    while order[0] == "c":
        pass


def _reach(order: list[str]) -> None:
    sometimes("c comes first", order[0] == "c")


def _nothing(order: list[str]) -> None:
    pass


steady: Scenario = partial(notes, _nothing)
failing: Scenario = partial(notes, _fail)
giving_up: Scenario = partial(notes, _give_up)
failing_or_dying: Scenario = partial(notes, _fail_or_die)
failing_or_skipping: Scenario = partial(notes, _fail_or_skip)
sometimes_endless: Scenario = partial(notes, _go_on_forever)
leaving: Scenario = partial(notes, _leave)
exiting: Scenario = partial(notes, _exit)
killed: Scenario = partial(notes, _kill)
reaching: Scenario = partial(notes, _reach)


async def dies_at_once() -> None:
    os._exit(4)


async def dies_by_choice() -> None:
    exploration = exploration_here()
    assert exploration is not None
    if exploration.scheduler.choose(2, "good") and exploration.scheduler.choose(3, "bad") == 2:
        os._exit(5)


async def endless() -> None:
    """Never lets go."""
    while True:
        pass


async def too_long() -> None:
    """Takes more steps than allowed, in some runs."""
    turns = 0

    async def turn() -> None:
        nonlocal turns
        turns += 1
        await asyncio.sleep(0)

    await _together(a=turn(), b=turn())
    exploration = exploration_here()
    assert exploration is not None
    while exploration.scheduler.choose(2, "go on"):
        await turn()


#: The variable that says in which process all is well.
HOME = "BLKDEBUG_ASYNC_TEST_HOME"


async def homesick() -> None:
    """Fails in other processes than one."""
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)

    await _together(a=note("a"), b=note("b"))
    assert order == ["a", "b"] or os.environ.get(HOME) == str(os.getpid())


class Unpicklable(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(one)
        self.callback = lambda: two


async def strange_error() -> None:
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)

    await _together(a=note("a"), b=note("b"))
    if order != ["a", "b"]:
        raise Unpicklable(1, 2)
