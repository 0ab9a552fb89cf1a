"""detangle: explores asyncio code as it is, and knows tasks, timers and threads.

Unhelped, it runs a scenario unchanged, on a disk that answers at once. Helped, it is given what
its loop has no notion of: each request in flight is work of an executor, which it finishes when it
likes; whether a fault happens is one of its choices; and timers come late, where a bug needs that.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from typing import Final, TypeVar

import detangle
from detangle.strategies import make_strategy

from benchmarks.bugs.bug import Bug, Needs, Scenario
from benchmarks.explorers.explorer import MOST_STEPS, Budget, Search
from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.possible import Possible

_T = TypeVar("_T")

#: What a step takes, and how late a timer may be, in seconds, where a bug needs that timers come
#: while something else could go on; scenarios sleep for a hundredth or two.
STEP_COST: Final = 0.01
JITTER: Final = 0.05


class Detangle:
    """detangle, with its own mix of strategies.

    Args:
        name: As it is called in tables.
        helped: Whether to let requests be in flight, and faults happen.
        strategy: As detangle names it.
    """

    by_chance = True

    def __init__(self, name: str, *, helped: bool, strategy: str = "auto") -> None:
        self.name = name
        self._helped = helped
        self._strategy = strategy

    def cannot(self, bug: Bug) -> str:
        if self._helped or not bug.io:
            return ""
        return {
            Needs.FAULT: "whether a fault happens is asked of the loop",
            Needs.COMPLETION: "requests are answered at once, so that none is in flight",
        }.get(bug.needs, "")

    def search(self, bug: Bug, seed: int, budget: Budget, *, twin: bool, shrink: bool) -> Search:
        scenario = bug.twin if twin else bug.scenario
        config = detangle.SimConfig(max_steps=MOST_STEPS)
        if self._helped:
            scenario = helped(scenario)
            if bug.needs is Needs.TIMER:
                config = config.replace(step_cost=STEP_COST, timer_jitter=JITTER)
        strategy = make_strategy(self._strategy, seed)
        failure: detangle.Failure | None = None
        runs = 0
        start = time.process_time()
        while runs < budget.runs and not strategy.exhausted:
            strategy.start(runs)
            result = detangle.execute(scenario, config=config, strategy=strategy)
            failure = result.failure
            strategy.finish(result.decisions, failure is not None)
            runs += 1
            if failure is not None or time.process_time() - start > budget.seconds:
                break
        took = time.process_time() - start
        if failure is None:
            return Search("", runs, took, strategy.exhausted)
        found = sum(1 for each in result.decisions if each.value and each.kind != "seed")
        fewest, tries = _shrunk(scenario, result.values, config) if shrink else (None, 0)
        error = failure.headline().replace("\n", " ")
        return Search(
            error, runs, took, found_deviations=found, deviations=fewest, shrink_runs=tries
        )


def _shrunk(
    scenario: Scenario, values: list[int], config: detangle.SimConfig
) -> tuple[int | None, int]:
    """Let it shrink a failing run; gives the deviations that are left, and the runs it took."""
    try:
        detangle.explore(
            scenario, strategy=detangle.Replay(values), runs=1, config=config, database=False
        )
    except detangle.BugFound as found:
        return found.report.deviations, found.report.shrink_attempts
    return None, 0


def helped(scenario: Scenario) -> Scenario:
    """Let the disks of a scenario believe that their loop is ours."""

    async def run() -> None:
        loop = detangle.current_loop()
        setattr(loop, "exploration", StandIn(loop))  # noqa: B010  it has none
        await scenario()

    return run


class StandIn(Exploration):
    """What code under exploration may ask its loop, answered by detangle's.

    Args:
        loop: The loop of the run.
    """

    def __init__(self, loop: detangle.SimLoop) -> None:
        super().__init__(loop, Chooser(loop), Possible(deque()))
        self._sim = loop

    def fly(
        self,
        kind: Kind,
        key: str,
        touches: tuple[Footprint, ...] | None,
        effect: Callable[[], _T] | None,
        context: Context,
    ) -> asyncio.Future[_T]:
        future: asyncio.Future[_T] = self._sim.create_future()

        def land() -> None:
            # A device knows nothing of tasks that are cancelled.
            try:
                result = None if effect is None else context.run(effect)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)  # type: ignore[arg-type]  # as the effect gives it

        self._sim.run_in_executor(None, land)
        return future


class Chooser:
    """Whoever decides for detangle decides for code under exploration, too.

    Args:
        loop: The loop of the run.
    """

    wants_actions = False

    def __init__(self, loop: detangle.SimLoop) -> None:
        self._loop = loop

    def choose(self, n: int, key: str) -> int:
        # Without detangle, its types are not known.
        return int(self._loop.choose(n, "data"))

    def pick(self, actions: Sequence[Action]) -> int:
        return 0

    def pick_of(self, n: int) -> int:
        return 0

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        """Detangle picks by itself, and asks nobody here."""


EXPLORERS: Final[Mapping[str, Callable[[], Detangle]]] = {
    "detangle": lambda: Detangle("detangle", helped=False),
    "detangle-helped": lambda: Detangle("detangle-helped", helped=True),
}
