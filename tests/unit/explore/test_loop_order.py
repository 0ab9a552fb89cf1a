from __future__ import annotations

import asyncio
import gc
import selectors
from itertools import count

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from blkdebug_async.explore.handles import Timer
from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.explore.ordered import OrderedTask
from tests.unit.explore.loop_programs import OPS, Op, Program
from tests.unit.explore.loop_schedulers import Chance, Listed


class StockLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, but that waiting for a timer takes no time, and tasks hash by number."""

    _scheduled: list[Timer]

    def __init__(self) -> None:
        self.now = 0.0
        self.task_numbers = count(1)
        super().__init__(_Instant(self))
        self.set_task_factory(lambda loop, coro, **kw: OrderedTask(coro, loop=loop, **kw))

    def time(self) -> float:
        return self.now


class _Instant(selectors.DefaultSelector):
    def __init__(self, loop: StockLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout:
            self._loop.now = self._loop._scheduled[0]._when
        return super().select(0)


def trace_on(loop: asyncio.AbstractEventLoop, ops: list[Op]) -> list[str]:
    program = Program(ops)
    # A generator in a cycle of references is closed when the collector comes by.
    gc.disable()
    try:
        try:
            loop.run_until_complete(program.main())
            program.trace.append("main over")
        except asyncio.CancelledError:
            program.trace.append("main cancelled")
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        left = asyncio.all_tasks(loop)
        for task in sorted(left, key=hash):
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
    finally:
        loop.close()
        gc.enable()
    return program.trace


#: Without explaining, which traces each line.
PHASES = [Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink]


@settings(phases=PHASES, deadline=None)
@given(OPS, st.booleans(), st.booleans())
def test_default_order_is_that_of_asyncios_loop(
    ops: list[Op], wants_actions: bool, debug: bool
) -> None:
    stock, ours = StockLoop(), ExploringLoop(Listed(wants_actions=wants_actions))
    for loop in (stock, ours):
        loop.set_debug(debug)
        loop.slow_callback_duration = 1000
    assert trace_on(ours, ops) == trace_on(stock, ops)


@settings(phases=PHASES, deadline=None)
@given(OPS, st.integers(0, 5), st.booleans())
def test_any_order_can_be_repeated_by_its_numbers(ops: list[Op], seed: int, named: bool) -> None:
    chance = Chance(seed, wants_actions=named)
    trace = trace_on(ExploringLoop(chance, step_limit=20_000), ops)
    again = Listed(chance.values, wants_actions=not named)
    assert trace_on(ExploringLoop(again, step_limit=20_000), ops) == trace
    assert again.ways == chance.ways


@settings(phases=PHASES, deadline=None)
@given(OPS, st.integers(0, 5))
def test_no_two_actions_at_one_decision_have_the_same_key(ops: list[Op], seed: int) -> None:
    chance = Chance(seed, wants_actions=True)
    trace_on(ExploringLoop(chance, step_limit=20_000), ops)
    assert [keys for keys in chance.offered if len(set(keys)) < len(keys)] == []


@settings(phases=PHASES, deadline=None)
@given(OPS, st.integers(0, 5))
def test_what_was_not_picked_is_offered_again(ops: list[Op], seed: int) -> None:
    chance = Chance(seed, wants_actions=True)
    trace_on(ExploringLoop(chance, step_limit=20_000), ops)
    lost = [
        key
        for before, value, after in zip(
            chance.offered, chance.values, chance.offered[1:], strict=False
        )
        for number, key in enumerate(before)
        if number != value and key not in after and ">" not in key
    ]
    # Only a single step comes between two decisions with more than one way to go on.
    assert [key for key in lost if key not in (*chance.keys, "end")] == []


class Unnoted(Listed):
    """Does not want to hear who uses what."""

    wants_touches = False


@settings(phases=PHASES, deadline=None)
@given(OPS, st.integers(0, 5))
def test_actions_have_the_same_keys_whether_or_not_it_is_noted_who_uses_what(
    ops: list[Op], seed: int
) -> None:
    noted = Chance(seed, wants_actions=True)
    trace = trace_on(ExploringLoop(noted, step_limit=20_000), ops)
    unnoted = Unnoted(noted.values)
    assert trace_on(ExploringLoop(unnoted, step_limit=20_000), ops) == trace
    assert unnoted.offered == noted.offered
    assert unnoted.keys == noted.keys


def test_nothing_is_put_into_asyncios_classes_where_nobody_wants_to_hear_of_it() -> None:
    original = asyncio.Lock.acquire
    for scheduler, patched in ((Listed(), True), (Unnoted(), False)):
        loop = ExploringLoop(scheduler)
        assert (asyncio.Lock.acquire is not original) == patched
        loop.close()
    assert asyncio.Lock.acquire is original
