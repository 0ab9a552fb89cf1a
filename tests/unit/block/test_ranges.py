from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.ranges import Ranges

numbers = st.integers(0, 20)


@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), numbers, numbers)))
def test_ranges_are_a_set_of_numbers(changes: list[tuple[str, int, int]]) -> None:
    ranges, model = Ranges(), set[int]()
    for verb, first, stop in changes:
        if verb == "add":
            ranges.add(first, stop)
            model |= set(range(first, stop))
        else:
            ranges.remove(first)
            model -= set(range(first, 21))
        assert {number for number in range(21) if number in ranges} == model
        for number in range(21):
            others = [n for n in range(number, 22) if (n in model) != (number in model)]
            boundary = ranges.boundary(number)
            assert boundary == others[0] if others else boundary > 21
