from __future__ import annotations

import pytest

from tests.plugin.conftest import Run

HEAD = """
from hypothesis import assume, event, given, settings, strategies as st
settings.register_profile("fixed", derandomize=True, database=None, max_examples=20)
settings.load_profile("fixed")
"""


@pytest.fixture
def run_given(run: Run) -> Run:
    """Run a module that begins with what is needed of Hypothesis."""

    def run_with_head(source: str, *options: str, mode: str = "auto") -> pytest.RunResult:
        lines = source.splitlines()
        margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        body = "\n".join(line[margin:] for line in lines)
        # The modules would be left over as half imported.
        return run(HEAD + body, "-p", "no:detangle", *options, mode=mode)

    return run_with_head


@pytest.mark.parametrize("option", ["--explore", "--explore-seed=1"])
def test_the_workload_and_the_schedule_are_both_made_simple(run_given: Run, option: str) -> None:
    result = run_given(
        """
        @pytest.mark.explore
        @given(number=st.integers(0, 100), names=st.lists(st.integers(0, 9), unique=True))
        async def test_order(tmp_path, number, names):
            order = await in_order(*map(str, names))
            names.append(1)
            if number > 10:
                assert order[:1] == [str(names[0])][:len(order)]
        """,
        option,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*Failing test case: test_order(",
            "E*number=11,",
            "E*names=[[]0, 1[]],",
            "*- explored -*",
            "again: pytest * --explore-token=x1.*",
        ]
    )
    result.stdout.no_fnmatch_line("*job.py*")


def test_a_token_is_for_each_example(run_given: Run) -> None:
    source = """
        @given(names=st.sampled_from(["ab", "a"]))
        async def test_order(names):
            assert await in_order(*names) == list(names)
        """
    token = run_given(source, "--explore").stdout.str().split("--explore-token=")[1].split()[0]
    result = run_given(source, f"--explore-token={token}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*names='ab',"])


def test_examples_that_pass_are_all_explored(run_given: Run) -> None:
    result = run_given(
        """
        @pytest.mark.explore(example_runs=3, strategy="random")
        @given(st.integers(0, 100))
        async def test_order(number):
            assume(number % 2)
            assert sorted(await in_order(*"ab")) == ["a", "b"]
            event(str(number % 3))
        """
    )
    result.assert_outcomes(passed=1)
    result.stdout.re_match_lines([r"1 test explored in \d+[369] runs.*|1 test explored in .*"])


def test_draws_within_a_test_are_the_same_in_each_run(run_given: Run) -> None:
    result = run_given(
        """
        @pytest.mark.explore
        @given(data=st.data())
        async def test_draws(data):
            async def draw():
                await asyncio.sleep(0)
                assert data.draw(st.integers(0, 100)) < 50

            async with asyncio.TaskGroup() as group:
                group.create_task(draw())
                group.create_task(draw())
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Failing test case: test_draws(", "*Draw 1: 50*"])


def test_a_test_of_a_class_has_an_instance_for_each_run(run_given: Run) -> None:
    result = run_given(
        """
        class TestThings:
            @pytest.fixture(autouse=True)
            async def things(self):
                self.things = []

            @given(number=st.integers())
            async def test_things(self, number):
                self.things.append(number)
                assert len(self.things) == 1
        """,
        "--explore",
    )
    result.assert_outcomes(passed=1)


def test_what_cannot_be_explored_is_run_as_usual(run_given: Run) -> None:
    result = run_given(
        """
        numbers = set()

        @given(number=st.integers())
        async def test_look_up(number):
            await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 1)
            numbers.add(number)

        def test_numbers():
            assert len(numbers) > 5
        """,
        "--explore",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["not explorable, run as usual (1): getaddrinfo() *"])


def test_a_test_that_is_not_async_is_left_to_hypothesis(run_given: Run) -> None:
    result = run_given(
        """
        @given(number=st.integers())
        def test_number(number):
            assert isinstance(number, int)
        """,
        "--explore",
    )
    result.assert_outcomes(passed=1)


def test_what_must_sometimes_happen_may_happen_in_any_example(run_given: Run) -> None:
    result = run_given(
        """
        from blkdebug_async.explore.inside import sometimes

        @pytest.mark.explore
        @given(number=st.integers(0, 3))
        async def test_some(number):
            sometimes("two", number == 2)

        @pytest.mark.explore
        @given(number=st.integers(0, 3))
        async def test_none(number):
            sometimes("four", number == 4)
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*never happened, in all * runs: 'four'"])


def test_a_slow_example_misses_no_deadline(run_given: Run) -> None:
    result = run_given(
        """
        import time

        @pytest.mark.explore(example_runs=3, strategy="random")
        @settings(deadline=1, max_examples=2)
        @given(number=st.integers())
        async def test_slow(number):
            time.sleep(0.002)
        """
    )
    result.assert_outcomes(passed=1)
