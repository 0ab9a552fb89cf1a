"""Exploring one test: its runs, the error to raise, and what is said of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Final

import pytest

from blkdebug_async.explore.control import Example, example_here
from blkdebug_async.explore.explorer import STORE, explore, replay
from blkdebug_async.explore.places import is_library_error
from blkdebug_async.explore.refusals import NotExplorableError
from blkdebug_async.explore.report import ExplorationError, Failure, Report
from blkdebug_async.explore.run import Conditions, kind_of
from blkdebug_async.explore.search import NotDeterministicError
from blkdebug_async.explore.stored import Stored
from blkdebug_async.pytest_plugin.fixtures import Plan
from blkdebug_async.pytest_plugin.quiet import Quiet
from blkdebug_async.pytest_plugin.scenario import TestScenario
from blkdebug_async.pytest_plugin.summary import Told
from blkdebug_async.pytest_plugin.wanted import AsyncTest, Wanted
from blkdebug_async.report.files import write_files
from blkdebug_async.report.text import text_report

_TIMED_OUT: Final = "pytest-timeout"


class _TimedOut(type):
    """Says that what pytest-timeout raises is an instance; it has no class of its own."""

    def __instancecheck__(cls, error: object) -> bool:
        return isinstance(error, pytest.fail.Exception) and _TIMED_OUT in str(error)


class _TimedOutError(BaseException, metaclass=_TimedOut):
    """What pytest-timeout raises, wherever a run stands."""


#: What is no failure of a run, but is meant for pytest or for us.
_PASSED_ON: Final = (NotExplorableError, _TimedOutError)


class _Stop:
    """Says when everything must end, shrinking too.

    Args:
        seconds: So many from now on; None: never.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = None if seconds is None else perf_counter() + seconds

    def __call__(self) -> bool:
        return self._end is not None and perf_counter() >= self._end


@dataclass(slots=True)
class Job:
    """One test that is explored."""

    item: pytest.Function
    wanted: Wanted
    plan: Plan
    #: The test as it was defined.
    function: AsyncTest
    #: What the end says of it.
    told: Told = field(default_factory=Told)
    #: What is to be read below the traceback of a failure.
    text: str = ""
    #: Whether the traceback of its error has no line of the test, so that it says nothing.
    bare: bool = False
    #: What sometimes() named, and whether it was true in any run.
    _reached: dict[str, bool] = field(default_factory=dict)

    def explore(
        self, quiet: Quiet, drawn: Mapping[str, object] | None = None
    ) -> BaseException | None:
        """Explore the test, and give the error of the simplest run that fails; None: none did.

        Args:
            quiet: Hears of each run.
            drawn: Arguments that Hypothesis has drawn; None: it has nothing to do with it.

        Raises:
            NotExplorableError: That cannot be done.
            NotDeterministicError: The same decisions do not make the same run.
        """
        scenario = TestScenario(self.plan, self.function, quiet)
        scenario.drawn = drawn or {}
        if self.wanted.token is not None:
            return self._replayed(scenario, self.wanted.token)
        return self._explored(scenario, example=drawn is not None)

    def _explored(self, scenario: TestScenario, *, example: bool) -> BaseException | None:
        wanted = self.wanted
        report = explore(
            scenario,
            runs=wanted.example_runs if example else wanted.runs,
            # How long it takes must not change what is found in an example.
            seconds=None if example else wanted.seconds,
            seed=wanted.seed,
            strategy=wanted.strategy,
            assume=wanted.assume,
            shrink_runs=wanted.shrink_runs,
            tokens=wanted.tokens,
            store=self._store(),
            conditions=self._conditions(),
            stop=None if example else _Stop(wanted.most_seconds),
        )
        self._hear(report, drawn=example)
        if report.endless:
            limit = f"in {wanted.step_limit} steps, which step_limit= changes"
            raise NotExplorableError(f"no run of it came to an end {limit}")
        if report.failure is None:
            return None if example else self.never_happened()
        if isinstance(report.failure.error, NotDeterministicError):
            raise report.failure.error
        if example_here() is Example.SEARCHED:
            return self._bared(report.failure.error)
        return self._told_of(report.failure, scenario)

    def _hear(self, report: Report, *, drawn: bool) -> None:
        told = self.told
        self.told = replace(
            told,
            runs=told.runs + report.runs,
            steps=told.steps + report.steps,
            exhausted=report.whole and (told.exhausted or not told.runs),
            proof="" if drawn else report.proof or "",
            cut=told.cut + report.cut,
        )
        for name, reached in report.reached.items():
            self._reached[name] = reached or self._reached.get(name, False)

    def never_happened(self) -> BaseException | None:
        """Give an error if something never happened that must happen in some run."""
        never = [name for name, reached in self._reached.items() if not reached]
        if not never:
            return None
        names = ", ".join(map(repr, never))
        return ExplorationError(f"never happened, in all {self.told.runs} runs: {names}")

    def _told_of(self, failure: Failure, scenario: TestScenario) -> BaseException:
        """Keep what is to be said of a failure, and make it last, so that its output is the last.

        Returns:
            Its error.
        """
        again = replay(scenario, failure.values, conditions=self._conditions()).error
        error = failure.error
        if again is not None and kind_of(again) == kind_of(error):
            error = again
        self.told = replace(self.told, command=self._command(failure.token))
        self._tell(failure)
        return self._bared(error)

    def _tell(self, failure: Failure, *above: str) -> None:
        """Say of a failure what is to be said, here and in files."""
        again = self._command("{token}")
        lines = [*above, text_report(failure, again=again), *self._filed(failure, again)]
        self.text = "\n".join([self.text, "", *lines] if self.text else lines)

    def _filed(self, failure: Failure, again: str) -> Iterator[str]:
        """Write files about a failure, and say which."""
        folder: str | None = self.item.config.getoption("explore_report")
        if folder is None:
            return
        try:
            written = write_files(failure, folder, self.item.nodeid, again=again)
        except OSError as error:
            yield f"no files in {folder}: {error}"
        else:
            yield from (f"written: {path}" for path in written)

    def _replayed(self, scenario: TestScenario, token: str) -> BaseException | None:
        replayed = replay(scenario, token, conditions=self._conditions())
        told = self.told
        steps = told.steps + len(replayed.timeline.moments)
        lines = [f"the replay diverged: {each}" for each in replayed.divergences]
        failure = replayed.failure()
        if failure is None:
            lines.append(f"the run of {token} passes now")
            self.told = replace(told, runs=told.runs + 1, steps=steps, notes="\n".join(lines))
            return None
        self.told = replace(told, runs=told.runs + 1, steps=steps, command=self._command(token))
        self._tell(replace(failure, token=token), *lines)
        return self._bared(failure.error)

    def _bared(self, error: BaseException) -> BaseException:
        """Let the traceback of an error begin in the test, if that is in it."""
        code = getattr(self.function, "__code__", None)
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code is not code:
            trace = trace.tb_next
        self.bare = trace is None and is_library_error(error)
        return error if trace is None else error.with_traceback(trace)

    def _conditions(self) -> Conditions:
        wanted = self.wanted
        return Conditions(
            step_limit=wanted.step_limit,
            may_leave=wanted.may_leave,
            timers_last=wanted.timers_last,
            atomic_unit=wanted.atomic_unit,
            passed_on=_PASSED_ON,
        )

    def _store(self) -> Stored | None:
        config = self.item.config
        if config.getoption("no_explore_store"):
            return None
        folder = config.rootpath / (config.getoption("explore_store") or STORE)
        return Stored(folder, self.item.nodeid)

    def _command(self, token: str) -> str:
        """Give the words of the shell that make a run again."""
        config = self.item.config
        file, colons, name = self.item.nodeid.partition("::")
        # Names of tests begin at the root folder, what is typed where one is.
        file = os.path.relpath(config.rootpath / file, config.invocation_params.dir)
        return f"{shlex.join(['pytest', file + colons + name])} --explore-token={token}"
