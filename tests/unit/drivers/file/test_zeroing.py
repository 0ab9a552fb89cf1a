from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EBUSY, EINVAL, EIO, ENOSPC, ENOTSUP
from pathlib import Path

import pytest

from blkdebug_async.block.flags import MAY_UNMAP, NO_FALLBACK
from blkdebug_async.drivers.file import zeroing
from blkdebug_async.drivers.file.zeroing import Zeroing

PUNCH, ZERO, ALLOCATE = 0x03, 0x10, 0x00
SIZE = 8192


class FakeFileSystem:
    """Refuses what it is told to refuse, and notes what it is asked for."""

    def __init__(self) -> None:
        self.refuses: dict[int, int] = {}
        self.asked: list[int] = []

    def fallocate(self, _fd: int, mode: int, _offset: int, _length: int) -> None:
        self.asked.append(mode)
        if mode in self.refuses:
            raise OSError(self.refuses[mode], "refused")


@pytest.fixture
def file_system(monkeypatch: pytest.MonkeyPatch) -> FakeFileSystem:
    fake = FakeFileSystem()
    monkeypatch.setattr(zeroing, "_fallocate", lambda: fake.fallocate)
    return fake


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "image"
    path.write_bytes(b"x" * SIZE)
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


def regular() -> Zeroing:
    return Zeroing(is_device=False, zero_range=True)


def refusal(zeroing: Zeroing, fd: int, offset: int = 0, flags: int = 0) -> int:
    with pytest.raises(OSError, match=r".") as caught:
        zeroing.write_zeroes(fd, offset, 512, flags)
    assert caught.value.errno is not None
    return caught.value.errno


# --- a real file system ---


@pytest.mark.parametrize("flags", [0, MAY_UNMAP, NO_FALLBACK])
def test_a_range_reads_as_zeros_afterwards(fd: int, flags: int) -> None:
    try:
        regular().write_zeroes(fd, 1000, 5000, flags)
    except OSError as error:
        if error.errno == ENOTSUP:
            pytest.skip("the file system cannot zero a range")
        raise
    assert os.pread(fd, SIZE + 1, 0) == b"x" * 1000 + bytes(5000) + b"x" * (SIZE - 6000)


def test_the_file_grows_if_it_must(fd: int) -> None:
    try:
        regular().write_zeroes(fd, SIZE + 4096, 4096, 0)
    except OSError as error:
        if error.errno == ENOTSUP:
            pytest.skip("the file system cannot zero a range")
        raise
    assert os.fstat(fd).st_size == SIZE + 8192


def test_a_discarded_range_gives_its_space_back(fd: int) -> None:
    try:
        regular().discard(fd, 0, SIZE)
    except OSError as error:
        if error.errno == ENOTSUP:
            pytest.skip("the file system cannot punch holes")
        raise
    assert os.fstat(fd).st_size == SIZE
    assert os.pread(fd, SIZE, 0) == bytes(SIZE)


# --- file systems that can less ---


def test_the_range_is_zeroed_at_once_where_that_works(fd: int, file_system: FakeFileSystem) -> None:
    regular().write_zeroes(fd, 0, 512, 0)
    assert file_system.asked == [ZERO]


def test_what_was_not_supported_once_is_not_tried_again(
    fd: int, file_system: FakeFileSystem
) -> None:
    file_system.refuses = {ZERO: ENOTSUP}
    driver = regular()
    driver.write_zeroes(fd, 0, 512, 0)
    driver.write_zeroes(fd, 0, 512, 0)
    assert file_system.asked == [ZERO, PUNCH, ALLOCATE, PUNCH, ALLOCATE]


def test_a_range_that_is_too_crooked_is_tried_in_the_next_way(
    fd: int, file_system: FakeFileSystem
) -> None:
    file_system.refuses = {ZERO: EINVAL}
    driver = regular()
    driver.write_zeroes(fd, 0, 512, 0)
    driver.write_zeroes(fd, 0, 512, 0)
    assert file_system.asked == [ZERO, PUNCH, ALLOCATE] * 2


@pytest.mark.parametrize("way", [ZERO, PUNCH, ALLOCATE])
def test_a_real_error_ends_the_search(fd: int, file_system: FakeFileSystem, way: int) -> None:
    file_system.refuses = {ZERO: ENOTSUP, way: ENOSPC}
    assert refusal(regular(), fd) == ENOSPC
    assert file_system.asked[-1] == way


def test_space_past_the_end_only_needs_to_be_there(fd: int, file_system: FakeFileSystem) -> None:
    file_system.refuses = {ZERO: ENOTSUP, PUNCH: ENOTSUP}
    driver = regular()
    driver.write_zeroes(fd, SIZE, 512, 0)
    assert file_system.asked == [ZERO, PUNCH, ALLOCATE]
    assert refusal(driver, fd, offset=SIZE - 512) == ENOTSUP


def test_zeros_must_be_written_where_nothing_helps(fd: int, file_system: FakeFileSystem) -> None:
    file_system.refuses = {ZERO: ENOTSUP, PUNCH: ENOTSUP, ALLOCATE: ENOTSUP}
    driver = regular()
    assert refusal(driver, fd, offset=SIZE) == ENOTSUP
    file_system.asked.clear()
    assert refusal(driver, fd, offset=SIZE) == ENOTSUP
    assert file_system.asked == []


def test_unmapping_punches_a_hole(fd: int, file_system: FakeFileSystem) -> None:
    regular().write_zeroes(fd, 0, 512, MAY_UNMAP)
    assert file_system.asked == [PUNCH]


@pytest.mark.parametrize("errno", [ENOTSUP, EINVAL, EBUSY])
def test_what_cannot_be_unmapped_is_zeroed(
    fd: int, file_system: FakeFileSystem, errno: int
) -> None:
    file_system.refuses = {PUNCH: errno}
    regular().write_zeroes(fd, 0, 512, MAY_UNMAP)
    assert file_system.asked == [PUNCH, ZERO]


def test_an_error_while_unmapping_comes_up(fd: int, file_system: FakeFileSystem) -> None:
    file_system.refuses = {PUNCH: EIO}
    assert refusal(regular(), fd, flags=MAY_UNMAP) == EIO


def test_a_discard_that_is_not_supported_is_not_tried_again(
    fd: int, file_system: FakeFileSystem
) -> None:
    file_system.refuses = {PUNCH: ENOTSUP}
    driver = regular()
    for _ in range(2):
        with pytest.raises(OSError, match=r".") as caught:
            driver.discard(fd, 0, 512)
        assert caught.value.errno == ENOTSUP
    assert file_system.asked == [PUNCH]


# --- devices ---


@pytest.mark.parametrize("flags", [0, NO_FALLBACK])
def test_a_device_that_cannot_zero_says_so(file_system: FakeFileSystem, flags: int) -> None:
    fd = os.open("/dev/null", os.O_RDWR)
    driver = Zeroing(is_device=True, zero_range=True)
    try:
        assert refusal(driver, fd, flags=flags) == ENOTSUP
        assert refusal(driver, fd, flags=flags) == ENOTSUP
        with pytest.raises(OSError, match=r".") as caught:
            driver.discard(fd, 0, 512)
        assert caught.value.errno == ENOTSUP
    finally:
        os.close(fd)
    assert file_system.asked == []
