from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.fifo import Fifo
from blkdebug_async.explore.strategies.pct import Pct, Priorities
from blkdebug_async.explore.strategies.pos import Pos
from blkdebug_async.explore.strategies.random_walk import RandomWalk
from blkdebug_async.explore.strategies.strategy import Ending, Strategy
from blkdebug_async.explore.strategies.swarm import Masked, Swarm
from blkdebug_async.explore.strategies.unseen import Unseen
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

Make = Callable[[int], Strategy]
BY_CHANCE: dict[str, Make] = {
    "random": RandomWalk,
    "pct": Pct,
    "pos": Pos,
    "swarm": lambda seed: Swarm(RandomWalk(seed), seed),
}
PROGRAM: Program = {
    "a": actor(Write(0), Chance(2, Write(1))),
    "b": actor(Read(0), Write(0)),
    "c": actor(Chance(3), kind=Kind.REQUEST),
}


@pytest.fixture(params=BY_CHANCE)
def make(request: pytest.FixtureRequest) -> Make:
    return BY_CHANCE[request.param]


def lists_of(strategy: Strategy, runs: int) -> list[tuple[int, ...]]:
    return [each.values for each in explore(PROGRAM, strategy, most=runs).recorded]


def test_the_same_seed_makes_the_same_runs(make: Make) -> None:
    assert lists_of(make(1), 20) == lists_of(make(1), 20)


def test_another_seed_makes_other_runs(make: Make) -> None:
    assert lists_of(make(1), 20) != lists_of(make(2), 20)


def test_the_runs_of_one_seed_differ(make: Make) -> None:
    assert len(set(lists_of(make(1), 20))) > 5


def test_a_run_hangs_on_its_number_only(make: Make) -> None:
    strategy, other = make(1), make(1)
    first = run(PROGRAM, strategy.scheduler(0))[1]
    for each in (strategy, other):
        each.heard(first, Ending.PASSED)
    for number in range(1, 7):
        run(PROGRAM, strategy.scheduler(number))
    assert run(PROGRAM, strategy.scheduler(7)) == run(PROGRAM, other.scheduler(7))


def test_chance_comes_to_every_outcome_in_time(make: Make) -> None:
    program: Program = {"a": actor(Write(0), Write(1)), "b": actor(Read(0), Read(1))}
    outcomes = {outcome for outcome, _ in all_runs(program)}
    # Twenty times as many runs as are needed in the long run.
    assert set(explore(program, make(1), most=400).outcomes) == outcomes


def test_chance_proves_nothing_and_never_ends(make: Make) -> None:
    strategy = make(1)
    explore(PROGRAM, strategy, most=50)
    assert strategy.proof is None
    assert not strategy.exhausted


def test_a_random_walk_need_not_be_shown_actions() -> None:
    assert not RandomWalk(1).scheduler(0).wants_actions


@pytest.mark.parametrize("strategy", [Pct(1), Pos(1)])
def test_whoever_shows_no_actions_gets_decisions_all_the_same(strategy: Strategy) -> None:
    scheduler = strategy.scheduler(0)
    assert {scheduler.pick_of(3) for _ in range(50)} == {0, 1, 2}


def actions_of(*actors: str) -> list[Action]:
    return [Action(f"{name} step", name, Kind.TASK) for name in actors]


def actors_picked(scheduler: Priorities, picks: int) -> list[str]:
    actions = actions_of("a", "b", "c")
    return [actions[scheduler.pick(actions)].actor for _ in range(picks)]


def test_the_most_important_actor_goes_on_without_change_points() -> None:
    scheduler = Pct(1, depth=1).scheduler(0)
    assert len(set(actors_picked(scheduler, 20))) == 1


def test_at_a_change_point_the_most_important_actor_becomes_the_least() -> None:
    scheduler = Priorities(Random(1), [2, 4])
    picked = actors_picked(scheduler, 6)
    first, second, third = dict.fromkeys(picked)
    assert picked == [first, first, second, second, third, third]


def test_whoever_lost_importance_first_gets_it_back_first() -> None:
    scheduler = Priorities(Random(1), [1, 2, 3])
    picked = actors_picked(scheduler, 5)
    assert picked[3:] == [picked[0]] * 2


def test_change_points_lie_within_the_length_of_the_first_run() -> None:
    strategy = Pct(1, depth=200)
    strategy.heard(Recorded((0,) * 50, (2,) * 50), Ending.PASSED)
    strategy.heard(Recorded((0,) * 5000, (2,) * 5000), Ending.PASSED)
    picked = actors_picked(strategy.scheduler(0), 100)
    assert len(set(picked[:50])) > 1
    assert len(set(picked[50:])) == 1


def test_change_points_go_further_where_the_first_run_was_short() -> None:
    strategy = Pct(1, depth=200)
    strategy.heard(Recorded((0,), (2,)), Ending.FAILED)

    picked = actors_picked(strategy.scheduler(0), 100)

    assert len(set(picked[1:16])) > 1
    assert len(set(picked[16:])) == 1


def test_each_fourth_run_reckons_to_be_longer_than_the_first_one() -> None:
    strategy = Pct(1, depth=200)
    strategy.heard(Recorded((0,) * 50, (2,) * 50), Ending.PASSED)
    lengths = [len(set(actors_picked(strategy.scheduler(run), 200)[50:])) for run in range(4)]

    assert lengths[:3] == [1, 1, 1]
    assert lengths[3] > 1


def test_with_nothing_to_decide_change_points_do_not_matter() -> None:
    strategy = Pct(1)
    strategy.heard(Recorded((), ()), Ending.PASSED)
    assert actors_picked(strategy.scheduler(0), 3)


def priorities_after(touched: Footprint) -> tuple[list[int], list[int]]:
    """Pick twice among requests, of which one, not picked, reads the first sector."""
    reads = Action("read", "read", Kind.REQUEST, (Footprint("disk", 0, 512, Touch.READ),))
    others = actions_of("a", "b")
    before, after = [], []
    for number in range(60):
        scheduler = Pos(1).scheduler(number)
        if scheduler.pick([reads, *others]):
            before.append(scheduler.pick([reads, others[0]]))
            scheduler.ran(others[1], [touched])
            after.append(scheduler.pick([reads, others[0]]))
    return before, after


def test_who_lost_a_race_gets_a_fresh_priority() -> None:
    before, after = priorities_after(Footprint("disk", 0, 512, Touch.WRITE))
    assert before != after


def test_who_did_not_race_keeps_its_priority() -> None:
    before, after = priorities_after(Footprint("disk", 512, 512, Touch.WRITE))
    assert before == after


class Always(Unseen):
    """Takes the last way."""

    def pick_of(self, n: int) -> int:
        return n - 1


def masked(seed: int) -> Masked:
    return Masked(Always(), Random(seed))


def test_a_mask_leaves_some_kinds_of_choices_alone_and_others_not() -> None:
    kinds = ["fail a read", "fail a write", "fail a flush", "tear a write"]
    masks = {tuple(mask.choose(2, kind) for kind in kinds) for mask in map(masked, range(60))}
    assert (1, 1, 1, 1) in masks
    assert (0, 0, 0, 0) in masks
    assert len(masks) > 6


def test_choices_that_differ_by_a_number_are_of_one_kind() -> None:
    for mask in map(masked, range(20)):
        assert len({mask.choose(2, f"fail write #{number}") for number in range(20)}) == 1


def test_a_mask_does_not_change_what_is_picked() -> None:
    mask = masked(1)
    assert (mask.pick_of(4), mask.pick(actions_of("a", "b")), mask.wants_actions) == (3, 1, False)


def test_a_masked_strategy_ends_with_its_strategy() -> None:
    swarm = Swarm(Fifo())
    assert len(explore(PROGRAM, swarm).outcomes) == 1
    assert swarm.exhausted
    assert swarm.proof is None
