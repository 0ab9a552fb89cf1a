from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore.actions import RedundantRunError, Scheduler
from blkdebug_async.explore.record import Recorded, Recorder
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.dpor import Dpor
from blkdebug_async.explore.strategies.fifo import Fifo
from blkdebug_async.explore.strategies.pct import Pct
from blkdebug_async.explore.strategies.portfolio import Portfolio, auto
from blkdebug_async.explore.strategies.pos import Pos
from blkdebug_async.explore.strategies.random_walk import RandomWalk
from blkdebug_async.explore.strategies.replay import Replay, Values
from blkdebug_async.explore.strategies.strategy import Ending, Proof, Strategy
from blkdebug_async.explore.strategies.swarm import Swarm
from blkdebug_async.explore.token import encode
from tests.unit.explore.plain_programs import (
    Chance,
    Machine,
    Program,
    Read,
    Write,
    actor,
    run,
)

PROGRAM: Program = {
    "a": actor(Write(0), Chance(2, Write(1)), Write(2)),
    "b": actor(Read(0), Write(0), Read(1)),
}
#: It has few runs.
SMALL: Program = {"a": actor(Write(0), Chance(2, Write(1))), "b": actor(Read(0))}
TOKENS = [encode(run(PROGRAM, Values(values))[1]) for values in ([1], [0, 1], [1, 0, 1])]

STRATEGIES: dict[str, Callable[[], Strategy]] = {
    "fifo": Fifo,
    "replay": lambda: Replay(TOKENS),
    "random walk": lambda: RandomWalk(1),
    "pct": lambda: Pct(1),
    "pct that knows the length": lambda: Pct(1, length=3),
    "pos": lambda: Pos(1),
    "swarm": lambda: Swarm(Pct(1), 1),
    "bounded": lambda: Bounded(None),
    "bounded by 1": lambda: Bounded(1),
    "dpor": Dpor,
    "portfolio": lambda: Portfolio([Fifo(), Replay(TOKENS)], [Bounded(1), Fifo(), Pct(1), Pos(1)]),
    "portfolio with an end": lambda: Portfolio([Fifo()], [Bounded(1), Dpor(), Bounded(2)]),
    "auto": lambda: auto(1, TOKENS),
}


@dataclass
class Made:
    """What a caller got."""

    runs: list[Recorded] = field(default_factory=list)
    proofs: list[Proof | None] = field(default_factory=list)
    exhausted: bool = False
    #: Most runs that were made and not heard of.
    ahead: int = 0
    #: How many were made and never told.
    too_many: int = 0


@dataclass
class Caller:
    """Makes runs of a strategy, some ahead."""

    strategy: Strategy
    program: Program
    made: Made = field(default_factory=Made)
    waiting: deque[Scheduler] = field(default_factory=deque)

    def explore(self, ahead: Sequence[int], most: int) -> Made:
        """Make runs; before each is heard of, so many others are begun."""
        begun = 0
        for wanted in ahead:
            if self.strategy.exhausted:
                break
            while len(self.waiting) <= wanted and not self.strategy.blocked and begun < most:
                self.waiting.append(self.strategy.scheduler(begun))
                begun += 1
            self.made.ahead = max(self.made.ahead, len(self.waiting) - 1)
            if self.waiting:
                self.hear(self.waiting.popleft())
        self.made.exhausted = self.strategy.exhausted
        self.made.too_many = len(self.waiting)
        return self.made

    def hear(self, scheduler: Scheduler) -> None:
        recorder = Recorder(scheduler)
        ending = Ending.PASSED
        try:
            Machine(self.program, recorder).run()
        except RedundantRunError:
            ending = Ending.REDUNDANT
        self.made.runs.append(recorder.recorded())
        self.strategy.heard(recorder.recorded(), ending)
        self.made.proofs.append(self.strategy.proof)


def made_ahead(name: str, ahead: Sequence[int], program: Program = PROGRAM) -> Made:
    return Caller(STRATEGIES[name](), program).explore(ahead, len(ahead))


def assert_same(made: Made, wanted: Made) -> None:
    assert made.runs == wanted.runs
    assert made.proofs == wanted.proofs
    assert made.exhausted == wanted.exhausted


@given(
    st.sampled_from(sorted(STRATEGIES)),
    st.sampled_from([PROGRAM, SMALL]),
    st.lists(st.integers(0, 12), min_size=1, max_size=90),
)
def test_runs_made_ahead_are_those_that_are_made_one_after_the_other(
    name: str, program: Program, ahead: list[int]
) -> None:
    made = made_ahead(name, ahead, program)
    assert_same(made, made_ahead(name, [0] * len(ahead), program))


@pytest.mark.parametrize("program", [PROGRAM, SMALL], ids=["program", "small"])
@pytest.mark.parametrize("name", STRATEGIES)
def test_many_runs_ahead_are_those_one_after_the_other(name: str, program: Program) -> None:
    assert_same(made_ahead(name, [5] * 100, program), made_ahead(name, [0] * 100, program))


@pytest.mark.parametrize(
    ("name", "ahead"),
    [
        ("fifo", 0),
        ("replay", 2),
        ("random walk", 7),
        ("pct", 7),
        ("pct that knows the length", 7),
        ("pos", 7),
        ("swarm", 7),
        ("bounded", 7),
        ("dpor", 0),
        ("portfolio", 7),
        ("auto", 7),
    ],
)
def test_strategies_go_ahead_as_far_as_they_know(name: str, ahead: int) -> None:
    assert made_ahead(name, [7] * 60).ahead == ahead


def test_runs_ahead_may_turn_out_to_be_too_many() -> None:
    strategy = Portfolio([], [Bounded(), RandomWalk()])
    made = Caller(strategy, {"a": actor(Read(0))}).explore([1], 9)
    assert (made.exhausted, made.too_many) == (True, 1)
    assert made.proofs == [Proof("every run there is", whole=True)]


@pytest.mark.parametrize("name", STRATEGIES)
def test_schedulers_can_be_sent_to_other_processes(name: str) -> None:
    strategy, kinds = STRATEGIES[name](), set()
    for number in range(60):
        if strategy.exhausted:
            break
        serial, scheduler = strategy.serial, strategy.scheduler(number)
        sent = None if serial else pickle.dumps(scheduler)
        kinds.add(type(scheduler))
        recorder = Recorder(scheduler)
        Machine(PROGRAM, recorder).run()
        strategy.heard(recorder.recorded(), Ending.PASSED)
        if sent is not None:
            assert run(PROGRAM, pickle.loads(sent))[1].values == recorder.recorded().values
    assert kinds


def test_what_shares_its_state_stays_in_this_process() -> None:
    assert Dpor().serial
    assert Swarm(Dpor()).serial
    portfolio = Portfolio([Dpor()], [Fifo()])
    assert portfolio.serial
    assert not Portfolio([], [Fifo(), Dpor()]).serial


def test_an_exhausted_portfolio_has_nothing_to_say_of_its_next_run() -> None:
    portfolio = Portfolio([Fifo()], [])
    portfolio.scheduler(0)
    assert portfolio.blocked
    portfolio.heard(Recorded((), ()), Ending.PASSED)
    assert (portfolio.exhausted, portfolio.blocked, portfolio.serial) == (True, True, False)
