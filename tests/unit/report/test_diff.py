from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore import Action, Decision, Kind, Moment, Timeline
from blkdebug_async.report.diff import Change, Difference, compare


def moment(number: int, key: str, *, deviates: bool = False) -> Moment:
    action = Action(key, key, Kind.TASK)
    other = Action("other", "other", Kind.TASK)
    decision = Decision("other", 2, 1, (other, action), number) if deviates else None
    return Moment(number, action, 0.0, None, None, "", (), (), decision, ())


def run(keys: Sequence[str], deviating: frozenset[int] = frozenset()) -> Timeline:
    return Timeline(tuple(moment(at, key, deviates=at in deviating) for at, key in enumerate(keys)))


def told(changes: Sequence[Change]) -> list[str]:
    return [
        f"{change.difference}: "
        + " ".join(each.action.key for each in change.failing or change.passing)
        for change in changes
    ]


def test_equal_runs_are_one_stretch() -> None:
    assert told(compare(run("abc"), run("abc"))) == ["same: a b c"]


def test_runs_without_steps_do_not_differ() -> None:
    assert compare(run(""), run("")) == ()


def test_what_only_one_run_has_stands_between_what_both_have() -> None:
    assert told(compare(run("axb"), run("aybz"))) == [
        "same: a",
        "failing: x",
        "passing: y",
        "same: b",
        "passing: z",
    ]


def test_a_step_that_comes_elsewhere_stands_in_both_places() -> None:
    changes = compare(run("cab"), run("abc"))
    assert told(changes) == ["moved here: c", "same: a b", "moved away: c"]
    assert [[each.number for each in change.elsewhere] for change in changes] == [[2], [], [0]]


def test_of_two_that_changed_places_the_one_that_deviates_was_moved() -> None:
    first = compare(run("ab", frozenset({0})), run("ba"))
    second = compare(run("ab", frozenset({1})), run("ba"))
    assert told(first) == ["moved here: a", "same: b", "moved away: a"]
    assert told(second) == ["moved away: b", "same: a", "moved here: b"]


def test_as_few_steps_as_possible_are_moved() -> None:
    changes = compare(run("bcda", frozenset({0, 1, 2})), run("abcd"))
    assert told(changes) == ["moved away: a", "same: b c d", "moved here: a"]


def test_the_second_step_of_a_name_is_another_one() -> None:
    assert told(compare(run("aab"), run("ab"))) == ["same: a", "failing: a", "same: b"]


def test_what_is_the_same_has_as_many_steps_of_either_run() -> None:
    (change,) = compare(run("ab", frozenset({1})), run("ab"))
    assert [each.deviates for each in change.failing] == [False, True]
    assert [each.deviates for each in change.passing] == [False, False]


@st.composite
def runs(draw: st.DrawFn) -> Timeline:
    keys = draw(st.lists(st.sampled_from("abcdefg"), max_size=12))
    deviating = draw(st.frozensets(st.integers(0, 11)))
    return run(keys, deviating)


@given(runs(), runs())
def test_the_changes_put_together_give_both_runs(failing: Timeline, passing: Timeline) -> None:
    changes = compare(failing, passing)
    assert sum((change.failing for change in changes), ()) == failing.moments
    assert sum((change.passing for change in changes), ()) == passing.moments
    # No stretch is empty, and no two of a kind stand side by side.
    kinds = [change.difference for change in changes]
    assert all(change.failing or change.passing for change in changes)
    assert all(one != other or one is Difference.SAME for one, other in pairwise(kinds))


@given(runs(), runs())
def test_each_kind_of_change_keeps_what_it_says(failing: Timeline, passing: Timeline) -> None:
    changes = compare(failing, passing)
    names = [[each.action.key for each in timeline.moments] for timeline in (failing, passing)]
    for change in changes:
        ours = [each.action.key for each in change.failing]
        theirs = [each.action.key for each in change.passing]
        elsewhere = [each.action.key for each in change.elsewhere]
        match change.difference:
            case Difference.SAME:
                assert (ours, elsewhere) == (theirs, [])
            case Difference.FAILING:
                assert (theirs, elsewhere) == ([], [])
            case Difference.PASSING:
                assert (ours, elsewhere) == ([], [])
            case Difference.MOVED_HERE:
                assert (theirs, elsewhere) == ([], ours)
            case Difference.MOVED_AWAY:
                assert (ours, elsewhere) == ([], theirs)
    # As many names are shared as there are in both, and as many kept in order as there can be.
    shared = sum(min(names[0].count(key), names[1].count(key)) for key in set(names[0]))
    paired = (Difference.SAME, Difference.MOVED_HERE)
    kept = sum(len(each.failing) for each in changes if each.difference is Difference.SAME)
    assert sum(len(each.failing) for each in changes if each.difference in paired) == shared
    assert kept == longest_in_order(*map(unique, names))


def unique(keys: Sequence[str]) -> list[tuple[str, int]]:
    return [(key, list(keys[:at]).count(key)) for at, key in enumerate(keys)]


def longest_in_order(one: Sequence[object], other: Sequence[object]) -> int:
    """The textbook's table."""
    row = [0] * (len(other) + 1)
    for ours in one:
        above, row = row, [0] * (len(other) + 1)
        for at, theirs in enumerate(other):
            row[at + 1] = above[at] + 1 if ours == theirs else max(above[at + 1], row[at])
    return row[-1]
