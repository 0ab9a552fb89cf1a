from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.explore.record import Recorder, Step, without_tail
from blkdebug_async.explore.strategies.replay import Values
from tests.unit.explore.plain_programs import Chance, Read, Write, actor, run

A = Action("a.0", "a", Kind.TASK)
B = Action("b.0", "b", Kind.TASK)
TOUCHED = Footprint("disk", 0, 512, Touch.READ)
PROGRAM = {
    "a": actor(Write(0), Chance(3, Write(1))),
    "b": actor(Write(0), Write(1)),
    "c": actor(Chance(2, Read(0))),
}


class Wild:
    """Answers out of range, and keeps what it hears."""

    wants_actions = True

    def __init__(self, answer: int) -> None:
        self.answer = answer
        self.heard: list[Action] = []

    def choose(self, n: int, key: str) -> int:
        return self.answer

    def pick(self, actions: Sequence[Action]) -> int:
        return self.answer

    def pick_of(self, n: int) -> int:
        return self.answer

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        self.heard.append(action)


@pytest.mark.parametrize(("answer", "kept"), [(-5, 0), (0, 0), (1, 1), (7, 1)])
def test_an_answer_out_of_range_becomes_the_nearest_one(answer: int, kept: int) -> None:
    recorder = Recorder(Wild(answer))
    given = recorder.choose(2, "fault"), recorder.pick([A, B]), recorder.pick_of(2)
    assert given == recorder.recorded().values == (kept, kept, kept)


def test_a_run_that_is_not_traced_keeps_numbers_only() -> None:
    recorder = Recorder(Values([1, 2]))
    recorder.pick_of(2)
    recorder.choose(3, "fault")
    recorded = recorder.recorded()
    assert (recorded.values, recorded.ways, recorded.decisions) == ((1, 2), (2, 3), ())
    assert not recorder.wants_actions
    assert not recorded.traced


def test_whoever_wants_actions_is_shown_them_untraced_too() -> None:
    wild = Wild(1)
    recorder = Recorder(wild)
    recorder.pick([A, B])
    recorder.ran(B, [TOUCHED])
    assert recorder.wants_actions
    assert wild.heard == [B]
    assert recorder.recorded().steps == ()


def test_a_traced_run_keeps_what_could_have_happened_and_what_did() -> None:
    recorder = Recorder(Values([1, 0]), traced=True)
    recorder.pick([A, B])
    recorder.ran(B, [TOUCHED])
    recorder.choose(2, "fault")
    recorder.ran(A, [])
    recorded = recorder.recorded()
    assert recorded.steps == (Step(B, (TOUCHED,)), Step(A, ()))
    assert [(each.key, each.actions, each.step) for each in recorded.decisions] == [
        ("a.0", (A, B), 0),
        ("fault", (), 1),
    ]
    assert recorded.traced
    assert recorded.deviations == (0,)


@pytest.mark.parametrize(
    ("values", "same"), [([], ()), ([0, 0], ()), ([1, 0, 2, 0, 0], (1, 0, 2)), ([3], (3,))]
)
def test_zeros_at_the_end_say_nothing(values: list[int], same: tuple[int, ...]) -> None:
    assert without_tail(values) == same


@given(st.lists(st.integers(-2, 5), max_size=12))
def test_any_list_is_a_run_and_its_record_is_the_same_run(values: list[int]) -> None:
    outcome, recorded = run(PROGRAM, Values(values))
    again, recorded_again = run(PROGRAM, Values(without_tail(recorded.values)))
    assert (again, recorded_again) == (outcome, recorded)
