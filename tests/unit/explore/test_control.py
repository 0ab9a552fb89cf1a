from __future__ import annotations

import unittest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.errors import StopTest, UnsatisfiedAssumption

from blkdebug_async.explore import explore
from blkdebug_async.explore.control import (
    Example,
    control_exceptions,
    example_here,
    passed_on_in,
)


@pytest.mark.parametrize(
    "error",
    [
        pytest.skip.Exception("not here"),
        pytest.exit.Exception("enough"),
        unittest.SkipTest("not here"),
        UnsatisfiedAssumption(),
        StopTest(0),
    ],
)
def test_what_steers_a_test_fails_no_run(error: BaseException) -> None:
    async def scenario() -> None:
        raise error

    with pytest.raises(type(error)):
        explore(scenario, store=None)


def test_a_failure_that_a_test_asks_for_fails_its_run() -> None:
    async def scenario() -> None:
        pytest.fail("that is not how it should be")

    failure = explore(scenario, store=None).failure
    assert failure is not None
    assert isinstance(failure.error, pytest.fail.Exception)


def test_an_error_to_pass_on_is_found_in_a_group() -> None:
    error = pytest.skip.Exception("not here")
    group = BaseExceptionGroup("", [ValueError(), BaseExceptionGroup("", [error])])
    assert passed_on_in(group, control_exceptions()) is error
    assert passed_on_in(ValueError(), control_exceptions()) is None


def test_outside_of_hypothesis_there_is_no_example() -> None:
    assert example_here() is None


@given(st.integers())
def test_within_hypothesis_there_is_one(number: int) -> None:
    assert (number, example_here()) == (number, Example.SEARCHED)
