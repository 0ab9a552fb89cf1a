from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.drivers.file.transfer import (
    IOV_MAX,
    read_direct,
    read_rest,
    write_direct,
    write_rest,
)

PATTERN = bytes(range(256)) * 64


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "image"
    path.write_bytes(PATTERN)
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


def pieces(count: int, size: int, fill: bytes = b"\xee") -> Iovec:
    return Iovec.of([bytearray(fill * size) for _ in range(count)])


def test_more_views_than_one_call_takes_are_read(fd: int) -> None:
    iov = pieces(IOV_MAX * 2 + 1, 5)
    read_rest(fd, iov, 3, 0)
    assert iov.tobytes() == PATTERN[3 : 3 + iov.length]


def test_more_views_than_one_call_takes_are_written(fd: int) -> None:
    iov = Iovec.of([bytearray([n % 251]) * 5 for n in range(IOV_MAX * 2 + 1)])
    write_rest(fd, iov, 3, 0)
    assert os.pread(fd, iov.length, 3) == iov.tobytes()


@pytest.mark.parametrize("read", [lambda fd, iov, at: read_rest(fd, iov, at, 0), read_direct])
@pytest.mark.parametrize("offset", [len(PATTERN) - 7, len(PATTERN), len(PATTERN) + 5])
def test_zeros_come_after_the_end(fd: int, read: object, offset: int) -> None:
    iov = pieces(2, 100)
    assert callable(read)
    read(fd, iov, offset)
    assert iov.tobytes() == PATTERN[offset:].ljust(200, b"\0")


def test_what_was_done_already_is_not_done_again(fd: int) -> None:
    iov = pieces(1, 10)
    read_rest(fd, iov, 0, 4)
    assert iov.tobytes() == b"\xee" * 4 + PATTERN[4:10]
    write_rest(fd, pieces(1, 10, b"w"), 0, 9)
    assert os.pread(fd, 11, 0) == PATTERN[:9] + b"w" + PATTERN[10:11]


def test_nothing_is_read_into_nothing(fd: int) -> None:
    read_rest(fd, Iovec.of([]), 0, 0)
    read_direct(fd, Iovec.of([]), 0)
    write_direct(fd, Iovec.of([]), 0)


@pytest.mark.parametrize("length", [4096, 5000])
def test_bounced_bytes_arrive(fd: int, length: int) -> None:
    source = Iovec.of([bytearray(b"ab" * length), bytearray(b"c" * length)])
    write_direct(fd, source, 100)
    target = pieces(3, length)
    read_direct(fd, target, 100)
    assert target.tobytes() == source.tobytes()


def test_errors_come_up_as_they_are(tmp_path: Path) -> None:
    fd = os.open("/dev/full", os.O_RDWR)
    try:
        with pytest.raises(OSError, match="No space left on device"):
            write_rest(fd, pieces(1, 1), 0, 0)
    finally:
        os.close(fd)
