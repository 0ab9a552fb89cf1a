from __future__ import annotations

import asyncio
from dataclasses import replace
from errno import EACCES, EBUSY, EINVAL, EIO, ENOSPC, ENOTSUP, EPERM

import pytest

from blkdebug_async.block.flags import (
    FUA,
    MAY_UNMAP,
    NO_WAIT,
    SERIALISING,
    WRITE_COMPRESSED,
)
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.target import Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.errors import BlockError
from blkdebug_async.events import Event, IoType
from blkdebug_async.testing import RecordingDriver, RecordingFilter
from blkdebug_async.units import MAX_LENGTH, MAX_REQUEST
from tests.unit.block.disks import CONTENT, KIB, PlainDriver, opened, path_read, path_write

HEAD, AFTER_HEAD = Event.PWRITEV_RMW_HEAD, Event.PWRITEV_RMW_AFTER_HEAD
TAIL, AFTER_TAIL = Event.PWRITEV_RMW_TAIL, Event.PWRITEV_RMW_AFTER_TAIL
WRITE, ZERO, DONE = Event.PWRITEV, Event.PWRITEV_ZERO, Event.PWRITEV_DONE
BLOCKS = Limits(4 * KIB)


# --- the order of events -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "length", "events", "events_of_2018"),
    [
        (0, 4, [], []),
        (1, 7, [HEAD, AFTER_HEAD], [HEAD, AFTER_HEAD]),
        (3, 1, [HEAD, AFTER_HEAD], [HEAD, AFTER_HEAD]),
        (0, 5, [TAIL, AFTER_TAIL], [TAIL, AFTER_TAIL]),
        (1, 1, [HEAD, TAIL, AFTER_HEAD, AFTER_TAIL], [HEAD, AFTER_HEAD]),
        (1, 4, [HEAD, TAIL, AFTER_HEAD, AFTER_TAIL], [HEAD, AFTER_HEAD, TAIL, AFTER_TAIL]),
        (1, 8, [HEAD, AFTER_HEAD, TAIL, AFTER_TAIL], [HEAD, AFTER_HEAD, TAIL, AFTER_TAIL]),
    ],
)
async def test_write_announces_its_edges_then_itself(
    offset: int, length: int, events: list[Event], events_of_2018: list[Event]
) -> None:
    for compat, expected in ((None, events), ("qemu-7.2", events), ("seed", events_of_2018)):
        driver = RecordingDriver(CONTENT, BLOCKS)
        async with opened(driver, compat=compat) as disk:
            await disk.pwrite(offset * KIB, bytes(length * KIB))
            assert driver.recorder.events == [*expected, WRITE, DONE]


async def test_zero_write_over_edges_writes_data_then_zeros_then_data() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        await disk.pwrite_zeroes(1 * KIB, 8 * KIB)
        edges = [HEAD, AFTER_HEAD, TAIL, AFTER_TAIL]
        assert driver.recorder.events == [*edges, WRITE, DONE, ZERO, DONE, WRITE, DONE]
        assert (
            driver.content[: 10 * KIB]
            == CONTENT[:KIB] + bytes(8 * KIB) + CONTENT[9 * KIB : 10 * KIB]
        )


async def test_zero_write_of_2018_takes_each_edge_by_itself() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver, compat="seed") as disk:
        await disk.pwrite_zeroes(1 * KIB, 8 * KIB)
        head, tail = [HEAD, AFTER_HEAD, WRITE, DONE], [TAIL, AFTER_TAIL, WRITE, DONE]
        assert driver.recorder.events == [*head, ZERO, DONE, *tail]
        assert (
            driver.content[: 10 * KIB]
            == CONTENT[:KIB] + bytes(8 * KIB) + CONTENT[9 * KIB : 10 * KIB]
        )


@pytest.mark.parametrize("compat", [None, "seed"])
@pytest.mark.parametrize(("offset", "length"), [(1, 1), (1, 4), (0, 1), (3, 1), (0, 5), (1, 7)])
async def test_zero_write_within_edge_blocks_is_one_data_write_or_two(
    offset: int, length: int, compat: str | None
) -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver, compat=compat) as disk:
        await disk.pwrite_zeroes(offset * KIB, length * KIB)
    start, end = offset * KIB, (offset + length) * KIB
    assert driver.content == CONTENT[:start] + bytes(end - start) + CONTENT[end:]


async def test_reads_and_discards_announce_nothing() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        await disk.pread(1, 5000)
        await disk.pdiscard(0, 8 * KIB)
        await disk.block_status(0, 8 * KIB)
        assert driver.recorder.events == []


async def test_failed_write_is_announced_as_done_too() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        driver.recorder.fail(ENOSPC, IoType.WRITE)
        with pytest.raises(OSError, match="script"):
            await disk.pwrite(0, b"x")
        assert driver.recorder.events == [WRITE, DONE]


# --- reading -----------------------------------------------------------------------------------


async def test_unaligned_read_is_one_wider_read() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        assert await disk.pread(5 * KIB, 6 * KIB) == CONTENT[5 * KIB : 11 * KIB]
        assert driver.recorder.spell() == ["read 8192@4096"]


async def test_long_read_is_cut_at_the_longest_transfer() -> None:
    driver = RecordingDriver(CONTENT, Limits(512, max_transfer=KIB))
    async with opened(driver) as disk:
        assert await disk.pread(512, 2560) == CONTENT[512:3072]
        assert driver.recorder.spell() == ["read 1024@512", "read 1024@1536", "read 512@2560"]


async def test_read_past_the_end_gives_zeros_without_asking_the_driver() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        assert await path_read(disk, 60 * KIB, 12 * KIB) == CONTENT[60 * KIB :] + bytes(8 * KIB)
        assert await path_read(disk, 100 * KIB, KIB) == bytes(KIB)
        assert driver.recorder.spell() == ["read 4096@61440"]


async def test_last_sector_of_an_odd_length_reads_as_zeros_behind_the_end() -> None:
    async with opened(RecordingDriver(b"x" * 1000)) as disk:
        assert disk.length == 1024
        assert await disk.pread(0, 1024) == b"x" * 1000 + bytes(24)


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (0, MAX_REQUEST + 512)])
async def test_read_out_of_any_range_fails_with_eio(offset: int, length: int) -> None:
    async with opened(RecordingDriver(CONTENT)) as disk:
        with pytest.raises(BlockError, match="out of range") as caught:
            await disk.root.path.preadv(offset, length, Iovec([], length), 0, None)
    assert caught.value.errno == EIO


async def test_request_behind_the_longest_possible_disk_fails_with_eio() -> None:
    async with opened(RecordingDriver(CONTENT)) as disk:
        with pytest.raises(BlockError, match="out of range"):
            await disk.root.path.pwrite_zeroes(MAX_LENGTH, 512, 0, None)


# --- requests without bytes --------------------------------------------------------------------


async def test_empty_aligned_requests_reach_the_driver() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        await disk.pread(4 * KIB, 0)
        await disk.pwrite(4 * KIB, b"")
        assert driver.recorder.spell() == ["read 0@4096", "write 0@4096"]
        assert driver.recorder.events == [WRITE, DONE]


async def test_empty_unaligned_requests_do_nothing() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        await disk.pread(1, 0)
        await disk.pwrite(1, b"")
        assert driver.recorder.log == []


@pytest.mark.parametrize("offset", [0, 1])
async def test_empty_zero_writes_and_discards_do_nothing(offset: int) -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        await disk.pwrite_zeroes(offset, 0)
        await disk.pdiscard(offset, 0)
        assert driver.recorder.log == []


# --- reading an edge fails ---------------------------------------------------------------------


async def test_failed_read_of_an_edge_fails_the_write_and_changes_nothing() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        driver.recorder.fail(EIO, IoType.READ)
        with pytest.raises(OSError, match="script") as caught:
            await disk.pwrite(KIB, b"x")
        assert caught.value.errno == EIO
        assert driver.content == CONTENT
        assert driver.recorder.events == [HEAD, TAIL]


async def test_as_in_qemu_a_failed_read_of_an_edge_zeroes_the_neighbours() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver, compat="qemu-7.2") as disk:
        driver.recorder.fail(EIO, IoType.READ)
        await disk.pwrite(KIB, b"x")
        assert driver.content[: 4 * KIB] == bytes(KIB) + b"x" + bytes(3 * KIB - 1)
        assert driver.recorder.events == [HEAD, TAIL, WRITE, DONE]


async def test_failed_read_of_an_edge_failed_the_write_in_2018() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver, compat="seed") as disk:
        driver.recorder.fail(EIO, IoType.READ)
        with pytest.raises(OSError, match="script"):
            await disk.pwrite_zeroes(KIB, 8 * KIB)
        assert driver.content == CONTENT


# --- writing -----------------------------------------------------------------------------------


async def test_write_past_the_end_makes_the_node_longer() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        await path_write(disk, 64 * KIB, b"more")
        assert disk.length == 64 * KIB + 512
        assert await disk.pread(64 * KIB, 5) == b"more\0"


async def test_failed_write_past_the_end_leaves_the_length() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        driver.recorder.fail(ENOSPC)
        with pytest.raises(OSError, match="script"):
            await path_write(disk, 64 * KIB, b"more")
        assert disk.length == 64 * KIB


@pytest.mark.parametrize(("detect", "flags"), [("on", 0), ("unmap", MAY_UNMAP)])
async def test_zeros_are_detected_and_written_as_such(detect: str, flags: int) -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        disk.root.flags = replace(disk.root.flags, detect_zeroes=detect)
        await disk.pwrite(0, bytes(KIB))
        await disk.pwrite(0, b"x" * KIB)
        assert driver.recorder.spell() == ["write-zeroes 1024@0", "write 1024@0"]
        assert [call.flags for call in driver.recorder.calls] == [flags, 0]
        assert driver.recorder.events == [ZERO, DONE, WRITE, DONE]


async def test_compressed_write_needs_a_driver_that_compresses() -> None:
    async with opened(RecordingDriver(CONTENT)) as disk:
        with pytest.raises(BlockError, match="cannot do this: compressed write") as caught:
            await disk.pwrite(0, bytes(KIB), WRITE_COMPRESSED)
        assert caught.value.errno == ENOTSUP


async def test_read_only_node_refuses_whatever_would_change_it() -> None:
    async with opened(RecordingDriver(CONTENT), read_only=True) as disk:
        path = disk.root.path
        for work in (
            path.pwritev(0, 1, Iovec.of([b"x"]), 0, None),
            path.pwritev(0, 1, Iovec.of([b"x"]), FUA, None),
            path.pwrite_zeroes(0, 512, 0, None),
            path.pdiscard(0, 512, None),
        ):
            with pytest.raises(BlockError, match="read-only") as caught:
                await work
            assert caught.value.errno == EPERM
        with pytest.raises(BlockError, match=r"^Image is read-only$") as caught:
            await path.truncate(0, Truncation(), None)
        assert caught.value.errno == EACCES


async def test_request_that_may_not_wait_is_refused_where_it_would_have_to() -> None:
    driver = RecordingDriver(CONTENT)
    hold = driver.recorder.hold(IoType.WRITE)
    async with opened(driver) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(0, bytes(KIB)))
        await hold.arrived()
        with pytest.raises(BlockError, match="meets another and may not wait") as caught:
            await disk.pwrite(512, b"x", SERIALISING | NO_WAIT)
        assert caught.value.errno == EBUSY
        hold.release()
    assert driver.content[512] == 0


# --- truncating --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "errno", "message"),
    [
        (-1, EINVAL, "Image size cannot be negative"),
        (MAX_LENGTH + 1, EIO, "exceeds maximum"),
    ],
)
async def test_impossible_size_is_refused(size: int, errno: int, message: str) -> None:
    async with opened(RecordingDriver(CONTENT)) as disk:
        with pytest.raises(BlockError, match=message) as caught:
            await disk.truncate(size)
        assert caught.value.errno == errno


async def test_driver_that_cannot_be_resized_says_so() -> None:
    async with opened(PlainDriver()) as disk:
        with pytest.raises(
            BlockError, match="Image format driver does not support resize"
        ) as caught:
            await disk.truncate(KIB)
        assert caught.value.errno == ENOTSUP


async def test_filter_without_truncate_resizes_what_is_below() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(RecordingFilter(driver)) as disk:
        await disk.truncate(KIB)
        assert (disk.length, len(driver.content)) == (KIB, KIB)


async def test_length_after_truncate_is_what_the_driver_says() -> None:
    class Rounding(RecordingDriver):
        async def truncate(self, size: int, how: Truncation, request: Request) -> None:
            await super().truncate(-(-size // 4096) * 4096, how, request)

    async with opened(Rounding(CONTENT)) as disk:
        await disk.truncate(1)
        assert disk.length == 4096
