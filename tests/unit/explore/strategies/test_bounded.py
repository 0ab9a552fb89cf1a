from __future__ import annotations

import pytest

from blkdebug_async.explore.record import Recorded, without_tail
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.fifo import Fifo
from blkdebug_async.explore.strategies.strategy import Ending, Proof
from tests.unit.explore.plain_programs import (
    Chance,
    Lock,
    Program,
    Read,
    Unlock,
    Write,
    actor,
    all_runs,
    explore,
)

PROGRAM: Program = {
    "a": actor(Write(0), Write(1)),
    "b": actor(Lock(), Chance(3, Write(0)), Unlock()),
    "c": actor(Lock(), Read(0), Unlock()),
}


def every_run() -> list[Recorded]:
    return [recorded for _, recorded in all_runs(PROGRAM)]


@pytest.mark.parametrize("bound", [0, 1, 2, 3])
def test_a_bound_makes_each_run_with_so_many_deviations_once(bound: int) -> None:
    wanted = {each.values for each in every_run() if len(each.deviations) <= bound}
    explored = explore(PROGRAM, Bounded(bound))
    made = [each.values for each in explored.recorded]
    assert len(made) == len(set(made))
    assert set(made) == wanted


def test_without_a_bound_every_run_is_made_once() -> None:
    made = [each.values for each in explore(PROGRAM, Bounded()).recorded]
    assert sorted(made) == sorted(each.values for each in every_run())


def test_runs_with_few_deviations_come_first() -> None:
    counts = [len(each.deviations) for each in explore(PROGRAM, Bounded()).recorded]
    assert counts == sorted(counts)


@pytest.mark.parametrize(
    ("bound", "claim"),
    [
        (0, "every run with at most 0 deviations"),
        (1, "every run with at most 1 deviation"),
        (2, "every run with at most 2 deviations"),
    ],
)
def test_a_bound_that_is_through_is_proved(bound: int, claim: str) -> None:
    strategy = Bounded(bound)
    explore(PROGRAM, strategy)
    assert strategy.exhausted
    assert strategy.proof == Proof(claim)


def test_on_the_way_the_last_bound_is_proved() -> None:
    strategy = Bounded()
    explore(PROGRAM, strategy, most=1 + sum(len(each.deviations) == 1 for each in every_run()))
    assert strategy.proof == Proof("every run with at most 1 deviation")


def test_all_runs_prove_all() -> None:
    strategy = Bounded()
    explore(PROGRAM, strategy)
    assert strategy.proof == Proof("every run there is", whole=True)


def test_a_run_that_was_cut_proves_nothing() -> None:
    strategy = Bounded(0)
    strategy.scheduler(0)
    strategy.heard(Recorded((0,), (2,)), Ending.CUT)
    assert strategy.exhausted
    assert strategy.proof is None


def test_a_run_that_did_not_do_as_it_was_told_proves_nothing() -> None:
    strategy = Bounded(1)
    strategy.scheduler(0)
    strategy.heard(Recorded((0,), (2,)), Ending.PASSED)
    strategy.scheduler(1)
    strategy.heard(Recorded(without_tail([0]), ()), Ending.PASSED)
    assert strategy.exhausted
    assert strategy.proof == Proof("every run with at most 0 deviations")


def test_bounds_need_not_be_shown_actions() -> None:
    assert not Bounded().scheduler(0).wants_actions


def test_fifo_makes_the_one_run_in_asyncios_order() -> None:
    strategy = Fifo()
    (recorded,) = explore(PROGRAM, strategy).recorded
    assert recorded.deviations == ()
    assert strategy.proof == Proof("the run in asyncio's order")


def test_with_nothing_to_decide_fifo_proves_all() -> None:
    strategy = Fifo()
    explore({"a": PROGRAM["a"]}, strategy)
    assert strategy.proof == Proof("every run there is", whole=True)


def test_fifo_proves_nothing_by_a_run_that_was_cut() -> None:
    strategy = Fifo()
    strategy.heard(Recorded((), ()), Ending.CUT)
    assert (strategy.exhausted, strategy.proof) == (True, None)
