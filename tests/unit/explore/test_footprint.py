from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore.footprint import (
    Footprint,
    Touch,
    all_commute,
    commutes,
    is_sync,
    sync_footprint,
)

SIZE = 12


def footprint(node: str, offset: int, length: int, touch: Touch) -> Footprint:
    # A flush touches all bytes.
    where = (0, 0) if touch is Touch.FLUSH else (offset, length)
    return Footprint(node, *where, touch)


def footprints() -> st.SearchStrategy[Footprint]:
    offsets, lengths = st.integers(0, SIZE - 1), st.integers(1, 4)
    touches = st.sampled_from([Touch.READ, Touch.WRITE, Touch.FLUSH])
    return st.builds(footprint, st.sampled_from("ab"), offsets, lengths, touches)


class Nodes:
    """Two nodes with a cache, as plainly as can be."""

    def __init__(self) -> None:
        self.cached = {name: ["old"] * (SIZE + 4) for name in "ab"}
        self.safe = {name: ["old"] * (SIZE + 4) for name in "ab"}

    def touch(self, footprint: Footprint, writer: str) -> list[str]:
        """Do it, and give what it saw."""
        cached = self.cached[footprint.node]
        where = slice(footprint.offset, footprint.offset + footprint.length)
        if footprint.touch is Touch.WRITE:
            cached[where] = [writer] * footprint.length
        if footprint.touch is Touch.FLUSH:
            self.safe[footprint.node] = list(cached)
        return cached[where] if footprint.touch is Touch.READ else []


def outcome(*steps: tuple[Footprint, str]) -> object:
    nodes = Nodes()
    seen = {writer: nodes.touch(footprint, writer) for footprint, writer in steps}
    return nodes.cached, nodes.safe, seen


@given(footprints(), footprints())
def test_what_commutes_has_one_outcome_in_both_orders(left: Footprint, right: Footprint) -> None:
    first, second = (left, "left"), (right, "right")
    assert commutes(left, right) == (outcome(first, second) == outcome(second, first))


@given(footprints(), footprints())
def test_it_does_not_matter_which_one_is_asked_about_first(
    left: Footprint, right: Footprint
) -> None:
    assert commutes(left, right) == commutes(right, left)


@given(st.lists(footprints(), max_size=4), st.lists(footprints(), max_size=4))
def test_steps_commute_if_all_that_they_touched_does(
    lefts: list[Footprint], rights: list[Footprint]
) -> None:
    pairs = [(left, right) for left in lefts for right in rights]
    assert all_commute(lefts, rights) == all(commutes(left, right) for left, right in pairs)


def test_changing_a_synchronisation_object_commutes_with_others_only() -> None:
    lock = sync_footprint("lock")
    assert not commutes(lock, lock)
    assert not commutes(lock, sync_footprint("lock", Touch.READ))
    assert commutes(sync_footprint("lock", Touch.READ), sync_footprint("lock", Touch.READ))
    assert commutes(lock, sync_footprint("queue"))


def test_a_synchronisation_object_is_no_node() -> None:
    assert is_sync(sync_footprint("a"))
    assert not is_sync(Footprint("a", 0, 1, Touch.WRITE))


def test_what_is_counted_comes_in_any_order_but_for_what_changes_it() -> None:
    counted = sync_footprint("all of group", Touch.COUNT)
    assert commutes(counted, counted)
    assert commutes(counted, sync_footprint("all of group", Touch.READ))
    assert not commutes(counted, sync_footprint("all of group"))
