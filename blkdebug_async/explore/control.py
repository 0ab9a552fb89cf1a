"""Exceptions by which test tools steer a test: no run fails by them, they are passed on.

A tool is known by what it has imported, so nothing is imported for its sake.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import Enum
from typing import Final

#: Module to the names of the exceptions that it steers by.
_CONTROLS: Final[Mapping[str, str]] = {
    # assume(), a test case that has come to its end, and whatever is wrong with its use.
    "hypothesis.errors": "StopTest HypothesisException",
    "_pytest.outcomes": "Skipped XFailed Exit",
    "unittest.case": "SkipTest",
}


class Example(Enum):
    """What Hypothesis wants of the example at hand."""

    #: To know whether it fails.
    SEARCHED = "searched"
    #: To show how it fails.
    SHOWN = "shown"


def control_exceptions() -> tuple[type[BaseException], ...]:
    """List the exceptions by which the tools that are loaded steer tests."""
    return tuple(
        getattr(sys.modules[module], name)
        for module, names in _CONTROLS.items()
        if module in sys.modules
        for name in names.split()
        if hasattr(sys.modules[module], name)
    )


def passed_on_in(
    error: BaseException, kinds: tuple[type[BaseException], ...]
) -> BaseException | None:
    """Find an error of some kinds: this one, or one in it if it is a group."""
    if isinstance(error, kinds):
        return error
    if isinstance(error, BaseExceptionGroup):
        found = (passed_on_in(each, kinds) for each in error.exceptions)
        return next((each for each in found if each is not None), None)
    return None


def example_here() -> Example | None:
    """Tell what Hypothesis wants of the code that asks; None: this is no example of its."""
    control = sys.modules.get("hypothesis.control")
    if control is None or not control.currently_in_test_context():
        return None
    return Example.SHOWN if control.current_build_context().is_final else Example.SEARCHED
