from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from mmap import PAGESIZE
from pathlib import Path
from time import perf_counter

import pytest

from blkdebug_async.drivers.file.in_place import (
    NOWAIT,
    PAUSE,
    SLOW_S,
    InPlaceWriter,
    takes_nowait,
)
from blkdebug_async.drivers.file.writeback import Writeback
from blkdebug_async.units import KIB

PAGES = 16


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "image"
    path.write_bytes(b"x" * PAGES * PAGESIZE)
    fd = os.open(path, os.O_RDWR)
    if not takes_nowait(fd):
        os.close(fd)
        pytest.skip("the file system cannot say that a read would wait")
    yield fd
    os.close(fd)


def forget_pages(fd: int) -> None:
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    try:
        os.preadv(fd, [bytearray(1)], (PAGES - 1) * PAGESIZE, NOWAIT)
    except BlockingIOError:
        return
    pytest.skip("the file system keeps its pages")


def calm_writer(
    *, nowait: int = NOWAIT, clock: Callable[[], float] = perf_counter
) -> InPlaceWriter:
    """Make a writer that does not care how much this machine has to write at the moment."""
    return InPlaceWriter(nowait=nowait, clock=clock, writeback=Writeback("/nowhere"))


def write(writer: InPlaceWriter, fd: int, offset: int, length: int) -> int:
    return writer.write(fd, [memoryview(b"w" * length)], offset, length)


@pytest.mark.skipif(not NOWAIT, reason="there is no such flag here")
def test_what_may_wait_for_anything_is_not_asked_to_be_quick() -> None:
    reading, writing = os.pipe()
    try:
        assert not takes_nowait(reading)
    finally:
        os.close(reading)
        os.close(writing)


async def test_a_short_write_is_made_at_once(fd: int) -> None:
    assert write(calm_writer(), fd, 100, 512) == 512
    assert os.pread(fd, 514, 99) == b"x" + b"w" * 512 + b"x"


async def test_a_write_past_the_end_is_made_at_once(fd: int) -> None:
    assert write(calm_writer(), fd, PAGES * PAGESIZE + 5, 100) == 100


async def test_whole_pages_are_written_even_if_they_are_not_cached(fd: int) -> None:
    forget_pages(fd)
    assert write(calm_writer(nowait=0), fd, (PAGES - 2) * PAGESIZE, PAGESIZE) == PAGESIZE


@pytest.mark.parametrize("offset", [100, PAGESIZE - 100])
async def test_a_write_for_which_a_page_must_be_read_is_left_to_a_thread(
    fd: int, offset: int
) -> None:
    forget_pages(fd)
    start = (PAGES - 2) * PAGESIZE
    assert write(calm_writer(nowait=0), fd, start + offset, PAGESIZE) == 0
    assert os.pread(fd, PAGESIZE * 2, start) == b"x" * PAGESIZE * 2


async def test_an_error_is_left_to_a_thread() -> None:
    fd = os.open("/dev/full", os.O_RDWR)
    try:
        assert write(calm_writer(), fd, 0, PAGESIZE) == 0
        assert write(calm_writer(nowait=0), fd, 0, PAGESIZE) == 0
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("took_s", "pause_s", "written"),
    [
        (SLOW_S * 0.9, 0.0, PAGESIZE),
        (SLOW_S * 1.1, SLOW_S * 1.1 * PAUSE * 0.9, 0),
        (SLOW_S * 1.1, SLOW_S * 1.1 * PAUSE * 1.1, PAGESIZE),
        (SLOW_S * 10, SLOW_S * 10 * PAUSE * 0.9, 0),
    ],
)
def test_after_a_slow_write_others_stay_away_in_proportion(
    fd: int, took_s: float, pause_s: float, written: int
) -> None:
    later_s = 5.0 + took_s + pause_s
    times = iter([5.0, 5.0 + took_s, later_s, later_s])
    writer = calm_writer(nowait=0, clock=lambda: next(times))
    assert write(writer, fd, 0, PAGESIZE) == PAGESIZE
    assert write(writer, fd, 0, PAGESIZE) == written


PIECE = 256 * KIB


async def test_a_long_write_is_given_up_after_a_slow_piece(fd: int) -> None:
    # Read before and after each piece: the second one is slow, so the third one is not begun.
    times = iter([0.0, 0.0, 0.0, 2 * SLOW_S, 2 * SLOW_S])
    writer = calm_writer(nowait=0, clock=lambda: next(times))
    assert write(writer, fd, 0, 8 * PIECE) == 2 * PIECE
    assert os.pread(fd, 8 * PIECE, 0) == b"w" * 2 * PIECE


async def test_all_pieces_of_a_long_write_are_made_if_they_are_quick(fd: int) -> None:
    writer = calm_writer(nowait=0, clock=lambda: 0.0)
    length = 2 * PIECE + 100
    assert write(writer, fd, 0, length) == length
    assert os.pread(fd, length + 1, 0) == b"w" * length


async def test_nothing_is_written_while_the_kernel_makes_writers_wait(
    fd: int, tmp_path: Path
) -> None:
    path = tmp_path / "vmstat"
    path.write_text(
        "nr_x 0\nnr_dirty 9\nnr_writeback 0\n"
        "nr_dirty_threshold 1\nnr_dirty_background_threshold 1\n"
    )
    writer = InPlaceWriter(nowait=0, writeback=Writeback(str(path)))
    assert write(writer, fd, 0, PAGESIZE) == 0
    assert os.pread(fd, PAGESIZE, 0) == b"x" * PAGESIZE
