from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EFBIG, ENOTSUP
from pathlib import Path

import pytest

from blkdebug_async.drivers.file.resize import resize
from blkdebug_async.errors import BlockError


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "image", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


@pytest.mark.parametrize("mode", ["off", "falloc", "full"])
@pytest.mark.parametrize(("before", "after"), [(0, 100_000), (1000, 1000), (1000, 200_001)])
def test_a_file_grows_with_zeros(fd: int, mode: str, before: int, after: int) -> None:
    os.pwrite(fd, b"x" * before, 0)
    resize(fd, after, mode)
    assert os.pread(fd, after + 1, 0) == b"x" * before + bytes(after - before)


@pytest.mark.parametrize("mode", ["falloc", "full"])
def test_preallocated_space_is_really_there(fd: int, mode: str) -> None:
    resize(fd, 1 << 20, mode)
    assert os.fstat(fd).st_blocks * 512 >= 1 << 20


def test_a_hole_takes_no_space_but_for_its_first_block(fd: int) -> None:
    resize(fd, 1 << 20, "off")
    assert 0 < os.fstat(fd).st_blocks * 512 < 1 << 20


def test_an_empty_file_grows_to_a_whole_sector_at_least(fd: int) -> None:
    resize(fd, 100, "off")
    assert os.fstat(fd).st_size == 512


def test_a_file_shrinks(fd: int) -> None:
    os.pwrite(fd, b"x" * 1000, 0)
    resize(fd, 10, "off")
    assert os.pread(fd, 100, 0) == b"x" * 10


@pytest.mark.parametrize("mode", ["falloc", "full", "metadata"])
def test_a_file_does_not_shrink_with_preallocation(fd: int, mode: str) -> None:
    os.pwrite(fd, b"x" * 1000, 0)
    with pytest.raises(BlockError) as caught:
        resize(fd, 10, mode)
    assert str(caught.value) == "Cannot use preallocation for shrinking files"
    assert caught.value.errno == ENOTSUP
    assert os.fstat(fd).st_size == 1000


def test_other_modes_are_refused(fd: int) -> None:
    with pytest.raises(BlockError) as caught:
        resize(fd, 10, "metadata")
    assert str(caught.value) == "Unsupported preallocation mode: metadata"
    assert caught.value.errno == ENOTSUP


@pytest.mark.parametrize(
    ("mode", "message"),
    [
        ("off", "Could not resize file: File too large"),
        ("falloc", "Could not preallocate new data: File too large"),
        ("full", "Could not resize file: File too large"),
    ],
)
def test_a_length_that_the_file_system_refuses_changes_nothing(
    fd: int, mode: str, message: str
) -> None:
    os.pwrite(fd, b"x" * 1000, 0)
    if os.fstatvfs(fd).f_bsize > 1 << 16:
        pytest.skip("a file system of enormous files")
    with pytest.raises(BlockError) as caught:
        resize(fd, (1 << 63) - 4096, mode)
    assert caught.value.errno == EFBIG
    assert str(caught.value) == message
    assert os.fstat(fd).st_size == 1000
