from __future__ import annotations

import asyncio
from pathlib import Path

from blkdebug_async import open_disk
from blkdebug_async.explore import Failure
from blkdebug_async.report.files import write_files
from tests.unit.report.failures import SECTOR, found


async def written_in_any_order() -> None:
    async with open_disk({"driver": "memory", "size": 8192}) as disk:
        async with asyncio.TaskGroup() as group:
            for data in (b"\x11", b"\x22"):
                group.create_task(disk.pwrite(0, data * SECTOR), name=f"writer of {data!r}")
        assert await disk.pread(0, 1) == b"\x22"


async def without_a_disk() -> None:
    raise AssertionError("of no disk")


def endings(failure: Failure, folder: Path) -> set[str]:
    return {path.name for path in write_files(failure, folder, "a:b", again="run {token}")}


def test_a_failure_with_a_disk_leaves_a_script_for_qemu_io(tmp_path: Path) -> None:
    names = endings(found(written_in_any_order), tmp_path)
    assert {"a-b.txt", "a-b.html", "a-b.qemu-io.sh"} <= names
    assert "aio_write -P 0x22 0 512" in (tmp_path / "a-b.qemu-io.sh").read_text()


def test_a_failure_without_a_disk_leaves_none(tmp_path: Path) -> None:
    names = endings(found(without_a_disk), tmp_path)
    assert {"a-b.txt", "a-b.html", "a-b.pftrace"} <= names
    assert "a-b.qemu-io.sh" not in names
