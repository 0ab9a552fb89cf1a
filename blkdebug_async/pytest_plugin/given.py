"""Tests with Hypothesis: it draws what a test works on, and each example is explored.

Imported only where a test uses Hypothesis.
"""

from __future__ import annotations

import functools
from typing import Final, Protocol

import pytest
from hypothesis import HealthCheck, settings

from blkdebug_async.explore.control import Example, example_here
from blkdebug_async.pytest_plugin.job import Job
from blkdebug_async.pytest_plugin.quiet import Quiet

#: Where Hypothesis keeps the settings of a test; its own plugin changes them here too.
_SETTINGS: Final = "_hypothesis_internal_use_settings"


class _Handle(Protocol):
    """What Hypothesis puts on a test."""

    #: What is called with what was drawn.
    inner_test: object


def relax(item: pytest.Function) -> None:
    """Take away limits that make no sense where each example takes many runs.

    An example takes as long as its runs take, and fixtures are made anew in each.
    """
    test = getattr(item.obj, "__func__", item.obj)
    known: settings = getattr(test, _SETTINGS, None) or settings()
    needless = {HealthCheck.function_scoped_fixture, HealthCheck.differing_executors}
    relaxed = settings(
        known, deadline=None, suppress_health_check={*known.suppress_health_check, *needless}
    )
    setattr(test, _SETTINGS, relaxed)


def given_anew(job: Job, quiet: Quiet) -> None:
    """Have Hypothesis draw examples, and explore each.

    Raises:
        BaseException: What Hypothesis raises: the error of an example's failing run, above all.
    """
    __tracebackhide__ = True
    item = job.item
    names = item._fixtureinfo.argnames

    @functools.wraps(job.function)
    def example(*_: object, **arguments: object) -> None:
        __tracebackhide__ = True
        drawn = {name: value for name, value in arguments.items() if name not in names}
        job.explore_example(quiet, drawn, last=example_here() is Example.SHOWN)

    handle: _Handle = item.obj.hypothesis
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handle, "inner_test", example)
        item.obj(**{name: item.funcargs[name] for name in names})
