from __future__ import annotations

from errno import EINVAL, EIO, ENOSPC, ENOTSUP

import pytest

from blkdebug_async.block.flags import MAY_UNMAP, NO_FALLBACK
from blkdebug_async.block.limits import Limits
from blkdebug_async.errors import BlockError
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver
from tests.unit.block.disks import CONTENT, KIB, PlainDriver, opened

WRITE, ZERO, DONE = Event.PWRITEV, Event.PWRITEV_ZERO, Event.PWRITEV_DONE
BLOCKS = Limits(4 * KIB)


# --- zero writes -------------------------------------------------------------------------------


async def test_zero_write_is_cut_and_padded_as_in_qemu() -> None:
    limits = Limits(512, pwrite_zeroes_alignment=4096, max_pwrite_zeroes=16384)
    driver = RecordingDriver(CONTENT, limits)
    async with opened(driver) as disk:
        await disk.pwrite_zeroes(1000, 50000)
        assert driver.recorder.spell() == [
            "read 512@512",
            "read 512@50688",
            "write 512@512",
            "write-zeroes 3072@1024",
            "write-zeroes 16384@4096",
            "write-zeroes 16384@20480",
            "write-zeroes 12288@36864",
            "write-zeroes 1536@49152",
            "write 512@50688",
        ]


async def test_zero_write_that_the_driver_refuses_is_written_without_another_event() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        driver.recorder.fail(ENOTSUP, IoType.WRITE_ZEROES)
        await disk.pwrite_zeroes(0, 4 * KIB)
        assert driver.recorder.spell() == ["write-zeroes 4096@0", "write 4096@0"]
        assert driver.recorder.events == [ZERO, DONE]


async def test_after_a_refused_piece_the_next_one_is_offered_again() -> None:
    driver = RecordingDriver(CONTENT, Limits(512, max_transfer=KIB))
    async with opened(driver) as disk:
        driver.recorder.fail(ENOTSUP, IoType.WRITE_ZEROES)
        await disk.pwrite_zeroes(0, 4 * KIB)
        assert driver.recorder.spell() == [
            "write-zeroes 4096@0",
            "write 1024@0",
            "write-zeroes 3072@1024",
        ]


async def test_driver_without_zero_writes_is_given_zeros_to_write() -> None:
    driver = PlainDriver()
    driver.content[:] = CONTENT
    async with opened(driver) as disk:
        await disk.pwrite_zeroes(100, 5000)
    assert driver.content == CONTENT[:100] + bytes(5000) + CONTENT[5100:]


async def test_other_errors_of_a_zero_write_are_final() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        driver.recorder.fail(ENOSPC, IoType.WRITE_ZEROES)
        with pytest.raises(OSError, match="script") as caught:
            await disk.pwrite_zeroes(0, 4 * KIB)
        assert caught.value.errno == ENOSPC
        assert driver.recorder.spell() == ["write-zeroes 4096@0"]


async def test_quick_zero_write_must_be_aligned() -> None:
    driver = RecordingDriver(CONTENT, BLOCKS)
    async with opened(driver) as disk:
        with pytest.raises(BlockError, match="not aligned") as caught:
            await disk.pwrite_zeroes(0, KIB, NO_FALLBACK)
        assert caught.value.errno == ENOTSUP
        assert driver.recorder.log == []


async def test_quick_zero_write_is_refused_if_the_driver_cannot_promise_it() -> None:
    driver = RecordingDriver(CONTENT, zero_flags=MAY_UNMAP)
    async with opened(driver) as disk:
        with pytest.raises(BlockError, match="cannot promise a fast zero write") as caught:
            await disk.pwrite_zeroes(0, KIB, NO_FALLBACK)
        assert caught.value.errno == ENOTSUP
        assert driver.recorder.calls == []


async def test_refusal_of_a_quick_zero_write_is_final() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        driver.recorder.fail(ENOTSUP, IoType.WRITE_ZEROES)
        with pytest.raises(OSError, match="script") as caught:
            await disk.pwrite_zeroes(0, KIB, NO_FALLBACK)
        assert caught.value.errno == ENOTSUP
        assert driver.content == CONTENT


@pytest.mark.parametrize(("discard", "flags"), [(True, MAY_UNMAP), (False, 0)])
async def test_unmapping_zero_write_needs_a_disk_that_passes_discards_on(
    discard: bool, flags: int
) -> None:
    driver = RecordingDriver(CONTENT)
    async with open_disk(driver, discard=discard) as disk:
        await disk.pwrite_zeroes(0, KIB, MAY_UNMAP)
        assert [call.flags for call in driver.recorder.calls] == [flags]


# --- discards ----------------------------------------------------------------------------------


async def test_discard_is_cut_as_in_qemu() -> None:
    limits = Limits(512, pdiscard_alignment=4096, max_pdiscard=16384)
    driver = RecordingDriver(CONTENT, limits)
    async with opened(driver) as disk:
        await disk.pdiscard(1024, 49664)
        assert driver.recorder.spell() == [
            "discard 3072@1024",
            "discard 16384@4096",
            "discard 16384@20480",
            "discard 12288@36864",
            "discard 1536@49152",
        ]


async def test_discard_that_is_not_supported_succeeds() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        driver.recorder.fail(ENOTSUP, IoType.DISCARD)
        await disk.pdiscard(0, KIB)


async def test_other_errors_of_a_discard_are_told() -> None:
    driver = RecordingDriver(CONTENT)
    async with opened(driver) as disk:
        driver.recorder.fail(EINVAL, IoType.DISCARD)
        with pytest.raises(OSError, match="script") as caught:
            await disk.pdiscard(0, KIB)
        assert caught.value.errno == EINVAL


async def test_discard_does_nothing_on_a_disk_that_keeps_discards_to_itself() -> None:
    driver = RecordingDriver(CONTENT)
    async with open_disk(driver, discard=False) as disk:
        await disk.pdiscard(0, KIB)
        assert driver.recorder.calls == []


async def test_discard_of_a_driver_without_any_does_nothing() -> None:
    async with opened(PlainDriver()) as disk:
        await disk.pwrite(0, b"here")
        await disk.pdiscard(0, KIB)
        assert await disk.pread(0, 4) == b"here"


# --- writes ---


async def test_long_write_is_announced_once_and_cut() -> None:
    driver = RecordingDriver(CONTENT, Limits(512, max_transfer=KIB))
    async with opened(driver) as disk:
        await disk.pwrite(0, bytes(2560))
        assert driver.recorder.spell() == ["write 1024@0", "write 1024@1024", "write 512@2048"]
        assert driver.recorder.events == [WRITE, DONE]


async def test_first_failing_piece_ends_a_write() -> None:
    driver = RecordingDriver(CONTENT, Limits(512, max_transfer=KIB))
    async with opened(driver) as disk:
        driver.recorder.fail(EIO, at=KIB)
        with pytest.raises(OSError, match="script"):
            await disk.pwrite(0, bytes(4096))
        assert driver.content == bytes(KIB) + CONTENT[KIB:]
