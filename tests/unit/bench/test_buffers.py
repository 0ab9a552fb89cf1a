from __future__ import annotations

import ctypes
from mmap import PAGESIZE

import pytest

from blkdebug_async.bench.buffers import Buffers, Contents, aligned
from blkdebug_async.bench.job import Fill, Job
from blkdebug_async.block.iovec import Iovec

MIXED = {512: 1.0, 4096: 1.0, 1 << 20: 1.0}


def address(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(view))


@pytest.mark.parametrize("size", [1, 512, 5000])
def test_memory_is_as_long_as_wanted_and_begins_at_a_page(size: int) -> None:
    memory = aligned(size)
    assert len(memory) == size
    assert address(memory) % PAGESIZE == 0


def test_there_is_room_to_read_every_length() -> None:
    buffers = Buffers(Job(block_sizes=MIXED))
    assert {length: iov.length for length, iov in buffers.iovs.items()} == {
        length: length for length in MIXED
    }


def written(job: Job, length: int, count: int = 20) -> list[Iovec]:
    source = Contents(job).iovs[length]
    return [next(source) for _ in range(count)]


@pytest.mark.parametrize("length", MIXED)
def test_what_is_written_has_the_length_and_begins_at_a_page(length: int) -> None:
    for iov in written(Job(block_sizes=MIXED), length):
        assert iov.length == length
        assert address(iov.views[0]) % PAGESIZE == 0


def test_random_contents_differ_from_write_to_write_and_seed_to_seed() -> None:
    contents = {iov.tobytes() for iov in written(Job(), 4096)}
    assert len(contents) > 10
    assert not contents & {iov.tobytes() for iov in written(Job(seed=1), 4096)}


def test_the_same_seed_writes_the_same() -> None:
    first, second = written(Job(seed=5), 4096), written(Job(seed=5), 4096)
    assert [iov.tobytes() for iov in first] == [iov.tobytes() for iov in second]


def test_a_pattern_is_repeated() -> None:
    (iov,) = written(Job(fill=Fill.PATTERN, fill_pattern=b"abcd"), 4096, 1)
    assert iov.tobytes() == b"abcd" * 1024


def test_zeros_are_zeros() -> None:
    (iov,) = written(Job(fill=Fill.ZERO), 4096, 1)
    assert iov.is_zero()
