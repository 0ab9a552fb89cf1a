from __future__ import annotations

from errno import EIO, ENOSPC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.bench.output.texts import (
    block_text,
    digits_text,
    errors_text,
    latency_text,
    runtime_text,
    shortened,
    size_text,
)


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0 ns"),
        (1, "1.00 ns"),
        (850, "850 ns"),
        (999, "999 ns"),
        (999.6, "1.00 µs"),
        (12_345, "12.3 µs"),
        (999_499, "999 µs"),
        (999_501, "1.00 ms"),
        (1_200_000, "1.20 ms"),
        (59_000_000_000, "59.0 s"),
    ],
)
def test_a_latency_has_three_digits_and_a_unit(duration_ns: float, text: str) -> None:
    assert latency_text(duration_ns) == text


@given(st.integers(1, 3_600_000_000_000))
def test_a_latency_is_right_to_half_a_percent(duration_ns: int) -> None:
    number, unit = latency_text(duration_ns).split()
    shown_ns = float(number.replace(",", "")) * {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9}[unit]
    assert shown_ns == pytest.approx(duration_ns, rel=0.0051)


@given(st.integers(1, 999_000_000_000))
def test_a_latency_below_a_quarter_of_an_hour_fits_a_column(duration_ns: int) -> None:
    assert len(latency_text(duration_ns)) <= 7


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0.00 s"),
        (520_000_000, "0.52 s"),
        (9_996_000_000, "10.0 s"),
        (99_960_000_000, "1 min 40 s"),
        (245_000_000_000, "4 min 05 s"),
        (7_380_000_000_000, "2 h 03 min"),
    ],
)
def test_a_runtime_is_told_as_people_say_it(duration_ns: int, text: str) -> None:
    assert runtime_text(duration_ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (512, "512 bytes"), (4096, "4.10 kB"), (999_600, "1.00 MB")],
)
def test_a_size_counts_in_thousands(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("length", "text"),
    [(512, "512 bytes"), (4096, "4 KiB"), (1536, "1536 bytes"), (3 << 20, "3 MiB")],
)
def test_a_block_is_told_exactly(length: int, text: str) -> None:
    assert block_text(length) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.123, "0.12"), (9.996, "10.0"), (99.96, "100"), (81234.4, "81,234")],
)
def test_a_number_has_three_digits_or_all_before_the_point(value: float, text: str) -> None:
    assert digits_text(value) == text


def test_errors_are_told_by_name_and_meaning() -> None:
    assert errors_text({ENOSPC: 1, EIO: 1234}) == (
        "1,234 x EIO (Input/output error), 1 x ENOSPC (No space left on device)"
    )


@given(st.text(max_size=40), st.integers(3, 30))
def test_a_shortened_name_fits_and_keeps_both_ends(name: str, width: int) -> None:
    short = shortened(name, width)
    assert len(short) <= width
    assert short[:1] == name[:1]
    assert short[-1:] == name[-1:]
