from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from errno import EINVAL, ENOSPC, ENOTSUP
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blkdebug_async.block.flags import (
    DATA,
    MAY_UNMAP,
    NO_FALLBACK,
    OFFSET_VALID,
    ZERO,
    OpenFlags,
)
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.target import Truncation
from blkdebug_async.drivers.file import driver as file_driver
from blkdebug_async.drivers.file.driver import FileDriver, HostDeviceDriver
from blkdebug_async.drivers.file.in_place import LONGEST
from blkdebug_async.errors import BlockError, OptionError
from tests.unit.drivers.fakes import REQUEST, FakeOpener
from tests.unit.drivers.file.opened import SIZE, contents, opened, read, write

Open = Callable[..., Coroutine[object, object, FileDriver]]


@pytest.fixture(params=["in place", "in threads", "past the cache"])
async def driver(
    request: pytest.FixtureRequest, image: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[FileDriver]:
    flags = OpenFlags(direct=request.param == "past the cache")
    if request.param == "in threads":
        monkeypatch.setattr(file_driver, "takes_nowait", lambda _fd: False)
    try:
        driver = await opened(image, flags)
    except BlockError as error:
        if error.errno != EINVAL:
            raise
        pytest.skip("the file system has no direct access")
    yield driver
    await driver.close()


# --- data ---


async def test_what_was_written_is_read(driver: FileDriver, image: Path) -> None:
    before = contents(image)
    data = os.urandom(8192)
    await write(driver, 4096, data)
    assert await read(driver, 0, 16384) == before[:4096] + data + before[12288:16384]
    assert contents(image) == before[:4096] + data + before[12288:]


async def test_long_vectors_are_moved_in_order(driver: FileDriver) -> None:
    views = [bytearray([n % 256]) * 32 for n in range(4096)]
    await driver.pwritev(0, 32 * 4096, Iovec.of(views), 0, REQUEST)
    back = [bytearray(64) for _ in range(2048)]
    await driver.preadv(0, 32 * 4096, Iovec.of(back), 0, REQUEST)
    assert b"".join(back) == b"".join(views)


async def test_zeros_come_after_the_end(driver: FileDriver, image: Path) -> None:
    start = SIZE // 4096 * 4096
    assert await read(driver, start, 8192) == contents(image)[start:].ljust(8192, b"\0")
    assert await read(driver, start + 8192, 4096) == bytes(4096)


async def test_a_file_that_shrank_meanwhile_reads_as_zeros_there(
    driver: FileDriver, image: Path
) -> None:
    await read(driver, 0, 16384)
    os.truncate(image, 5000)
    assert await read(driver, 0, 16384) == contents(image) + bytes(16384 - 5000)


async def test_writing_past_the_end_makes_the_file_grow(driver: FileDriver) -> None:
    await write(driver, 262144, b"x" * 4096)
    assert driver.length() == 266240
    assert await read(driver, 200704, 61440 + 4096) == bytes(61440) + b"x" * 4096


async def test_nothing_is_moved_without_views(driver: FileDriver) -> None:
    await driver.preadv(0, 0, Iovec.of([]), 0, REQUEST)
    await driver.pwritev(0, 0, Iovec.of([]), 0, REQUEST)
    assert driver.length() == SIZE


async def test_what_is_not_in_the_page_cache_is_read_too(image: Path) -> None:
    fd = os.open(image, os.O_RDWR)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    driver = await opened(image)
    assert await read(driver, 0, SIZE) == contents(image)
    await driver.close()


@pytest.mark.parametrize("length", [LONGEST, LONGEST + 1, 4 * LONGEST])
async def test_writes_of_any_length_arrive(image: Path, length: int) -> None:
    expected = bytearray(contents(image))
    driver = await opened(image)
    await write(driver, 100, b"x" * length)
    expected[100 : 100 + length] = b"x" * length
    assert contents(image) == expected
    await driver.close()


steps = st.lists(
    st.tuples(
        st.sampled_from(["write", "read", "zero", "unmap", "discard", "truncate", "status"]),
        st.integers(0, SIZE),
        st.integers(1, SIZE),
    ),
    max_size=10,
)


@settings(max_examples=60)
@given(steps)
async def test_it_holds_what_a_bytearray_would(program: list[tuple[str, int, int]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        path.write_bytes(bytes(SIZE))
        driver = await opened(path)
        model = bytearray(SIZE)
        for number, (what, offset, length) in enumerate(program, 1):
            await _step(driver, model, what, offset, length, bytes([number]))
        assert await read(driver, 0, len(model)) == model
        assert driver.length() == len(model)
        await driver.close()


async def _step(
    driver: FileDriver, model: bytearray, what: str, offset: int, length: int, fill: bytes
) -> None:
    inside = max(0, min(length, len(model) - offset))
    match what:
        case "write":
            model.extend(bytes(max(0, offset + length - len(model))))
            model[offset : offset + length] = fill * length
            await write(driver, offset, fill * length)
        case "read":
            expected = bytes(model[offset : offset + length]).ljust(length, b"\0")
            assert await read(driver, offset, length) == expected
        case "status" if inside:
            status = await driver.block_status(offset, inside, True, REQUEST)
            found = model[offset : offset + min(inside, status.length)]
            assert found == bytes(len(found)) or not status.flags & ZERO
        case "truncate":
            await driver.truncate(offset, Truncation(), REQUEST)
            # An empty file that grows gets a sector at least.
            size = 512 if not model and 0 < offset < 512 else offset
            model[:] = model[:size].ljust(size, b"\0")
        case "zero" | "unmap" | "discard" if inside and await _clear(driver, what, offset, inside):
            model[offset : offset + inside] = bytes(inside)


async def _clear(driver: FileDriver, what: str, offset: int, length: int) -> bool:
    try:
        if what == "discard":
            await driver.pdiscard(offset, length, REQUEST)
        else:
            flags = MAY_UNMAP if what == "unmap" else 0
            await driver.pwrite_zeroes(offset, length, flags, REQUEST)
    except BlockError as error:
        if error.errno != ENOTSUP:
            raise
        return False
    return True


async def test_a_full_device_is_named_with_its_errno() -> None:
    driver = HostDeviceDriver("/dev/full")
    await driver.open(FakeOpener())
    with pytest.raises(BlockError) as caught:
        await write(driver, 0, b"x" * 512)
    assert caught.value.errno == ENOSPC
    assert str(caught.value) == "Could not write to '/dev/full': No space left on device"
    await driver.close()


async def test_a_task_cancelled_while_a_thread_writes_leaves_after_the_write(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_driver, "takes_nowait", lambda _fd: False)
    driver = await opened(image)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(write(driver, 0, b"x" * SIZE))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    assert contents(image) == b"x" * SIZE
    await driver.close()


# --- flushing ---


async def test_a_flush_succeeds(driver: FileDriver) -> None:
    await driver.flush_to_disk(REQUEST)


async def test_after_a_failed_flush_all_others_fail() -> None:
    driver = HostDeviceDriver("/dev/null")
    await driver.open(FakeOpener())
    with pytest.raises(BlockError, match="Could not flush '/dev/null': Invalid argument"):
        await driver.flush_to_disk(REQUEST)
    with pytest.raises(BlockError, match="an earlier flush failed") as caught:
        await driver.flush_to_disk(REQUEST)
    assert caught.value.errno == EINVAL
    await driver.close()


@pytest.mark.parametrize("aio", ["threads", "io_uring"])
async def test_a_flush_that_fails_after_it_was_cancelled_is_remembered(aio: str) -> None:
    driver = HostDeviceDriver("/dev/null", aio=aio)
    try:
        await driver.open(FakeOpener())
    except OptionError as error:
        pytest.skip(f"there is no io_uring here: {error}")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(driver.flush_to_disk(REQUEST))
        await asyncio.sleep(0)
        task.cancel()
    assert task.cancelled()
    with pytest.raises(BlockError, match="an earlier flush failed") as caught:
        await driver.flush_to_disk(REQUEST)
    assert caught.value.errno == EINVAL
    await driver.close()


# --- status and length ---


@pytest.fixture
def endless() -> Path:
    path = Path("/proc/self/status")
    if not path.exists():
        pytest.skip("there is no file known not to have a length")
    return path


async def test_length_of_what_only_looks_like_a_regular_file_cannot_be_told(endless: Path) -> None:
    driver = await opened(endless, OpenFlags(read_only=True))
    try:
        with pytest.raises(OSError, match="Invalid argument") as caught:
            driver.length()
        assert caught.value.errno == EINVAL
    finally:
        await driver.close()


async def test_the_status_is_data_if_nobody_asks_for_zeros(tmp_path: Path) -> None:
    (tmp_path / "image").touch()
    os.truncate(tmp_path / "image", 1 << 20)
    driver = await opened(tmp_path / "image")
    status = await driver.block_status(512, 4096, False, REQUEST)
    assert (status.flags, status.offset, status.length) == (DATA | OFFSET_VALID, 512, 4096)
    await driver.close()


async def test_the_status_shows_where_the_holes_are(tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"x" * 65536)
    os.truncate(tmp_path / "image", 1 << 20)
    driver = await opened(tmp_path / "image")
    data = await driver.block_status(0, 1 << 20, True, REQUEST)
    hole = await driver.block_status(data.length, (1 << 20) - data.length, True, REQUEST)
    if data.length == 1 << 20:
        pytest.skip("the file system does not tell where holes are")
    assert (data.flags, data.length, data.offset) == (DATA | OFFSET_VALID, 65536, 0)
    assert (hole.flags, hole.length, hole.offset) == (
        ZERO | OFFSET_VALID,
        (1 << 20) - 65536,
        65536,
    )
    await driver.close()


async def test_devices_cannot_be_resized() -> None:
    driver = HostDeviceDriver("/dev/null")
    await driver.open(FakeOpener())
    assert driver.length() == 0
    await driver.truncate(0, Truncation(exact=True), REQUEST)
    for size, how, errno, message in (
        (512, Truncation(), EINVAL, "Cannot grow device files"),
        (512, Truncation(exact=True), ENOTSUP, "Cannot resize device files"),
        (
            0,
            Truncation(preallocation="full"),
            ENOTSUP,
            "Preallocation mode 'full' unsupported for this non-regular file",
        ),
    ):
        with pytest.raises(BlockError) as caught:
            await driver.truncate(size, how, REQUEST)
        assert (caught.value.errno, str(caught.value)) == (errno, message)
    await driver.close()


async def test_limits_are_those_of_the_file(image: Path) -> None:
    driver = await opened(image)
    limits = driver.refresh_limits(Limits())
    assert (limits.request_alignment, limits.min_mem_alignment) == (1, 1)
    assert driver.zero_flags == MAY_UNMAP | NO_FALLBACK
    assert driver.write_flags == 0
    await driver.close()


async def test_without_the_page_cache_requests_must_be_aligned(image: Path) -> None:
    try:
        driver = await opened(image, OpenFlags(direct=True))
    except BlockError:
        pytest.skip("the file system has no direct access")
    limits = driver.refresh_limits(Limits())
    assert limits.request_alignment >= 512
    assert limits.opt_mem_alignment >= 4096
    await driver.close()
