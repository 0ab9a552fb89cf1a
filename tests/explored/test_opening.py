"""Opening disks beside each other, and cancelled: what was opened is closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from blkdebug_async import open_disk
from blkdebug_async.block.driver import Opener
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.explore import cancel_sometime, sometimes
from tests.explored.devices import GuardedDriver
from tests.explored.exploring import exhaust, together

SECTOR = 512


class SlowToOpenDriver(GuardedDriver):
    """Takes two turns to be opened, and one to be closed."""

    opened = False

    async def open(self, opener: Opener) -> None:
        await asyncio.sleep(0)
        self.opened = True
        await asyncio.sleep(0)

    async def close(self) -> None:
        await super().close()
        await asyncio.sleep(0)


def test_a_cancelled_opening_leaves_nothing_open() -> None:
    async def scenario() -> None:
        driver = SlowToOpenDriver(2 * SECTOR)

        async def use() -> None:
            async with open_disk(RawDriver(BlkdebugDriver(driver))) as disk:
                await disk.pwrite(0, b"x" * 100)

        async with asyncio.TaskGroup() as group:
            doomed = group.create_task(use(), name="doomed")
            cancel_sometime(doomed)
        assert driver.closed or not driver.opened
        sometimes("cancelled", doomed.cancelled())
        sometimes("cancelled before it was open", doomed.cancelled() and not driver.opened)

    exhaust(scenario)


def test_a_disk_opened_and_closed_twice_at_once_is_one_file(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"o" * SECTOR)

    async def scenario() -> None:
        async def write(offset: int, letter: bytes) -> None:
            options = {"driver": "blkdebug", "image": {"driver": "file", "filename": str(image)}}
            async with open_disk(options) as disk:
                await disk.pwrite(offset, letter * 100)
                await disk.flush()

        await together(one=write(0, b"1"), two=write(100, b"2"))
        async with open_disk({"driver": "file", "filename": str(image)}) as disk:
            content = await disk.pread(0, SECTOR)
        assert content == b"1" * 100 + b"2" * 100 + b"o" * (SECTOR - 200)

    exhaust(scenario)
    assert image.read_bytes() == b"o" * SECTOR
