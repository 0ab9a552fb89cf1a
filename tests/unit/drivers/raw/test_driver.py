from __future__ import annotations

from errno import EINVAL, ENOSPC, ENOTSUP, EPERM
from functools import partial

import pytest

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.flags import (
    FUA,
    MAY_UNMAP,
    NO_FALLBACK,
    OFFSET_VALID,
    RAW,
    WRITE_UNCHANGED,
    OpenFlags,
)
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import Permissions, Role
from blkdebug_async.block.target import Truncation
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.events import Event
from tests.unit.drivers.fakes import REQUEST, FakeOpener, FakeTarget, reader

MIB = 1 << 20


async def opened(
    below: FakeTarget, *, offset: int = 0, size: int | None = None, probed: bool = False
) -> RawDriver:
    driver = RawDriver("image", offset=offset, size=size, probed=probed)
    await driver.open(FakeOpener(below))
    return driver


def vector(data: bytes) -> Iovec:
    return Iovec.over(bytearray(data))


async def test_the_whole_child_is_shown_as_a_filter_shows_it() -> None:
    opener = FakeOpener(FakeTarget(MIB))
    driver = RawDriver("image")
    await driver.open(opener)
    assert opener.opened == [("file", "image", Role.FILTERED | Role.PRIMARY)]
    assert driver.length() == MIB


@pytest.mark.parametrize(("offset", "size"), [(512, None), (0, MIB), (0, 0)])
async def test_a_window_is_no_filter(offset: int, size: int | None) -> None:
    opener = FakeOpener(FakeTarget(MIB))
    await RawDriver("image", offset=offset, size=size).open(opener)
    assert opener.opened == [("file", "image", Role.DATA | Role.PRIMARY)]


async def test_requests_are_moved_into_the_window() -> None:
    below = FakeTarget(MIB)
    driver = await opened(below, offset=513, size=4096)
    await driver.pwritev(10, 4, vector(b"abcd"), FUA, REQUEST)
    await driver.preadv(10, 4, vector(bytes(4)), 0, REQUEST)
    await driver.pwrite_zeroes(0, 4096, MAY_UNMAP, REQUEST)
    await driver.pdiscard(0, 512, REQUEST)
    assert below.calls == [
        ("pwritev", 523, 4, FUA),
        ("preadv", 523, 4, 0),
        ("pwrite_zeroes", 513, 4096, MAY_UNMAP),
        ("pdiscard", 513, 512),
    ]
    assert below.data[523:527] == b"abcd"


async def test_the_child_hears_of_reads_and_data_writes_before_they_happen() -> None:
    below = FakeTarget(MIB)
    below.heard = {Event.READ_AIO, Event.WRITE_AIO}
    driver = await opened(below)
    await driver.preadv(0, 4, vector(bytes(4)), 0, REQUEST)
    await driver.pwritev(0, 4, vector(bytes(4)), 0, REQUEST)
    await driver.pwrite_zeroes(0, 4, 0, REQUEST)
    await driver.pdiscard(0, 4, REQUEST)
    assert below.calls == [
        ("fire", Event.READ_AIO),
        ("preadv", 0, 4, 0),
        ("fire", Event.WRITE_AIO),
        ("pwritev", 0, 4, 0),
        ("pwrite_zeroes", 0, 4, 0),
        ("pdiscard", 0, 4),
    ]


@pytest.mark.parametrize(("offset", "length"), [(0, 4097), (4096, 1), (5000, 1)])
async def test_nothing_leaks_out_of_a_window_with_a_size(offset: int, length: int) -> None:
    below = FakeTarget(MIB)
    driver = await opened(below, size=4096)
    iov = vector(bytes(length))
    requests = {
        EINVAL: [partial(driver.preadv, offset, length, iov, 0, REQUEST)],
        ENOSPC: [
            partial(driver.pwritev, offset, length, iov, 0, REQUEST),
            partial(driver.pwrite_zeroes, offset, length, 0, REQUEST),
            partial(driver.pdiscard, offset, length, REQUEST),
        ],
    }
    for errno, calls in requests.items():
        for call in calls:
            with pytest.raises(BlockError) as caught:
                await call()
            assert caught.value.errno == errno
    assert below.calls == []


@pytest.mark.parametrize(
    ("offset", "size", "message"),
    [
        (
            2 * MIB,
            None,
            "Offset (2097152) cannot be greater than size of the containing file (1048576)",
        ),
        (
            513,
            MIB,
            "The sum of offset (513) and size (1048576) has to be smaller or equal to the  actual "
            "size of the containing file (1048576)",
        ),
        (0, 1000, "Specified size is not multiple of 512"),
    ],
)
async def test_a_window_that_does_not_fit_is_refused(
    offset: int, size: int | None, message: str
) -> None:
    with pytest.raises(OptionError) as caught:
        await opened(FakeTarget(MIB), offset=offset, size=size)
    assert str(caught.value) == message
    assert caught.value.errno == EINVAL


def test_options_say_what_the_window_is() -> None:
    options = reader("raw", offset="1k", size="2k", file="node")
    driver = RawDriver.from_options(options)
    options.finish()
    assert driver.options == {"offset": 1024, "size": 2048}


def test_a_child_must_be_named() -> None:
    with pytest.raises(OptionError, match='A block device must be specified for "file"'):
        RawDriver.from_options(reader("raw"))


async def test_the_length_follows_the_child() -> None:
    below = FakeTarget(8192)
    open_end, fixed = await opened(below, offset=1024), await opened(below, offset=1024, size=4096)
    assert (open_end.length(), fixed.length()) == (7168, 4096)
    del below.data[3072:]
    assert (open_end.length(), fixed.length()) == (2048, 2048)
    del below.data[512:]
    assert (open_end.length(), fixed.length()) == (0, 0)


async def test_a_window_that_was_cut_does_not_grow_again() -> None:
    below = FakeTarget(8192)
    driver = await opened(below, size=8192)
    del below.data[4096:]
    assert driver.length() == 4096
    below.data.extend(bytes(4096))
    assert driver.length() == 4096


async def test_the_status_is_to_be_asked_of_the_child() -> None:
    below = FakeTarget(MIB)
    driver = await opened(below, offset=512)
    status = await driver.block_status(1024, 4096, True, REQUEST)
    assert (status.flags, status.offset, status.length) == (RAW | OFFSET_VALID, 1536, 4096)
    assert status.target is below


async def test_flags_are_those_of_the_child_and_write_unchanged() -> None:
    below = FakeTarget(MIB, write_flags=FUA | MAY_UNMAP, zero_flags=FUA | MAY_UNMAP | NO_FALLBACK)
    driver = await opened(below)
    assert driver.write_flags == WRITE_UNCHANGED | FUA
    assert driver.zero_flags == WRITE_UNCHANGED | FUA | MAY_UNMAP | NO_FALLBACK
    plain = await opened(FakeTarget(MIB))
    assert (plain.write_flags, plain.zero_flags) == (WRITE_UNCHANGED, WRITE_UNCHANGED)


async def test_truncate_keeps_the_start_of_the_window() -> None:
    below = FakeTarget(MIB)
    how = Truncation(exact=True, preallocation="falloc")
    await (await opened(below, offset=512)).truncate(4096, how, REQUEST)
    assert below.calls == [("truncate", 4608, how)]


async def test_a_fixed_size_cannot_be_changed() -> None:
    driver = await opened(FakeTarget(MIB), size=4096)
    with pytest.raises(BlockError, match=r"^Cannot resize fixed-size raw disks$") as caught:
        await driver.truncate(512, Truncation(), REQUEST)
    assert caught.value.errno == ENOTSUP


async def test_a_size_that_the_offset_lifts_over_the_top_is_refused() -> None:
    driver = await opened(FakeTarget(MIB), offset=512)
    with pytest.raises(BlockError, match="Disk size too large for the chosen offset") as caught:
        await driver.truncate((1 << 63) - 512, Truncation(), REQUEST)
    assert caught.value.errno == EINVAL


async def test_reopening_moves_the_window_and_keeps_what_is_not_mentioned() -> None:
    below = FakeTarget(MIB)
    driver = await opened(below, offset=512, size=4096)
    await driver.reopen(OpenFlags(), {"offset": "1k"})
    await driver.preadv(0, 4096, vector(bytes(4096)), 0, REQUEST)
    assert below.calls == [("preadv", 1024, 4096, 0)]
    assert driver.options == {"offset": "1k", "size": 4096}


async def test_reopening_with_a_window_that_does_not_fit_changes_nothing() -> None:
    below = FakeTarget(MIB)
    driver = await opened(below, offset=512, size=4096)
    with pytest.raises(OptionError, match=r"Offset \(2097152\)"):
        await driver.reopen(OpenFlags(), {"offset": "2M"})
    await driver.preadv(0, 512, vector(bytes(512)), 0, REQUEST)
    assert below.calls == [("preadv", 512, 512, 0)]


async def test_of_write_and_resize_only_what_the_parents_take_is_taken() -> None:
    driver = await opened(FakeTarget(MIB), offset=512)
    driver.permissions_changed(Permissions(perms.CONSISTENT_READ | perms.WRITE, perms.ALL))
    default = Permissions(perms.CONSISTENT_READ | perms.WRITE | perms.RESIZE, perms.WRITE)
    assert driver.child_permissions(default) == (
        perms.CONSISTENT_READ | perms.WRITE,
        perms.WRITE,
    )


# --- guessed formats ---


async def test_a_guessed_image_takes_whole_sectors_only() -> None:
    guessed, told = await opened(FakeTarget(MIB), probed=True), await opened(FakeTarget(MIB))
    assert guessed.refresh_limits(Limits()).request_alignment == 512
    assert told.refresh_limits(Limits()).request_alignment == 1


async def test_a_guessed_image_cannot_be_made_to_look_like_another_format() -> None:
    below = FakeTarget(MIB)
    driver = await opened(below, probed=True)
    data = b"QFI\xfb\0\0\0\3".ljust(1024, b"\0")
    with pytest.raises(BlockError, match="qcow2") as caught:
        await driver.pwritev(0, 1024, vector(data), 0, REQUEST)
    assert caught.value.errno == EPERM
    assert below.calls == []
    await driver.pwritev(512, 1024, vector(data), 0, REQUEST)
    assert below.calls == [("pwritev", 512, 1024, 0)]


async def test_other_data_reaches_the_first_sector_of_a_guessed_image() -> None:
    below = FakeTarget(MIB)
    driver = await opened(below, probed=True)
    data = bytes(range(256)) * 4
    iov = Iovec.of([bytearray(data[:100]), bytearray(data[100:])])
    await driver.pwritev(0, 1024, iov, 0, REQUEST)
    assert below.data[:1024] == data


async def test_an_image_whose_format_was_told_may_hold_anything() -> None:
    below = FakeTarget(MIB)
    await (await opened(below)).pwritev(0, 4, vector(b"QED\0"), 0, REQUEST)
    assert below.data[:4] == b"QED\0"
