from __future__ import annotations

import asyncio
import gc
import random
from functools import partial
from itertools import count
from math import inf
from pathlib import Path

import anyio
import pytest

from blkdebug_async.explore import (
    BackgroundError,
    Conditions,
    DeadlockError,
    ExplorationError,
    NotDeterministicError,
    Progress,
    Scenario,
    TokenError,
    choose,
    explore,
    replay,
)
from blkdebug_async.explore.here import exploration_here
from blkdebug_async.explore.stored import Stored


async def overtaken() -> None:
    """Fails if b comes before a."""
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in "ab":
            group.create_task(note(name), name=name)
    assert order == ["a", "b"]


async def steady() -> None:
    async with asyncio.TaskGroup() as group:
        for name in "ab":
            group.create_task(asyncio.sleep(0), name=name)


async def stuck() -> None:
    await asyncio.Event().wait()


async def two_mistakes() -> None:
    """Fails in one way after another."""
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)
        await asyncio.sleep(0)
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(note(name), name=name)
    if order[0] == "c":
        raise KeyError("c first")
    assert order[-1] != "a", "a last"


def test_a_race_is_found_and_reported_at_its_simplest() -> None:
    report = explore(overtaken, store=None)
    assert report.failure is not None
    assert isinstance(report.failure.error, AssertionError)
    (deviation,) = report.failure.deviations
    assert deviation.actions[deviation.value].key == "main/b:0"
    assert deviation.key == "main/a:0"
    assert report.failure.runs == report.runs
    assert report.failure.shrunk


def test_a_failure_is_made_again_by_its_token_and_by_its_list() -> None:
    failure = explore(overtaken, store=None).failure
    assert failure is not None
    for token in (failure.token, failure.values, failure.found):
        with pytest.raises(AssertionError):
            replay(overtaken, token).check()


def test_a_replay_that_passes_raises_nothing() -> None:
    replayed = replay(overtaken, ())
    replayed.check()
    assert replayed.error is None
    assert replayed.timeline.moments


def test_a_replay_goes_on_where_its_token_does_not_fit_and_says_so() -> None:
    failure = explore(overtaken, store=None).failure
    assert failure is not None
    replayed = replay(steady, failure.token)
    assert replayed.error is None
    replayed_stuck = replay(stuck, failure.token)
    assert len(replayed_stuck.divergences) == 1
    with pytest.raises(DeadlockError) as caught:
        replayed_stuck.check()
    assert "The replay diverged" in caught.value.__notes__[0]


def test_what_is_no_token_is_refused() -> None:
    with pytest.raises(TokenError, match="'nonsense'"):
        replay(overtaken, "nonsense")


def test_a_scenario_without_a_failure_is_explored_to_its_end() -> None:
    report = explore(steady, store=None, strategy="bounded")
    report.check()
    assert report.failure is None
    assert report.exhausted
    assert report.proof == "every run there is"
    assert report.distinct == report.runs
    assert "no failure in every run there is" in str(report)


def test_no_more_runs_are_made_than_asked_for() -> None:
    report = explore(steady, store=None, strategy="random", runs=7)
    assert (report.runs, report.exhausted, report.proof) == (7, False, None)
    assert "no failure found" in str(report)


def test_no_run_is_begun_when_time_is_up() -> None:
    assert explore(steady, store=None, strategy="random", seconds=0).runs == 1


def test_the_same_seed_makes_the_same_runs() -> None:
    reports = [explore(two_mistakes, store=None, strategy="random", seed=5) for _ in range(2)]
    first, second = (report.failure for report in reports)
    assert first is not None
    assert second is not None
    assert (first.found, first.token) == (second.found, second.token)


def test_shrinking_keeps_to_the_failure_that_was_found() -> None:
    for seed in range(5):
        failure = explore(two_mistakes, store=None, strategy="random", seed=seed).failure
        assert failure is not None
        found = replay(two_mistakes, failure.found).error
        assert type(failure.error) is type(found)


def test_the_nearest_passing_run_is_told_too() -> None:
    failure = explore(overtaken, store=None).failure
    assert failure is not None
    assert failure.passing is not None
    assert failure.passing.moments[1].action.key == "main/a:0"


def test_checking_a_report_raises_what_was_found() -> None:
    report = explore(overtaken, store=None)
    with pytest.raises(ExplorationError, match="instead of main/a:0") as caught:
        report.check()
    assert isinstance(caught.value.__cause__, AssertionError)


def test_a_deadlock_is_a_failure() -> None:
    failure = explore(stuck, store=None).failure
    assert failure is not None
    assert isinstance(failure.error, DeadlockError)
    assert failure.deviations == ()


def test_a_failure_in_a_callback_of_the_loop_is_not_lost() -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().call_soon(divmod, 1, 0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    failure = explore(scenario, store=None).failure
    assert failure is not None
    assert isinstance(failure.error, BackgroundError)
    assert isinstance(failure.error.__cause__, ZeroDivisionError)


def test_a_scenario_that_changes_from_run_to_run_is_not_deterministic() -> None:
    numbers = count()

    async def scenario() -> None:
        for _ in range(next(numbers)):
            await asyncio.sleep(0)

    failure = explore(scenario, store=None).failure
    assert failure is not None
    assert isinstance(failure.error, NotDeterministicError)


def test_a_failure_that_does_not_come_again_is_told_with_its_cause() -> None:
    numbers = count()

    async def scenario() -> None:
        if next(numbers) == 10:
            raise KeyError("once")

    failure = explore(scenario, store=None, strategy="random").failure
    assert failure is not None
    assert isinstance(failure.error, NotDeterministicError)
    assert isinstance(failure.error.__cause__, KeyError)


def test_chance_is_the_same_in_each_run() -> None:
    drawn: set[float] = set()

    async def scenario() -> None:
        drawn.add(random.uniform(0, 1))

    explore(scenario, store=None, strategy="random", runs=5)
    assert len(drawn) == 1


def test_a_run_that_is_too_long_is_left_and_counted() -> None:
    async def scenario() -> None:
        while True:  # noqa: ASYNC110  endless on purpose
            await asyncio.sleep(0)

    report = explore(
        scenario, store=None, runs=3, strategy="random", conditions=Conditions(step_limit=50)
    )
    assert (report.failure, report.cut) == (None, 3)
    assert "no run came to an end" in str(report)
    assert not report.passed
    with pytest.raises(ExplorationError, match="no run came to an end"):
        report.check()


def test_runs_that_are_too_long_are_no_failure_where_others_come_to_an_end() -> None:
    async def scenario() -> None:
        while choose(2, "on"):  # noqa: ASYNC110  endless at times
            await asyncio.sleep(0)

    report = explore(
        scenario, store=None, strategy="bounded:20", conditions=Conditions(step_limit=15)
    )
    assert 0 < report.cut < report.runs
    assert f"{report.cut} of them were left" in str(report)
    report.check()


@pytest.mark.parametrize("runs", [0, -1])
def test_at_least_one_run_is_made(runs: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, and not {runs}"):
        explore(overtaken, store=None, runs=runs)


def test_where_a_loop_is_running_none_is_explored() -> None:
    async def within() -> None:
        with pytest.raises(RuntimeError, match=r"explore\(\) .* call it from plain code"):
            explore(overtaken, store=None)
        with pytest.raises(RuntimeError, match=r"replay\(\) .* call it from plain code"):
            replay(overtaken, ())
        assert (await asyncio.to_thread(explore, overtaken, store=None)).failure

    asyncio.run(within())


class PassedOnError(Exception):
    """Meant for whoever explores."""


def test_an_exception_may_be_passed_on() -> None:
    async def scenario() -> None:
        raise PassedOnError

    with pytest.raises(PassedOnError):
        explore(scenario, store=None, conditions=Conditions(passed_on=(PassedOnError,)))


def test_an_interrupt_ends_everything() -> None:
    async def scenario() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explore(scenario, store=None)
    assert gc.isenabled()


def test_tokens_of_failures_are_kept_and_tried_first(tmp_path: Path) -> None:
    first = explore(overtaken, store=tmp_path, strategy="random", seed=3).failure
    second = explore(overtaken, store=tmp_path, seed=4).failure
    assert first is not None
    assert second is not None
    assert second.token == first.token
    assert second.runs == 2
    assert Stored(tmp_path, f"{__name__}.overtaken").tokens() == (first.token,)


def test_a_folder_that_cannot_be_written_to_loses_no_report(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert explore(overtaken, store=tmp_path / "file").failure is not None


def test_who_wants_to_know_hears_how_far_it_is() -> None:
    heard: list[Progress] = []
    explore(overtaken, store=None, progress=heard.append)
    assert {each.phase for each in heard} >= {"shrinking"}
    assert heard[-1].runs <= heard[-1].most_runs


def test_no_runs_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1, and not 0"):
        explore(overtaken, store=None, runs=0)


def test_a_strategy_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'best'"):
        explore(overtaken, store=None, strategy="best")


async def guarded() -> None:
    """Is in time unless requests take for ever."""
    exploration = exploration_here()
    assert exploration is not None
    async with asyncio.timeout(5):
        await exploration.in_flight("read")
        await asyncio.sleep(1)
        await exploration.in_flight("read again")


def test_what_is_under_way_may_take_longer_than_a_timeout() -> None:
    failure = explore(guarded, store=None).failure
    assert failure is not None
    assert isinstance(failure.error, TimeoutError)


def test_where_timers_come_last_time_goes_on_only_when_nothing_else_can_happen() -> None:
    report = explore(
        guarded, store=None, strategy="bounded", conditions=Conditions(timers_last=True)
    )
    report.check()
    assert report.exhausted


def test_where_timers_come_last_who_polls_for_one_is_waited_for_no_longer_than_ever() -> None:
    async def scenario() -> None:
        due: list[int] = []
        asyncio.get_running_loop().call_later(0.01, due.append, 1)
        while not due:  # noqa: ASYNC110  polling is what is tested
            await asyncio.sleep(0)

    replay(scenario, (), conditions=Conditions(timers_last=True)).check()


@pytest.mark.parametrize("sleep", [anyio.sleep_forever, partial(asyncio.sleep, inf)])
def test_who_sleeps_for_ever_is_never_woken(sleep: Scenario) -> None:
    assert isinstance(replay(sleep, ()).error, DeadlockError)
