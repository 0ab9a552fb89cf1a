from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import RACE, Run


def test_a_marked_test_fails_by_its_own_error_and_says_how_to_see_it_again(run: Run) -> None:
    result = run(RACE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*assert await in_order(*"ab") == [[]"a", "b"[]]',
            "E*AssertionError: assert [[]'b', 'a'[]] == [[]'a', 'b'[]]",
            "*- explored -*",
            "token: x1.*",
            "again: pytest *.py::test_race --explore-token=x1.*",
        ]
    )


def test_a_token_makes_the_failing_run_again(run: Run) -> None:
    found = re.search(r"--explore-token=(\S+)", run(RACE).stdout.str())
    assert found is not None
    result = run(RACE, f"--explore-token={found[1]}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["1 test explored in 1 run, *; 1 failed"])


def test_a_marked_test_that_cannot_fail_passes_and_is_summed_up(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_steady():
            assert sorted(await in_order(*"ab")) == ["a", "b"]
        """
    )
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines([r"1 test explored in \d+ runs, \d+ steps; 1 exhausted.*"])


def test_a_marker_needs_no_other_plugin(run: Run) -> None:
    result = run(RACE, "-p", "no:asyncio", "-o", "asyncio_mode=auto", "-W", "ignore")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["again: pytest *"])


def test_a_marked_test_in_strict_mode_is_explored(run: Run) -> None:
    run(RACE, mode="strict").assert_outcomes(failed=1)


ASYNC_FIXTURE = """
@pytest.fixture
async def number():
    await asyncio.sleep(1)
    yield 5

@pytest.mark.explore
async def test_number(number):
    assert number == 5
"""


def test_a_marked_test_may_use_async_fixtures_without_another_plugin(run: Run) -> None:
    run(ASYNC_FIXTURE, "-p", "no:asyncio", "-W", "ignore").assert_outcomes(passed=1)
    run(ASYNC_FIXTURE, mode="strict").assert_outcomes(passed=1)


def test_the_marker_says_how_many_runs_are_made(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore(runs=7, strategy="random")
        async def test_steady():
            await in_order(*"abc")
        """
    )
    result.stdout.fnmatch_lines(["1 test explored in 7 runs, *"])


def test_the_command_line_comes_before_the_marker(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore(runs=7, strategy="random")
        async def test_steady():
            await in_order(*"abc")
        """,
        "--explore-runs=9",
    )
    result.stdout.fnmatch_lines(["1 test explored in 9 runs, *"])


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("explore(run=7)", "*takes runs, *, but not 'run'*"),
        ("explore(7)", "*takes runs, *, but not 7 without a name*"),
        ("explore(runs='many')", "*runs of @pytest.mark.explore is a number, not 'many'*"),
        ("explore(seconds='few')", "*seconds of @pytest.mark.explore is a number, not 'few'*"),
        ("explore(atomic_unit='4k')", "*atomic_unit of @pytest.mark.explore is *, not '4k'*"),
    ],
)
def test_a_marker_that_makes_no_sense_is_an_error(run: Run, marker: str, message: str) -> None:
    result = run(
        f"""
        @pytest.mark.{marker}
        async def test_steady():
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_the_marker_of_a_test_that_is_not_async_is_an_error(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        def test_plain():
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*@pytest.mark.explore is for async tests*"])


def test_the_marker_of_a_module_leaves_tests_alone_that_are_not_async(run: Run) -> None:
    result = run(
        """
        pytestmark = pytest.mark.explore

        def test_plain():
            pass

        async def test_async():
            pass
        """
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["1 test explored in 1 run, *"])


def test_methods_of_unittest_are_refused(run: Run) -> None:
    result = run(
        """
        import unittest

        @pytest.mark.explore
        class TestAll(unittest.IsolatedAsyncioTestCase):
            async def test_one(self):
                pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*unittest.TestCase runs its methods by itself*"])


def test_what_cannot_be_explored_fails_where_it_is_marked(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore
        async def test_sockets():
            await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*NotExplorableError: create_server() cannot be explored: *"])


def test_a_marker_without_runs_is_refused_and_says_so_once(run: Run) -> None:
    result = run("@pytest.mark.explore(runs=0)\nasync def test_nothing():\n    pass\n")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["runs is how many runs to make, at least 1, and not 0"])
    result.stdout.no_fnmatch_line("*During handling*")
