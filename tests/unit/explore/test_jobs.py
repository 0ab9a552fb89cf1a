from __future__ import annotations

import importlib
import itertools
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import (
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
)
from functools import partial
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Lock, active_count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.bugs.bug import Bug
from benchmarks.bugs.registry import BUGS
from blkdebug_async.explore import (
    Conditions,
    NotDeterministicError,
    Progress,
    Report,
    Scenario,
    explore,
    replay,
)
from blkdebug_async.explore.batches import JobsError, NotPortableError
from blkdebug_async.explore.careful import RunDiedError
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.dpor import Dpor
from blkdebug_async.explore.strategies.fifo import Fifo
from blkdebug_async.explore.strategies.pct import Pct
from blkdebug_async.explore.strategies.portfolio import Portfolio
from blkdebug_async.explore.strategies.replay import Values
from blkdebug_async.explore.strategies.strategy import Endless, Strategy
from tests.unit.explore import portable

# Processes take their time to start.
pytestmark = pytest.mark.slow

NAMES = ("auto", "random", "pct", "pos", "bounded", "bounded:1", "fifo", "dpor")


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        yield pool


class Scrambled(Executor):
    """Gives answers in another order than it was asked, after losing some.

    Args:
        pool: Who makes them.
        seed: Of the order.
        losses: How many are lost at first.
        breaks: After how many it breaks; None: never.
    """

    def __init__(
        self, pool: Executor, seed: int, *, losses: int = 0, breaks: int | None = None
    ) -> None:
        self._pool = pool
        self._chance = random.Random(seed)
        self._losses = losses
        self._breaks = breaks
        self._lock = Lock()
        self._asked: list[tuple[Future[Any], Future[Any]]] = []

    def submit(self, call: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        with self._lock:
            if self._breaks == 0:
                raise BrokenExecutor("out of order")
            self._breaks = None if self._breaks is None else self._breaks - 1
            made = self._pool.submit(call, *args, **more)
            self._asked.append((future, made))
        made.add_done_callback(lambda _: self._answer())
        return future

    def _answer(self) -> None:
        with self._lock:
            over = [pair for pair in self._asked if pair[1].done()]
            if not over:
                return
            pair = self._chance.choice(over)
            self._asked.remove(pair)
            # The first one says whether it works at all.
            lost = self._losses > 0 and len(self._asked) > 0
            self._losses -= lost
        future, made = pair
        if lost:
            future.set_exception(RuntimeError("the worker has gone"))
        else:
            future.set_result(made.result())


def workers() -> list[BaseProcess]:
    return [each for each in active_children() if each.name == "blkdebug-async explore"]


def facts(report: Report) -> list[object]:
    """Give all of a report that does not hang on the machine."""
    failure = report.failure
    told = (
        None
        if failure is None
        else (
            failure.token,
            failure.runs,
            failure.values,
            failure.found,
            failure.shrink_runs,
            failure.shrunk,
            failure.timeline.moments,
            type(failure.error),
            str(failure.error),
        )
    )
    return [
        told,
        report.runs,
        report.steps,
        report.distinct,
        report.exhausted,
        report.proof,
        report.cut,
        report.newness,
        report.reached,
    ]


# --- the law: the same as by one process ---


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("bug", BUGS[::9], ids=lambda bug: bug.name)
def test_a_bug_is_found_in_the_same_run_as_by_one_process(
    bug: Bug, seed: int, pool: ProcessPoolExecutor
) -> None:
    for strategy in ("auto", NAMES[1 + seed % 4]):
        explored = partial(explore, bug.scenario, store=None, seed=seed, strategy=strategy)
        reports = [explored(runs=300, shrink_runs=3, jobs=jobs) for jobs in (1, pool)]
        assert facts(reports[0]) == facts(reports[1])


@settings(max_examples=25)
@given(
    st.sampled_from([portable.failing, portable.steady, portable.reaching, portable.too_long]),
    st.sampled_from(NAMES),
    st.integers(0, 9),
    st.integers(1, 150),
    st.integers(0, 3),
)
def test_whatever_the_order_of_answers_the_report_is_that_of_one_process(
    pool: ProcessPoolExecutor,
    scenario: Scenario,
    strategy: str,
    seed: int,
    runs: int,
    losses: int,
) -> None:
    conditions = Conditions(step_limit=30)
    reports = [
        explore(
            scenario,
            store=None,
            seed=seed,
            strategy=strategy,
            runs=runs,
            shrink_runs=5,
            conditions=conditions,
            jobs=jobs,
        )
        for jobs in (1, Scrambled(pool, seed, losses=losses))
    ]
    assert facts(reports[0]) == facts(reports[1])


@pytest.mark.parametrize("strategy", NAMES)
def test_processes_of_our_own_report_what_one_process_reports(strategy: str) -> None:
    reports = [
        explore(portable.failing, store=None, strategy=strategy, runs=120, jobs=jobs)
        for jobs in (1, 2)
    ]
    assert facts(reports[0]) == facts(reports[1])


def mixed(seed: int) -> Strategy:
    """Some of its runs must be made in this process."""
    return Portfolio([Fifo()], [Bounded(2), Dpor(), Pct(seed)])


@pytest.mark.parametrize("scenario", [portable.failing, portable.steady])
def test_runs_that_are_made_here_come_in_their_turn(
    scenario: Scenario, pool: ProcessPoolExecutor
) -> None:
    reports = [
        explore(scenario, store=None, strategy=mixed(1), runs=150, jobs=jobs) for jobs in (1, pool)
    ]
    assert facts(reports[0]) == facts(reports[1])


def test_a_scenario_may_be_given_by_its_name() -> None:
    name = f"{portable.__name__}:steady"
    report = explore(name, store=None, strategy="bounded:1", jobs=2)
    wanted = explore(portable.steady, store=None, strategy="bounded:1")
    assert facts(report) == facts(wanted)


# --- what runs raise ---


def test_an_error_that_cannot_be_sent_is_reported_as_it_is(pool: ProcessPoolExecutor) -> None:
    failure = explore(portable.strange_error, store=None, jobs=pool).failure
    assert failure is not None
    assert isinstance(failure.error, portable.Unpicklable)


@pytest.mark.parametrize("strategy", ["random", "dpor"])
def test_what_is_passed_on_is_raised_here(strategy: str, pool: ProcessPoolExecutor) -> None:
    conditions = Conditions(passed_on=(portable.GivenUpError,))
    for jobs in (1, pool):
        with pytest.raises(portable.GivenUpError):
            explore(
                portable.giving_up, store=None, strategy=strategy, conditions=conditions, jobs=jobs
            )


class FailsThenSkips(Endless):
    """A run that anybody may make, which fails, then one that is made here, which is skipped."""

    @property
    def serial(self) -> bool:  # type: ignore[override]
        return self._made > 0

    def __init__(self) -> None:
        self._made = 0

    def scheduler(self, number: int) -> Values:
        self._made += 1
        return Values([min(self._made, 2)])


def test_what_skips_here_is_not_raised_before_its_turn(pool: ProcessPoolExecutor) -> None:
    for jobs in (1, pool):
        report = explore(
            portable.failing_or_skipping, store=None, strategy=FailsThenSkips(), jobs=jobs
        )
        assert report.failure is not None
        assert report.runs == 1


def test_an_exit_is_raised_here(pool: ProcessPoolExecutor) -> None:
    with pytest.raises(SystemExit, match="no more of this"):
        explore(portable.leaving, store=None, jobs=pool)


def test_what_fails_only_elsewhere_is_not_deterministic(
    pool: ProcessPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(portable.HOME, str(os.getpid()))
    failure = explore(portable.homesick, store=None, jobs=pool).failure
    assert failure is not None
    assert isinstance(failure.error, NotDeterministicError)
    assert "AssertionError" in str(failure.error)


# --- workers that die ---


@pytest.mark.parametrize(
    ("scenario", "how"),
    [(portable.exiting, "it ended with status 3"), (portable.killed, "it was killed by SIGKILL")],
)
def test_a_run_that_ends_its_process_is_a_failure_with_a_token(
    scenario: Scenario, how: str
) -> None:
    report = explore(scenario, store=None, jobs=2, strategy="random", seed=2)
    failure = report.failure
    assert failure is not None
    assert isinstance(failure.error, RunDiedError)
    assert how in str(failure.error)
    # Up to the step that ends it, these are the same.
    harmless = replay(portable.steady, failure.token)
    assert harmless.divergences == ()
    values = harmless.run.values[: len(failure.values)]
    assert values == failure.values
    assert failure.timeline.moments == harmless.timeline.moments[: len(failure.timeline.moments)]
    assert failure.runs == report.runs > 1


def test_a_process_that_ends_before_anything_happens_is_a_failure_too() -> None:
    failure = explore(portable.dies_at_once, store=None, jobs=1 + 1).failure
    assert failure is not None
    assert (failure.values, failure.timeline.moments, failure.runs) == ((), (), 1)
    assert "it ended with status 4" in str(failure.error)


def test_what_was_chosen_in_the_step_that_ends_the_process_is_told() -> None:
    failure = explore(portable.dies_by_choice, store=None, jobs=2, strategy="bounded").failure
    assert failure is not None
    assert [(each.key, each.value) for each in failure.deviations] == [("good", 1), ("bad", 2)]


def test_a_failure_before_a_run_that_ends_its_process_is_the_one_that_is_reported() -> None:
    wanted = explore(portable.failing_or_dying, store=None, strategy="bounded", runs=3)
    report = explore(portable.failing_or_dying, store=None, strategy="bounded", jobs=2)
    assert facts(report) == facts(wanted)
    assert report.failure is not None


def test_a_worker_that_is_killed_costs_no_run() -> None:
    wanted = explore(portable.steady, store=None, strategy="random", runs=1500)
    killed = 0

    def kill_one(progress: Progress) -> None:
        nonlocal killed
        if killed < 3 and progress.runs > 10 * killed:
            process = workers()[0]
            process.kill()
            process.join()
            killed += 1

    report = explore(
        portable.steady, store=None, strategy="random", runs=1500, jobs=2, progress=kill_one
    )
    assert killed
    assert facts(report) == facts(wanted)


def test_an_executor_that_breaks_is_replaced(pool: ProcessPoolExecutor) -> None:
    wanted = explore(portable.failing, store=None, strategy="random", seed=4)
    with pytest.warns(RuntimeWarning, match="out of order"):
        report = explore(
            portable.failing,
            store=None,
            strategy="random",
            seed=4,
            jobs=Scrambled(pool, 1, breaks=3),
        )
    assert facts(report) == facts(wanted)


def test_a_run_that_breaks_an_executor_is_a_failure() -> None:
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as pool,
        pytest.warns(RuntimeWarning, match="BrokenProcessPool"),
    ):
        failure = explore(portable.exiting, store=None, strategy="random", jobs=pool).failure
    assert failure is not None
    assert isinstance(failure.error, RunDiedError)


# --- what cannot be ---


@pytest.mark.parametrize("jobs", [0, -1])
def test_nobody_makes_no_runs(jobs: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, and not {jobs}"):
        explore(portable.steady, store=None, jobs=jobs)


def test_a_scenario_without_a_name_is_refused_before_anything_starts() -> None:
    async def local() -> None:
        pass

    for scenario in (local, lambda: local()):
        with pytest.raises(NotPortableError, match="Make it a function at the top of a module"):
            explore(scenario, store=None, jobs=2)
    assert workers() == []


def test_threads_are_refused() -> None:
    with (
        ThreadPoolExecutor(2) as pool,
        pytest.raises(JobsError, match="in this very process"),
    ):
        explore(portable.steady, store=None, jobs=pool)


def test_an_executor_that_is_of_no_use_is_refused() -> None:
    pool = ProcessPoolExecutor(1)
    pool.shutdown()
    with pytest.raises(JobsError, match="after shutdown"):
        explore(portable.steady, store=None, jobs=pool)


def test_a_scenario_that_workers_cannot_load_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "only_here.py"
    path.write_text("async def scenario(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("only_here")
    path.unlink()
    with pytest.raises(JobsError, match="No module named 'only_here'"):
        explore(module.scenario, store=None, jobs=2)
    assert workers() == []


# --- the end ---


def test_nothing_is_left_afterwards() -> None:
    threads = active_count()
    explore(portable.failing, store=None, jobs=2)
    assert workers() == []
    assert active_count() == threads


def test_time_is_up_also_where_a_run_never_ends() -> None:
    report = explore(portable.sometimes_endless, store=None, jobs=2, strategy="random", seconds=1)
    assert report.failure is None
    assert workers() == []


def test_it_stops_when_told() -> None:
    asked = itertools.count()
    report = explore(
        portable.steady, store=None, strategy="random", jobs=2, stop=lambda: next(asked) > 20
    )
    assert report.runs < 2000
    assert workers() == []


SCRIPT = """
import sys
from blkdebug_async.explore import explore
from tests.unit.explore import portable

if __name__ == "__main__":
    explore(portable.endless, store=None, jobs=2, progress=print)
"""


def test_an_interrupt_ends_workers_too(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        # They are at work then.
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        # There is no end to this before nobody is left who could write.
        _, errors = process.communicate(timeout=20)
    assert errors.count("KeyboardInterrupt") == 1
    assert process.returncode == -signal.SIGINT
