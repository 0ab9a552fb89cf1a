from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.dependence import Assume, dependent
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.explore.record import Step
from blkdebug_async.explore.strategies.meeting import Meeting

FOOTPRINTS = st.builds(
    Footprint,
    st.sampled_from("xyz"),
    st.integers(0, 2),
    st.integers(1, 2),
    st.sampled_from(Touch),
)


def step(actor: str, kind: Kind, *touched: Footprint) -> Step:
    return Step(Action(actor, actor, kind), touched)


STEPS = st.builds(
    lambda actor, kind, touched: step(actor, kind, *touched),
    st.sampled_from("abc"),
    st.sampled_from(Kind),
    st.lists(FOOTPRINTS, max_size=3),
)


def met(steps: list[Step], assumed: Assume) -> set[int]:
    meeting = Meeting(assumed)
    for number, each in enumerate(steps[:-1]):
        meeting.add(number, each)
    found = meeting.met_by(steps[-1])
    return {number for number in range(len(steps) - 1) if found >> number & 1}


@given(st.lists(STEPS, min_size=1, max_size=8), st.sampled_from(Assume))
def test_no_step_is_missed_that_another_one_depends_on(steps: list[Step], assumed: Assume) -> None:
    wanted = {n for n, each in enumerate(steps[:-1]) if dependent(each, steps[-1], assumed)}
    assert wanted <= met(steps, assumed)


READ = Footprint("x", 0, 1, Touch.READ)
WRITE = Footprint("x", 0, 1, Touch.WRITE)
ELSEWHERE = Footprint("y", 0, 1, Touch.WRITE)


@pytest.mark.parametrize(
    ("earlier", "later", "meets"),
    [
        (step("a", Kind.REQUEST, READ), step("b", Kind.REQUEST, READ), False),
        (step("a", Kind.REQUEST, READ), step("b", Kind.REQUEST, WRITE), True),
        (step("a", Kind.REQUEST, WRITE), step("b", Kind.REQUEST, READ), True),
        (step("a", Kind.REQUEST, WRITE), step("b", Kind.REQUEST, ELSEWHERE), False),
        (step("a", Kind.REQUEST), step("a", Kind.REQUEST), True),
        (step("a", Kind.TASK), step("b", Kind.TASK), True),
        (step("a", Kind.TASK), step("b", Kind.REQUEST), False),
        (step("a", Kind.END), step("b", Kind.REQUEST), True),
        (step("a", Kind.REQUEST), step("b", Kind.END), True),
    ],
)
def test_steps_are_found_by_what_they_touched_and_who_took_them(
    earlier: Step, later: Step, meets: bool
) -> None:
    assert bool(met([earlier, later], Assume.NOTHING)) == meets


def test_tasks_that_share_nothing_do_not_meet() -> None:
    assert met([step("a", Kind.TASK), step("b", Kind.TASK)], Assume.DISK_ONLY) == set()


def test_what_is_forgotten_is_not_found_again() -> None:
    meeting = Meeting(Assume.NOTHING)
    for number in range(3):
        meeting.add(number, step("a", Kind.TASK, WRITE))
    meeting.forget(1)
    assert meeting.met_by(step("a", Kind.TASK, WRITE)) == 1
