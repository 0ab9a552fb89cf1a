from __future__ import annotations

import asyncio
from errno import EIO, ENOSPC, ENOTSUP

import pytest

from blkdebug_async.block.flags import FUA
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import Call, RecordingDriver, RecordingFilter, SeededChoices
from tests.unit.block.disks import CONTENT, KIB, opened, settle

FLUSH = Call(IoType.FLUSH)


def flushes(driver: RecordingDriver | RecordingFilter) -> int:
    return driver.recorder.calls.count(FLUSH)


async def test_nothing_is_flushed_where_nothing_was_written() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        await disk.flush()
        assert flushes(driver) == 0


@pytest.mark.parametrize("change", ["pwrite", "pwrite_zeroes", "pdiscard", "truncate"])
async def test_each_change_is_flushed_once(change: str) -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        await _change(disk, change)
        await disk.flush()
        await disk.flush()
        assert flushes(driver) == 1


async def _change(disk: Disk, change: str) -> None:
    match change:
        case "pwrite":
            await disk.pwrite(0, b"x")
        case "pwrite_zeroes":
            await disk.pwrite_zeroes(0, 1)
        case "pdiscard":
            await disk.pdiscard(0, KIB)
        case _:
            await disk.truncate(KIB)


async def test_failed_write_is_flushed_too_as_it_may_have_changed_something() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        driver.recorder.fail(ENOSPC)
        with pytest.raises(OSError, match="script"):
            await disk.pwrite(0, b"x")
        await disk.flush()
        assert flushes(driver) == 1


async def test_failed_flush_is_tried_again() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        await disk.pwrite(0, b"x")
        driver.recorder.fail(EIO, IoType.FLUSH)
        with pytest.raises(OSError, match="script"):
            await disk.flush()
        await disk.flush()
        assert flushes(driver) == 2


async def test_write_during_a_flush_is_not_covered_by_it() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.FLUSH)
    async with opened(driver) as disk:
        await disk.pwrite(0, b"x")
        async with asyncio.TaskGroup() as group:
            group.create_task(disk.flush())
            await hold.arrived()
            await disk.pwrite(0, b"y")
            hold.release()
        await disk.flush()
        assert flushes(driver) == 2


async def test_second_flush_waits_for_the_first_and_finds_nothing_to_do() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.FLUSH)
    async with opened(driver) as disk:
        await disk.pwrite(0, b"x")
        async with asyncio.TaskGroup() as group:
            group.create_task(disk.flush())
            await hold.arrived()
            second = group.create_task(disk.flush())
            await settle()
            assert not second.done()
            hold.release()
        assert flushes(driver) == 1


async def test_cancelled_flush_lets_the_next_one_go_on() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.FLUSH)
    async with opened(driver) as disk:
        await disk.pwrite(0, b"x")
        async with asyncio.TaskGroup() as group:
            first = group.create_task(disk.flush())
            await hold.arrived()
            waiting = [group.create_task(disk.flush()) for _ in range(3)]
            await settle()
            waiting[0].cancel()
            first.cancel()
            hold.release()
        assert [task.cancelled() for task in (first, *waiting)] == [True, True, False, False]
        assert flushes(driver) == 2


async def test_flush_cancelled_when_its_turn_has_come_passes_the_turn_on() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.FLUSH)
    waiting: list[asyncio.Task[None]] = []

    async def flush_then_cancel(disk: Disk) -> None:
        await disk.flush()
        # The next one has been woken, but has not run yet.
        waiting[0].cancel()

    async with opened(driver) as disk:
        await disk.pwrite(0, b"x")
        async with asyncio.TaskGroup() as group:
            group.create_task(flush_then_cancel(disk))
            await hold.arrived()
            waiting += [group.create_task(disk.flush()) for _ in range(2)]
            await settle()
            hold.release()
        assert [task.cancelled() for task in waiting] == [True, False]


# --- children and events -----------------------------------------------------------------------


async def test_events_of_a_flush_are_heard_by_the_primary_child() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(RawDriver(driver)) as disk:
        await disk.flush()
        assert driver.recorder.events == [Event.FLUSH_TO_OS]
        driver.recorder.clear()
        await disk.pwrite(0, b"x")
        await disk.flush()
        assert driver.recorder.events[-2:] == [Event.FLUSH_TO_OS, Event.FLUSH_TO_DISK]
        assert flushes(driver) == 1


async def test_unsafe_disk_is_never_flushed_to_disk() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(RawDriver(driver), cache="unsafe") as disk:
        await disk.pwrite(0, b"x")
        driver.recorder.clear()
        await disk.flush()
        assert driver.recorder.log == [Event.FLUSH_TO_OS]


async def test_read_only_disk_is_not_flushed() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(RawDriver(driver), read_only=True) as disk:
        await disk.flush()
        assert driver.recorder.log == []


class FlushesEverything(RecordingFilter):
    async def flush_everything(self, request: Request) -> None:
        self.recorder.log.append(FLUSH)
        await self.file.flush(request)


@pytest.mark.parametrize(("over", "skipped"), [(RecordingFilter, 1), (FlushesEverything, 0)])
async def test_unwritten_node_is_skipped_unless_its_driver_does_it_all(
    over: type[RecordingFilter], skipped: int
) -> None:
    above = over(RecordingDriver(CONTENT))
    async with opened(above) as disk:
        await disk.flush()
        assert flushes(above) == 1 - skipped


async def test_child_is_flushed_even_if_its_parent_has_nothing_to_flush() -> None:
    below = RecordingDriver(CONTENT)
    async with opened(RawDriver(below)) as disk:
        await disk.pwrite(0, b"x")
        below.recorder.fail(EIO, IoType.FLUSH)
        with pytest.raises(OSError, match="script"):
            await disk.flush()
        await disk.flush()
        assert flushes(below) == 2


# --- FUA ---------------------------------------------------------------------------------------


async def test_native_fua_goes_to_the_driver() -> None:
    driver = RecordingDriver(CONTENT, write_flags=FUA)
    async with opened(driver) as disk:
        await disk.pwrite(0, b"x", FUA)
        assert driver.recorder.calls == [Call(IoType.WRITE, 0, 1, FUA)]


async def test_emulated_fua_reaches_the_disk_from_the_first_write_on() -> None:
    driver = RecordingDriver(CONTENT, write_flags=0)
    async with opened(driver) as disk:
        for count in (1, 2, 3):
            await disk.pwrite(0, b"x", FUA)
            assert flushes(driver) == count


@pytest.mark.parametrize("compat", ["qemu-7.2", "seed"])
async def test_as_in_qemu_emulated_fua_is_one_write_late(compat: str) -> None:
    driver = RecordingDriver(CONTENT, write_flags=0)
    async with opened(driver, compat=compat) as disk:
        for count in (0, 1, 2):
            await disk.pwrite(0, b"x", FUA)
            assert flushes(driver) == count


async def test_emulated_fua_flushes_once_after_the_last_piece() -> None:
    driver = RecordingDriver(CONTENT, Limits(512, max_transfer=KIB), write_flags=0)
    async with opened(driver) as disk:
        await disk.pwrite(0, bytes(2 * KIB), FUA)
        assert driver.recorder.spell() == ["write 1024@0", "write 1024@1024", "flush 0@0"]


@pytest.mark.parametrize(
    ("write_flags", "zero_flags", "refused", "count"),
    [
        (FUA, FUA, False, 0),
        (FUA, FUA, True, 0),
        (FUA, 0, False, 1),
        (0, FUA, False, 0),
        (0, FUA, True, 1),
    ],
)
async def test_zero_write_with_fua_flushes_only_for_what_was_done_without(
    write_flags: int, zero_flags: int, refused: bool, count: int
) -> None:
    driver = RecordingDriver(CONTENT, write_flags=write_flags, zero_flags=zero_flags)
    async with opened(driver) as disk:
        if refused:
            driver.recorder.fail(ENOTSUP, IoType.WRITE_ZEROES)
        await disk.pwrite_zeroes(0, KIB, FUA)
        assert flushes(driver) == count


async def test_failed_write_is_not_flushed_for_fua() -> None:
    driver = RecordingDriver(CONTENT, write_flags=0)
    async with opened(driver) as disk:
        driver.recorder.fail(EIO)
        with pytest.raises(OSError, match="script"):
            await disk.pwrite(0, b"x", FUA)
        assert flushes(driver) == 0


async def test_failed_flush_fails_the_write_that_asked_for_fua() -> None:
    driver = RecordingDriver(CONTENT, write_flags=0)
    async with opened(driver) as disk:
        driver.recorder.fail(EIO, IoType.FLUSH)
        with pytest.raises(OSError, match="script") as caught:
            await disk.pwrite(0, b"x", FUA)
        assert caught.value.errno == EIO


async def test_writethrough_disk_hears_events_as_golden_traces_have_them() -> None:
    for compat, first in (("qemu-7.2", []), (None, [Event.FLUSH_TO_DISK])):
        below = RecordingDriver(CONTENT, write_flags=0)
        async with opened(RawDriver(below), cache="writethrough", compat=compat) as disk:
            for more in (first, [Event.FLUSH_TO_DISK]):
                below.recorder.clear()
                await disk.pwrite(0, bytes(4 * KIB))
                assert below.recorder.events == [
                    Event.WRITE_AIO,
                    Event.PWRITEV,
                    Event.PWRITEV_DONE,
                    Event.FLUSH_TO_OS,
                    *more,
                ]


async def _flush(disk: Disk, name: str, done: list[str]) -> None:
    await disk.flush()
    done.append(name)


async def test_choices_may_change_the_order_of_flushes() -> None:
    orders = set()
    for seed in range(12):
        driver = RecordingDriver(CONTENT)
        hold = driver.recorder.hold(IoType.FLUSH, times=1)
        done: list[str] = []
        async with (
            open_disk(driver, choices=SeededChoices(seed)) as disk,
            asyncio.TaskGroup() as group,
        ):
            await disk.pwrite(0, b"x")
            for name in "abc":
                group.create_task(_flush(disk, name, done))
                await settle()
            await hold.arrived()
            hold.release()
        orders.add("".join(done))
    assert orders == {"abc", "acb"}
