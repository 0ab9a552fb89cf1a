from __future__ import annotations

import asyncio
from errno import EIO, ENOSPC

import pytest

from blkdebug_async import opening
from blkdebug_async.block.limits import Limits
from blkdebug_async.events import Event, IoType
from blkdebug_async.testing import Answer, Call, RecordingDriver, RecordingFilter
from blkdebug_async.testing.recording import check_call


async def test_calls_and_events_are_logged_in_order() -> None:
    driver = RecordingDriver(4096)
    async with opening.open_disk(driver) as disk:
        await disk.pwrite(0, b"x" * 512)
        await disk.pread(512, 1)
    assert driver.recorder.log[:4] == [
        Event.PWRITEV,
        Call(IoType.WRITE, 0, 512),
        Event.PWRITEV_DONE,
        Call(IoType.READ, 512, 1),
    ]
    assert driver.recorder.spell() == ["write 512@0", "read 1@512", "flush 0@0"]
    assert driver.recorder.closed == 1


async def test_scripted_failures_are_for_some_calls_only() -> None:
    driver = RecordingDriver(4096)
    driver.recorder.fail(ENOSPC, IoType.WRITE, at=600, times=2)
    async with opening.open_disk(driver) as disk:
        await disk.pwrite(0, b"x" * 512)
        for _ in range(2):
            with pytest.raises(OSError, match="script") as caught:
                await disk.pwrite(512, b"x" * 512)
            assert caught.value.errno == ENOSPC
        await disk.pwrite(512, b"x" * 512)
        await disk.pread(512, 512)


async def test_failing_write_may_be_applied_in_part() -> None:
    driver = RecordingDriver(16)
    driver.recorder.answer(Answer(EIO, applied=3))
    async with opening.open_disk(driver) as disk:
        with pytest.raises(OSError, match="script"):
            await disk.pwrite(0, b"abcdef")
    assert driver.content == b"abc" + bytes(13)


async def test_held_call_waits_until_released() -> None:
    driver = RecordingFilter(RecordingDriver(4096))
    hold = driver.recorder.hold(IoType.WRITE)
    async with opening.open_disk(driver) as disk, asyncio.TaskGroup() as group:
        task = group.create_task(disk.pwrite(0, b"x"))
        await hold.arrived()
        assert hold.held == [Call(IoType.WRITE, 0, 1)]
        assert await disk.pread(0, 1) == b"\0"
        hold.release()
        await task
        assert await disk.pread(0, 1) == b"x"
    assert hold.held == []


async def test_call_can_be_held_after_its_work() -> None:
    driver = RecordingDriver(4096)
    hold = driver.recorder.hold(IoType.WRITE, after=True)
    async with opening.open_disk(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, b"x"))
        await hold.arrived()
        assert driver.content[:1] == b"x"
        hold.release()


@pytest.mark.parametrize(
    "call",
    [
        Call(IoType.READ, 256, 512),
        Call(IoType.WRITE, 0, 2048),
        Call(IoType.WRITE_ZEROES, 0, 4096),
        Call(IoType.DISCARD, 0, 8192),
    ],
    ids=str,
)
def test_call_that_breaks_the_promises_to_drivers_is_refused(call: Call) -> None:
    limits = Limits(512, max_transfer=1024, max_pwrite_zeroes=2048, max_pdiscard=4096)
    with pytest.raises(AssertionError, match=r"is not aligned|is longer than"):
        check_call(call, limits)
