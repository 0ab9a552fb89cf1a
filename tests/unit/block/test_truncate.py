from __future__ import annotations

import asyncio
from errno import EIO
from typing import ClassVar

import pytest

from blkdebug_async.block.driver import Opener
from blkdebug_async.block.permissions import Role
from blkdebug_async.block.target import Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.events import IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver
from blkdebug_async.trace import Observer, RequestView

KIB = 1024


class Calls(Observer):
    def __init__(self) -> None:
        self.seen: list[tuple[str, int, int]] = []

    def driver_called(self, request: RequestView, op: IoType, offset: int, length: int) -> None:
        self.seen.append((op, offset, length))


class CoveringDriver(RecordingDriver):
    # Has something below, and keeps how it was truncated.
    supports_backing: ClassVar[bool] = True

    def __init__(self, size: int, below: int) -> None:
        super().__init__(size)
        self._below = below
        self.zero: bool | None = None

    async def open(self, opener: Opener) -> None:
        self.backing = await opener.open_child("backing", MemoryDriver(self._below), Role.COW)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        self.zero = how.zero
        await super().truncate(size, how, request)


@pytest.mark.parametrize(
    ("old", "new", "below", "zero"),
    [
        (4, 8, 8, True),
        (4, 8, 5, True),
        (4, 8, 4, False),
        (4, 2, 8, False),
        (4, 4, 8, False),
    ],
)
async def test_new_space_must_be_zero_where_something_below_would_show_through(
    old: int, new: int, below: int, zero: bool
) -> None:
    driver = CoveringDriver(old * KIB, below * KIB)
    async with open_disk(driver) as disk:
        await disk.truncate(new * KIB)
        assert driver.zero is zero


@pytest.mark.parametrize(("new", "offset", "length"), [(6, 4, 2), (1, 1, 3), (4, 4, 0)])
async def test_observer_hears_which_bytes_a_truncation_touches(
    new: int, offset: int, length: int
) -> None:
    calls = Calls()
    async with open_disk(RecordingDriver(4 * KIB), observer=calls) as disk:
        await disk.truncate(new * KIB)
        assert calls.seen == [("truncate", offset * KIB, length * KIB)]


async def test_cancelled_truncation_that_was_done_is_known_on_every_node() -> None:
    below = RecordingDriver(4 * KIB)
    async with open_disk(RawDriver(below)) as disk:
        hold = below.recorder.hold(IoType.TRUNCATE, after=True)
        task = asyncio.Task(disk.truncate(8 * KIB))
        await hold.arrived()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        hold.release()
        assert [node.length for node in disk.root.walk()] == [8 * KIB, 8 * KIB]


async def test_failed_truncation_leaves_the_length() -> None:
    driver = RecordingDriver(4 * KIB)
    driver.recorder.fail(EIO, IoType.TRUNCATE)
    async with open_disk(driver) as disk:
        with pytest.raises(OSError, match="script"):
            await disk.truncate(8 * KIB)
        assert disk.length == 4 * KIB
