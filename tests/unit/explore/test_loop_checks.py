"""What is checked after each step, and who hears of steps."""

from __future__ import annotations

import asyncio

import pytest

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.here import exploration_here
from tests.unit.explore.loop_schedulers import Listed
from tests.unit.explore.test_loop_flight import run


def test_outside_of_a_loop_nothing_is_explored() -> None:
    assert exploration_here() is None


async def test_an_ordinary_loop_explores_nothing() -> None:
    assert exploration_here() is None


@pytest.mark.parametrize("wants_actions", [False, True])
def test_a_check_is_made_after_the_step_that_breaks_what_it_looks_at(
    *, wants_actions: bool
) -> None:
    state = {"a": 0, "b": 0}

    def same() -> None:
        assert state["a"] == state["b"]

    async def scenario() -> None:
        exploration = exploration_here()
        assert exploration is not None
        exploration.checks.append(same)
        state["a"] = state["b"] = 1
        await asyncio.sleep(0)
        state["a"] = 2
        await asyncio.sleep(0)
        state["b"] = 2

    with pytest.raises(AssertionError):
        run(scenario(), Listed((), wants_actions=wants_actions))
    assert state == {"a": 2, "b": 1}


def test_a_watcher_hears_of_what_is_launched_and_of_steps() -> None:
    heard: list[str] = []

    class Watching:
        def launched(self, action: Action) -> None:
            heard.append(f"launched {action.key}")

        def stepped(
            self,
            action: Action,
            task: asyncio.Task[object] | None,
            touched: tuple[Footprint, ...],
        ) -> None:
            heard.append(f"stepped {action.key}")

    async def scenario() -> None:
        exploration = exploration_here()
        assert exploration is not None
        exploration.watcher = Watching()
        await exploration.in_flight("read")
        exploration.watcher = None

    run(scenario(), Listed((), wants_actions=True))

    assert [each for each in heard if "read" in each] == ["launched read", "stepped read"]
