from __future__ import annotations

import os
from pathlib import Path

import pytest

from blkdebug_async.cli.explore_options import ExploreOptions, parse_explore_options
from blkdebug_async.cli.failures import ErrorReport, UsageError
from blkdebug_async.explore import Assume, Conditions
from blkdebug_async.explore.explorer import STORE, explore
from tests.unit.cli import explorable


def parsed(*words: str) -> ExploreOptions:
    return parse_explore_options("explore", words)


def test_without_options_all_is_as_in_the_library() -> None:
    options = parsed("module:function")
    defaults = explore.__kwdefaults__ or {}
    assert options.scenario == "module:function"
    assert (options.runs, options.seed) == (defaults["runs"], defaults["seed"])
    assert (options.strategy, options.assume) == (defaults["strategy"], defaults["assume"])
    assert (options.seconds, options.jobs) == (defaults["seconds"], defaults["jobs"])
    assert options.shrink_runs == defaults["shrink_runs"]
    assert options.store == Path(STORE)
    assert options.conditions == Conditions()


def test_every_option_says_something(tmp_path: Path) -> None:
    options = parsed(
        *("--runs=7", "--seconds", "2.5", "--steps=50", "--shrink-runs=9", "--jobs=3"),
        *("--strategy=bounded:2", "--seed=-4", "--assume=disk-only", "--atomic-unit=4k"),
        *(
            "--may-leave",
            "--timers-last",
            f"--report={tmp_path}",
            f"--store={tmp_path / 'new'}",
            "--full",
        ),
        *("--json", "-q", "a.py:b"),
    )
    assert options == ExploreOptions(
        scenario="a.py:b",
        runs=7,
        seconds=2.5,
        steps=50,
        shrink_runs=9,
        jobs=3,
        strategy="bounded:2",
        seed=-4,
        assume=Assume.DISK_ONLY,
        atomic_unit=4096,
        may_leave=True,
        timers_last=True,
        report=tmp_path,
        store=tmp_path / "new",
        full=True,
        json=True,
        quiet=True,
    )
    assert options.conditions == Conditions(
        step_limit=50, may_leave=True, timers_last=True, atomic_unit=4096
    )


def test_automatic_jobs_are_as_many_as_processors() -> None:
    assert parsed("--jobs=auto", "a:b").jobs == os.cpu_count()


def test_no_store_is_possible() -> None:
    assert parsed("--no-store", "a:b").store is None


def test_one_run_is_named_by_a_token_or_its_integers() -> None:
    failure = explore(explorable.racy, store=None).failure
    assert failure is not None
    assert parsed(f"--token= {failure.token}", "a:b").token == failure.token
    assert parsed("--token=0, 2,1", "a:b").token == (0, 2, 1)
    assert parsed("--token=", "a:b").token == ()


@pytest.mark.parametrize(("word", "wants"), [("-h", "help"), ("--help", "help"), ("-V", "version")])
def test_help_needs_nothing_else(word: str, wants: str) -> None:
    assert parsed(word).wants == wants


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "say what to explore"),
        (("a:b", "c:d"), "one function at a time: what is 'c:d'?"),
        (("--runs=0", "a:b"), "--runs: '0' is no number from 1 on"),
        (("--runs=many", "a:b"), "--runs: 'many' is no number"),
        (("--steps=-1", "a:b"), "--steps: '-1' is no number"),
        (("--jobs=some", "a:b"), "--jobs: 'some' is no number"),
        (("--seed=1.5", "a:b"), "--seed: '1.5' is no whole number"),
        (("--seconds=nan", "a:b"), "--seconds: 'nan' is no number of seconds"),
        (("--seconds=-1", "a:b"), "--seconds: '-1' is no number of seconds"),
        (("--seconds=soon", "a:b"), "--seconds: 'soon' is no number of seconds"),
        (("--strategy=luck", "a:b"), "--strategy: no such strategy: 'luck'"),
        (("--assume=all", "a:b"), "--assume: 'all' is not nothing or disk-only"),
        (("--atomic-unit=big", "a:b"), "--atomic-unit: 'big' is no size"),
        (("--atomic-unit=0", "a:b"), "--atomic-unit: '0' is no size from 1 on"),
        (("--token=nonsense", "a:b"), "--token: not a token: 'nonsense'"),
        (("--report=/dev/null/x", "a:b"), "--report: nothing can be written in '/dev/null'"),
        (("--store=/dev/null", "a:b"), "--store: nothing can be written in '/dev/null'"),
    ],
)
def test_what_makes_no_sense_is_shown(words: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ErrorReport) as caught:
        parsed(*words)
    assert str(caught.value).startswith(complaint)


def test_unknown_options_are_refused_as_everywhere() -> None:
    with pytest.raises(UsageError, match="explore: unrecognized option '--walk'"):
        parsed("--walk", "a:b")
