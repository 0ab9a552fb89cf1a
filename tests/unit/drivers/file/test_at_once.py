from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from errno import EAGAIN, EIO, ENOSPC
from pathlib import Path

import pytest

from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.file import in_place
from blkdebug_async.drivers.file.driver import FileDriver
from blkdebug_async.drivers.file.in_place import LONGEST, takes_nowait
from blkdebug_async.drivers.file.writeback import Writeback
from blkdebug_async.errors import BlockError
from blkdebug_async.opening import open_disk
from blkdebug_async.units import KIB

SIZE = 256 * KIB
CONTENT = bytes(1 + index % 251 for index in range(SIZE))

Transfer = Callable[[int, Sequence[memoryview], int, int], int]


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(CONTENT)
    fd = os.open(path, os.O_RDONLY)
    try:
        if not takes_nowait(fd):
            pytest.skip("the file system cannot say that a read would wait")
    finally:
        os.close(fd)
    return path


def over(path: Path) -> BlkdebugDriver:
    return BlkdebugDriver(FileDriver(path, aio="threads"))


@pytest.fixture(autouse=True)
def _calm(monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests may keep the disk of this machine busy.
    monkeypatch.setattr(Writeback, "holds_up", lambda _self, _now_s: False)
    monkeypatch.setattr(in_place, "SLOW_S", float("inf"))


def contents(path: Path) -> bytes:
    return path.read_bytes()


def reads(disk: Disk, offset: int = 0, length: int = 4 * KIB) -> bool:
    return disk.preadv_nowait(offset, [bytearray(length)])


def writes(disk: Disk, offset: int = 0, length: int = 4 * KIB) -> bool:
    return disk.pwritev_nowait(offset, [b"w" * length])


async def test_what_is_in_the_page_cache_is_read_and_written_at_once(image: Path) -> None:
    buffer = bytearray(100)
    async with open_disk(over(image)) as disk:
        assert disk.preadv_nowait(1000, [buffer])
        assert writes(disk, 1000, 10)
        await disk.flush()
    assert buffer == CONTENT[1000:1100]
    assert contents(image) == CONTENT[:1000] + b"w" * 10 + CONTENT[1010:]


async def test_nothing_is_done_at_once_where_it_takes_a_turn(image: Path) -> None:
    async with open_disk(over(image), compat="qemu-7.2") as disk:
        assert not reads(disk)
        assert not writes(disk)


async def test_a_long_write_is_not_made_at_once(image: Path) -> None:
    async with open_disk(over(image)) as disk:
        await disk.truncate(2 * LONGEST)
        assert not writes(disk, 0, LONGEST + 1)
        assert writes(disk, 0, LONGEST)


async def test_bytes_behind_the_end_of_a_file_are_not_read_at_once(image: Path) -> None:
    os.truncate(image, SIZE - 100)
    async with open_disk(over(image)) as disk:
        assert disk.length == SIZE
        assert not reads(disk, SIZE - 512, 512)
        assert await disk.pread(SIZE - 512, 512) == CONTENT[SIZE - 512 : -100] + bytes(100)


async def test_a_partly_cached_file_is_read_in_full(image: Path) -> None:
    fd = os.open(image, os.O_RDWR)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, SIZE // 2, 0, os.POSIX_FADV_DONTNEED)
        os.pread(fd, SIZE // 2, 0)
        async with open_disk(over(image)) as disk:
            assert await disk.pread(0, SIZE) == CONTENT
    finally:
        os.close(fd)


def fails_at_once(errno: int) -> Transfer:
    def transfer(fd: int, views: Sequence[memoryview], offset: int, flags: int = 0) -> int:
        raise OSError(errno, os.strerror(errno))

    return transfer


def stops_halfway(real: Transfer) -> Transfer:
    def transfer(fd: int, views: Sequence[memoryview], offset: int, flags: int = 0) -> int:
        return real(fd, [views[0][: len(views[0]) // 2]], offset, flags)

    return transfer


def in_place_only(fake: Transfer, real: Transfer) -> Transfer:
    # What runs in a thread is served by the real one.
    here = asyncio.current_task

    def transfer(fd: int, views: Sequence[memoryview], offset: int, flags: int = 0) -> int:
        try:
            here()
        except RuntimeError:
            return real(fd, views, offset, flags)
        return fake(fd, views, offset, flags)

    return transfer


@pytest.mark.parametrize("errno", [EAGAIN, EIO])
async def test_a_read_that_would_wait_or_fail_is_made_in_a_thread(
    image: Path, monkeypatch: pytest.MonkeyPatch, errno: int
) -> None:
    async with open_disk(over(image)) as disk:
        monkeypatch.setattr(os, "preadv", in_place_only(fails_at_once(errno), os.preadv))
        assert not reads(disk)
        assert await disk.pread(100, 50) == CONTENT[100:150]


async def test_a_read_that_stops_halfway_is_not_done(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_disk(over(image)) as disk:
        monkeypatch.setattr(os, "preadv", in_place_only(stops_halfway(os.preadv), os.preadv))
        assert not reads(disk)
        assert await disk.pread(100, 50) == CONTENT[100:150]


async def test_a_write_that_stops_halfway_is_written_again_in_full(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_disk(over(image)) as disk:
        monkeypatch.setattr(os, "pwritev", in_place_only(stops_halfway(os.pwritev), os.pwritev))
        assert not writes(disk, 100, 50)
        assert disk.root.generation == 0
        await disk.pwrite(100, b"v" * 50)
        assert disk.root.generation == 1
        assert await disk.pread(99, 52) == CONTENT[99:100] + b"v" * 50 + CONTENT[150:151]


async def test_a_write_that_fails_in_place_tells_its_error_from_the_thread(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_disk(over(image)) as disk:
        with monkeypatch.context() as patch:
            patch.setattr(os, "pwritev", fails_at_once(EIO))
            assert not writes(disk)
            with pytest.raises(BlockError, match="Could not write to") as caught:
                await disk.pwrite(0, b"w")
        assert caught.value.errno == EIO
        assert await disk.pread(0, 512) == CONTENT[:512]
        assert writes(disk)


async def test_a_failed_sync_is_remembered_while_writes_go_on_at_once(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "blkdebug_async.drivers.file.blocking._sync", lambda _fd: fails_at_once(EIO)(0, [], 0, 0)
    )
    disk = await open_disk(over(image))
    assert writes(disk)
    with pytest.raises(BlockError):
        await disk.flush()
    assert writes(disk)
    with pytest.raises(BlockError, match="an earlier flush failed"):
        await disk.flush()
    with pytest.raises(BlockError, match="an earlier flush failed"):
        await disk.close()


async def test_writing_goes_on_at_once_after_the_file_was_opened_anew(image: Path) -> None:
    async with open_disk(over(image)) as disk:
        assert writes(disk)
        await disk.reopen({"read-only": True})
        assert reads(disk)
        assert not writes(disk)
        await disk.reopen({"read-only": False})
        await disk.pwrite(0, b"x")
        assert writes(disk, 0, 10)
    assert contents(image)[:10] == b"w" * 10


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    # A file that is longer than what its file system can hold.
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may mount nothing")
    try:
        (folder / "image").write_bytes(b"")
        os.truncate(folder / "image", SIZE)
        yield folder / "image"
    finally:
        subprocess.run(["umount", str(folder)], check=True)


async def fill(disk: Disk) -> None:
    for offset in range(0, SIZE, 32 * KIB):
        await disk.pwrite(offset, b"w" * 32 * KIB)


async def test_a_full_file_system_is_told_of_and_holds_up_no_other_request(full: Path) -> None:
    async with open_disk(over(full)) as disk:
        await disk.pwrite(0, b"first")
        with pytest.raises(BlockError) as caught:
            await fill(disk)
        assert caught.value.errno == ENOSPC
        assert not writes(disk, SIZE - 32 * KIB, 32 * KIB)
        await disk.pwrite(0, b"again")
        assert await disk.pread(0, 5) == b"again"
