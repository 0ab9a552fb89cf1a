from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore.strategies.replay import Deviations, Replay, Values
from blkdebug_async.explore.token import TokenError, decode, encode
from tests.unit.explore.plain_programs import (
    Actor,
    Chance,
    Program,
    Read,
    Write,
    actor,
    explore,
    run,
)

#: The reader comes between the two writes if it is picked at the second decision.
TORN: Program = {
    "writer": actor(Write(0), Write(1)),
    "reader": actor((Read(0), Read(1))),
}
UNRELATED = actor(Read(3), Read(3), Read(3))


TORN_READ = ("reader", (("writer",), ("old",)))


def is_torn(outcome: object) -> bool:
    return TORN_READ in run_seen(outcome)


def run_seen(outcome: object) -> tuple[object, ...]:
    assert isinstance(outcome, tuple)
    seen = outcome[2]
    assert isinstance(seen, tuple)
    return seen


def torn_token(program: Program) -> str:
    """Give a token of a torn read that needs a single deviation."""
    lists = ([0] * place + [value] for place in range(8) for value in range(1, 4))
    runs = (run(program, Values(values)) for values in lists)
    return next(encode(recorded) for outcome, recorded in runs if is_torn(outcome))


def with_one_more(name: str, added: Actor, place: int) -> Program:
    actors = list(TORN.items())
    return dict([*actors[:place], (name, added), *actors[place:]])


def replayed(program: Program, token: str) -> tuple[object, list[str]]:
    deviations = Deviations(decode(token))
    outcome, _ = run(program, deviations)
    return outcome, [str(each) for each in deviations.divergences]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_failing_schedule_is_found_again_with_an_unrelated_actor_more(place: int) -> None:
    edited = with_one_more("unrelated", UNRELATED, place)
    outcome, divergences = replayed(edited, torn_token(TORN))
    assert is_torn(outcome)
    assert divergences == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_failing_schedule_is_found_again_with_an_unrelated_actor_less(place: int) -> None:
    original = with_one_more("unrelated", UNRELATED, place)
    outcome, divergences = replayed(TORN, torn_token(original))
    assert is_torn(outcome)
    assert divergences == []


@given(st.lists(st.integers(0, 2), max_size=8), st.integers(0, 2))
def test_every_schedule_is_found_again_with_an_unrelated_actor_more(
    values: list[int], place: int
) -> None:
    outcome, recorded = run(TORN, Values(values))
    edited_outcome, divergences = replayed(
        with_one_more("unrelated", actor(Chance(2)), place), encode(recorded)
    )
    assert set(run_seen(outcome)) <= set(run_seen(edited_outcome))
    assert divergences == []


def test_what_cannot_be_picked_any_more_is_told_with_position_and_key() -> None:
    token = encode(run({"writer": TORN["writer"], "renamed": TORN["reader"]}, Values([0, 1]))[1])
    outcome, divergences = replayed(TORN, token)
    assert not is_torn(outcome)
    assert divergences == [
        "at decision 1, 'writer.1': deviation 1 of 1: "
        "what was picked instead is not among 'writer.1', 'reader.0'"
    ]


def test_what_never_came_to_be_decided_is_told() -> None:
    _, divergences = replayed({"reader": TORN["reader"]}, torn_token(TORN))
    assert divergences == ["deviation 1 of 1: no such decision came"]


def test_a_value_that_there_is_no_more_is_told() -> None:
    three_ways = {"a": actor(Chance(3)), "b": actor(Chance(3))}
    token = encode(run(three_ways, Values([0, 2]))[1])
    _, divergences = replayed({"a": actor(Chance(2))}, token)
    assert divergences == [
        "at decision 0, 'a decides': deviation 1 of 1: there is no way 2, there are 2"
    ]


def test_choices_about_one_key_are_told_apart_by_their_number() -> None:
    program = {"a": actor(Chance(2), Chance(2), Chance(2))}
    outcome, recorded = run(program, Values([0, 1]))
    assert replayed(program, encode(recorded)) == (outcome, [])


def test_two_deviations_that_put_off_the_same_action_are_found_in_their_order() -> None:
    program = {name: actor(Read(0)) for name in ("first", "second", "third")}
    recorded = run(program, Values([2, 1]))[1]
    assert [step.action.actor for step in recorded.steps] == ["third", "second", "first"]
    again = run(program, Deviations(decode(encode(recorded))))[1]
    assert again == recorded


def test_without_actions_a_token_changes_nothing() -> None:
    deviations = Deviations(decode(torn_token(TORN)))
    assert deviations.pick_of(3) == 0
    assert len(deviations.divergences) == 1


def test_stored_tokens_are_run_once_each() -> None:
    replay = Replay([torn_token(TORN), encode(run(TORN, Values([1]))[1])])
    explored = explore(TORN, replay)
    assert [recorded.deviations for recorded in explored.recorded] == [(1,), (0,)]
    assert replay.exhausted
    assert replay.proof is None


def test_a_stored_token_that_is_damaged_is_refused_at_once() -> None:
    with pytest.raises(TokenError):
        Replay([torn_token(TORN)[:-1]])
