"""Tests with Hypothesis: it draws what a test works on, and each example is explored.

Imported only where a test uses Hypothesis.
"""

from __future__ import annotations

import functools
from typing import Final, Protocol

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.strategies import DataObject

from blkdebug_async.explore.drawn import SameDraws
from blkdebug_async.explore.refusals import NotExplorableError
from blkdebug_async.explore.search import NotDeterministicError
from blkdebug_async.pytest_plugin.job import Job
from blkdebug_async.pytest_plugin.quiet import Quiet

#: Where Hypothesis keeps the settings of a test; its own plugin changes them here too.
_SETTINGS: Final = "_hypothesis_internal_use_settings"


class _Handle(Protocol):
    """What Hypothesis puts on a test."""

    #: What is called with what was drawn.
    inner_test: object


def relax(item: pytest.Function) -> None:
    """Take away what makes no sense where each example takes many runs.

    An example takes as long as its runs take, and fixtures are made anew in each. To explain a
    failure Hypothesis compares the lines that are executed, above all those of exploring itself.
    """
    test = getattr(item.obj, "__func__", item.obj)
    known: settings = getattr(test, _SETTINGS, None) or settings()
    needless = {HealthCheck.function_scoped_fixture, HealthCheck.differing_executors}
    relaxed = settings(
        known,
        deadline=None,
        phases=[phase for phase in known.phases if phase is not Phase.explain],
        suppress_health_check={*known.suppress_health_check, *needless},
    )
    setattr(test, _SETTINGS, relaxed)


def given_anew(job: Job, quiet: Quiet) -> None:
    """Have Hypothesis draw examples, and explore each.

    Raises:
        NotExplorableError: Some example cannot be explored.
        NotDeterministicError: Some example does not make the same run of the same decisions.
        BaseException: What Hypothesis raises: the error of an example's failing run, above all.
    """
    __tracebackhide__ = True
    item = job.item
    names = item._fixtureinfo.argnames
    refusals: list[Exception] = []

    @functools.wraps(job.function)
    def example(*_: object, **arguments: object) -> None:
        __tracebackhide__ = True
        drawn = {
            name: _same(value)
            for name, value in arguments.items()
            # Each run has an instance of its own, if any.
            if name not in names and (value is not item.instance or value is None)
        }
        # Simpler examples of what cannot be explored are of no use.
        if refusals:
            return
        try:
            error = job.explore(quiet, drawn)
        except (NotExplorableError, NotDeterministicError) as refusal:
            refusals.append(refusal)
            return
        if error is not None:
            raise error

    handle: _Handle = item.obj.hypothesis
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handle, "inner_test", example)
        item.obj(**{name: item.funcargs[name] for name in names})
    if refusals:
        raise refusals[0]
    if (never := job.never_happened()) is not None:
        raise never


def _same(value: object) -> object:
    return SameDraws(value) if isinstance(value, DataObject) else value
