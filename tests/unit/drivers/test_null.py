from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from errno import EINVAL

import pytest

from blkdebug_async.block.driver import has
from blkdebug_async.block.flags import FUA, OFFSET_VALID, ZERO
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.compat import COMPAT
from blkdebug_async.drivers.null import NullAioDriver, NullCoDriver, NullDriver
from blkdebug_async.errors import OptionError
from blkdebug_async.options.filename import Gathered
from tests.unit.drivers.fakes import REQUEST, FakeOpener, reader

KINDS = [NullCoDriver, NullAioDriver]


@pytest.mark.parametrize("kind", KINDS)
def test_a_null_disk_has_one_gibibyte_unless_told_otherwise(kind: type[NullDriver]) -> None:
    assert kind().length() == 1 << 30
    assert kind.from_options(reader(kind.name, size="1.5k")).length() == 1536


@pytest.mark.parametrize("kind", KINDS)
async def test_reads_leave_the_buffer_as_it_was(kind: type[NullDriver]) -> None:
    driver = kind()
    await driver.open(FakeOpener())
    buffer = bytearray(b"x" * 512)
    await driver.preadv(0, 512, Iovec.over(buffer), 0, REQUEST)
    assert buffer == b"x" * 512


@pytest.mark.parametrize("kind", KINDS)
async def test_reads_give_zeros_with_read_zeroes(kind: type[NullDriver]) -> None:
    driver = kind.from_options(reader(kind.name, read_zeroes="on"))
    buffer = bytearray(b"x" * 512)
    await driver.preadv(0, 512, Iovec.over(buffer), 0, REQUEST)
    assert buffer == bytes(512)


@pytest.mark.parametrize("latency_ns", [-1, "9223372036854775808"])
def test_a_negative_latency_is_refused(latency_ns: int | str) -> None:
    with pytest.raises(OptionError, match=r"^latency-ns is invalid$") as caught:
        NullCoDriver.from_options(reader("null-co", latency_ns=latency_ns))
    assert caught.value.errno == EINVAL


def test_a_size_that_no_disk_can_have_is_refused() -> None:
    with pytest.raises(OptionError, match="9223372036854775808"):
        NullCoDriver(1 << 63)


async def test_reads_writes_and_flushes_take_the_latency_on_the_clock_of_the_loop() -> None:
    driver = NullCoDriver(latency_ns=1_000_000)
    loop = asyncio.get_running_loop()
    iov = Iovec.over(bytearray(512))
    for request in (
        driver.preadv(0, 512, iov, 0, REQUEST),
        driver.pwritev(0, 512, iov, 0, REQUEST),
        driver.flush_to_disk(REQUEST),
    ):
        start_s = loop.time()
        await request
        assert loop.time() - start_s >= 0.001


def test_without_latency_nothing_is_waited_for() -> None:
    driver = NullCoDriver()
    request = driver.pwritev(0, 512, Iovec.over(bytearray(512)), 0, REQUEST)
    with pytest.raises(StopIteration):
        request.send(None)


@pytest.mark.parametrize(("read_zeroes", "flags"), [(False, 0), (True, ZERO)])
async def test_the_status_claims_zeros_only_if_reads_give_zeros(
    read_zeroes: bool, flags: int
) -> None:
    driver = NullCoDriver(read_zeroes=read_zeroes)
    status = await driver.block_status(512, 1024, True, REQUEST)
    assert (status.flags, status.length, status.offset) == (OFFSET_VALID | flags, 1024, 512)


def test_a_null_disk_takes_fua_and_cannot_be_resized() -> None:
    driver = NullCoDriver()
    assert driver.write_flags == FUA
    assert not has(driver, "truncate")
    assert not has(driver, "pwrite_zeroes")
    assert not has(driver, "pdiscard")


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_name_opens_it_again_unless_it_was_told_something_special(
    kind: type[NullDriver],
) -> None:
    driver = kind()
    assert driver.plain_filename(Gathered({}, is_special=False)) == f"{kind.name}://"
    assert driver.plain_filename(Gathered({}, is_special=True)) is None
    assert kind.parse_filename is not None
    assert kind.parse_filename(f"{kind.name}://") == {}


def test_any_other_file_name_is_refused() -> None:
    assert NullCoDriver.parse_filename is not None
    with pytest.raises(
        OptionError, match="The only allowed filename for this driver is 'null-co://'"
    ):
        NullCoDriver.parse_filename("null-co:foo")


def test_options_are_kept_for_building_the_name_back() -> None:
    driver = NullCoDriver(4096, latency_ns=5, read_zeroes=True)
    assert driver.options == {"size": 4096, "latency-ns": 5, "read-zeroes": True}
    assert NullCoDriver().options == {}


@pytest.mark.parametrize("compat", COMPAT)
async def test_null_aio_goes_on_in_a_later_turn_where_qemu_does(compat: str) -> None:
    opener = FakeOpener()
    opener.compat = COMPAT[compat]
    driver = NullAioDriver()
    await driver.open(opener)
    iov = Iovec.over(bytearray(512))
    done: list[str] = []

    async def note(what: str, work: Coroutine[object, object, None]) -> None:
        await work
        done.append(what)

    async with asyncio.TaskGroup() as group:
        group.create_task(note("read", driver.preadv(0, 512, iov, 0, REQUEST)))
        group.create_task(note("write", driver.pwritev(0, 512, iov, 0, REQUEST)))
        group.create_task(note("flush", driver.flush_to_disk(REQUEST)))
        await asyncio.sleep(0)
        takes_a_turn = COMPAT[compat].file_requests_take_a_turn
        assert done == ([] if takes_a_turn else ["read", "write", "flush"])
    assert done == (["flush", "write", "read"] if takes_a_turn else ["read", "write", "flush"])
