from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from errno import ENOTSUP
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.flags import DATA, ZERO
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.drivers.file.opening import open_file
from blkdebug_async.drivers.file.shadow import PAGE_SIZE, Shadow

SIZE = 5 * PAGE_SIZE + 1000


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(b"f" * SIZE)
    return path


@pytest.fixture
def shadow(image: Path) -> Iterator[Shadow]:
    shadow = Shadow(open_file(str(image), writable=False, direct=False), "file image")
    yield shadow
    shadow.close()


def read(shadow: Shadow, offset: int, length: int) -> bytes:
    buffer = bytearray(b"\xee" * length)
    shadow.read(offset, Iovec.over(buffer))
    return bytes(buffer)


def write(shadow: Shadow, offset: int, data: bytes) -> None:
    shadow.write(offset, Iovec.of([data]))


def extents(shadow: Shadow) -> list[tuple[int, int]]:
    """List what is there, up to the end: DATA or ZERO, and sectors."""
    found, offset, end = [], 0, -(-shadow.length() // 512) * 512
    while offset < end:
        what, length = shadow.extent(offset, end - offset, 512)
        found.append((what, length // 512))
        offset += length
    return found


def test_what_was_not_written_is_read_from_the_file(shadow: Shadow) -> None:
    write(shadow, 10, b"new")
    assert read(shadow, 9, 5) == b"fnewf"
    assert read(shadow, SIZE - 1, 3) == b"f\0\0"


def test_the_file_stays_as_it_was(shadow: Shadow, image: Path) -> None:
    before = image.stat().st_mtime_ns
    write(shadow, 0, b"new" * SIZE)
    shadow.zero(0, SIZE, grow=True)
    shadow.truncate(0, "off")
    assert (image.read_bytes(), image.stat().st_mtime_ns) == (b"f" * SIZE, before)


def test_only_zeroes_that_may_do_so_make_the_file_longer(shadow: Shadow) -> None:
    shadow.zero(SIZE, PAGE_SIZE, grow=False)
    assert shadow.length() == SIZE
    shadow.zero(SIZE, PAGE_SIZE, grow=True)
    assert shadow.length() == SIZE + PAGE_SIZE


def test_space_that_was_cut_off_comes_back_as_zeros(shadow: Shadow) -> None:
    write(shadow, 50, b"new")
    shadow.truncate(51, "off")
    shadow.truncate(SIZE, "off")
    assert read(shadow, 49, 4) == b"fn\0\0"
    assert read(shadow, 52, SIZE - 52) == bytes(SIZE - 52)


def test_pages_are_data_once_they_were_written_to(image: Path) -> None:
    os.truncate(image, 0)
    os.truncate(image, 4 * PAGE_SIZE)
    shadow = Shadow(open_file(str(image), writable=False, direct=False), "file image")
    write(shadow, PAGE_SIZE + 1, b"new")
    assert extents(shadow) == [(ZERO, 8), (DATA, 8), (ZERO, 16)]
    shadow.close()


def test_pages_are_zero_once_they_were_zeroed(shadow: Shadow) -> None:
    shadow.zero(PAGE_SIZE + 1, 3 * PAGE_SIZE, grow=False)
    assert extents(shadow) == [(DATA, 8), (DATA, 8), (ZERO, 16), (DATA, 8), (DATA, 2)]


def test_zeroing_what_is_zero_allocates_nothing(shadow: Shadow) -> None:
    shadow.truncate(PAGE_SIZE, "off")
    shadow.truncate(3 * PAGE_SIZE, "off")
    shadow.zero(PAGE_SIZE + 1, 100, grow=False)
    assert extents(shadow) == [(DATA, 8), (ZERO, 16)]


def test_a_length_that_the_file_does_not_tell_is_refused_when_it_is_asked_for() -> None:
    reader, writer = os.pipe()
    os.close(writer)
    shadow = Shadow(reader, "file pipe")
    with pytest.raises(OSError, match="seek"):
        shadow.length()
    shadow.close()


@pytest.mark.parametrize(
    ("size", "preallocation"), [(SIZE + 1, "metadata"), (SIZE - 1, "falloc"), (SIZE - 1, "full")]
)
def test_preallocation_that_a_file_does_not_have_is_refused(
    shadow: Shadow, size: int, preallocation: str
) -> None:
    with pytest.raises(OSError, match="preallocation") as caught:
        shadow.truncate(size, preallocation)
    assert (caught.value.errno, shadow.length()) == (ENOTSUP, SIZE)


# Around page boundaries more often than elsewhere.
offsets = st.builds(
    lambda page, delta: max(0, page * PAGE_SIZE + delta),
    st.integers(0, 7),
    st.sampled_from([-1, 0, 1, 700]),
)
changes = st.lists(
    st.tuples(st.sampled_from(["write", "zero", "grow", "truncate"]), offsets, offsets), max_size=8
)


@given(changes)
def test_it_reads_as_a_file_would(changes: list[tuple[str, int, int]]) -> None:
    with tempfile.NamedTemporaryFile() as file:
        model = bytearray(os.urandom(SIZE))
        file.write(model)
        file.flush()
        shadow = Shadow(open_file(file.name, writable=False, direct=False), "file image")
        for number, (verb, first, second) in enumerate(changes):
            start, end = sorted((first, second))
            longer = model + bytes(max(0, end - len(model)))
            if verb == "write" and start < end:
                data = bytes([number + 1]) * (end - start)
                write(shadow, start, data)
                model = longer
                model[start:end] = data
            elif verb in ("zero", "grow") and start < end:
                shadow.zero(start, end - start, grow=verb == "grow")
                model = longer if verb == "grow" else model
                stop = min(end, len(model))
                model[start:stop] = bytes(max(0, stop - start))
            elif verb == "truncate":
                shadow.truncate(end, "off")
                model = longer[:end]
            assert shadow.length() == len(model)
            assert read(shadow, 0, len(model) + 10) == model + bytes(10)
            assert sum(sectors for _, sectors in extents(shadow)) == -(-len(model) // 512)
        shadow.close()
