from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore.record import Recorded, Recorder
from blkdebug_async.explore.strategies.replay import Deviations, Values
from blkdebug_async.explore.token import TokenError, decode, encode
from tests.unit.explore.plain_programs import Chance, Program, Read, Write, actor, run

LIST = st.lists(st.integers(0, 3), max_size=12)
PROGRAM: Program = {
    "reader": actor(Read(0), Chance(40, Read(1)), Read(0)),
    "writer": actor(Write(0), Write(1), Chance(2, Write(0))),
    "other": actor(Write(2), Read(2)),
}


def token_of(program: Program, values: list[int]) -> str:
    return encode(run(program, Values(values))[1])


@given(st.lists(st.integers(0, 39), max_size=12))
def test_a_token_stands_for_its_run(values: list[int]) -> None:
    outcome, recorded = run(PROGRAM, Values(values))
    replayed = Deviations(decode(encode(recorded)))
    assert run(PROGRAM, replayed) == (outcome, recorded)
    assert replayed.divergences == ()


@given(LIST)
def test_a_token_is_short_and_may_stand_in_a_url(values: list[int]) -> None:
    recorded = run(PROGRAM, Values(values))[1]
    token = encode(recorded)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", token)
    assert len(token) <= 7 + 10 * len(recorded.deviations)


@pytest.mark.parametrize("value", [1, 31, 32, 1023, 1024, 10**6])
def test_a_choice_keeps_its_value_whatever_its_size(value: int) -> None:
    recorder = Recorder(Values([value]), traced=True)
    recorder.choose(10**6 + 1, "where to stop")
    (deviation,) = decode(encode(recorder.recorded()))
    assert (deviation.is_choice, deviation.what) == (True, value)


@given(LIST, st.data())
def test_a_token_with_another_character_is_refused(values: list[int], data: st.DataObject) -> None:
    token = token_of(PROGRAM, values)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda each: each != token[at]))
    damaged = token[:at] + other + token[at + 1 :]
    # A blank at an end is one that is missing.
    with pytest.raises(TokenError):
        decode(damaged)


@given(LIST, st.data())
def test_a_token_of_which_some_is_missing_is_refused(
    values: list[int], data: st.DataObject
) -> None:
    token = token_of(PROGRAM, values)
    start = data.draw(st.integers(0, len(token) - 1))
    end = data.draw(st.integers(start + 1, len(token)))
    with pytest.raises(TokenError):
        decode(token[:start] + token[end:])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a token"),
        ("hello", "not a token"),
        ("hello.world", "not a token"),
        ("x2.AAAA", "version x2"),
        ("x1.AA/A", "'/' is never part"),
        ("x1.AAA", "missing or changed"),
        ("x1.AAAA", "missing or changed"),
    ],
)
def test_what_is_no_token_is_refused_saying_why(text: str, complaint: str) -> None:
    with pytest.raises(TokenError, match=complaint):
        decode(text)


def test_blanks_around_a_token_do_not_matter() -> None:
    token = token_of(PROGRAM, [1, 1])
    assert decode(f"  {token}\n") == decode(token)


def test_a_run_that_was_not_traced_has_no_token() -> None:
    with pytest.raises(ValueError, match="traced"):
        encode(Recorded(values=(1,), ways=(2,)))


def test_a_token_stays_as_it_is() -> None:
    # Tokens are pasted into bug reports: who changes how they are made changes their version.
    assert token_of(PROGRAM, [1, 0, 2]) == "x1.Yzj5z1kCcxM_EArXKI4RafL4"
