from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from blkdebug_async.explore.actions import Action, Kind, RedundantRunError
from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.dpor import Dpor, Exploring
from blkdebug_async.explore.strategies.strategy import Ending, Proof
from tests.unit.explore.plain_programs import (
    Actor,
    Chance,
    Explored,
    Flush,
    IfOld,
    IfRemembered,
    Lock,
    Op,
    Program,
    Read,
    Remember,
    Start,
    Stop,
    Unlock,
    Write,
    actor,
    all_runs,
    class_of,
    explore,
)

NAMES = ("a", "b", "c", "d")
MOST_RUNS = 700

PROGRAMS: dict[str, Program] = {
    "reads and writes": {
        "a": actor(Write(0), Write(1)),
        "b": actor(Write(1), Write(0)),
        "c": actor(Read(0), Read(1)),
    },
    "flushes": {
        "a": actor((Write(0), Flush()), Write(1)),
        "b": actor(Write(1), Flush()),
        "c": actor(Read(0)),
    },
    "locks": {
        "a": actor(Lock(), Write(0), Unlock()),
        "b": actor(Lock(), Write(0), Unlock()),
        "c": actor(Write(0)),
    },
    "locks in two orders": {
        "a": actor(Lock("one"), Lock("other"), Unlock("other"), Unlock("one")),
        "b": actor(Lock("other"), Lock("one"), Unlock("one"), Unlock("other")),
    },
    "what is started": {
        "a": actor(Start("c"), Write(0)),
        "b": actor(Read(0)),
        "c": actor(Write(0), started=False),
    },
    "what is stopped": {
        "a": actor(Stop("b")),
        "b": actor(Write(0), Write(1)),
        "c": actor(Read(1)),
    },
    "a stop at the end of a run that is left": {
        "a": actor(Stop("c"), Stop("d")),
        "b": actor(Read(0, 2), kind=Kind.REQUEST),
        "c": actor(Read(2)),
        "d": actor(Write(1)),
    },
    "what is stopped meets only some of what comes": {
        "a": actor(Write(0)),
        "b": actor(Stop("a")),
        "c": actor(Read(3), started=False),
        "d": actor(IfOld(0, Start("c"))),
    },
    "what is touched depends on what is read": {
        "a": actor(Write(2, 2)),
        "b": actor(IfOld(2, Write(0, 2))),
        "c": actor(IfOld(0, Read(1, 2))),
    },
    "what is touched depends on an earlier step": {
        "a": actor(IfOld(0, Write(2))),
        "b": actor(Write(0)),
        "c": actor(Read(2, 2)),
    },
    "a request that sleeps where the way is free": {
        "a": actor((IfOld(1, Write(2, 2)), Flush())),
        "b": actor(Write(0)),
        "c": actor(IfOld(2, Write(1, 2)), kind=Kind.REQUEST),
        "d": actor(Read(0)),
    },
    "requests": {
        "a": actor(Write(0), Write(1)),
        "b": actor(Write(0), kind=Kind.REQUEST),
        "c": actor(Write(1), kind=Kind.REQUEST),
    },
}
CHOICES: dict[str, Program] = {
    "faults": {
        "a": actor(Lock(), Write(0), Unlock()),
        "b": actor(Chance(3, Write(0))),
        "c": actor(Write(0)),
    },
    "faults between steps": {
        "a": actor(Write(1), Chance(2, Write(0)), Read(0)),
        "b": actor(Chance(3, Write(0)), kind=Kind.REQUEST),
    },
    "a fault that takes away": {
        "a": actor(IfOld(0, Read(1))),
        "b": actor(Chance(2, Stop("c")), kind=Kind.REQUEST),
        "c": actor(Chance(2)),
    },
    "faults alone": {"a": actor(Chance(3), (Chance(2), Chance(2)))},
}


def explored(program: Program, assumed: Assume) -> Explored:
    strategy = Dpor(assumed)
    found = explore(program, strategy)
    assert strategy.exhausted
    assert strategy.proof is not None
    assert strategy.proof.whole
    assert strategy.redundant == found.redundant
    return found


def classes_of(runs: Sequence[Recorded], assumed: Assume) -> set[object]:
    return {class_of(recorded, assumed) for recorded in runs}


@pytest.mark.parametrize("assumed", Assume)
@pytest.mark.parametrize("name", PROGRAMS)
def test_each_class_of_runs_is_run_once(name: str, assumed: Assume) -> None:
    every = list(all_runs(PROGRAMS[name]))
    found = explored(PROGRAMS[name], assumed)
    classes = classes_of([recorded for _, recorded in every], assumed)
    assert classes_of(found.recorded, assumed) == classes
    assert len(found.recorded) == len(classes) <= len(every)
    assert set(found.outcomes) == {outcome for outcome, _ in every}


@pytest.mark.parametrize("assumed", Assume)
@pytest.mark.parametrize("name", CHOICES)
def test_each_class_of_runs_is_run_whatever_is_chosen(name: str, assumed: Assume) -> None:
    every = list(all_runs(CHOICES[name]))
    found = explored(CHOICES[name], assumed)
    classes = classes_of([recorded for _, recorded in every], assumed)
    assert classes_of(found.recorded, assumed) == classes
    assert len(found.recorded) <= len(every)
    assert set(found.outcomes) == {outcome for outcome, _ in every}


HIDDEN: dict[str, Program] = {
    "a task does something else by what another remembers": {
        "a": actor(IfRemembered(Write(0))),
        "b": actor(Remember()),
        "c": actor(Read(0), kind=Kind.REQUEST),
        "d": actor(Read(0), kind=Kind.REQUEST),
    },
    "a task lets another do something else": {
        "a": actor(Remember(), IfRemembered(Write(1))),
        "b": actor(Read(0), IfRemembered(IfOld(0, Write(1)))),
        "c": actor(Write(0), kind=Kind.REQUEST),
        "d": actor(Read(1), kind=Kind.REQUEST),
    },
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_tasks_share_unseen_is_allowed_for(name: str) -> None:
    every = list(all_runs(HIDDEN[name]))
    found = explored(HIDDEN[name], Assume.NOTHING)
    classes = classes_of([recorded for _, recorded in every], Assume.NOTHING)
    assert classes_of(found.recorded, Assume.NOTHING) == classes
    assert len(found.recorded) == len(classes) < len(every)
    assert set(found.outcomes) == {outcome for outcome, _ in every}


def test_a_promise_that_is_not_kept_misses_runs() -> None:
    program = {"a": actor(IfRemembered(Write(0))), "b": actor(Remember())}
    outcomes = {outcome for outcome, _ in all_runs(program)}
    assert set(explored(program, Assume.NOTHING).outcomes) == outcomes
    assert set(explored(program, Assume.DISK_ONLY).outcomes) < outcomes


def ops() -> st.SearchStrategy[Op]:
    plain = st.one_of(
        st.builds(Read, st.integers(0, 2), st.integers(1, 2)),
        st.builds(Write, st.integers(0, 2), st.integers(1, 2)),
        st.just(Flush()),
    )
    return st.one_of(
        plain,
        st.builds(Start, st.sampled_from(NAMES)),
        st.builds(Stop, st.just("d")),
        st.builds(IfOld, st.integers(0, 2), plain),
        st.builds(Chance, st.just(2), plain),
    )


@st.composite
def actors(draw: st.DrawFn) -> Actor:
    steps = draw(st.lists(st.lists(ops(), min_size=1, max_size=2).map(tuple), max_size=3))
    if draw(st.booleans()):
        lock = draw(st.sampled_from(["one", "other"]))
        steps = [*steps[:1], (Lock(lock),), *steps[1:2], (Unlock(lock),)]
    kind = draw(st.sampled_from([Kind.TASK, Kind.REQUEST]))
    return Actor(tuple(steps), kind, started=draw(st.booleans()))


@st.composite
def programs(draw: st.DrawFn) -> Program:
    program = {name: draw(actors()) for name in NAMES[: draw(st.integers(2, 4))]}
    # Only d is ever stopped, so it must be there, and stop nobody: not even itself.
    return {**program, "a": Actor(program["a"].steps), "d": actor(Write(0), Read(1))}


@pytest.mark.slow
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@given(programs(), st.sampled_from(list(Assume)))
def test_made_up_programs_have_the_same_classes_as_by_brute_force(
    program: Program, assumed: Assume
) -> None:
    every = []
    for each in all_runs({**dict.fromkeys(NAMES, actor(started=False)), **program}):
        every.append(each)
        assume(len(every) < MOST_RUNS)
    found = explored({**dict.fromkeys(NAMES, actor(started=False)), **program}, assumed)
    wanted = classes_of([recorded for _, recorded in every], assumed)
    assert classes_of(found.recorded, assumed) == wanted
    assert set(found.outcomes) == {outcome for outcome, _ in every}


@pytest.mark.parametrize("writers", [1, 2, 3, 4])
def test_writers_on_sectors_of_their_own_take_a_single_run(writers: int) -> None:
    program = {f"writer {number}": actor(Write(number)) for number in range(writers)}
    assert len(explored(program, Assume.DISK_ONLY).recorded) == 1


@pytest.mark.parametrize("writers", [1, 2, 3, 4])
def test_writers_on_one_sector_take_a_run_for_each_order(writers: int) -> None:
    program = {f"writer {number}": actor(Write(0)) for number in range(writers)}
    assert len(explored(program, Assume.DISK_ONLY).recorded) == math.factorial(writers)


@pytest.mark.parametrize("requests", [2, 5, 40])
def test_requests_on_sectors_of_their_own_commute_whatever_is_assumed(requests: int) -> None:
    program = {
        f"request {number}": Actor(((Write(number),),), Kind.REQUEST) for number in range(requests)
    }
    assert len(explored(program, Assume.NOTHING).recorded) == 1


def test_writers_that_meet_in_pairs_take_two_runs_for_each_pair() -> None:
    program = {f"{pair} {side}": actor(Write(pair)) for pair in range(3) for side in "ab"}
    found = explored(program, Assume.DISK_ONLY)
    assert (len(found.recorded), found.redundant) == (8, 0)


def test_tasks_are_taken_to_share_state_unless_promised() -> None:
    program = {name: actor(Read(0)) for name in "abc"}
    assert len(explored(program, Assume.NOTHING).recorded) == math.factorial(3)


@pytest.mark.parametrize(
    ("assumed", "claim"),
    [
        (Assume.NOTHING, "every class of schedules"),
        (
            Assume.DISK_ONLY,
            "every class of schedules, if tasks share nothing but disks (disk-only)",
        ),
    ],
)
def test_what_is_proved_says_what_was_assumed(assumed: Assume, claim: str) -> None:
    strategy = Dpor(assumed)
    explore(PROGRAMS["locks"], strategy)
    assert strategy.proof == Proof(claim, whole=True)


def test_nothing_is_proved_on_the_way() -> None:
    strategy = Dpor()
    explore(PROGRAMS["locks"], strategy, most=3)
    assert (strategy.exhausted, strategy.proof) == (False, None)


A, B, C = (Action(name, name, Kind.TASK) for name in "abc")
WRITE = Footprint("disk", 0, 512, Touch.WRITE)


def run_steps(scheduler: Exploring, names: str) -> str:
    """Let actions of those names happen, each of which writes; give the order."""
    left, order = [Action(name, name, Kind.TASK) for name in names], ""
    while left:
        action = left.pop(scheduler.pick(left) if len(left) > 1 else 0)
        order += action.key
        scheduler.ran(action, [WRITE])
    return order


def heard(strategy: Dpor, ending: Ending = Ending.PASSED) -> None:
    strategy.heard(Recorded((), ()), ending)


def test_a_scenario_that_goes_another_way_ends_it_without_a_proof() -> None:
    strategy = Dpor()
    run_steps(strategy.scheduler(0), "abc")
    heard(strategy)
    # It is told to let c come before b, and there is no c.
    run_steps(strategy.scheduler(1), "abd")
    heard(strategy)
    assert (strategy.exhausted, strategy.diverged, strategy.proof) == (True, True, None)


def test_a_scenario_that_chooses_otherwise_ends_it_without_a_proof() -> None:
    strategy = Dpor()
    chosen = []
    for ways in (3, 2):
        scheduler = strategy.scheduler(0)
        chosen.append(scheduler.choose(ways, "fault"))
        scheduler.ran(A, [])
        heard(strategy)
    assert chosen == [0, 1]
    assert (strategy.exhausted, strategy.diverged, strategy.proof) == (True, True, None)


@pytest.mark.parametrize("ending", [Ending.PASSED, Ending.CUT])
def test_only_whole_runs_prove_something(ending: Ending) -> None:
    strategy = Dpor()
    strategy.scheduler(0).ran(A, [])
    heard(strategy, ending)
    assert strategy.exhausted
    assert (strategy.proof is None) == (ending is Ending.CUT)


def test_a_run_that_ended_within_a_step_proves_nothing() -> None:
    strategy = Dpor()
    for number in range(2):
        scheduler = strategy.scheduler(number)
        scheduler.pick([A, B])
        heard(strategy)
    assert strategy.exhausted
    assert strategy.proof is None


def test_a_run_that_brings_nothing_new_is_left_where_there_is_no_pick_either() -> None:
    strategy = Dpor(Assume.DISK_ONLY)
    reads = Footprint("disk", 0, 512, Touch.READ)
    first = strategy.scheduler(0)
    first.pick([A, B])
    first.ran(A, [reads])
    first.ran(B, [WRITE])
    heard(strategy)
    second = strategy.scheduler(1)
    assert second.pick([A, B]) == 1
    # It does not write this time, so what comes behind it could as well have come before.
    second.ran(B, [reads])
    with pytest.raises(RedundantRunError):
        second.ran(A, [reads])


READS = Footprint("disk", 0, 512, Touch.READ)
ELSEWHERE = Footprint("disk", 512, 512, Touch.WRITE)


def orders(
    touched: dict[str, Footprint], needs: dict[str, str], actors: dict[str, str]
) -> set[str]:
    """Give all orders in which things happened, each of which needs others to be over."""
    strategy, found = Dpor(Assume.DISK_ONLY), set()
    while not strategy.exhausted:
        scheduler, order, ending = strategy.scheduler(0), "", Ending.PASSED
        try:
            while len(order) < len(touched):
                there = [
                    Action(key, actors.get(key, key), Kind.TASK)
                    for key in touched
                    if key not in order and set(needs.get(key, "")) <= set(order)
                ]
                action = there[scheduler.pick(there) if len(there) > 1 else 0]
                order += action.key
                scheduler.ran(action, [touched[action.key]])
            found.add(order)
        except RedundantRunError:
            ending = Ending.REDUNDANT
        heard(strategy, ending)
    return found


def test_what_depends_on_more_than_it_seemed_to_is_tried_all_ways() -> None:
    # One would think that a has nothing to do with c, and it is b that makes it possible.
    touched = {"d": WRITE, "a": READS, "b": ELSEWHERE, "c": WRITE}
    found = orders(touched, {"c": "ab"}, {})
    assert {order.index("c") < order.index("d") for order in found} == {True, False}
    assert {order.index("a") < order.index("d") for order in found} == {True, False}


def test_actions_of_one_actor_come_in_their_own_order() -> None:
    touched = {"a": WRITE, "b": ELSEWHERE, "c": WRITE}
    assert len(orders(touched, {"c": "b"}, {})) == 2
    assert orders(touched, {"c": "ab"}, {"a": "one", "c": "one"}) == {"abc"}


def test_actions_of_one_actor_that_are_possible_at_once_come_in_any_order() -> None:
    touched = {"a": WRITE, "b": ELSEWHERE}
    assert orders(touched, {}, {"a": "one", "b": "one"}) == {"ab", "ba"}


def test_it_cannot_do_without_actions() -> None:
    scheduler = Dpor().scheduler(0)
    assert scheduler.wants_actions
    assert scheduler.pick_of(2) == 0
