from __future__ import annotations

from errno import EINVAL, ENOENT, ENOMEM, ENOSYS, EPERM
from pathlib import Path

import pytest

from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.compat import COMPAT
from blkdebug_async.drivers.file.driver import FileDriver, HostDeviceDriver
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.options.filename import Gathered
from blkdebug_async.options.tree import Scalar
from tests.unit.drivers.fakes import REQUEST, FakeOpener, reader
from tests.unit.drivers.file.fake_kernel import refuse_rings


async def opened(path: Path | str, **options: str) -> FileDriver:
    driver = FileDriver(path, **options)
    await driver.open(FakeOpener())
    return driver


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(range(256)) * 16)
    return path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "The 'file' block driver requires a file name"),
        ({"filename": ""}, "The 'file' block driver requires a file name"),
        ({"filename": "x", "aio": "foo"}, "invalid parameter value: foo"),
        ({"filename": "x", "locking": "foo"}, "invalid parameter value: foo"),
        ({"filename": "x", "pr-manager": "p"}, "No persistent reservation manager with id 'p'"),
        ({"filename": "x", "aio-max-batch": "y"}, "Parameter 'aio-max-batch' expects a number"),
        ({"filename": "x", "drop-cache": "y!"}, "Parameter 'drop-cache' expects 'on' or 'off'"),
        (
            {"filename": "x", "x-check-cache-dropped": "y!"},
            "Parameter 'x-check-cache-dropped' expects 'on' or 'off'",
        ),
    ],
)
def test_bad_options_are_refused(options: dict[str, Scalar], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        FileDriver.from_options(reader("file", **options))
    assert str(caught.value) == message
    assert caught.value.errno == EINVAL


def test_every_option_that_qemu_has_is_taken() -> None:
    options = reader(
        "file",
        filename="x",
        aio="threads",
        aio_max_batch="8",
        locking="off",
        drop_cache="off",
        x_check_cache_dropped="on",
    )
    FileDriver.from_options(options)
    options.finish()


def test_a_device_without_a_name_is_refused_in_its_own_name() -> None:
    with pytest.raises(OptionError, match="The 'host_device' block driver requires a file name"):
        HostDeviceDriver.from_options(reader("host_device"))


@pytest.mark.parametrize(("option", "node"), [("native", "threads"), (None, "native")])
async def test_native_aio_goes_only_past_the_cache(
    image: Path, option: str | None, node: str
) -> None:
    driver = FileDriver(image, aio=option)
    with pytest.raises(OptionError) as caught:
        await driver.open(FakeOpener(flags=OpenFlags(aio=node)))
    assert str(caught.value) == (
        "aio=native was specified, but it requires cache.direct=on, which was not specified."
    )


async def read_through(driver: FileDriver, opener: FakeOpener) -> None:
    await driver.open(opener)
    buffer = bytearray(4)
    await driver.preadv(0, 4, Iovec.over(buffer), 0, REQUEST)
    assert buffer == bytes(range(4))
    await driver.close()
    assert opener.warnings == []


@pytest.mark.parametrize("compat", ["qemu-7.2", "seed"])
async def test_who_follows_qemu_needs_no_io_uring_to_ask_for_one(
    image: Path, compat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_rings(monkeypatch, ENOSYS)
    opener = FakeOpener()
    opener.compat = COMPAT[compat]
    await read_through(FileDriver(image, aio="io_uring"), opener)


@pytest.mark.parametrize("compat", ["qemu-7.2", "seed"])
async def test_who_follows_qemu_knows_no_automatic_way_to_the_kernel(
    image: Path, compat: str
) -> None:
    opener = FakeOpener()
    opener.compat = COMPAT[compat]
    with pytest.raises(OptionError, match="invalid parameter value: auto"):
        await FileDriver(image, aio="auto").open(opener)
    await read_through(FileDriver(image), opener)


async def test_what_the_file_is_told_goes_before_what_the_node_is_told(image: Path) -> None:
    opener = FakeOpener(flags=OpenFlags(aio="native"))
    await read_through(FileDriver(image, aio="threads"), opener)


REFUSALS = {
    ENOSYS: "Function not implemented",
    EPERM: "Operation not permitted",
    ENOMEM: "Cannot allocate memory",
}


@pytest.mark.parametrize("errno", REFUSALS)
@pytest.mark.parametrize("direct", [False, True])
async def test_who_asks_for_an_io_uring_is_told_if_there_is_none(
    image: Path, monkeypatch: pytest.MonkeyPatch, errno: int, direct: bool
) -> None:
    refuse_rings(monkeypatch, errno)
    with pytest.raises(OptionError) as caught:
        await FileDriver(image, aio="io_uring").open(FakeOpener(flags=OpenFlags(direct=direct)))
    assert str(caught.value) == (
        f"Unable to use io_uring: failed to init linux io_uring ring: {REFUSALS[errno]}"
    )


@pytest.mark.parametrize("errno", REFUSALS)
@pytest.mark.parametrize("aio", ["auto", "native", None])
async def test_threads_take_over_silently_where_there_is_no_io_uring(
    image: Path, monkeypatch: pytest.MonkeyPatch, errno: int, aio: str | None
) -> None:
    refuse_rings(monkeypatch, errno)
    opener = FakeOpener(flags=OpenFlags(direct=True))
    driver = FileDriver(image, aio=aio)
    await driver.open(opener)
    buffer = bytearray(4096)
    for _ in range(2):
        await driver.preadv(0, 4096, Iovec.over(buffer), 0, REQUEST)
    assert buffer == bytes(range(256)) * 16
    await driver.close()
    assert opener.warnings == []


async def test_a_missing_file_counts_more_than_a_wrong_way_to_the_kernel(tmp_path: Path) -> None:
    with pytest.raises(BlockError) as caught:
        await opened(tmp_path / "nope", aio="native")
    assert caught.value.errno == ENOENT


async def test_a_device_is_no_file_and_a_file_is_no_device(image: Path) -> None:
    with pytest.raises(OptionError, match="'/dev/null' to be a regular file"):
        await opened("/dev/null")
    with pytest.raises(OptionError, match="to be either a character or block device"):
        await HostDeviceDriver(image).open(FakeOpener())


async def test_the_path_is_the_plain_name(image: Path) -> None:
    driver = FileDriver(image)
    assert driver.options == {"filename": str(image)}
    assert driver.plain_filename(Gathered({}, is_special=False)) == str(image)
