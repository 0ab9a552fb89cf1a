"""A comparison that sees no differences would pass everything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.compat.outcome import Content, Outcome, difference, read_files, without_rates

RESULT = Outcome(0, "4 KiB, 1 ops; 00.00 sec (1 GiB/sec and 2.5000 ops/sec)\n", "", {})


@pytest.mark.parametrize(
    "line",
    [
        "4 KiB, 1 ops; 00.12 sec (6.160 MiB/sec and 1576.8866 ops/sec)",
        "4 KiB, 1 ops; 0:00:01.25 (512 bytes/sec and 0.1250 ops/sec)",
        "4 KiB, 1 ops; 00.00 sec (inf EiB/sec and inf ops/sec)",
    ],
)
def test_times_and_rates_do_not_count(line: str) -> None:
    assert difference(RESULT, replace(RESULT, stdout=f"{line}\n")) == ""


@pytest.mark.parametrize(
    "line",
    [
        "8 KiB, 1 ops; 00.12 sec (6.160 MiB/sec and 1576.8866 ops/sec)",
        "4 KiB, 2 ops; 00.12 sec (6.160 MiB/sec and 1576.8866 ops/sec)",
        "4 KiB, 1 ops; 0.12 sec (6.160 MiB/sec and 1576.8866 ops/sec)",
        "4 KiB, 1 ops; 00.12 sec (6.160 MiB/s and 1576.8866 ops/sec)",
    ],
)
def test_all_else_in_a_report_counts(line: str) -> None:
    assert difference(RESULT, replace(RESULT, stdout=f"{line}\n"))


def test_times_of_a_condensed_report_do_not_count() -> None:
    assert without_rates("4096,1,0:00:00.01,1.234,0.500") == without_rates(
        "4096,1,0:00:02.00,9.000,7.125"
    )


@pytest.mark.parametrize(
    "other",
    [
        replace(RESULT, status=1),
        replace(RESULT, status=None),
        replace(RESULT, stdout=RESULT.stdout[:-1]),
        replace(RESULT, stderr="x"),
        replace(RESULT, files={"img": Content(512, {})}),
    ],
)
def test_status_streams_and_files_count(other: Outcome) -> None:
    assert difference(RESULT, other)


@pytest.mark.parametrize(("size", "place"), [(10_000, 0), (10_000, 9_999), (1 << 30, 500_000_000)])
def test_every_byte_of_a_file_counts(size: int, place: int, tmp_path: Path) -> None:
    path = tmp_path / "img"
    with path.open("wb") as file:
        file.truncate(size)
    before = replace(RESULT, files=read_files(tmp_path))
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\x01")
    assert f"at {place} " in difference(before, replace(RESULT, files=read_files(tmp_path)))


def test_the_size_of_a_file_counts(tmp_path: Path) -> None:
    (tmp_path / "img").write_bytes(bytes(512))
    before = replace(RESULT, files=read_files(tmp_path))
    (tmp_path / "img").write_bytes(bytes(513))
    assert difference(before, replace(RESULT, files=read_files(tmp_path)))


def test_a_hole_is_the_same_as_zeroes(tmp_path: Path) -> None:
    (tmp_path / "img").write_bytes(bytes(8192))
    before = read_files(tmp_path)
    with (tmp_path / "img").open("wb") as file:
        file.truncate(8192)
    assert read_files(tmp_path) == before
