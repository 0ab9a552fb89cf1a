from __future__ import annotations

from errno import EINVAL, ENOENT, ENOTSUP
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.flags import DATA, FUA, MAY_UNMAP, NO_FALLBACK, OFFSET_VALID, ZERO
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.target import Truncation
from blkdebug_async.drivers.memory import PAGE_SIZE, MemoryDriver
from blkdebug_async.errors import BlockError, OptionError
from tests.unit.drivers.fakes import REQUEST, FakeOpener, reader

SIZE = 3 * PAGE_SIZE + 1000


async def read(driver: MemoryDriver, offset: int, length: int) -> bytes:
    buffer = bytearray(b"\xee" * length)
    await driver.preadv(offset, length, Iovec.over(buffer), 0, REQUEST)
    return bytes(buffer)


async def write(driver: MemoryDriver, offset: int, data: bytes) -> None:
    await driver.pwritev(offset, len(data), Iovec.of([bytearray(data)]), 0, REQUEST)


#: What, offset, length.
steps = st.tuples(
    st.sampled_from(["write", "zero", "discard", "truncate"]),
    st.integers(0, SIZE),
    st.integers(0, 2 * PAGE_SIZE),
)


@given(st.lists(steps, max_size=12))
async def test_it_holds_what_a_bytearray_would(program: list[tuple[str, int, int]]) -> None:
    driver, model = MemoryDriver(SIZE), bytearray(SIZE)
    for number, (what, offset, length) in enumerate(program, 1):
        end = offset + length
        match what:
            case "write":
                data = bytes([number]) * length
                await write(driver, offset, data)
                if end > len(model):
                    model.extend(bytes(end - len(model)))
                model[offset:end] = data
            case "zero":
                await driver.pwrite_zeroes(offset, length, 0, REQUEST)
                if end > len(model):
                    model.extend(bytes(end - len(model)))
                model[offset:end] = bytes(length)
            case "discard":
                length = max(0, min(end, len(model)) - offset)
                await driver.pdiscard(offset, length, REQUEST)
                model[offset : offset + length] = bytes(length)
            case _:
                await driver.truncate(offset, Truncation(), REQUEST)
                model = model[:offset].ljust(offset, b"\0")
        assert driver.length() == len(model)
    assert await read(driver, 0, len(model)) == model


@given(st.lists(st.tuples(st.integers(0, SIZE), st.integers(1, PAGE_SIZE)), max_size=8))
async def test_what_the_status_calls_zero_reads_as_zero(writes: list[tuple[int, int]]) -> None:
    driver = MemoryDriver(SIZE)
    for offset, length in writes:
        await write(driver, offset, b"x" * length)
    offset = 0
    while offset < driver.length():
        status = await driver.block_status(offset, driver.length() - offset, True, REQUEST)
        assert status.flags in (DATA | OFFSET_VALID, ZERO | OFFSET_VALID)
        assert status.offset == offset
        assert 0 < status.length <= driver.length() - offset
        if status.flags & ZERO:
            assert await read(driver, offset, status.length) == bytes(status.length)
        offset += status.length


async def test_the_status_of_a_huge_empty_disk_is_one_hole() -> None:
    driver = MemoryDriver(1 << 60)
    await write(driver, 1 << 50, b"x")
    before = await driver.block_status(0, 1 << 60, True, REQUEST)
    assert (before.flags, before.length) == (ZERO | OFFSET_VALID, 1 << 50)


async def test_zeroing_a_huge_range_gives_the_memory_back() -> None:
    driver = MemoryDriver(1 << 60)
    await write(driver, 1 << 50, b"x" * 4096)
    await driver.pwrite_zeroes(0, 1 << 60, 0, REQUEST)
    assert (await driver.block_status(0, 1 << 60, True, REQUEST)).length == 1 << 60


async def test_discarding_past_the_end_does_not_make_it_grow() -> None:
    driver = MemoryDriver(1000)
    await driver.pdiscard(0, 1024, REQUEST)
    assert driver.length() == 1000


async def test_vectors_are_filled_and_written_in_order() -> None:
    driver = MemoryDriver(1 << 20)
    views = [bytearray(b"a" * 3), bytearray(b"b" * PAGE_SIZE), bytearray(b"c" * 5)]
    await driver.pwritev(10, PAGE_SIZE + 8, Iovec.of(views), 0, REQUEST)
    back = [bytearray(7), bytearray(PAGE_SIZE + 1)]
    await driver.preadv(10, PAGE_SIZE + 8, Iovec.of(back), 0, REQUEST)
    assert b"".join(back) == b"".join(views)


async def test_a_shortened_disk_grows_back_with_zeros() -> None:
    driver = MemoryDriver(data=b"x" * 2000)
    await driver.truncate(1000, Truncation(), REQUEST)
    await driver.truncate(2000, Truncation(), REQUEST)
    assert await read(driver, 0, 2000) == b"x" * 1000 + bytes(1000)


async def test_it_begins_with_the_data_given_and_zeros_after_it() -> None:
    driver = MemoryDriver(8, data=b"abc")
    assert await read(driver, 0, 8) == b"abc\0\0\0\0\0"
    assert MemoryDriver(data=b"abc").length() == 3


async def test_the_data_given_is_copied() -> None:
    data = bytearray(b"abc")
    driver = MemoryDriver(data=data)
    data[:] = b"xyz"
    assert await read(driver, 0, 3) == b"abc"


async def test_a_file_can_be_loaded(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"hello")
    driver = MemoryDriver.from_options(reader("memory", load=str(path)))
    await driver.open(FakeOpener())
    assert await read(driver, 0, driver.length()) == b"hello"
    await write(driver, 0, b"J")
    assert path.read_bytes() == b"hello"


async def test_a_file_to_load_that_is_not_there_is_named(tmp_path: Path) -> None:
    driver = MemoryDriver(load=str(tmp_path / "nope"))
    with pytest.raises(BlockError, match=r"Could not open '.*nope': No such file") as caught:
        await driver.open(FakeOpener())
    assert caught.value.errno == ENOENT


async def test_a_file_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(100))
    driver = MemoryDriver(99, load=str(path))
    with pytest.raises(OptionError, match="99 is less than the 100 bytes"):
        await driver.open(FakeOpener())


def test_a_size_is_needed() -> None:
    with pytest.raises(OptionError, match="Parameter 'size' is missing") as caught:
        MemoryDriver.from_options(reader("memory"))
    assert caught.value.errno == EINVAL


def test_data_and_a_file_to_load_exclude_each_other() -> None:
    with pytest.raises(OptionError, match="'data' and 'load'"):
        MemoryDriver(data=b"", load="file")


def test_a_size_that_no_disk_can_have_is_refused() -> None:
    with pytest.raises(OptionError, match="size is invalid"):
        MemoryDriver(1 << 63)


async def test_preallocation_is_refused() -> None:
    with pytest.raises(BlockError, match="Unsupported preallocation mode: full") as caught:
        await MemoryDriver(0).truncate(512, Truncation(preallocation="full"), REQUEST)
    assert caught.value.errno == ENOTSUP


async def test_no_request_waits() -> None:
    driver = MemoryDriver(1 << 20)
    iov = Iovec.over(bytearray(4096))
    for request in (
        driver.pwritev(0, 4096, iov, FUA, REQUEST),
        driver.preadv(0, 4096, iov, 0, REQUEST),
        driver.pwrite_zeroes(0, 4096, FUA | MAY_UNMAP | NO_FALLBACK, REQUEST),
    ):
        with pytest.raises(StopIteration):
            request.send(None)


async def test_everything_is_safe_at_once() -> None:
    driver = MemoryDriver(0)
    assert driver.write_flags == FUA
    assert driver.zero_flags == FUA | MAY_UNMAP | NO_FALLBACK


async def test_closing_gives_the_memory_back() -> None:
    driver = MemoryDriver(data=b"x" * 4096)
    await driver.close()
    assert await read(driver, 0, 4096) == bytes(4096)
