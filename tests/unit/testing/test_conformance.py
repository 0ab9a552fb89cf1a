from __future__ import annotations

import asyncio
from collections.abc import Callable
from errno import EIO

import pytest

from blkdebug_async.block.driver import Driver, NodeSource
from blkdebug_async.block.flags import DATA, ZERO
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.testing import (
    NonConformingError,
    RecordingDriver,
    RecordingFilter,
    check_driver,
    check_filter,
)
from blkdebug_async.units import KIB

SIZE = 64 * KIB


class ForgetsTheLastByte(RecordingDriver):
    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        last = self.content[offset + length - 1 : offset + length]
        await super().pwritev(offset, length, iov, flags, request)
        self.content[offset + length - len(last) : offset + length] = last


class ZeroesTooMuch(RecordingDriver):
    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        await super().pwrite_zeroes(offset, length, flags, request)
        self.content[max(0, offset - 1) : offset] = bytes(min(1, offset))


class CallsDataZero(RecordingDriver):
    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        return BlockStatus(ZERO, length)


class HasAnEndlessStatus(RecordingDriver):
    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        return BlockStatus(DATA, 0)


class RaisesWhatIsNoOSError(RecordingDriver):
    async def flush_to_disk(self, request: Request) -> None:
        raise ValueError("flush me not")


class ShrinksWhenItShouldGrow(RecordingDriver):
    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        await super().truncate(min(size, SIZE // 2), how, request)


class TearsBlocksWhenCancelled(RecordingDriver):
    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        for position, value in enumerate(iov.tobytes(), offset):
            self.content[position] = value
            if position % 100 == 0:
                await asyncio.sleep(0)


class AnswersAtOnceWithTheWrongBytes(MemoryDriver):
    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        done = super().preadv_nowait(offset, length, iov)
        iov.copy_from(iov.tobytes()[::-1])
        return done


class AnswersAtOnceWithoutWriting(MemoryDriver):
    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        return True


class WritesElsewhereAndRefuses(MemoryDriver):
    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        super().pwritev_nowait((offset + SIZE // 2) % SIZE, 1, Iovec.of([b"?"]), 0)
        return False


class GrowsAtOnce(MemoryDriver):
    has_variable_length = True

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        super().pwritev_nowait(self.length(), 1, Iovec.of([b"x"]), 0)
        return False


class IsWrongWhereNobodyLooks(MemoryDriver):
    # Unless somebody looks, this is never asked.
    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        return

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        return super().pwritev_nowait(offset, length, iov, flags)


class LeavesATaskBehind(RecordingDriver):
    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await super().pwritev(offset, length, iov, flags, request)
        self.left = asyncio.Task(asyncio.sleep(1))


class NeverAnswersZeroWrites(RecordingDriver):
    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        await asyncio.Event().wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "check", "found"),
    [
        (ForgetsTheLastByte, "it_reads_back_what_was_written", "byte .* expected"),
        (ZeroesTooMuch, "it_reads_back_what_was_written", "byte .* is 0x00, expected"),
        (CallsDataZero, "block_status_covers_the_disk", "zero, but they are not"),
        (HasAnEndlessStatus, "block_status_covers_the_disk", "is for 0"),
        (RaisesWhatIsNoOSError, "a_flush_loses_nothing", "ValueError is no OSError: flush me not"),
        (ShrinksWhenItShouldGrow, "truncate_keeps_what_remains", "succeeded, but the length is"),
        (TearsBlocksWhenCancelled, "a_cancelled_request_leaves_it_usable", "is torn"),
        (LeavesATaskBehind, "close_gives_everything_back", "tasks after close"),
    ],
)
async def test_mistake_is_found(kind: type[RecordingDriver], check: str, found: str) -> None:
    with pytest.raises(NonConformingError, match=found) as caught:
        await check_driver(
            lambda: kind(SIZE, Limits(request_alignment=512), zero_flags=0), requests=60
        )
    assert check in caught.value.findings


@pytest.mark.parametrize(
    ("make", "check", "found"),
    [
        (AnswersAtOnceWithTheWrongBytes, "an_answer_at_once_is_the_same", "tried at once: byte"),
        (AnswersAtOnceWithoutWriting, "an_answer_at_once_is_the_same", "tried at once: byte"),
        (WritesElsewhereAndRefuses, "an_answer_at_once_is_the_same", "tried at once: byte"),
        (GrowsAtOnce, "an_answer_at_once_is_the_same", "tried at once: the length is"),
        (IsWrongWhereNobodyLooks, "it_reads_back_what_was_written", "expected"),
    ],
)
async def test_mistake_in_one_of_both_ways_is_found(
    make: Callable[[int], Driver], check: str, found: str
) -> None:
    with pytest.raises(NonConformingError, match=found) as caught:
        await check_driver(lambda: make(SIZE), requests=40)
    assert check in caught.value.findings


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (Limits(request_alignment=48), "request_alignment is 48"),
        (Limits(max_pwrite_zeroes=0), "max_pwrite_zeroes of 0 bytes is less"),
        (Limits(pdiscard_alignment=4096, max_pdiscard=512), "max_pdiscard is 512, less than 4096"),
    ],
)
async def test_limits_that_no_request_can_keep_are_found(limits: Limits, found: str) -> None:
    with pytest.raises(NonConformingError, match=found):
        await check_driver(lambda: RecordingDriver(48 * KIB, limits), requests=0, patience_s=0.05)


async def test_driver_that_never_answers_is_found() -> None:
    with pytest.raises(NonConformingError, match=r"not finished after 0\.05 s") as caught:
        await check_driver(lambda: NeverAnswersZeroWrites(SIZE), requests=0, patience_s=0.05)
    assert "block_status_covers_the_disk" in caught.value.findings


async def test_driver_that_cannot_be_opened_is_told_with_its_error() -> None:
    class Broken(RecordingDriver):
        def length(self) -> int:
            raise BlockError(EIO, "no length today")

    with pytest.raises(NonConformingError, match="unexpected error 5: ") as caught:
        await check_driver(lambda: Broken(SIZE))
    assert list(caught.value.findings) == ["it_can_be_opened"]


async def test_disk_without_bytes_cannot_be_checked() -> None:
    with pytest.raises(NonConformingError, match="the disk has 0 bytes"):
        await check_driver(lambda: RecordingDriver(0))


class TurnsErrorsIntoEio(RecordingFilter):
    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        try:
            await super().preadv(offset, length, iov, flags, request)
        except OSError as error:
            raise BlockError(EIO, "something went wrong") from error


class AnswersOneByOne(RecordingFilter):
    def __init__(self, image: NodeSource) -> None:
        super().__init__(image)
        self._lock = asyncio.Lock()

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        async with self._lock:
            await super().preadv(offset, length, iov, flags, request)


class ShowsOnlyAHalf(RecordingFilter):
    def length(self) -> int:
        return self.file.length // 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "check", "found"),
    [
        (TurnsErrorsIntoEio, "errors_pass_unchanged", "read failed below with 28, here with 5"),
        (AnswersOneByOne, "a_held_request_holds_no_other", "not finished after"),
        (ShowsOnlyAHalf, "it_shows_what_is_below", "length is 32768, below it is 65536"),
    ],
)
async def test_mistake_of_a_filter_is_found(
    kind: type[RecordingFilter], check: str, found: str
) -> None:
    with pytest.raises(NonConformingError, match=found) as caught:
        await check_filter(kind, patience_s=0.5)
    assert check in caught.value.findings
