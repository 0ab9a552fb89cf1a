from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EINVAL
from pathlib import Path

import pytest

from blkdebug_async.drivers.file import direct
from blkdebug_async.drivers.file.direct import probe_alignment
from blkdebug_async.drivers.file.opening import open_file
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.units import is_power_of_two


def test_the_alignment_found_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(1 << 16))
    try:
        fd = open_file(str(path), writable=True, direct=True)
    except BlockError:
        pytest.skip("the file system has no direct access")
    try:
        alignment = probe_alignment(fd)
    finally:
        os.close(fd)
    assert is_power_of_two(alignment.request)
    assert is_power_of_two(alignment.memory)


@pytest.fixture
def fd() -> Iterator[int]:
    # It is no block device, and so says nothing itself.
    fd = os.open("/dev/null", os.O_RDONLY)
    yield fd
    os.close(fd)


def test_a_file_that_takes_everything_has_not_told_anything(fd: int) -> None:
    assert probe_alignment(fd) == (4096, 4096)


@pytest.mark.parametrize("size", [512, 4096])
def test_the_shortest_read_that_works_counts(
    fd: int, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(direct, "_is_accepted", lambda _fd, buffer: len(buffer) % size == 0)
    assert probe_alignment(fd).request == size


def test_a_file_that_takes_nothing_is_refused(fd: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_is_accepted", lambda _fd, _buffer: False)
    with pytest.raises(OptionError, match="Could not find working O_DIRECT alignment") as caught:
        probe_alignment(fd)
    assert caught.value.hint == "Try cache.direct=off"
    assert caught.value.errno == EINVAL
