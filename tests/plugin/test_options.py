from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.conftest import RACE, Run


def test_tokens_are_kept_in_the_root_folder_and_tried_first(
    run: Run, pytester: pytest.Pytester
) -> None:
    run(RACE, "--explore-strategy=random", "--explore-seed=3")
    (kept,) = (pytester.path / ".explore").iterdir()
    assert kept.read_text().startswith("x1.")
    result = run(RACE, "--explore-seed=4")
    result.stdout.fnmatch_lines(["1 test explored in 2 runs, *; 1 failed"])


def test_tokens_are_kept_elsewhere_or_nowhere(run: Run, pytester: pytest.Pytester) -> None:
    run(RACE, "--no-explore-store")
    assert not (pytester.path / ".explore").exists()
    run(RACE, "--explore-store=kept/here")
    assert len(list((pytester.path / "kept" / "here").iterdir())) == 1


def test_each_parameter_has_tokens_of_its_own(run: Run, pytester: pytest.Pytester) -> None:
    run(
        """
        @pytest.mark.explore
        @pytest.mark.parametrize("names", ["ab", "cd"])
        async def test_race(names):
            assert await in_order(*names) == list(names)
        """
    )
    assert len(list((pytester.path / ".explore").iterdir())) == 2


def test_the_marker_has_tokens_to_try_first(run: Run) -> None:
    token = run(RACE).stdout.str().split("--explore-token=")[1].split()[0]
    source = RACE.replace("explore", f"explore(tokens=[{token!r}], runs=2)")
    run(source, "--no-explore-store").assert_outcomes(failed=1)


@pytest.mark.parametrize("tokens", ["'x1.yfI1'", "['nonsense']"])
def test_tokens_that_make_no_sense_are_an_error(run: Run, tokens: str) -> None:
    run(RACE.replace("explore", f"explore(tokens={tokens})")).assert_outcomes(errors=1)


def test_files_about_a_failure_are_written(run: Run, pytester: pytest.Pytester) -> None:
    result = run(RACE, "--explore-report=found/here")
    result.stdout.fnmatch_lines(["again: *", "written: found*.txt", "written: found*.html"])
    text, page = sorted((pytester.path / "found" / "here").glob("*.[th]*"), reverse=True)
    assert "again: pytest" in text.read_text()
    assert "--explore-token=x1." in page.read_text()


def test_a_folder_that_cannot_be_written_to_loses_no_failure(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(RACE, f"--explore-report={tmp_path / 'file'}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["again: *", "no files in *"])


def test_the_seconds_for_each_test_are_limited(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore(strategy="random", runs=1_000_000)
        async def test_steady():
            await in_order(*"abcdef")
        """,
        "--explore-seconds=0.01",
    )
    result.assert_outcomes(passed=1)


def test_zero_seconds_are_any_time(run: Run) -> None:
    result = run(
        """
        @pytest.mark.explore(strategy="random", runs=9, seconds=0)
        async def test_steady():
            await in_order(*"abcdef")
        """
    )
    result.stdout.fnmatch_lines(["1 test explored in 9 runs, *"])


@pytest.mark.slow
def test_workers_tell_what_they_explored(run: Run) -> None:
    result = run(
        """
        @pytest.mark.parametrize("names", ["ab", "cd", "e"])
        async def test_race(names):
            assert await in_order(*names) == list(names)

        async def test_look_up():
            await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 1)
        """,
        "--explore",
        "-n",
        "2",
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "E*AssertionError*",
            "*- explored -*",
            "again: pytest *",
            "3 tests explored in * runs, *; 2 failed",
            "replay: pytest *",
            "replay: pytest *",
            "not explorable, run as usual (1): getaddrinfo() *",
        ]
    )


def test_much_is_said_where_much_is_asked_for(run: Run) -> None:
    result = run(RACE, "-v")
    result.stdout.fnmatch_lines(["1 test explored*", "  *::test_race: * runs, * steps, failed"])


def test_what_is_proved_is_said_where_much_is_asked_for(run: Run) -> None:
    source = """
        @pytest.mark.explore(strategy={strategy!r})
        async def test_steady():
            await in_order(*"abc")
        """
    result = run(source.format(strategy="bounded"), "-v")
    result.stdout.fnmatch_lines(
        ["*; 1 exhausted, *", "  *::test_steady: *, no failure in every run there is"]
    )
    result = run(source.format(strategy="bounded:1"), "-v")
    result.stdout.no_fnmatch_line("*exhausted*")
    result.stdout.fnmatch_lines(["  *::test_steady: *, no failure in every run with at most 1 *"])


def test_nothing_more_is_said_where_little_is_asked_for(run: Run) -> None:
    run(RACE, "-qq").stdout.no_fnmatch_line("*tests explored*")


def test_the_options_are_explained(run: Run) -> None:
    result = run("", "--help")
    result.stdout.fnmatch_lines(["exploring schedules (blkdebug_async):", "  --explore *"])


def test_the_marker_is_explained(run: Run) -> None:
    result = run("", "--markers", "--strict-markers")
    result.stdout.fnmatch_lines(["@pytest.mark.explore(runs=, *"])


def test_the_command_says_where_the_test_is_seen_from_here(
    run: Run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(RACE)
    (pytester.path / "below").mkdir()
    monkeypatch.chdir(pytester.path / "below")
    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-c", "../pytest.ini", "--rootdir=..", ".."
    )
    result.stdout.fnmatch_lines(["replay: pytest ../*.py::test_race --explore-token=*"])


def test_where_nothing_is_explored_nothing_of_it_is_imported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_modules():
            loaded = {name for name in sys.modules if name.startswith("blkdebug_async")}
            assert loaded == {
                "blkdebug_async",
                "blkdebug_async.lazy",
                "blkdebug_async.pytest_plugin",
                "blkdebug_async.pytest_plugin.plugin",
                "blkdebug_async.pytest_plugin.summary",
            }
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-W", "ignore")
    result.assert_outcomes(passed=1)
