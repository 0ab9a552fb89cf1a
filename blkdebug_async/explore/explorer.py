"""Many runs of one scenario, the simplest one that fails, and one run made again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import Final

from blkdebug_async.explore.collecting import collecting_between_runs
from blkdebug_async.explore.control import Example, example_here
from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.report import Failure, Replayed, Report
from blkdebug_async.explore.run import Conditions, Scenario, chance_kept, run_once
from blkdebug_async.explore.scenarios import NamedScenario, scenario_named
from blkdebug_async.explore.search import Effort, Progress, Search
from blkdebug_async.explore.stored import Stored
from blkdebug_async.explore.strategies.named import strategy_named
from blkdebug_async.explore.strategies.replay import Deviations, Values
from blkdebug_async.explore.strategies.strategy import Strategy
from blkdebug_async.explore.token import decode

#: Where tokens of failures are kept, unless somebody says otherwise.
STORE: Final = ".explore"


def explore(  # noqa: PLR0913  all but the first are named
    scenario: Scenario | str,
    *,
    runs: int = 2000,
    seed: int = 0,
    strategy: str | Strategy = "auto",
    assume: Assume | str = Assume.NOTHING,
    seconds: float | None = None,
    shrink_runs: int = 300,
    sometimes: Sequence[str] = (),
    tokens: Sequence[str] = (),
    store: str | os.PathLike[str] | Stored | None = STORE,
    conditions: Conditions | None = None,
    jobs: int | Executor = 1,
    progress: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Report:
    """Run a scenario under many schedules, and report the simplest one that fails.

    Args:
        scenario: Makes a fresh coroutine for each run; deterministic but for what the loop
            decides. Or its name, as "module:function" or "path/to/file.py:function".
        runs: Most runs to make, >= 1.
        seed: The same seed makes the same runs.
        strategy: One of strategies.named.NAMES; or an object, which is given no seed and tokens.
        assume: What tasks may share unseen: anything, or the disk only ("disk-only"). See dpor.
        seconds: Most seconds to take; None: any time.
        shrink_runs: Most runs to make a failure simpler with.
        sometimes: What must happen in some run, besides what scenarios name by sometimes().
        tokens: Of runs that failed once, to be tried first.
        store: Folder where tokens of failures are kept, under the scenario's name; None: nowhere.
        conditions: What holds for every run.
        jobs: In how many processes, or by which executor, to make runs; the report is the same.
        progress: Called some ten times a second.
        stop: Asked between runs: True ends it all, and what is known then is reported.

    Raises:
        ValueError: No such strategy, scenario or token, or one that no process can be told of.
        RuntimeError: A coroutine called it.
    """
    scenario = _found(scenario, "explore")
    stored = _stored(store, scenario)
    if isinstance(strategy, str):
        tokens = (*tokens, *stored.tokens())
        strategy = strategy_named(strategy, seed=seed, tokens=tokens, assume=Assume(assume))
    effort = Effort(runs, seconds, _here(shrink_runs), jobs, stop)
    search = Search(scenario, strategy, conditions or Conditions(), effort, progress)
    report = search.report(sometimes)
    _keep(stored, report.failure)
    return report


def replay(
    scenario: Scenario | str,
    token: str | Sequence[int],
    *,
    conditions: Conditions | None = None,
) -> Replayed:
    """Make one run again.

    Args:
        scenario: As explore() had it; it may have been edited since.
        token: A token, or a list of integers.
        conditions: As explore() had them.

    Raises:
        TokenError: It is no token.
        ScenarioError: There is no scenario of that name.
        RuntimeError: A coroutine called it.
    """
    scenario = _found(scenario, "replay")
    scheduler = Deviations(decode(token)) if isinstance(token, str) else Values(token)
    with collecting_between_runs(), chance_kept():
        outcome = run_once(scenario, scheduler, conditions, traced=True)
    divergences = scheduler.divergences if isinstance(scheduler, Deviations) else ()
    assert outcome.timeline is not None
    return Replayed(outcome.error, outcome.run, outcome.timeline, divergences)


def _found(scenario: Scenario | str, function: str) -> Scenario:
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            f"{function}() has event loops of its own, and cannot be called where one is running: "
            f"call it from plain code, or by asyncio.to_thread()"
        )
    return scenario_named(scenario) if isinstance(scenario, str) else scenario


def _here(shrink_runs: int) -> int:
    # Examples of Hypothesis' are made simpler when it shows them.
    return 0 if example_here() is Example.SEARCHED else shrink_runs


def _keep(stored: Stored, failure: Failure | None) -> None:
    if failure is None:
        return
    # Where that cannot be, the token is in the report all the same.
    with suppress(OSError):
        stored.keep(failure.token)


def _stored(store: str | os.PathLike[str] | Stored | None, scenario: Scenario) -> Stored:
    # Each example is to fail always or never, whatever was found in another one.
    if example_here() is not None:
        return Stored(None, "")
    return store if isinstance(store, Stored) else Stored(store, _name(scenario))


def _name(scenario: Scenario) -> str:
    if isinstance(scenario, NamedScenario):
        scenario = scenario.function
    while isinstance(scenario, partial):
        scenario = scenario.func
    module = getattr(scenario, "__module__", "")
    return f"{module}.{getattr(scenario, '__qualname__', repr(type(scenario)))}"
