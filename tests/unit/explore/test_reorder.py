from __future__ import annotations

from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.explore.record import Decision, Recorded, Step
from blkdebug_async.explore.reorder import Constraint, Keeping, choices_of, order, races, turns


def action(key: str) -> Action:
    return Action(key, key.partition(":")[0], Kind.TASK)


def traced(*keys: str, touch: Touch = Touch.WRITE) -> Recorded:
    """A run of these steps, all of which touch the same sector."""
    touched = (Footprint("disk", 0, 512, touch),)
    return Recorded((), (), (), tuple(Step(action(key), touched) for key in keys))


def picked(keeping: Keeping, *keys: str) -> str:
    return keys[keeping.pick([action(key) for key in keys])]


def test_who_waits_is_passed_over_until_the_other_has_come() -> None:
    keeping = Keeping([Constraint("b", "a")], {})
    assert picked(keeping, "a", "b", "c") == "b"
    keeping.ran(action("b"), ())
    assert picked(keeping, "a", "c") == "a"


def test_who_waits_goes_on_where_nothing_else_can() -> None:
    keeping = Keeping([Constraint("b", "a"), Constraint("c", "d")], {})
    assert picked(keeping, "a", "d") == "a"


def test_without_actions_nothing_is_passed_over() -> None:
    assert Keeping([Constraint("b", "a")], {}).pick_of(2) == 0


def test_choices_come_as_they_are_given() -> None:
    keeping = Keeping([], {("fault", 1): 1, ("size", 0): 7})
    assert [keeping.choose(2, "fault") for _ in range(3)] == [0, 1, 0]
    assert keeping.choose(3, "size") == 2


def test_choices_of_a_run_are_named_by_how_often_they_came() -> None:
    decisions = (
        Decision("fault", 2, 0, (), 0),
        Decision("a", 2, 1, (action("a"), action("b")), 1),
        Decision("fault", 2, 1, (), 1),
    )
    run = Recorded((0, 1, 1), (2, 2, 2), decisions, ())
    assert choices_of(run) == {("fault", 0): 0, ("fault", 1): 1}


def test_what_came_in_another_order_is_found_the_nearest_first() -> None:
    turned = turns(traced("b:0", "c:0", "a:0"), traced("a:0", "b:0", "c:0"))
    assert turned == [Constraint("c:0", "a:0"), Constraint("b:0", "a:0")]


def test_steps_of_one_actor_have_their_own_order() -> None:
    assert turns(traced("a:1", "a:0"), traced("a:0", "a:1")) == []


def test_a_step_that_is_new_came_in_another_order() -> None:
    assert turns(traced("new", "a"), traced("a")) == [Constraint("new", "a")]


def test_a_step_that_never_came_before_tells_nothing_of_those_ahead() -> None:
    assert turns(traced("a", "new"), traced("a")) == []


def test_only_what_does_not_commute_has_raced() -> None:
    assert races(traced("b", "a"), traced("a", "b")) == [Constraint("b", "a")]
    assert races(traced("b", "a", touch=Touch.READ), traced("a", "b")) == []


def test_of_very_many_only_the_nearest_are_given() -> None:
    keys = [f"{number}:0" for number in range(60)]
    turned = turns(traced(*reversed(keys)), traced(*keys))
    assert len(turned) == 400
    assert turned[0] == Constraint("59:0", "58:0")


def test_the_whole_order_of_a_run_is_given_but_for_that_of_each_actor() -> None:
    found = order(traced("a:0", "b:0", "a:1"))
    assert found == [Constraint("a:0", "b:0"), Constraint("b:0", "a:1")]


def test_only_steps_near_each_other_are_told_of_in_the_whole_order() -> None:
    found = order(traced(*(f"{number}:0" for number in range(40))))
    assert Constraint("0:0", "2:0") in found
    assert Constraint("0:0", "39:0") not in found
