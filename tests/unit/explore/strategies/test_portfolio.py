from __future__ import annotations

import pytest

from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.dpor import Dpor
from blkdebug_async.explore.strategies.fifo import Fifo
from blkdebug_async.explore.strategies.named import NAMES, strategy_named
from blkdebug_async.explore.strategies.pct import Pct
from blkdebug_async.explore.strategies.portfolio import Portfolio, auto
from blkdebug_async.explore.strategies.pos import Pos
from blkdebug_async.explore.strategies.random_walk import RandomWalk
from blkdebug_async.explore.strategies.replay import Replay, Values
from blkdebug_async.explore.strategies.strategy import Ending, Endless, Proof, Strategy
from blkdebug_async.explore.strategies.unseen import Unseen
from blkdebug_async.explore.token import TokenError, encode
from tests.unit.explore.plain_programs import (
    Chance,
    Program,
    Read,
    Write,
    actor,
    all_runs,
    explore,
    run,
)

PROGRAM: Program = {
    "a": actor(Write(0), Chance(2, Write(1)), Write(2)),
    "b": actor(Read(0), Write(0), Read(1)),
    "c": actor(Read(2), Chance(2), Write(2)),
}
SMALL: Program = {"a": actor(Write(0)), "b": actor(Read(0))}


class Diary(Endless):
    """Writes down when it was its turn, and which number its run had."""

    def __init__(self, name: str, diary: list[str], runs: int | None = None) -> None:
        self.name = name
        self.diary = diary
        self.runs = runs

    def scheduler(self, number: int) -> Unseen:
        self.diary.append(f"{self.name}{number}")
        return Unseen()

    def heard(self, run: Recorded, ending: Ending) -> None:
        if self.runs is not None:
            self.runs -= 1
            self.exhausted = not self.runs


def turns(portfolio: Portfolio, diary: list[str], most: int) -> str:
    explore(SMALL, portfolio, most=most)
    return " ".join(diary)


def test_members_take_turns_in_shares_that_grow() -> None:
    diary: list[str] = []
    mix = [Diary("x", diary), Diary("y", diary)]
    assert turns(Portfolio([], mix), diary, 9) == "x0 y0 x1 x2 y1 y2 x3 x4 x5"


def test_some_come_first_until_they_are_exhausted() -> None:
    diary: list[str] = []
    first = [Diary("f", diary, 1), Diary("g", diary, 2)]
    mix = [Diary("x", diary), Diary("y", diary)]
    assert turns(Portfolio(first, mix), diary, 7) == "f0 g0 g1 x0 y0 x1 x2"


def test_who_is_exhausted_is_passed_over() -> None:
    diary: list[str] = []
    mix = [Diary("x", diary, 2), Diary("y", diary), Diary("z", diary, 1)]
    assert turns(Portfolio([], mix), diary, 9) == "x0 y0 z0 x1 y1 y2 y3 y4 y5"


def test_it_ends_when_all_are_exhausted() -> None:
    diary: list[str] = []
    portfolio = Portfolio([Diary("f", diary, 1)], [Diary("x", diary, 2)])
    assert turns(portfolio, diary, 9) == "f0 x0 x1"
    assert portfolio.exhausted
    assert portfolio.proof is None


def test_it_ends_when_one_member_has_proved_all() -> None:
    portfolio = Portfolio([], [RandomWalk(1), Bounded()])
    explore(SMALL, portfolio)
    assert portfolio.exhausted
    assert portfolio.proof == Proof("every run there is", whole=True)


def test_what_a_member_proved_is_told_on_the_way() -> None:
    portfolio = Portfolio([Fifo()], [Bounded(), RandomWalk(1)])
    explore(PROGRAM, portfolio, most=1)
    assert portfolio.proof == Proof("the run in asyncio's order")
    explore(PROGRAM, portfolio, most=1)
    assert portfolio.proof == Proof("every run with at most 0 deviations")


def test_auto_begins_in_asyncios_order_and_with_what_failed_once() -> None:
    failed = run(PROGRAM, Values([1, 2, 1]))[1]
    found = explore(PROGRAM, auto(1, [encode(failed)]), most=2)
    assert found.recorded[0].deviations == ()
    assert found.recorded[1] == failed


def test_auto_comes_to_every_outcome_and_says_that_this_is_all() -> None:
    program = {"a": actor(Write(0), Chance(2, Write(1))), "b": actor(Read(0), Read(1))}
    strategy = auto(1)
    found = explore(program, strategy)
    assert strategy.proof == Proof("every run there is", whole=True)
    assert set(found.outcomes) == {outcome for outcome, _ in all_runs(program)}


def test_auto_makes_the_same_runs_for_the_same_seed() -> None:
    assert explore(PROGRAM, auto(1), most=100) == explore(PROGRAM, auto(1), most=100)
    assert explore(PROGRAM, auto(1), most=100) != explore(PROGRAM, auto(2), most=100)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("auto", Portfolio),
        ("fifo", Fifo),
        ("replay", Replay),
        ("random", RandomWalk),
        ("pct", Pct),
        ("pct:5", Pct),
        ("pos", Pos),
        ("bounded", Bounded),
        ("bounded:0", Bounded),
        ("dpor", Dpor),
    ],
)
def test_a_strategy_is_known_by_its_name(name: str, kind: type[Strategy]) -> None:
    assert isinstance(strategy_named(name), kind)


@pytest.mark.parametrize("name", ["", "dfs", "pct:", "pct:x", "pct:-1", "pct:0", "pos:3", "pct:²"])
def test_another_name_is_refused_saying_which_there_are(name: str) -> None:
    with pytest.raises(ValueError, match=r"no such strategy: .*" + ", ".join(NAMES)):
        strategy_named(name)


def test_what_is_asked_for_reaches_the_strategy() -> None:
    assert len(explore(SMALL, strategy_named("bounded:0")).outcomes) == 1
    disjoint = {"a": actor(Write(0)), "b": actor(Write(1))}
    assert len(explore(disjoint, strategy_named("dpor")).outcomes) == 2
    promised = strategy_named("dpor", assume=Assume.DISK_ONLY)
    assert len(explore(disjoint, promised).outcomes) == 1


@pytest.mark.parametrize("name", ["auto", "replay"])
def test_a_token_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(TokenError):
        strategy_named(name, tokens=["x1.damaged"])


@pytest.mark.parametrize("name", [name for name in NAMES if ":" not in name])
def test_runs_that_failed_once_come_first_whatever_is_wanted(name: str) -> None:
    failed = run(PROGRAM, Values([1, 1]))[1]
    explored = explore(PROGRAM, strategy_named(name, tokens=[encode(failed)]), most=2)
    assert failed.values in [recorded.values for recorded in explored.recorded]


def test_what_is_proved_is_proved_behind_runs_that_failed_once_too() -> None:
    token = encode(run(SMALL, Values([1]))[1])
    strategy = strategy_named("dpor", tokens=[token])
    explore(SMALL, strategy)
    assert strategy.exhausted
    assert strategy.proof is not None
    assert strategy.proof.whole


def test_auto_proves_what_dpor_proves() -> None:
    strategy = auto(assume=Assume.DISK_ONLY)
    disjoint = {name: actor(Write(at), Write(at)) for at, name in enumerate("abc")}
    explored = explore(disjoint, strategy)
    assert strategy.exhausted
    assert strategy.proof is not None
    assert "disk-only" in strategy.proof.claim
    assert len(explored.outcomes) < 10
