from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.units import align_down, align_up, is_aligned, is_power_of_two

VALUES = st.integers(0, 1 << 64)
ALIGNS = st.integers(1, 1 << 40)


@given(VALUES, ALIGNS)
def test_rounding_gives_the_nearest_multiples_on_both_sides(value: int, align: int) -> None:
    below, above = align_down(value, align), align_up(value, align)
    assert below <= value <= above
    assert is_aligned(below, align)
    assert is_aligned(above, align)
    assert above - below == (0 if is_aligned(value, align) else align)


@given(st.integers(-10, 1 << 12))
def test_powers_of_two_are_what_doubling_gives(value: int) -> None:
    assert is_power_of_two(value) == (value in {1 << bit for bit in range(13)})
