from __future__ import annotations

from errno import EIO

import pytest

from blkdebug_async.block.flags import (
    ALLOCATED,
    DATA,
    EOF,
    OFFSET_VALID,
    RECURSE,
    ZERO,
)
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.target import BlockStatus
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.null import NullCoDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.events import IoType
from blkdebug_async.testing import RecordingDriver, RecordingFilter
from tests.unit.block.disks import CONTENT, KIB, PlainDriver, opened


class ToldDriver(RecordingDriver):
    # Says what it is told to say.

    def __init__(self, *answers: BlockStatus, align: int = 1) -> None:
        super().__init__(CONTENT, Limits(align))
        self.answers = list(answers)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        await super().block_status(offset, length, want_zero, request)
        return self.answers.pop(0)


async def test_nothing_is_behind_the_end() -> None:
    async with opened(RecordingDriver(CONTENT)) as disk:
        assert await disk.block_status(64 * KIB, 0) == BlockStatus(EOF, 0)


async def test_status_of_nothing_is_nothing() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        assert await disk.block_status(0, 0) == BlockStatus(0, 0)
        assert driver.recorder.calls == []


async def test_last_stretch_says_that_the_disk_ends() -> None:
    async with opened(RecordingDriver(CONTENT)) as disk:
        first = await disk.block_status(0, 60 * KIB)
        rest = await disk.block_status(60 * KIB, 4 * KIB)
        assert (first.flags & EOF, rest.flags & EOF) == (0, EOF)


async def test_driver_that_cannot_tell_has_data_everywhere() -> None:
    async with opened(PlainDriver()) as disk:
        status = await disk.block_status(512, KIB)
        assert status == BlockStatus(DATA | ALLOCATED | OFFSET_VALID, KIB, 512)


async def test_question_is_widened_to_blocks_and_the_answer_is_cut() -> None:
    driver = ToldDriver(BlockStatus(DATA | OFFSET_VALID, 8 * KIB, 4 * KIB), align=4 * KIB)
    async with opened(driver) as disk:
        status = await disk.block_status(5 * KIB, KIB)
        assert status == BlockStatus(DATA | OFFSET_VALID | ALLOCATED, KIB, 5 * KIB)
        assert driver.recorder.spell() == ["block-status 4096@4096"]


async def test_filters_ask_the_node_below_at_its_own_offset() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(RawDriver(RecordingFilter(driver), offset=8 * KIB)) as disk:
        status = await disk.block_status(KIB, 2 * KIB)
        assert driver.recorder.spell() == ["block-status 2048@9216"]
        assert (status.length, status.offset) == (2 * KIB, 9 * KIB)


async def test_null_without_zeroes_is_not_allocated() -> None:
    async with opened(NullCoDriver(64 * KIB)) as disk:
        assert await disk.is_allocated(0, KIB) == (False, KIB)
    async with opened(NullCoDriver(64 * KIB, read_zeroes=True)) as disk:
        assert await disk.is_allocated(0, KIB) == (True, KIB)


async def test_what_is_only_below_is_not_allocated() -> None:
    async with opened(OverlayDriver(RecordingDriver(CONTENT * 4))) as disk:
        await disk.pwrite(64 * KIB, b"here")
        assert await disk.is_allocated(0, 256 * KIB) == (False, 64 * KIB)
        assert await disk.is_allocated(64 * KIB, 192 * KIB) == (True, 64 * KIB)


async def test_nothing_below_means_zeros() -> None:
    # The backing node ends before the overlay does.
    async with opened(OverlayDriver(RecordingDriver(CONTENT))) as disk:
        await disk.truncate(256 * KIB)
        status = await disk.block_status(128 * KIB, KIB)
        assert status.flags & ZERO


@pytest.mark.parametrize(("fails", "zero"), [(False, ZERO), (True, 0)])
async def test_zeros_are_looked_for_below_and_errors_there_do_not_matter(
    fails: bool, zero: int
) -> None:
    class Format(RecordingFilter):
        is_filter = False

        async def block_status(
            self, offset: int, length: int, want_zero: bool, request: Request
        ) -> BlockStatus:
            return BlockStatus(DATA | OFFSET_VALID | RECURSE, length, offset, self.file)

    class Below(RecordingDriver):
        async def block_status(
            self, offset: int, length: int, want_zero: bool, request: Request
        ) -> BlockStatus:
            await super().block_status(offset, length, want_zero, request)
            return BlockStatus(ZERO | OFFSET_VALID, length // 2, offset)

    below = Below(CONTENT)
    if fails:
        below.recorder.fail(EIO, IoType.BLOCK_STATUS)
    async with opened(Format(below)) as disk:
        status = await disk.block_status(0, 4 * KIB)
        assert status.flags & ZERO == zero
        assert status.length == (4 * KIB if fails else 2 * KIB)


async def test_zeros_to_the_end_of_a_shorter_node_below_go_on_behind_it() -> None:
    class Format(RecordingFilter):
        is_filter = False

        def length(self) -> int:
            return 2 * self.file.length

        async def block_status(
            self, offset: int, length: int, want_zero: bool, request: Request
        ) -> BlockStatus:
            return BlockStatus(DATA | OFFSET_VALID | RECURSE, length, offset, self.file)

    async with opened(Format(MemoryDriver(64 * KIB))) as disk:
        status = await disk.block_status(60 * KIB, 10 * KIB)
        assert (status.flags & ZERO, status.length) == (ZERO, 10 * KIB)


async def test_allocation_is_asked_for_without_looking_for_zeros() -> None:
    class Format(RecordingFilter):
        is_filter = False

        async def block_status(
            self, offset: int, length: int, want_zero: bool, request: Request
        ) -> BlockStatus:
            assert not want_zero
            return BlockStatus(DATA | OFFSET_VALID | RECURSE, length, offset, self.file)

    below = RecordingDriver(CONTENT)
    async with opened(Format(below)) as disk:
        assert await disk.is_allocated(0, KIB) == (True, KIB)
        assert below.recorder.calls == []


async def test_error_of_the_driver_is_told() -> None:
    driver = RecordingDriver(CONTENT)
    driver.recorder.fail(EIO, IoType.BLOCK_STATUS)
    async with opened(driver) as disk:
        with pytest.raises(OSError, match="script") as caught:
            await disk.block_status(0, KIB)
        assert caught.value.errno == EIO
