"""Ours: explore(), with any strategy by its name."""

from __future__ import annotations

import time

from benchmarks.bugs.bug import Bug
from benchmarks.explorers.explorer import MOST_STEPS, Budget, Search, in_a_line
from blkdebug_async.explore.explorer import explore
from blkdebug_async.explore.run import Conditions
from blkdebug_async.explore.search import Progress

#: They make the same runs whatever the seed is.
_WITHOUT_CHANCE = ("bounded", "dpor", "fifo")
_CONDITIONS = Conditions(step_limit=MOST_STEPS)


class Ours:
    """This explorer.

    Args:
        name: Of a strategy.
        assume: As explore() has it.
    """

    def __init__(self, name: str, assume: str = "nothing") -> None:
        self.name = name if assume == "nothing" else f"{name}, {assume}"
        self.by_chance = not name.startswith(_WITHOUT_CHANCE)
        self._strategy = name
        self._assume = assume

    def cannot(self, bug: Bug) -> str:
        return ""

    def search(self, bug: Bug, seed: int, budget: Budget, *, twin: bool, shrink: bool) -> Search:
        watch = _Watch()
        report = explore(
            bug.twin if twin else bug.scenario,
            runs=budget.runs,
            seed=seed,
            strategy=self._strategy,
            assume=self._assume,
            seconds=budget.seconds,
            shrink_runs=300 if shrink else 1,
            store=None,
            conditions=_CONDITIONS,
            progress=watch,
        )
        failure = report.failure
        if failure is None:
            took = time.process_time() - watch.began
            return Search("", report.runs, took, report.exhausted, report.proof or "")
        return Search(
            in_a_line(failure.error),
            failure.runs,
            watch.found - watch.began,
            found_deviations=sum(value != 0 for value in failure.found),
            deviations=len(failure.deviations) if shrink else None,
            shrink_runs=failure.shrink_runs,
        )


class _Watch:
    """Hears when the search is over and shrinking begins."""

    def __init__(self) -> None:
        self.began = self.found = time.process_time()

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "exploring" or progress.runs == 1:
            self.found = time.process_time()
