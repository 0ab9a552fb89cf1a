"""One test as a scenario: each run sets up its fixtures, calls the test, and tears them down."""

from __future__ import annotations

import inspect
import unittest
from collections.abc import Coroutine, Iterator, Mapping
from types import MethodType
from typing import Final

import pytest

from blkdebug_async.explore.fresh import fresh
from blkdebug_async.explore.refusals import NotExplorableError
from blkdebug_async.pytest_plugin.fixtures import Plan, RunFixtures, RunRequest
from blkdebug_async.pytest_plugin.quiet import Quiet
from blkdebug_async.pytest_plugin.wanted import AsyncTest

#: What says that a run, or a test, is not meant to be made.
_SKIPS: Final = (pytest.skip.Exception, unittest.SkipTest)


class TestScenario:
    """Makes the coroutine of each run.

    Args:
        plan: Which fixtures a run makes for itself.
        function: The test, as it was defined.
        quiet: Hears of each run's beginning and end.
    """

    __test__ = False

    def __init__(self, plan: Plan, function: AsyncTest, quiet: Quiet) -> None:
        self._plan = plan
        self._function = function
        self._quiet = quiet
        self._names = plan.item._fixtureinfo.argnames
        #: Arguments besides the fixtures.
        self.drawn: Mapping[str, object] = {}
        #: How many runs there were.
        self.runs = 0
        #: How many of them skipped themselves.
        self.skipped = 0

    def __call__(self) -> Coroutine[object, object, None]:
        self._quiet.begin_run()
        self.runs += 1
        return self._run(first=self.runs == 1)

    async def _run(self, *, first: bool) -> None:
        fixtures = RunFixtures(self._plan)
        try:
            await self._with_fixtures(fixtures)
            self._quiet.check()
        except _SKIPS:
            # The first run speaks for the test, the others for themselves.
            if first:
                raise
            self.skipped += 1
        except GeneratorExit:
            raise
        except BaseException as error:
            if (refusal := refusal_in(error)) is not None:
                raise refusal from None
            raise
        finally:
            fixtures.abandon()

    async def _with_fixtures(self, fixtures: RunFixtures) -> None:
        try:
            await fixtures.set_up()
            await self._test(fixtures)
        except GeneratorExit:
            raise
        except BaseException as error:
            try:
                await fixtures.tear_down()
            except GeneratorExit:
                raise
            except BaseException as another:
                error.add_note(f"Then a fixture failed to be torn down: {another!r}")
            raise
        await fixtures.tear_down()

    async def _test(self, fixtures: RunFixtures) -> None:
        arguments = {name: fresh(value) for name, value in self.drawn.items()}
        for name in self._names:
            if name == "request":
                arguments[name] = RunRequest(fixtures, None, ())
            else:
                arguments[name] = await fixtures.value(name)
        await self._bound(fixtures.instance)(**arguments)

    def _bound(self, instance: object) -> AsyncTest:
        item = self._plan.item
        if item.cls is None:
            return self._function
        bound: AsyncTest
        match inspect.getattr_static(item.cls, item.originalname):
            case staticmethod():
                return self._function
            case classmethod():
                bound = MethodType(self._function, item.cls)
            case _:
                bound = MethodType(self._function, instance)
        return bound


def refusal_in(error: BaseException) -> NotExplorableError | None:
    """Find out whether an error came from something that cannot be explored."""
    return next((each for each in _all_of(error) if isinstance(each, NotExplorableError)), None)


def _all_of(error: BaseException) -> Iterator[BaseException]:
    """Give an error, those in it if it is a group, and those that it came from."""
    waiting, seen = [error], {id(error)}
    while waiting:
        each = waiting.pop()
        yield each
        inner = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        for other in (*inner, each.__cause__, each.__context__):
            if other is not None and id(other) not in seen:
                seen.add(id(other))
                waiting.append(other)
