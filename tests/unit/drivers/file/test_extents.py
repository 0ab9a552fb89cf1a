from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blkdebug_async.block.flags import DATA, ZERO
from blkdebug_async.drivers.file import extents
from blkdebug_async.drivers.file.extents import find_extent

UNIT = 1 << 16


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    # hole, data, hole, data of less than a block
    path = tmp_path / "image"
    with path.open("wb") as file:
        file.seek(UNIT)
        file.write(b"x" * UNIT)
        file.seek(3 * UNIT)
        file.write(b"y" * 100)
    fd = os.open(path, os.O_RDWR)
    if os.lseek(fd, 0, os.SEEK_DATA) == 0:
        os.close(fd)
        pytest.skip("the file system does not tell where holes are")
    yield fd
    os.close(fd)


def test_holes_are_zero_and_the_rest_is_data(fd: int) -> None:
    assert find_extent(fd, 0, 4 * UNIT, 1) == (ZERO, UNIT)
    assert find_extent(fd, UNIT, 4 * UNIT, 1) == (DATA, UNIT)
    assert find_extent(fd, 2 * UNIT - 1, 4 * UNIT, 1) == (DATA, 1)
    assert find_extent(fd, 2 * UNIT, 4 * UNIT, 1) == (ZERO, UNIT)


def test_data_ends_where_the_file_ends(fd: int) -> None:
    assert find_extent(fd, 3 * UNIT, UNIT, 1) == (DATA, 100)


def test_data_at_the_end_is_rounded_up_to_what_requests_need(fd: int) -> None:
    assert find_extent(fd, 3 * UNIT, UNIT, 512) == (DATA, 512)


def test_all_that_was_asked_for_is_zero_in_the_last_hole_and_after_it(fd: int) -> None:
    os.ftruncate(fd, 8 * UNIT)
    assert find_extent(fd, 5 * UNIT, UNIT, 1) == (ZERO, UNIT)
    assert find_extent(fd, 9 * UNIT, UNIT, 1) == (ZERO, UNIT)


def test_everything_is_data_where_nobody_can_tell(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extents, "_SEEK_DATA", None)
    assert find_extent(fd, 0, UNIT, 1) == (DATA, UNIT)


def test_everything_is_data_in_what_cannot_be_searched() -> None:
    reading, writing = os.pipe()
    try:
        assert find_extent(reading, 0, UNIT, 1) == (DATA, UNIT)
    finally:
        os.close(reading)
        os.close(writing)
