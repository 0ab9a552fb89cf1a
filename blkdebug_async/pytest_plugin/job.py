"""Exploring one test: its runs, the error to raise, and what is said of it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import pytest
from _pytest.outcomes import XFailed

from blkdebug_async.explore.explorer import STORE, explore, replay
from blkdebug_async.explore.refusals import NotExplorableError
from blkdebug_async.explore.report import Failure, Replayed
from blkdebug_async.explore.run import Conditions, kind_of
from blkdebug_async.explore.search import NotDeterministicError
from blkdebug_async.explore.stored import Stored
from blkdebug_async.pytest_plugin.fixtures import Plan
from blkdebug_async.pytest_plugin.quiet import Quiet
from blkdebug_async.pytest_plugin.scenario import TestScenario
from blkdebug_async.pytest_plugin.summary import Told
from blkdebug_async.pytest_plugin.wanted import AsyncTest, Wanted
from blkdebug_async.report.text import text_report

_TIMED_OUT: Final = "pytest-timeout"


class _TimedOut(type):
    """Says that what pytest-timeout raises is an instance; it has no class of its own."""

    def __instancecheck__(cls, error: object) -> bool:
        return isinstance(error, pytest.fail.Exception) and _TIMED_OUT in str(error)


class _TimedOutError(BaseException, metaclass=_TimedOut):
    """What pytest-timeout raises, wherever a run stands."""


#: What is no failure of a run, but is meant for pytest or for us.
_PASSED_ON: Final = (
    pytest.skip.Exception,
    XFailed,
    pytest.exit.Exception,
    NotExplorableError,
    _TimedOutError,
)


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
    #: What keeps it from being explored; None: nothing yet.
    refused: NotExplorableError | NotDeterministicError | None = None
    #: Whether the traceback of its error has no line of the test, so that it says nothing.
    bare: bool = False

    def explore(self, quiet: Quiet) -> BaseException | None:
        """Explore the test, and give the error of the simplest run that fails; None: none did.

        Raises:
            NotExplorableError: That cannot be done.
            NotDeterministicError: The same decisions do not make the same run.
        """
        scenario = TestScenario(self.plan, self.function, quiet)
        if self.wanted.token is not None:
            return self._replayed(scenario, self.wanted.token)
        return self._explored(scenario)

    def explore_example(self, quiet: Quiet, drawn: Mapping[str, object], *, last: bool) -> None:
        """Explore the test on what Hypothesis has drawn, in the same runs each time.

        Args:
            quiet: Hears of each run.
            drawn: Arguments.
            last: Whether Hypothesis only wants to show a failure that it has found.

        Raises:
            BaseException: Some run did. What keeps it from being explored is refused instead.
        """
        scenario = TestScenario(self.plan, self.function, quiet)
        scenario.drawn = drawn
        try:
            if self.wanted.token is not None:
                error = self._replayed(scenario, self.wanted.token)
            else:
                error = self._explored(scenario, example=True, last=last)
        except (NotExplorableError, NotDeterministicError) as refusal:
            # Simpler examples of that are of no use.
            self.refused = refusal
            return
        if error is not None:
            raise error

    def _explored(
        self, scenario: TestScenario, *, example: bool = False, last: bool = True
    ) -> BaseException | None:
        wanted = self.wanted
        report = explore(
            scenario,
            runs=wanted.example_runs if example else wanted.runs,
            # How long it takes must not change what is found in an example.
            seconds=None if example else wanted.seconds,
            seed=wanted.seed,
            strategy=wanted.strategy,
            assume=wanted.assume,
            shrink_runs=wanted.shrink_runs if last else 0,
            store=Stored(None if example else self._store(), self.item.nodeid),
            conditions=self._conditions(),
        )
        told = self.told
        exhausted = report.exhausted and (told.exhausted or not told.runs)
        runs, steps = told.runs + report.runs, told.steps + report.steps
        self.told = replace(told, runs=runs, steps=steps, exhausted=exhausted)
        if report.failure is None:
            return None
        if isinstance(report.failure.error, NotDeterministicError):
            raise report.failure.error
        return self._told_of(report.failure, scenario) if last else report.failure.error

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
        text = text_report(failure, again=self._command("{token}"))
        self.text = f"{self.text}\n\n{text}" if self.text else text
        return error

    def _replayed(self, scenario: TestScenario, token: str) -> BaseException | None:
        replayed = replay(scenario, token, conditions=self._conditions())
        steps = len(replayed.timeline.moments)
        self.told = replace(self.told, runs=self.told.runs + 1, steps=self.told.steps + steps)
        self.text += _text_of(replayed)
        return replayed.error

    def _conditions(self) -> Conditions:
        wanted = self.wanted
        return Conditions(
            step_limit=wanted.step_limit,
            may_leave=wanted.may_leave,
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


def _text_of(replayed: Replayed) -> str:
    return "\n".join(f"The replay diverged: {each}" for each in replayed.divergences)
