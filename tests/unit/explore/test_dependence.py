from __future__ import annotations

import pytest

from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.dependence import Assume, could_swap, dependent, keeps_touches
from blkdebug_async.explore.footprint import Footprint, Touch, sync_footprint
from blkdebug_async.explore.record import Step

UNSEEN = [Kind.TASK, Kind.TIMER, Kind.THREAD, Kind.CALL]
READ = Footprint("disk", 0, 512, Touch.READ)
WRITE = Footprint("disk", 0, 512, Touch.WRITE)
ELSEWHERE = Footprint("disk", 512, 512, Touch.WRITE)


def step(actor: str, *touched: Footprint, kind: Kind = Kind.TASK, known: bool = False) -> Step:
    return Step(Action(f"{actor}.0", actor, kind, touched if known else None), touched)


@pytest.mark.parametrize("kind", UNSEEN)
@pytest.mark.parametrize("other", UNSEEN)
def test_what_is_not_seen_may_be_shared_unless_promised(kind: Kind, other: Kind) -> None:
    left, right = step("a", kind=kind), step("b", kind=other)
    assert dependent(left, right)
    assert not dependent(left, right, Assume.DISK_ONLY)


@pytest.mark.parametrize("assumed", Assume)
@pytest.mark.parametrize("kind", [*UNSEEN, Kind.REQUEST])
def test_a_request_is_known_by_its_bytes(kind: Kind, assumed: Assume) -> None:
    request = step("a", WRITE, kind=Kind.REQUEST)
    assert dependent(request, step("b", READ, kind=kind), assumed)
    assert not dependent(request, step("b", ELSEWHERE, kind=kind), assumed)


@pytest.mark.parametrize("assumed", Assume)
def test_steps_of_one_actor_are_in_order(assumed: Assume) -> None:
    request = step("a", kind=Kind.REQUEST)
    assert dependent(request, request, assumed)


@pytest.mark.parametrize(
    ("lost", "mine", "keeps"),
    [
        ([WRITE], [WRITE], True),
        ([WRITE], [READ], False),
        ([WRITE], [WRITE, READ], False),
        ([WRITE], [ELSEWHERE], True),
        ([READ], [WRITE], True),
        ([sync_footprint("lock")], [sync_footprint("lock")], False),
        ([sync_footprint("lock")], [sync_footprint("other")], True),
    ],
)
def test_who_only_overwrites_touches_the_same_without_what_came_before(
    lost: list[Footprint], mine: list[Footprint], keeps: bool
) -> None:
    left, right = step("b", *mine), step("a", *lost)
    assert keeps_touches(left, right, Assume.DISK_ONLY) == keeps
    request = step("a", *lost, kind=Kind.REQUEST)
    assert keeps_touches(left, request) == keeps


def test_who_may_have_looked_at_what_nobody_sees_may_touch_something_else() -> None:
    left, right = step("b", WRITE), step("a", ELSEWHERE)
    assert keeps_touches(left, right, Assume.DISK_ONLY)
    assert not keeps_touches(left, right)


def test_what_is_known_beforehand_stays() -> None:
    assert keeps_touches(step("b", READ, known=True), step("a", WRITE))


COUNTED = sync_footprint("all of group", Touch.COUNT)
LAST = sync_footprint("all of group")


def test_what_a_request_wakes_is_not_known_beforehand() -> None:
    waiting = sync_footprint("task main")
    action = Action("b.0", "b", Kind.REQUEST, (WRITE,))
    assert keeps_touches(Step(action, (WRITE, waiting)), step("a", READ))
    assert not keeps_touches(Step(action, (WRITE, waiting)), step("a", waiting))


@pytest.mark.parametrize("kind", [*UNSEEN, Kind.REQUEST, Kind.COUNT])
def test_what_happens_before_the_end_of_a_run_is_not_what_happens_behind_it(kind: Kind) -> None:
    end, other = step("a", kind=Kind.END), step("b", kind=kind)
    assert dependent(end, other, Assume.DISK_ONLY)
    assert could_swap(other, end, Assume.DISK_ONLY)


def test_what_only_counts_shares_no_state_with_tasks() -> None:
    assert not dependent(step("a", kind=Kind.COUNT), step("b"))


def test_the_last_that_is_counted_comes_behind_the_others() -> None:
    counted = step("a", COUNTED, kind=Kind.COUNT)
    last = step("b", COUNTED, LAST, kind=Kind.COUNT)
    assert dependent(counted, last)
    assert not could_swap(counted, last)
    assert could_swap(last, counted)
    assert not dependent(counted, counted.__class__(last.action, counted.touched))


def test_tasks_that_may_share_state_can_be_swapped() -> None:
    assert could_swap(step("a"), step("b"))
    assert not could_swap(step("a"), step("b"), Assume.DISK_ONLY)
