"""What pytest calls where tests are explored, in place of its ordinary call of a test."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from importlib import import_module
from typing import Final

import pytest
from _pytest._code.code import ExceptionChainRepr, ReprEntryNative, ReprTraceback

from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.places import is_library_error
from blkdebug_async.explore.refusals import NotExplorableError
from blkdebug_async.explore.search import Effort, NotDeterministicError
from blkdebug_async.explore.strategies.named import strategy_named
from blkdebug_async.explore.token import TokenError, decode
from blkdebug_async.pytest_plugin.fixtures import Plan
from blkdebug_async.pytest_plugin.job import Job
from blkdebug_async.pytest_plugin.quiet import Quiet
from blkdebug_async.pytest_plugin.summary import ATTRIBUTE, Told
from blkdebug_async.pytest_plugin.wanted import Wanted, async_test, is_given, wanted_of

_GIVEN: Final = "blkdebug_async.pytest_plugin.given"
_JOB: Final = pytest.StashKey[Job | None]()
_TOLD: Final = pytest.StashKey[Told | None]()


class Exploring:
    """Explores the tests that are to be explored.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def check(self, session: pytest.Session) -> None:
        """Look whether what is asked for makes sense.

        Raises:
            pytest.UsageError: It does not.
        """
        token = self._config.getoption("explore_token")
        if token is None or self._config.getoption("collectonly"):
            return
        try:
            decode(token)
        except TokenError as error:
            raise pytest.UsageError(f"--explore-token: {error}") from None
        names = [item.nodeid for item in session.items if _is_explored(item)]
        if len(names) != 1:
            found = f"there are {len(names)}: {', '.join(names[:3])}" if names else "there is none"
            raise pytest.UsageError(f"--explore-token is for one async test, but {found}")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Keep pytest from setting up what each run sets up for itself."""
        __tracebackhide__ = True
        item.stash[_JOB] = item.stash[_TOLD] = None
        try:
            wanted = wanted_of(item)
            if wanted is not None:
                _check(wanted)
        except ValueError as error:
            raise pytest.fail.Exception(str(error), pytrace=False) from None
        if wanted is None or not isinstance(item, pytest.Function):
            return
        function = async_test(item)
        assert function is not None
        if wanted.never:
            item.stash[_TOLD] = Told(why_not=wanted.never)
            return
        job = Job(item, wanted, Plan(item), function)
        job.plan.hold_back()
        if is_given(item):
            import_module(_GIVEN).relax(item)
        item.stash[_JOB] = job

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        """Explore a test.

        Returns:
            None: it is to be called as usual.
        """
        __tracebackhide__ = True
        job = pyfuncitem.stash.get(_JOB, None)
        if job is None:
            return None
        try:
            if library := _other_library(pyfuncitem):
                raise NotExplorableError(f"it runs on {library}")
            error = _explored(job)
        except (NotExplorableError, NotDeterministicError) as refusal:
            if job.wanted.marked:
                job.bare = is_library_error(refusal)
                raise
            job.told = Told(why_not=_in_short(refusal))
            job.plan.let_go()
            return None
        if error is not None:
            raise error
        return True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Say what came of it."""
        report = yield
        job = item.stash.get(_JOB, None)
        told = item.stash.get(_TOLD, None) if job is None else job.told
        if call.when != "call" or told is None:
            return report
        setattr(report, ATTRIBUTE, told.packed())
        if job is not None and (job.text or job.bare) and call.excinfo is not None:
            _add(report, call.excinfo.value, job)
        return report


def _is_explored(item: pytest.Item) -> bool:
    try:
        wanted = wanted_of(item)
    except ValueError:
        return False
    return wanted is not None and not wanted.never


def _check(wanted: Wanted) -> None:
    """Find out early what explore() would complain of.

    Raises:
        ValueError: Something makes no sense.
    """
    strategy_named(wanted.strategy, tokens=wanted.tokens, assume=Assume(wanted.assume))
    Effort(wanted.runs, wanted.seconds, wanted.shrink_runs)


def _other_library(item: pytest.Function) -> str:
    """Name the library other than asyncio on which anyio would run a test; "": there is none."""
    backend = item.funcargs.get("anyio_backend", "asyncio")
    name = backend[0] if isinstance(backend, tuple) else backend
    return "" if name == "asyncio" or item.get_closest_marker("asyncio") else str(name)


def _explored(job: Job) -> BaseException | None:
    __tracebackhide__ = True
    with Quiet(job.item.config) as quiet:
        if not is_given(job.item):
            return job.explore(quiet)
        import_module(_GIVEN).given_anew(job, quiet)
        return None


def _in_short(error: BaseException) -> str:
    return str(error).split("\n", 1)[0].split(": ", 1)[0]


def _add(report: pytest.TestReport, error: BaseException, job: Job) -> None:
    """Put a text below the traceback of a failure, and leave out one of nothing but our own."""
    shown = report.longrepr
    if isinstance(shown, ExceptionChainRepr):
        if job.bare:
            # The text goes on.
            lines = _lines_of(error)[: 1 if job.text else None]
            entry = ReprEntryNative([f"E   {line}\n" for line in lines])
            trace = ReprTraceback([entry], None, style="native")
            shown = report.longrepr = ExceptionChainRepr([(trace, shown.reprcrash, None)])
        if job.text:
            shown.addsection("explored", job.text)
    else:
        report.longrepr = f"{shown}\n\n{job.text}"


def _lines_of(error: BaseException) -> list[str]:
    return "".join(traceback.format_exception_only(error)).splitlines()
