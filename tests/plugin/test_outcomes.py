from __future__ import annotations

import pytest

from tests.plugin.conftest import Run


def test_a_test_that_skips_itself_is_skipped(run: Run) -> None:
    result = run(
        """
        import unittest

        pytestmark = pytest.mark.explore

        async def test_skip():
            pytest.skip("not today")

        async def test_unittest():
            raise unittest.SkipTest("nor then")

        @pytest.mark.skip
        async def test_mark():
            pass

        async def test_import():
            pytest.importorskip("no_such_module")
        """
    )
    result.assert_outcomes(skipped=4)


def test_a_run_that_skips_itself_is_no_failure(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_order():
            if await in_order(*"ab") != ["a", "b"]:
                pytest.skip("of no interest")
        """
    )
    result.assert_outcomes(passed=1)


def test_a_known_failure_is_expected(run: Run) -> None:
    result = run(
        """
        pytestmark = pytest.mark.explore

        async def test_call():
            if await in_order(*"ab") != ["a", "b"]:
                pytest.xfail("known")

        @pytest.mark.xfail(raises=AssertionError, strict=True)
        async def test_mark():
            assert await in_order(*"ab") == ["a", "b"]

        @pytest.mark.xfail(strict=True)
        async def test_strict():
            pass
        """
    )
    result.assert_outcomes(xfailed=2, failed=1)
    result.stdout.fnmatch_lines(["*XPASS(strict)*"])


def test_a_failure_that_is_asked_for_is_found_and_made_simple(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_fail():
            if await in_order(*"abc") != ["a", "b", "c"]:
                pytest.fail("out of order")

        @pytest.mark.explore
        async def test_without_traceback():
            pytest.fail("as ever", pytrace=False)
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["E*Failed: out of order", "again: *", "as ever", "again: *"])


def test_an_expected_error_is_no_failure(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_raises():
            with pytest.raises(ZeroDivisionError), pytest.warns(UserWarning, match="near"):
                import warnings
                warnings.warn("near zero")
                1 / 0
        """
    )
    result.assert_outcomes(passed=1)


def test_a_group_of_errors_is_shown_with_its_parts(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_group():
            async def check():
                assert False, "within"
            async with asyncio.TaskGroup() as group:
                group.create_task(check())
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ExceptionGroup: *", "*AssertionError: within*", "again: *"])


def test_a_deadlock_shows_who_waits_and_nothing_of_us(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_waits():
            await asyncio.Event().wait()
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*DeadlockError: Deadlock: *", "  main  event main, *"])
    result.stdout.fnmatch_lines(["FAILED *::test_waits - *DeadlockError: *"])
    result.stdout.no_fnmatch_line("*turns.py*")


def test_what_is_printed_is_that_of_the_failing_run(run: Run) -> None:
    result = run(
        """
        import logging

        @pytest.mark.explore
        async def test_race():
            order = await in_order(*"ab")
            print("order", *order)
            logging.getLogger("log").error("logged %s", order)
            assert order == ["a", "b"]
        """
    )
    result.assert_outcomes(failed=1)
    printed = [line for line in result.outlines if line.startswith("order ")]
    assert printed == ["order b a"]
    assert sum("logged" in line and "ERROR" in line for line in result.outlines) == 1


def test_a_warning_is_told_once(run: Run) -> None:
    result = run(
        """
        import warnings

        @pytest.mark.explore(runs=5, strategy="random")
        async def test_warning():
            await in_order(*"ab")
            warnings.warn("careful")
        """,
        "-W",
        "default",
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*UserWarning: careful*"])


AWAITS_NOTHING = """
@pytest.mark.explore
async def test_forgets():
    if await in_order(*"ab") != ["a", "b"]:
        asyncio.sleep(0)
"""


def test_a_coroutine_that_nobody_awaits_fails_its_run_where_warnings_are_errors(run: Run) -> None:
    result = run(AWAITS_NOTHING)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*coroutine 'sleep' was never awaited*", "again: *"])


def test_a_coroutine_that_nobody_awaits_is_warned_of_once(run: Run) -> None:
    result = run(AWAITS_NOTHING, "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*coroutine 'sleep' was never awaited*"])


def test_a_test_that_takes_too_long_fails_by_its_timeout(run: Run) -> None:
    result = run(
        """
        import time

        @pytest.mark.timeout(0.2)
        @pytest.mark.explore
        async def test_slow():
            time.sleep(10)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*Failed: Timeout (>0.2s) from pytest-timeout."])


def test_exploring_ends_before_a_timeout(run: Run) -> None:
    result = run(
        """
        @pytest.mark.timeout(1)
        @pytest.mark.explore(strategy="random", runs=1_000_000)
        async def test_endless():
            await in_order(*"abcdef")
        """
    )
    result.assert_outcomes(passed=1)


def test_a_test_no_run_of_which_ends_fails(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore(step_limit=50, runs=3, strategy="random")
        async def test_endless():
            while True:
                await asyncio.sleep(0)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*NotExplorableError: no run of it came to an end in 50 steps, *step_limit=*",
            "*; 3 runs left, having become too long",
        ]
    )


def test_what_must_sometimes_happen_and_never_does_is_a_failure(run: Run) -> None:
    result = run(
        """
        from blkdebug_async.explore.inside import sometimes

        @pytest.mark.explore
        async def test_sometimes():
            sometimes("both", await in_order(*"ab") == ["a"])
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*never happened, in all * runs: 'both'"])


def test_chance_is_as_it_was_after_exploring(run: Run) -> None:
    result = run(
        """
        import random

        @pytest.fixture(scope="module", autouse=True)
        def seed():
            random.seed(5)

        @pytest.mark.explore
        async def test_chance():
            random.random()

        def test_after():
            drawn = random.random()
            random.seed(5)
            assert random.random() == drawn
        """
    )
    result.assert_outcomes(passed=2)


@pytest.mark.slow
def test_exit_ends_everything(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_exit():
            pytest.exit("enough", returncode=7)

        def test_never():
            pass
        """
    )
    assert result.ret == 7


@pytest.mark.parametrize("option", ["--tb=short", "--tb=native", "--tb=line", "-s", "-q", "-vv"])
def test_failures_are_shown_in_each_style(run: Run, option: str) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_race():
            assert await in_order(*"ab") == ["a", "b"]
        """,
        option,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["replay: pytest * --explore-token=x1.*"])
