"""The fixtures of one run: those that a run may leave its mark on are made anew in each.

Anew in each run, inside of its event loop, and torn down there: fixtures of function scope; async
fixtures of any scope, which would belong to another loop otherwise; whatever uses one of these; and
the instance of a test class, with its setup_method(). Once, by pytest, as ever: all other fixtures
of a wider scope. A few of pytest's own stay too, and are emptied before each run: see KEPT.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import AsyncGeneratorType
from typing import Final, Never, Protocol, TypeAlias

import pytest
from _pytest.fixtures import FixtureRequest, resolve_fixture_function

from blkdebug_async.explore.fresh import fresh

_Definition: TypeAlias = pytest.FixtureDef[object]
_Generator: TypeAlias = AsyncGeneratorType[object, Never]

_PYTEST_ASYNCIO: Final = "pytest_asyncio.plugin"
#: Put in place of fixtures that pytest is not to set up.
_MISSING: Final = object()


class _Function(Protocol):
    """What makes a fixture."""

    def __call__(self, **kwargs: object) -> object:
        """Make it."""
        ...


#: Fixtures of function scope that pytest makes once all the same. Where somebody has put another
#: one in its place, nobody knows what may be taken away from it, so nothing is.
KEPT: Final = frozenset(
    {
        # Emptied before each run, if pytest's own. The path is the same then, so that runs do not
        # differ by it.
        "tmp_path",
        "caplog",
        "capfd",
        "capfdbinary",
        "capsys",
        "capsysbinary",
        "capteesys",
        # About the test, and not about a run.
        "anyio_backend",
        "record_property",
        "record_xml_attribute",
        "subtests",
    }
)


def _empty(value: object) -> None:
    """Take away what the last run has left in a fixture that is kept."""
    match value:
        case Path():
            for entry in value.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        case pytest.LogCaptureFixture():
            value.clear()
        case pytest.CaptureFixture():
            value.readouterr()


class Anew:
    """Stands for a fixture that each run makes for itself."""

    def __repr__(self) -> str:
        return "<made anew in each run>"


class Plan:
    """Which fixtures of a test are made anew in each run.

    Args:
        item: The test.
    """

    def __init__(self, item: pytest.Function) -> None:
        self.item = item
        self._definitions = item._fixtureinfo.name2fixturedefs
        self._anew: dict[str, bool] = {}
        #: Their names, in the order in which they are to be made.
        self.names = tuple(name for name in item.fixturenames if self.is_anew(name))

    def is_anew(self, name: str) -> bool:
        """Tell whether a fixture is made anew in each run."""
        if name == "request" or name in KEPT:
            return False
        if name not in self._anew:
            # For the sake of fixtures that use one of the same name.
            self._anew[name] = False
            definitions = self.definitions(name)
            self._anew[name] = any(self._is_anew(each) for each in definitions)
        return self._anew[name]

    def definitions(self, name: str) -> Sequence[_Definition]:
        """Give what defines a fixture: the last one is used, and may use the one before."""
        known = self._definitions.get(name)
        if known is None:
            manager = self.item.session._fixturemanager
            known = manager.getfixturedefs(name, self.item) or ()
        return known

    def is_pytests(self, name: str) -> bool:
        """Tell whether a fixture is one that pytest brings, and not another of that name."""
        return all(each.func.__module__.startswith("_pytest.") for each in self.definitions(name))

    def hold_back(self) -> None:
        """Keep pytest from setting up what each run makes for itself."""
        for name in self.names:
            self.item.funcargs[name] = Anew()

    def let_go(self) -> None:
        """Let pytest set up everything, after all."""
        for name in self.names:
            self.item.funcargs.pop(name, None)
        self.item._request._fillfixtures()

    def _is_anew(self, definition: _Definition) -> bool:
        # What it needs to run a test in its own way.
        if definition.func.__module__ == _PYTEST_ASYNCIO:
            return False
        if definition.scope == "function" or is_async(definition):
            return True
        return any(self.is_anew(each) for each in definition.argnames)


def is_async(definition: _Definition) -> bool:
    """Tell whether a fixture must be awaited."""
    func = definition.func
    return inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func)


class RunFixtures:
    """The fixtures of one run.

    Args:
        plan: Which there are.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        item = plan.item
        # setup_method() and its like find the instance by their request.
        self.instance: object = None if item.cls is None else item.cls()
        self._values: dict[_Definition, object] = {}
        self._ends: list[Callable[[], object] | _Generator] = []

    async def set_up(self) -> None:
        """Make all of them, and empty what is kept."""
        funcargs = self.plan.item.funcargs
        for name in KEPT & funcargs.keys():
            if self.plan.is_pytests(name):
                _empty(funcargs[name])
        for name in self.plan.names:
            await self.value(name)

    async def value(self, name: str, above: tuple[str, ...] = ()) -> object:
        """Give the value of a fixture.

        Args:
            name: The fixture.
            above: The fixtures that it is made for, one for the other.
        """
        plan = self.plan
        if not plan.is_anew(name):
            return _kept(plan.item, name)
        definitions = plan.definitions(name)
        # One that uses its own name gets the one that it overrides.
        level = 1 + above.count(name)
        if level > len(definitions):
            raise LookupError(f"fixture {name!r} uses itself")
        definition = definitions[-level]
        if definition not in self._values:
            self._values[definition] = await self._made(definition, (*above, name))
        return self._values[definition]

    async def _made(self, definition: _Definition, above: tuple[str, ...]) -> object:
        request = RunRequest(self, definition, above)
        arguments: dict[str, object] = {}
        for name in definition.argnames:
            arguments[name] = request if name == "request" else await self.value(name, above)
        # RunRequest answers all that is asked of it there.
        function: _Function = resolve_fixture_function(
            definition,
            request,  # type: ignore[arg-type]
        )
        result = function(**arguments)
        if inspect.isasyncgen(result) and inspect.isasyncgenfunction(definition.func):
            self._ends.append(result)
            return await anext(result)
        if inspect.isgenerator(result) and inspect.isgeneratorfunction(definition.func):
            self._ends.append(partial(_finish, result, definition.argname))
            return next(result)
        if inspect.iscoroutine(result) and inspect.iscoroutinefunction(definition.func):
            return await result
        return result

    def value_now(self, name: str, above: tuple[str, ...]) -> object:
        """Give the value of a fixture to whoever cannot wait.

        Raises:
            RuntimeError: It must be waited for.
        """
        making: Coroutine[object, object, object] = self.value(name, above)
        try:
            making.send(None)
        except StopIteration as stop:
            value: object = stop.value
            return value
        making.close()
        raise RuntimeError(
            f"request.getfixturevalue({name!r}) would have to wait inside of a run of an explored "
            "test: take the async fixture as an argument instead"
        )

    def at_end(self, end: Callable[[], object]) -> None:
        """Have something done at the end of the run."""
        self._ends.append(end)

    async def tear_down(self) -> None:
        """End all of them, the last one first.

        Raises:
            BaseException: One of them failed; a group if several did.
        """
        errors: list[BaseException] = []
        while self._ends:
            end = self._ends.pop()
            try:
                if callable(end):
                    end()
                else:
                    await _finish_async(end)
            except GeneratorExit:
                self._ends.append(end)
                raise
            except BaseException as error:
                errors.append(error)
        if len(errors) > 1:
            raise BaseExceptionGroup("fixtures failed to be torn down", errors)
        if errors:
            raise errors[0]

    def abandon(self) -> None:
        """End all of them where nothing can be waited for any more."""
        while self._ends:
            end = self._ends.pop()
            with suppress(Exception, GeneratorExit):
                if callable(end):
                    end()
                else:
                    # As far as it goes at once: its "finally" before the first wait.
                    closing = end.aclose()
                    closing.send(None)
                    closing.close()


def _kept(item: pytest.Function, name: str) -> object:
    found: object = item.funcargs.get(name, _MISSING)
    if found is _MISSING:
        found = item._request.getfixturevalue(name)
    return found


def _finish(generator: Iterator[object], name: str) -> None:
    if next(generator, _MISSING) is not _MISSING:
        raise ValueError(f"fixture {name!r} has more than one yield")


async def _finish_async(generator: _Generator) -> None:
    if await anext(generator, _MISSING) is not _MISSING:
        raise ValueError("an async fixture has more than one yield")


class RunRequest:
    """What a fixture of a run gets as its request; what is not here, pytest's own answers.

    Args:
        run: The fixtures of the run.
        definition: The fixture that asks; None: the test itself.
        above: Its name, after those of the fixtures that it is made for.
    """

    def __init__(
        self, run: RunFixtures, definition: _Definition | None, above: tuple[str, ...]
    ) -> None:
        self._run = run
        self._above = above
        self.instance = run.instance
        self.fixturename = None if definition is None else definition.argname
        self.scope = "function" if definition is None else definition.scope
        callspec = getattr(run.plan.item, "callspec", None)
        if callspec is not None and self.fixturename in callspec.params:
            self.param = fresh(callspec.params[self.fixturename])

    def __getattr__(self, name: str) -> object:
        if name == "param":
            raise AttributeError(f"{self.fixturename!r} has no parameter")
        request: FixtureRequest = self._run.plan.item._request
        found: object = getattr(request, name)
        return found

    def addfinalizer(self, finalizer: Callable[[], object]) -> None:
        """Have something done at the end of the run."""
        self._run.at_end(finalizer)

    def getfixturevalue(self, argname: str) -> object:
        """Give the value of a fixture, made for this run if need be."""
        return self._run.value_now(argname, self._above)
