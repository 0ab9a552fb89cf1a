"""How many runs of one scenario are made in a second: ours and detangle's, in turn.

Two scenarios without I/O: one of 68 steps that do nothing, which shows what an explorer adds, and
one with locks, events and queues, whose own work weighs as much. Walking at random asks least of a
strategy; "auto" is what both do when nobody says otherwise. The garbage collector rests in each
turn of either side, and detangle does not seed `random`, which would cost it a few per cent.

Not to be imported where detangle is not installed.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import detangle

from benchmarks.bugs.bug import Scenario
from benchmarks.bugs.common import pause, together
from benchmarks.harness import Comparison, Side
from blkdebug_async.explore.explorer import explore
from blkdebug_async.explore.run import run_once
from blkdebug_async.explore.strategies.fifo import Fifo

_SEED: Final = 1


async def pauses() -> None:
    """Take 68 steps, not counting the one that stops the loop."""
    await together(a=pause(15), b=pause(15), c=pause(15), d=pause(13))


async def meetings() -> None:
    """Have three tasks share a lock, an event and a queue with a fourth."""
    lock, opened = asyncio.Lock(), asyncio.Event()
    queue: asyncio.Queue[int] = asyncio.Queue(2)

    async def work(number: int) -> None:
        for _ in range(4):
            async with lock:
                await pause()
            await pause(2)
        opened.set()
        await queue.put(number)

    async def collect() -> None:
        await opened.wait()
        for _ in range(3):
            await queue.get()
            await pause(2)

    await together(a=work(0), b=work(1), c=work(2), reader=collect())


#: What is raced over: a name for good, the scenario, the strategy of both, in words.
_RACES: Final = (
    ("pauses-random", pauses, "random", "68 steps that do nothing, at random"),
    ("pauses-auto", pauses, "auto", "68 steps that do nothing, auto"),
    ("meetings-random", meetings, "random", "lock, event and queue, at random"),
    ("meetings-auto", meetings, "auto", "lock, event and queue, auto"),
)


def questions() -> Iterator[Comparison]:
    """Ask for both scenarios, and for both strategies."""
    for key, scenario, strategy, case in _RACES:
        sides = [
            Side("detangle", partial(theirs, scenario=scenario, strategy=strategy)),
            Side("explore()", partial(ours, scenario=scenario, strategy=strategy)),
        ]
        yield Comparison(key, case, sides, things="runs")


def steps() -> Iterator[int]:
    """Count the steps of each scenario raced over, in the usual order."""
    for _, scenario, _, _ in _RACES:
        yield run_once(scenario, Fifo().scheduler(0)).steps


def ours(count: int, scenario: Scenario, strategy: str) -> float:
    """Make so many runs; gives how long it took, in seconds."""
    with _resting():
        start = time.perf_counter()
        report = explore(scenario, runs=count, seed=_SEED, strategy=strategy, store=None)
        took = time.perf_counter() - start
    assert report.failure is None
    assert report.runs == count
    return took


def theirs(count: int, scenario: Scenario, strategy: str) -> float:
    """Make so many runs with detangle; gives how long it took, in seconds."""
    config = detangle.SimConfig(seed_random=False)
    with _resting():
        start = time.perf_counter()
        stats = detangle.explore(
            scenario, runs=count, seed=_SEED, strategy=strategy, config=config, database=False
        )
        took = time.perf_counter() - start
    assert stats.runs == count
    return took


@contextmanager
def _resting() -> Iterator[None]:
    """Keep the garbage collector from coming amid a turn."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
