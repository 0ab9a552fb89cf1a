from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from blkdebug_async import open_disk
from blkdebug_async.block.driver import Driver, NodeSource
from blkdebug_async.block.limits import Limits
from blkdebug_async.drivers import DRIVERS
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.copy_on_read import CopyOnReadDriver
from blkdebug_async.drivers.file.driver import FileDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.null import NullAioDriver, NullCoDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import OptionError
from blkdebug_async.testing import (
    NonConformingError,
    RecordingDriver,
    RecordingFilter,
    SeededChoices,
    check_driver,
    check_filter,
)
from blkdebug_async.units import KIB

SIZE = 256 * KIB

LEAVES: dict[str, Callable[[], Driver]] = {
    "memory": lambda: MemoryDriver(SIZE),
    "memory of odd length": lambda: MemoryDriver(SIZE - 300),
    "overlay over memory": lambda: OverlayDriver(MemoryDriver(SIZE)),
    "overlay over recording": lambda: OverlayDriver(RecordingDriver(b"x" * (SIZE - 1024))),
    "copy-on-read over overlay": lambda: CopyOnReadDriver(
        OverlayDriver(RecordingDriver(b"x" * SIZE))
    ),
    "recording": lambda: RecordingDriver(SIZE),
    "recording by blocks": lambda: RecordingDriver(
        SIZE,
        Limits(
            request_alignment=512,
            max_transfer=2 * KIB,
            pwrite_zeroes_alignment=1536,
            max_pwrite_zeroes=9216,
            pdiscard_alignment=3 * KIB,
            max_pdiscard=15 * KIB,
        ),
    ),
}

#: Filters, and raw, which checks as one.
FILTERS: dict[str, Callable[[NodeSource], Driver]] = {
    "raw": RawDriver,
    "inert blkdebug": BlkdebugDriver,
    "blkdebug with limits": lambda below: BlkdebugDriver(
        below, config=BlkdebugConfig(align=512, max_transfer=4096, opt_write_zero=1024)
    ),
    "copy-on-read": CopyOnReadDriver,
    "recording-filter": RecordingFilter,
    "three filters": lambda below: RawDriver(BlkdebugDriver(CopyOnReadDriver(below))),
}

#: What is checked elsewhere in this file, and what needs a device.
CHECKED = {
    "blkdebug",
    "copy-on-read",
    "file",
    "memory",
    "null-aio",
    "null-co",
    "overlay",
    "raw",
}
NOT_CHECKED = {"host_device"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("make", LEAVES.values(), ids=LEAVES.keys())
async def test_leaf_conforms(make: Callable[[], Driver], seed: int) -> None:
    await check_driver(make, choices=SeededChoices(seed))


@pytest.mark.slow
@pytest.mark.parametrize("make", FILTERS.values(), ids=FILTERS.keys())
async def test_filter_conforms(make: Callable[[NodeSource], Driver]) -> None:
    await check_filter(make)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(index % 251 for index in range(SIZE)))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    "over",
    [lambda file: file, RawDriver, BlkdebugDriver, lambda file: RawDriver(BlkdebugDriver(file))],
    ids=["file", "raw", "blkdebug", "raw over blkdebug"],
)
async def test_stack_over_a_file_conforms(
    over: Callable[[NodeSource], Driver], image: Path
) -> None:
    await check_driver(lambda: over(FileDriver(image)))


@pytest.mark.slow
@pytest.mark.parametrize("aio", ["threads", "io_uring"])
async def test_a_file_past_the_page_cache_conforms(image: Path, aio: str) -> None:
    file = {"driver": "file", "filename": str(image), "cache.direct": "on", "aio": aio}
    try:
        await (await open_disk(file)).close()
    except OptionError as error:
        pytest.skip(f"not here: {error}")
    await check_driver(lambda: RawDriver(file))


@pytest.mark.slow
async def test_window_into_a_file_conforms(image: Path) -> None:
    await check_driver(lambda: RawDriver(FileDriver(image), offset=1000, size=64 * KIB))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [NullCoDriver, NullAioDriver])
@pytest.mark.parametrize("read_zeroes", [False, True])
async def test_null_conforms_but_for_what_it_reads(
    kind: type[NullCoDriver | NullAioDriver], read_zeroes: bool
) -> None:
    await check_driver(lambda: kind(SIZE, read_zeroes=read_zeroes), stores=False)


def test_every_driver_is_checked() -> None:
    # The examples in the docs register a driver too.
    ours = {name for name, kind in DRIVERS.items() if kind.__module__.startswith("blkdebug_async.")}

    assert ours == CHECKED | NOT_CHECKED


async def test_null_is_told_apart_from_what_stores() -> None:
    with pytest.raises(NonConformingError, match="reads_back_what_was_written"):
        await check_driver(lambda: NullCoDriver(SIZE))
