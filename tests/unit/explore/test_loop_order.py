from __future__ import annotations

import asyncio
from itertools import count

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.explore.ordered import OrderedTask
from tests.unit.explore.loop_programs import OPS, Op, Program
from tests.unit.explore.loop_schedulers import Chance, Listed


class StockLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop, but that waiting for a timer takes no time, and tasks hash by number."""

    def __init__(self) -> None:
        self.now = 0.0
        self.task_numbers = count(1)
        super().__init__()
        self.set_task_factory(lambda loop, coro, **kw: OrderedTask(coro, loop=loop, **kw))
        self._selector = _Instant(self, self._selector)

    def time(self) -> float:
        return self.now


class _Instant:
    def __init__(self, loop: StockLoop, selector: object) -> None:
        self._loop, self._inner = loop, selector

    def select(self, timeout: float | None) -> list[object]:
        if timeout:
            self._loop.now = self._loop._scheduled[0]._when
        return self._inner.select(0)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def trace_on(loop: asyncio.AbstractEventLoop, ops: list[Op]) -> list[str]:
    program = Program(ops)
    try:
        loop.run_until_complete(program.main())
        program.trace.append("main over")
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
    finally:
        loop.close()
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
