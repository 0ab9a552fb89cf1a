"""A real file system, read, written and broken through the stack; its own tools judge it."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from errno import EIO
from pathlib import Path
from typing import NamedTuple

import pytest

from blkdebug_async import MAY_UNMAP, ZERO, Disk, open_disk
from tests.real.ext4 import BLOCK, Ext4

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.peer

LIMITS: dict[str, Mapping[str, object]] = {
    "none": {},
    "align-4k": {"align": 4096},
    "align-64k": {"align": 65536},
    "short-transfers": {"align": 512, "max-transfer": 8192},
    "zeroes-in-steps": {"align": 4096, "opt-write-zero": 16384, "max-write-zero": 65536},
    "all": {
        "align": 1024,
        "max-transfer": 12288,
        "opt-write-zero": 8192,
        "max-write-zero": 40960,
        "opt-discard": 8192,
        "max-discard": 32768,
    },
}
with_limits = pytest.mark.parametrize("limits", LIMITS.values(), ids=LIMITS)


@pytest.fixture(scope="module")
def ext4(require_peer: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Ext4:
    folder = tmp_path_factory.mktemp("ext4")
    # A copy, because the pages may change while the tests run.
    source = Path(shutil.copytree(ROOT / "docs", folder / "docs"))
    return Ext4(require_peer, source, folder / "image")


@pytest.fixture
def image(ext4: Ext4, tmp_path: Path) -> Path:
    return ext4.copy(tmp_path / "image")


def on(image: Path, limits: Mapping[str, object] | None = None) -> dict[str, object]:
    below = {"driver": "file", "filename": str(image)}
    return {"driver": "raw", "file": {"driver": "blkdebug", **(limits or {}), "image": below}}


async def read_file(disk: Disk, ext4: Ext4, name: str) -> bytes:
    parts = [await disk.pread(block * BLOCK, BLOCK) for block in ext4.blocks(name)]
    return b"".join(parts)[: len(ext4.files[name])]


def same_bytes(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


# --- reading and copying ---


@with_limits
async def test_each_file_is_read_as_it_is(
    ext4: Ext4, image: Path, limits: Mapping[str, object]
) -> None:
    async with open_disk(on(image, limits), read_only=True) as disk:
        assert {name: await read_file(disk, ext4, name) for name in ext4.files} == ext4.files


async def copy(source: Disk, target: Disk, step: int) -> None:
    """Copy in steps, all at once, and what is zero as zeros."""

    async def copy_step(offset: int, length: int) -> None:
        while length:
            status = await source.block_status(offset, length)
            count = min(length, status.length)
            if status.flags & ZERO:
                await target.pwrite_zeroes(offset, count, MAY_UNMAP)
            else:
                await target.pwrite(offset, await source.pread(offset, count))
            offset, length = offset + count, length - count

    async with asyncio.TaskGroup() as group:
        for offset in range(0, source.length, step):
            group.create_task(copy_step(offset, min(step, source.length - offset)))


@pytest.mark.parametrize("step", [1 << 20, 65521])
@with_limits
async def test_a_copy_through_any_limits_is_the_same_file_system(
    ext4: Ext4, tmp_path: Path, limits: Mapping[str, object], step: int
) -> None:
    copied = tmp_path / "copied"
    # What is not written shows.
    copied.write_bytes(b"\xa5" * ext4.image.stat().st_size)
    async with (
        open_disk(on(ext4.image), read_only=True) as source,
        open_disk(on(copied, limits)) as target,
    ):
        await copy(source, target, step)
    assert same_bytes(copied, ext4.image)
    assert ext4.complaints(copied) == ""
    assert ext4.contents(copied) == ext4.files


# --- writing ---


@with_limits
async def test_what_is_written_to_a_file_s_blocks_is_in_the_file(
    ext4: Ext4, image: Path, limits: Mapping[str, object]
) -> None:
    name = max(ext4.files, key=lambda each: len(ext4.files[each]))
    new = bytearray(ext4.files[name])
    async with open_disk(on(image, limits)) as disk:
        for number, block in enumerate(ext4.blocks(name)[:-1]):
            # Neither start nor end is at a sector.
            text = f"block {number} of {name}".encode()
            await disk.pwrite(block * BLOCK + 1000 + number, text)
            start = number * BLOCK + 1000 + number
            new[start : start + len(text)] = text
    assert ext4.contents(image) == {**ext4.files, name: bytes(new)}
    assert ext4.complaints(image) == ""


@with_limits
async def test_free_space_can_be_discarded_and_zeroed_and_nothing_else_changes(
    ext4: Ext4, image: Path, limits: Mapping[str, object]
) -> None:
    runs = ext4.free_runs()
    async with open_disk(on(image, limits)) as disk:
        for first, last in runs:
            start, length = first * BLOCK, (last - first + 1) * BLOCK
            await disk.pwrite(start, b"x" * length)
            # Discards what it can; the rest of it need not be zero.
            await disk.pdiscard(start + 512, length - 1024)
            await disk.pwrite_zeroes(start + 700, length - 1400)
            await disk.pwrite_zeroes(start + 900, length - 1800, MAY_UNMAP)
            assert await disk.pread(start + 700, length - 1400) == bytes(length - 1400)
    assert len(runs) > 1
    assert ext4.complaints(image) == ""
    assert ext4.contents(image) == ext4.files


class Change(NamedTuple):
    """A block that a change of the file system writes."""

    block: int
    data: bytes


@pytest.fixture(scope="module")
def removal(ext4: Ext4, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Change]]:
    """What debugfs writes to remove a file, and the image afterwards: nothing but metadata."""
    after = ext4.copy(tmp_path_factory.mktemp("removal") / "after")
    ext4.ask(after, f"rm {next(iter(ext4.files))}", "-w")
    old, new = ext4.image.read_bytes(), after.read_bytes()
    starts = (start for start in range(0, len(new), BLOCK))
    return after, [
        Change(start // BLOCK, new[start : start + BLOCK])
        for start in starts
        if old[start : start + BLOCK] != new[start : start + BLOCK]
    ]


@with_limits
async def test_metadata_written_in_odd_pieces_at_once_is_whole(
    ext4: Ext4, image: Path, removal: tuple[Path, list[Change]], limits: Mapping[str, object]
) -> None:
    after, changes = removal
    pieces = [
        (change.block * BLOCK + start, change.data[start : start + 700])
        for change in changes
        for start in range(0, BLOCK, 700)
    ]
    random.Random(1).shuffle(pieces)
    async with open_disk(on(image, limits)) as disk, asyncio.TaskGroup() as group:
        for offset, data in pieces:
            group.create_task(disk.pwrite(offset, data))
    assert same_bytes(image, after)
    assert ext4.complaints(image) == ""


# --- breaking ---


async def test_a_bad_sector_fails_exactly_the_file_that_it_is_in(ext4: Ext4, image: Path) -> None:
    for name in ext4.files:
        sectors = ext4.sectors(name)
        rule = {"event": "none", "iotype": "read", "errno": EIO, "sector": sectors[-8]}
        async with open_disk(on(image, {"inject-error": [rule]}), read_only=True) as disk:
            failed = {}
            for other in ext4.files:
                try:
                    assert await read_file(disk, ext4, other) == ext4.files[other]
                except OSError as error:
                    failed[other] = error.errno
        assert failed == {name: EIO}


async def write_heedlessly(disk: Disk, changes: list[Change]) -> list[Change]:
    """Write like a program that does not look at its errors; give what was lost."""
    lost = []
    for change in changes:
        try:
            await disk.pwrite(change.block * BLOCK, change.data)
        except OSError:
            lost.append(change)
    await disk.flush()
    return lost


async def test_each_lost_write_of_metadata_is_noticed_and_a_retry_mends_it(
    ext4: Ext4, image: Path, removal: tuple[Path, list[Change]]
) -> None:
    after, changes = removal
    unnoticed = []
    for change in changes:
        shutil.copyfile(ext4.image, image)
        rule = {"event": "none", "iotype": "write", "once": True, "sector": change.block * 8}
        async with open_disk(on(image, {"align": 4096, "inject-error": [rule]})) as disk:
            assert await write_heedlessly(disk, changes) == [change]
            if not ext4.complaints(image):
                unnoticed.append(change.block)
            assert await write_heedlessly(disk, [change]) == []
        assert same_bytes(image, after)
    # The superblock's counts of what is free are hints; e2fsck counts by itself.
    assert unnoticed == [0]
    assert len(changes) > 4


async def test_a_flush_that_fails_is_told_to_whoever_wanted_it(image: Path) -> None:
    rule = {"event": "flush_to_disk", "errno": EIO, "once": True}
    async with open_disk(on(image, {"inject-error": [rule]})) as disk:
        await disk.pwrite(0, await disk.pread(0, BLOCK))
        with pytest.raises(OSError, match="injected") as caught:
            await disk.flush()
        await disk.flush()
    assert caught.value.errno == EIO


# --- the shell ---


def shell(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "blkdebug_async", "io", *map(str, words)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def commands(lines: list[str]) -> Iterator[str]:
    return (word for line in lines for word in ("-c", line))


@pytest.mark.slow
def test_the_shell_writes_into_a_file(ext4: Ext4, image: Path) -> None:
    name = max(ext4.files, key=lambda each: len(ext4.files[each]))
    blocks = ext4.blocks(name)
    writes = [
        f"write -q -P {number + 65} {block * BLOCK} 4000" for number, block in enumerate(blocks[:3])
    ]
    done = shell("-f", "raw", f"blkdebug::{image}", *commands([*writes, "flush"]))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    old = ext4.files[name]
    new = b"".join(
        bytes([number + 65]) * 4000 + old[number * BLOCK + 4000 : (number + 1) * BLOCK]
        for number in range(3)
    )
    assert ext4.contents(image)[name] == new + old[3 * BLOCK :]
    assert ext4.complaints(image) == ""


@pytest.mark.slow
def test_the_shell_reads_all_files_but_the_one_with_a_bad_sector(
    ext4: Ext4, image: Path, tmp_path: Path
) -> None:
    bad = list(ext4.files)[1]
    rules = tmp_path / "rules"
    sector = ext4.sectors(bad)[0]
    rules.write_text(f'[inject-error]\nevent = "read_aio"\nsector = "{sector}"\n')
    reads = [f"read -q {ext4.blocks(name)[0] * BLOCK} {BLOCK}" for name in ext4.files]
    done = shell("-r", "-f", "raw", f"blkdebug:{rules}:{image}", *commands(reads))
    assert (done.returncode, done.stdout) == (1, "read failed: Input/output error\n")
