from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.cli.format import Report, dump_lines, duration_text, report_text, size_text

SECOND = 1_000_000_000
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 bytes"),
        (512, "512 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.500 KiB"),
        (1 << 32, "4 GiB"),
        ((1 << 63) - 1, "8 EiB"),
        (0.5, "0.500000 bytes"),
        (0.0004, "0 bytes"),
        (123.4567, "123.456700 bytes"),
        (float("inf"), "inf EiB"),
        (float("nan"), "-nan bytes"),
    ],
)
def test_a_size_is_shown_in_the_largest_unit_that_it_fills(size: float, expected: str) -> None:
    assert size_text(size) == expected


@given(st.integers(0, (1 << 63) - 1))
def test_the_shown_size_is_the_size(size: int) -> None:
    number, unit = size_text(size).split()
    power = 1024 ** UNITS.index(unit)
    assert abs(float(number) * power - size) <= power * 0.0005 + size / 2**52


@pytest.mark.parametrize(
    ("elapsed_ns", "verbose", "expected"),
    [
        (0, False, "00.00 sec"),
        (SECOND // 8, False, "00.12 sec"),
        (SECOND - 1, False, "01.00 sec"),
        (SECOND, False, "0:00:01.00"),
        (3600 * SECOND + 61 * SECOND + SECOND // 2, False, "1:01:01.50"),
        (SECOND // 8, True, "0:00:00.12"),
    ],
)
def test_a_duration_has_hours_from_one_second_on(
    elapsed_ns: int, verbose: bool, expected: str
) -> None:
    assert duration_text(elapsed_ns, verbose=verbose) == expected


def test_a_report_has_two_lines() -> None:
    report = Report("wrote", 512, 4096, 4096, SECOND // 2)
    assert report_text(report, terse=False) == (
        "wrote 4096/4096 bytes at offset 512\n"
        "4 KiB, 1 ops; 00.50 sec (8 KiB/sec and 2.0000 ops/sec)\n"
    )


def test_a_terse_report_has_one_line_for_programs() -> None:
    report = Report("read", 512, 4096, 4096, SECOND // 2)
    assert report_text(report, terse=True) == "4096,1,0:00:00.50,8192.000,2.000\n"


@pytest.mark.parametrize(("total", "rate"), [(4096, "inf EiB"), (0, "-nan bytes")])
def test_no_time_at_all_makes_an_endless_rate(total: int, rate: str) -> None:
    text = report_text(Report("read", 0, total, total, 0), terse=False)
    assert text.endswith(f"({rate}/sec and inf ops/sec)\n")


def test_a_dump_has_sixteen_bytes_in_a_row() -> None:
    lines = list(dump_lines(b"0aZ{\x00\xe9".ljust(17, b"!"), 0x1F0))
    assert lines == [
        "000001f0:  30 61 5a 7b 00 e9 21 21 21 21 21 21 21 21 21 21  0aZ.............\n",
        "00000200:  21  .\n",
    ]


@given(st.binary(max_size=100), st.integers(0, 1 << 40))
def test_the_bytes_of_a_dump_are_the_bytes(data: bytes, offset: int) -> None:
    lines = list(dump_lines(data, offset))
    rows = [line.split("  ")[1] for line in lines]
    assert bytes.fromhex(" ".join(rows)) == data
    assert [int(line.split(":")[0], 16) for line in lines] == list(
        range(offset, offset + len(data), 16)
    )
