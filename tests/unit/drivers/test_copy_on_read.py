from __future__ import annotations

import pytest

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.driver import has
from blkdebug_async.block.flags import COPY_ON_READ, FUA, MAY_UNMAP, NO_FALLBACK, WRITE_UNCHANGED
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.permissions import Permissions, Role
from blkdebug_async.drivers.copy_on_read import CopyOnReadDriver
from blkdebug_async.errors import OptionError
from tests.unit.drivers.fakes import REQUEST, FakeOpener, FakeTarget, reader


async def opened(below: FakeTarget, bottom: str | None = None) -> CopyOnReadDriver:
    driver = CopyOnReadDriver("image", bottom=bottom)
    await driver.open(FakeOpener(below))
    return driver


async def test_each_read_asks_the_child_for_a_copy() -> None:
    below = FakeTarget(4096)
    driver = await opened(below)
    await driver.preadv(512, 4, Iovec.over(bytearray(4)), 0, REQUEST)
    await driver.pwritev(512, 4, Iovec.over(bytearray(4)), FUA, REQUEST)
    assert below.calls == [("preadv", 512, 4, COPY_ON_READ), ("pwritev", 512, 4, FUA)]


async def test_the_child_is_shown_as_it_is() -> None:
    opener = FakeOpener(FakeTarget(4096))
    driver = CopyOnReadDriver("image")
    await driver.open(opener)
    assert opener.opened == [("file", "image", Role.FILTERED | Role.PRIMARY)]
    assert driver.length() == 4096
    assert not has(driver, "truncate")


async def test_flags_are_those_of_the_child_and_write_unchanged() -> None:
    driver = await opened(FakeTarget(0, write_flags=FUA, zero_flags=MAY_UNMAP | NO_FALLBACK))
    assert driver.write_flags == WRITE_UNCHANGED | FUA
    assert driver.zero_flags == WRITE_UNCHANGED | MAY_UNMAP | NO_FALLBACK


async def test_copies_may_be_written_even_if_the_parents_only_read() -> None:
    driver = await opened(FakeTarget(0))
    taken, shared = driver.child_permissions(Permissions(perms.CONSISTENT_READ, 0))
    assert taken == perms.CONSISTENT_READ | perms.WRITE_UNCHANGED
    assert shared == perms.WRITE_UNCHANGED


async def test_nothing_is_copied_below_a_bottom_that_is_the_child() -> None:
    below = FakeTarget(4096, name="x")
    driver = await opened(below, bottom="x")
    await driver.preadv(0, 4, Iovec.over(bytearray(4)), 0, REQUEST)
    assert below.calls == [("preadv", 0, 4, 0)]


async def test_a_bottom_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match=r"^Bottom node 'y' not found$"):
        await opened(FakeTarget(4096, name="x"), bottom="y")


def test_a_child_must_be_named_first() -> None:
    with pytest.raises(OptionError, match='A block device must be specified for "file"'):
        CopyOnReadDriver.from_options(reader("copy-on-read", bottom="x"))


def test_the_bottom_is_kept_for_building_the_name_back() -> None:
    options = reader("copy-on-read", bottom="x", file="y")
    driver = CopyOnReadDriver.from_options(options)
    options.finish()
    assert driver.options == {"bottom": "x"}
