from __future__ import annotations

import pytest

from tests.plugin.conftest import RACE, Run

#: A test that nobody has marked, and that fails if b comes before a.
UNMARKED_RACE = RACE.replace("@pytest.mark.explore", "")


def test_tests_that_are_not_marked_are_explored(run: Run) -> None:
    run(UNMARKED_RACE).assert_outcomes(passed=1)
    run(UNMARKED_RACE, "--explore").assert_outcomes(failed=1)


def test_a_token_asks_for_exploring(run: Run) -> None:
    result = run(UNMARKED_RACE, "--explore-token=x1.yfI1")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 test explored in 1 run,*", "the run of x1.yfI1 passes now"])


def test_tests_that_pytest_asyncio_does_not_run_are_left_alone(run: Run) -> None:
    result = run(UNMARKED_RACE, "--explore", mode="strict")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*async def functions are not natively supported*"])


def test_marks_for_pytest_asyncio_are_heard_in_strict_mode(run: Run) -> None:
    result = run(
        """
        import pytest_asyncio

        @pytest_asyncio.fixture(loop_scope="module")
        async def number():
            return 1

        @pytest.mark.asyncio(loop_scope="session")
        async def test_one(number):
            assert await in_order(*"ab") == ["a", "b"]
        """,
        "--explore",
        mode="strict",
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["1 test explored*"])


def test_tests_for_anyio_are_explored_on_asyncio(run: Run) -> None:
    result = run(
        """
        import anyio

        pytestmark = pytest.mark.anyio

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture
        async def size():
            await anyio.sleep(1)
            return 3

        async def test_group(size):
            async with anyio.create_task_group() as group:
                for _ in range(size):
                    group.start_soon(anyio.sleep, 1)
        """,
        "--explore",
        "--explore-runs=20",
        "-p",
        "no:asyncio",
        "-W",
        "ignore",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 test explored in 20 runs*"])


def test_what_runs_on_another_library_is_run_as_usual(run: Run) -> None:
    result = run(
        """
        @pytest.fixture(params=["trio"])
        def anyio_backend(request):
            return request.param

        @pytest.mark.anyio
        async def test_trio(anyio_backend):
            assert anyio_backend == "trio"
        """,
        "--explore",
        mode="strict",
    )
    result.stdout.fnmatch_lines(["not explorable, run as usual (1): it runs on trio"])


def test_what_cannot_be_explored_is_run_as_usual_and_named(run: Run) -> None:
    result = run(
        """
        @pytest.fixture
        async def server() -> AsyncIterator[asyncio.Server]:
            async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
                yield server

        async def test_server(server):
            assert server.sockets

        async def test_process(tmp_path):
            process = await asyncio.create_subprocess_exec("true")
            assert await process.wait() == 0

        async def test_in_a_task():
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.get_running_loop().getaddrinfo("127.0.0.1", 1))
        """,
        "--explore",
        "-v",
        "-W",
        "ignore",
    )
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "not explorable, run as usual (1): create_server() cannot be explored",
            "  *::test_server",
            "not explorable, run as usual (1): subprocess_exec() cannot be explored",
            "  *::test_process",
            "not explorable, run as usual (1): getaddrinfo() cannot be explored",
            "  *::test_in_a_task",
        ]
    )


def test_what_changes_from_run_to_run_is_run_as_usual(run: Run) -> None:
    source = """
        runs = []

        async def test_counting():
            runs.append(1)
            for _ in runs:
                await asyncio.sleep(0)
        """
    result = run(source, "--explore")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["not explorable, run as usual (1): *not deterministic"])
    marked = run(source.replace("async def test", "@pytest.mark.explore\n        async def test"))
    marked.assert_outcomes(failed=1)
    marked.stdout.fnmatch_lines(["E*NotDeterministicError: *", "*= explored =*"])
    marked.stdout.no_fnmatch_line("*job.py*")


def test_a_test_may_be_kept_from_being_explored(run: Run) -> None:
    source = """
        @pytest.mark.explore(never="it is about time")
        async def test_time():
            pass
        """
    result = run(source, "--explore")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["not explorable, run as usual (1): it is about time"])
    run(source).stdout.no_fnmatch_line("=* explored =*")


def test_tasks_may_be_left_as_pytest_asyncio_lets_them(run: Run) -> None:
    source = """
        {mark}
        async def test_leaving():
            asyncio.get_running_loop().create_task(asyncio.sleep(1))
            await asyncio.sleep(0)
        """
    run(source.format(mark=""), "--explore").assert_outcomes(passed=1)
    run(source.format(mark="@pytest.mark.explore")).assert_outcomes(failed=1)
    run(source.format(mark="@pytest.mark.explore(may_leave=True)")).assert_outcomes(passed=1)


def test_timeouts_of_tests_that_are_not_marked_are_for_what_hangs(run: Run) -> None:
    source = """
        {mark}
        async def test_guarded():
            async with asyncio.timeout(5):
                await asyncio.to_thread(sum, [])
        """
    run(source.format(mark=""), "--explore").assert_outcomes(passed=1)
    run(source.format(mark="@pytest.mark.explore")).assert_outcomes(failed=1)
    run(source.format(mark="@pytest.mark.explore(timers_last=True)")).assert_outcomes(passed=1)


def test_nothing_is_said_where_nothing_is_explored(run: Run) -> None:
    result = run("async def test_one(): pass")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("=* explored =*")


@pytest.mark.parametrize(
    ("source", "option", "message"),
    [
        (
            RACE + UNMARKED_RACE.replace("race", "other"),
            "x1.yfI1",
            "*one async test, *there are 2*",
        ),
        ("def test_plain(): pass", "x1.yfI1", "*is for one async test, but there is none*"),
        (RACE, "nonsense", "*'nonsense'*"),
    ],
)
def test_a_token_is_for_one_test(run: Run, source: str, option: str, message: str) -> None:
    result = run(source, f"--explore-token={option}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_a_token_that_does_not_fit_any_more_says_so(run: Run) -> None:
    source = """
        async def test_one():
            assert (await in_order(*{names!r}))[0] == {first!r}
        """
    found = run(source.format(names="ab", first="a"), "--explore").stdout.str()
    token = found.split("--explore-token=")[1].split()[0]
    result = run(source.format(names="a", first="a"), f"--explore-token={token}")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["the replay diverged: *", "the run of x1.* passes now"])


def test_a_strategy_that_is_none_is_an_error(run: Run) -> None:
    result = run(RACE, "--explore-strategy=best")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["no such strategy: 'best'*"])
