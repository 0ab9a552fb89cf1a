from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.shrink import Fails, Shrunk, shrink, simplicity
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.random_walk import RandomWalk
from blkdebug_async.explore.strategies.replay import Values
from tests.unit.explore.plain_programs import (
    Chance,
    Flush,
    IfOld,
    Lock,
    Program,
    Read,
    Unlock,
    Write,
    actor,
    explore,
    run,
)

Predicate = Callable[[tuple[int, ...]], bool]

LENGTH, WAYS = 7, 3
LISTS = st.lists(st.integers(0, WAYS - 1), max_size=LENGTH)


def fails_where(predicate: Predicate, length: int = LENGTH, ways: int = WAYS) -> Fails:
    """Make runs of so many decisions, that fail where something holds of all their values."""

    def fails(values: list[int]) -> Recorded | None:
        padded = (*values, *[0] * length)[:length]
        cut = tuple(min(value, ways - 1) for value in padded)
        return Recorded(cut, (ways,) * length) if predicate(cut) else None

    return fails


def deviations(values: Sequence[int]) -> int:
    return simplicity(values)[0]


@pytest.mark.parametrize(
    ("predicate", "given_list", "least"),
    [
        (lambda values: True, [2, 1, 2, 1], ()),
        (lambda values: values[3] == 2, [1, 2, 1, 2, 1], (0, 0, 0, 2)),
        (lambda values: values[3] >= 1, [1, 2, 1, 2, 1], (0, 0, 0, 1)),
        (lambda values: sum(values) >= 3, [1, 0, 1, 0, 1, 1], (1, 2)),
        (lambda values: 2 in values, [1, 1, 1, 1, 1, 2], (2,)),
        (lambda values: values[1] and values[4], [1] * 7, (0, 1, 0, 0, 1)),
        (lambda values: values.count(1) >= 3, [1] * 7, (1, 1, 1)),
        (
            lambda values: any(a < b for a, b in pairwise(values)),
            [2, 0, 1],
            (0, 1),
        ),
    ],
)
def test_the_least_list_is_found(
    predicate: Predicate, given_list: list[int], least: tuple[int, ...]
) -> None:
    shrunk = shrink(given_list, fails_where(predicate))
    assert shrunk.values == least
    assert shrunk.finished
    assert shrunk.run is not None
    assert predicate(shrunk.run.values)


def test_a_list_is_simpler_by_deviations_then_length_then_values() -> None:
    lists = [[1, 1], [0, 0, 0, 1], [0, 0], [2, 0, 1], [0, 2], [0, 1], [1, 2]]
    assert sorted(lists, key=simplicity) == [
        [0, 0], [0, 1], [0, 2], [0, 0, 0, 1], [1, 1], [1, 2], [2, 0, 1]
    ]  # fmt: skip


def test_a_list_that_does_not_fail_again_is_given_back() -> None:
    shrunk = shrink([0, 1, 0], fails_where(lambda values: False))
    assert shrunk == Shrunk((0, 1), None, 1, finished=True)


def any_predicate() -> st.SearchStrategy[Predicate]:
    """Make predicates that hold of some lists, as a bug may have it."""
    needs = st.dictionaries(st.integers(0, LENGTH - 1), st.integers(1, WAYS - 1), max_size=3)
    ways_to_fail = st.lists(needs, min_size=1, max_size=4)
    return ways_to_fail.map(
        lambda found: (
            lambda values: any(
                all(values[place] == value for place, value in need.items()) for need in found
            )
        )
    )


@given(any_predicate(), LISTS, st.integers(1, 60))
def test_shrinking_never_gives_something_less_simple(
    predicate: Predicate, values: list[int], budget: int
) -> None:
    shrunk = shrink(values, fails_where(predicate), budget=budget)
    assert simplicity(shrunk.values) <= simplicity(values)
    assert shrunk.runs <= budget
    assert (shrunk.run is None) == (fails_where(predicate)(values) is None)
    assert shrunk.run is None or predicate(shrunk.run.values)


@given(any_predicate(), LISTS)
def test_what_is_shrunk_cannot_be_shrunk_again(predicate: Predicate, values: list[int]) -> None:
    fails = fails_where(predicate)
    once = shrink(values, fails, budget=10_000)
    again = shrink(once.values, fails, budget=10_000)
    assert once.finished
    assert again.values == once.values


@settings(max_examples=30)
@given(any_predicate(), LISTS)
def test_every_deviation_that_is_left_matters(predicate: Predicate, values: list[int]) -> None:
    shrunk = shrink(values, fails_where(predicate)).values
    if shrunk and fails_where(predicate)(values):
        without = [(*shrunk[:at], 0, *shrunk[at + 1 :]) for at in range(len(shrunk)) if shrunk[at]]
        assert not any(fails_where(predicate)(list(each)) for each in without)


@given(st.integers(0, 40), st.lists(st.integers(0, 1), min_size=41, max_size=200))
def test_one_of_many_deviations_is_found_in_few_runs(place: int, values: list[int]) -> None:
    values[place] = 1
    fails = fails_where(lambda each: each[place] == 1, length=200, ways=2)
    shrunk = shrink(values, fails)
    assert shrunk.values == (*[0] * place, 1)


@pytest.mark.parametrize("one", [(0, 1), (1, 0, 2)])
@pytest.mark.parametrize("other", [(2, 2), (0, 0, 0, 1, 1)])
def test_where_there_are_two_ways_to_fail_the_harder_one_leads_to_the_simpler(
    one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    def is_bug(values: tuple[int, ...]) -> bool:
        return any(values[: len(each)] == each for each in (one, other))

    shrunk = shrink(max(one, other, key=simplicity), fails_where(is_bug))
    assert deviations(shrunk.values) <= 1 + min(deviations(one), deviations(other))


BUGS: dict[str, tuple[Program, Callable[[dict[str, tuple[object, ...]]], bool]]] = {
    "torn read": (
        {
            "writer": actor(Write(0), Write(1)),
            "reader": actor((Read(0), Read(1))),
            "other": actor(Read(2), Write(3), Read(3), Chance(2, Flush())),
            "another": actor(Write(2), Lock(), Read(2), Unlock()),
        },
        lambda seen: seen["reader"] == (("writer",), ("old",)),
    ),
    "lost update": (
        {
            "noise": actor(Read(3), Read(3), Read(3)),
            "a": actor(IfOld(0, Read(1)), Write(0)),
            "b": actor(IfOld(0, Read(1)), Write(0)),
            "c": actor(IfOld(0, Read(1)), Write(0)),
        },
        lambda seen: all(seen.get(name) for name in "abc"),
    ),
    "fault between two steps": (
        {
            "a": actor(Write(0), Chance(3, Write(1)), Read(1)),
            "b": actor(Write(1), Read(0)),
            "noise": actor(Chance(3), Chance(3), Chance(3)),
        },
        lambda seen: seen.get("a") == (2, ("b",)) and seen["b"] == (("a",),),
    ),
}


@pytest.mark.parametrize("name", BUGS)
def test_bugs_are_shrunk_to_one_deviation_more_than_needed_at_most(name: str) -> None:
    program, is_bug = BUGS[name]

    def shows(outcome: object) -> bool:
        assert isinstance(outcome, tuple)
        return is_bug(dict(outcome[2]))

    def fails(values: list[int]) -> Recorded | None:
        outcome, recorded = run(program, Values(values))
        return recorded if shows(outcome) else None

    bounded = explore(program, Bounded(3))
    failing = [
        recorded
        for outcome, recorded in zip(bounded.outcomes, bounded.recorded, strict=True)
        if shows(outcome)
    ]
    needed = min(len(recorded.deviations) for recorded in failing)
    walks = explore(program, RandomWalk(1), most=400)
    found = [
        recorded.values
        for outcome, recorded in zip(walks.outcomes, walks.recorded, strict=True)
        if shows(outcome)
    ]
    assert len(found) > 5
    for values in found[:20]:
        shrunk = shrink(values, fails)
        assert deviations(shrunk.values) <= needed + 1
        assert shrunk.runs <= 300
