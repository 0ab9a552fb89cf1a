"""The event loops that figures are taken on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

from benchmarks.harness import Side

try:
    import uvloop
except ImportError:
    LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop,
    }
else:
    LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}

#: The fastest one there is; the command uses it too.
DEFAULT_LOOP = next(iter(LOOPS))

Work = Callable[[int], Coroutine[object, None, float]]

_T = TypeVar("_T")


def on_each_loop(name: str, work: Work, least: int = 1) -> list[Side]:
    """Give a side for each loop, the fastest one's first, which is called by the name alone.

    Args:
        name: Whose work it is.
        work: Does it so many times; gives how long all took, in seconds.
        least: Side.least.
    """

    def on(loop: str) -> Side:
        told = name if loop == DEFAULT_LOOP else f"{name}, {loop}'s loop"
        return Side(told, lambda count: run_on(loop, work(count)), least)

    return [on(loop) for loop in LOOPS]


def run_on(loop: str, coroutine: Coroutine[object, None, _T]) -> _T:
    """Run a coroutine on a fresh loop of this kind."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        return runner.run(coroutine)
