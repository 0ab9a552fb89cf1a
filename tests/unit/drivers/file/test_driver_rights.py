from __future__ import annotations

import asyncio
from errno import EAGAIN, EBADF
from pathlib import Path

import pytest

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.permissions import Permissions
from blkdebug_async.drivers.file import driver as file_driver
from blkdebug_async.drivers.file.driver import FileDriver
from blkdebug_async.drivers.file.locks import PermissionLocks
from blkdebug_async.errors import BlockError, OptionError
from tests.unit.drivers.fakes import FakeOpener
from tests.unit.drivers.file.opened import READ, WRITE, contents, opened, read, write


@pytest.fixture
def unwritable() -> Path:
    path = Path("/sys/devices/system/cpu/possible")
    if not path.exists():
        pytest.skip("there is no file that not even root may write")
    return path


async def test_a_read_only_file_is_not_written(image: Path) -> None:
    driver = await opened(image, OpenFlags(read_only=True))
    with pytest.raises(BlockError) as caught:
        await write(driver, 0, b"x" * 512)
    assert caught.value.errno == EBADF
    await driver.close()


async def test_with_auto_read_only_a_file_can_be_written_while_somebody_wants_to(
    image: Path,
) -> None:
    driver = await opened(image, OpenFlags(auto_read_only=True))
    driver.permissions_changed(READ)
    with pytest.raises(BlockError):
        await write(driver, 0, b"x" * 512)
    driver.permissions_changed(WRITE)
    await write(driver, 0, b"x" * 512)
    driver.permissions_changed(READ)
    with pytest.raises(BlockError):
        await write(driver, 0, b"y" * 512)
    assert contents(image)[:512] == b"x" * 512
    await driver.close()


@pytest.mark.parametrize("aio", ["threads", "io_uring"])
async def test_what_is_under_way_when_somebody_wants_to_write_is_done(
    image: Path, monkeypatch: pytest.MonkeyPatch, aio: str
) -> None:
    monkeypatch.setattr(file_driver, "takes_nowait", lambda _fd: False)
    try:
        driver = await opened(image, OpenFlags(auto_read_only=True), aio=aio)
    except OptionError as error:
        pytest.skip(f"there is no io_uring here: {error}")
    driver.permissions_changed(READ)
    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(read(driver, 250 * i, 250)) for i in range(20)]
        # The reads are on their way by then, but not all with the kernel.
        await asyncio.sleep(0)
        driver.permissions_changed(WRITE)
        group.create_task(write(driver, 10_000, b"x" * 512))
    assert {task.result() for task in reads} == {bytes(range(250))}
    assert contents(image)[10_000:10_512] == b"x" * 512
    await driver.close()


async def test_with_auto_read_only_what_cannot_be_written_can_be_read(unwritable: Path) -> None:
    driver = await opened(unwritable, OpenFlags(auto_read_only=True), locking="off")
    driver.permissions_changed(READ)
    with pytest.raises(BlockError, match=f"Could not open '{unwritable}': Permission denied"):
        driver.permissions_changed(WRITE)
    assert (await read(driver, 0, 4)).startswith(b"0")
    await driver.close()


needs_locks = pytest.mark.skipif(
    not PermissionLocks.available(), reason="locks belong to processes here"
)


@needs_locks
async def test_two_drivers_respect_each_other(image: Path) -> None:
    one, other = await opened(image), await opened(image, locking="on")
    one.permissions_changed(Permissions(perms.WRITE, perms.ALL & ~perms.WRITE))
    with pytest.raises(BlockError) as caught:
        other.permissions_changed(WRITE)
    assert caught.value.errno == EAGAIN
    assert str(caught.value) == 'Failed to get "write" lock'
    assert caught.value.hint == f"Is another process using the image [{image}]?"
    await one.close()
    other.permissions_changed(WRITE)
    await other.close()


@needs_locks
async def test_without_locking_nobody_is_respected(image: Path) -> None:
    one, other = await opened(image), await opened(image, locking="off")
    one.permissions_changed(Permissions(perms.ALL, 0))
    other.permissions_changed(Permissions(perms.ALL, 0))
    await one.close()
    await other.close()


@needs_locks
async def test_who_shares_by_force_gets_in_nobodys_way(image: Path) -> None:
    flags = OpenFlags(read_only=True, force_share=True)
    one, other = await opened(image, flags), await opened(image)
    one.permissions_changed(Permissions(perms.CONSISTENT_READ, 0))
    other.permissions_changed(WRITE)
    await one.close()
    await other.close()


@needs_locks
async def test_locks_survive_a_change_to_read_only(image: Path) -> None:
    one, other = await opened(image), await opened(image)
    one.permissions_changed(Permissions(perms.WRITE, perms.ALL & ~perms.RESIZE))
    await one.reopen(OpenFlags(read_only=True), {})
    with pytest.raises(BlockError):
        other.permissions_changed(Permissions(perms.RESIZE, perms.ALL))
    await one.close()
    await other.close()


async def test_locks_are_refused_where_there_are_none(
    image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PermissionLocks, "available", staticmethod(lambda: False))
    with pytest.raises(OptionError, match="OFD locking syscall is unavailable"):
        await opened(image, locking="on")
    driver = await opened(image)
    driver.permissions_changed(WRITE)
    await driver.close()


async def test_reopening_changes_whether_one_can_write(image: Path) -> None:
    driver = await opened(image, OpenFlags(read_only=True))
    await driver.reopen(OpenFlags(), {})
    await write(driver, 0, b"x" * 512)
    await driver.reopen(OpenFlags(read_only=True), {})
    with pytest.raises(BlockError):
        await write(driver, 0, b"y" * 512)
    assert await read(driver, 0, 512) == b"x" * 512
    await driver.close()


async def test_a_driver_that_could_not_open_can_be_closed(tmp_path: Path) -> None:
    driver = FileDriver(tmp_path / "nope")
    with pytest.raises(BlockError):
        await driver.open(FakeOpener())
    driver.permissions_changed(WRITE)
    await driver.close()
