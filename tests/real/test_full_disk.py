"""A disk that is full: what was acknowledged stays, what failed has destroyed nothing."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path

import pytest

from blkdebug_async import MAY_UNMAP, Disk, open_disk
from tests.compat.outcome import without_rates
from tests.real.mounts import tmpfs
from tests.real.shell import run_io

KIB = 1024
MIB = 1 << 20
#: Of the media; the image is larger, the spare file is inside.
ROOM = MIB
SPARE = 256 * KIB
IMAGE_SIZE = 8 * MIB
PIECE = 64 * KIB

TREES: dict[str, Mapping[str, object]] = {
    "raw": {"driver": "raw"},
    "blkdebug": {"driver": "blkdebug"},
    "align-4k": {"driver": "blkdebug", "align": "4k"},
    "align-64k": {"driver": "blkdebug", "align": "64k"},
    "short-transfers": {"driver": "blkdebug", "align": 512, "max-transfer": "4k"},
    "copy-on-read": {"driver": "copy-on-read"},
}


@pytest.fixture
def media(tmp_path: Path) -> Iterator[Path]:
    with tmpfs(tmp_path / "media", ROOM) as folder:
        prepare(folder)
        yield folder


def prepare(media: Path) -> None:
    (media / "spare").write_bytes(b"s" * SPARE)
    with (media / "img").open("wb") as image:
        image.truncate(IMAGE_SIZE)


def on(image: Path, tree: str = "raw") -> dict[str, object]:
    options = dict(TREES[tree])
    below = "image" if options["driver"] == "blkdebug" else "file"
    return {**options, below: {"driver": "file", "filename": str(image)}}


def piece(number: int) -> bytes:
    return bytes([number % 255 + 1]) * PIECE


async def fill(disk: Disk) -> int:
    """Write pieces until one fails; say which."""
    for number in range(IMAGE_SIZE // PIECE):
        try:
            await disk.pwrite(number * PIECE, piece(number))
        except OSError as error:
            check(error)
            return number
    raise AssertionError("the disk is never full")


def check(error: OSError) -> None:
    assert error.errno == ENOSPC
    assert "No space left on device" in str(error)
    assert "\n" not in str(error)


@contextmanager
def no_space() -> Iterator[None]:
    with pytest.raises(OSError, match=r".") as caught:
        yield
    check(caught.value)


@pytest.mark.parametrize("cache", ["writeback", "writethrough", "unsafe"])
@pytest.mark.parametrize("tree", TREES)
async def test_all_that_was_acknowledged_reads_back(media: Path, tree: str, cache: str) -> None:
    async with open_disk(on(media / "img", tree), cache=cache) as disk:
        failed = await fill(disk)
        await disk.flush()
        for number in range(failed):
            assert await disk.pread(number * PIECE, PIECE) == piece(number)
    data = (media / "img").read_bytes()
    assert failed >= 8
    assert data[: failed * PIECE] == b"".join(map(piece, range(failed)))


@pytest.mark.parametrize("tree", TREES)
async def test_the_disk_goes_on_once_there_is_room(media: Path, tree: str) -> None:
    async with open_disk(on(media / "img", tree)) as disk:
        failed = await fill(disk)
        (media / "spare").unlink()
        await disk.pwrite(failed * PIECE, piece(failed))
        await disk.flush()
    data = (media / "img").read_bytes()
    assert data[: (failed + 1) * PIECE] == b"".join(map(piece, range(failed + 1)))


async def test_of_many_writes_at_once_the_acknowledged_ones_are_kept(media: Path) -> None:
    kept = []

    async def write(disk: Disk, number: int) -> None:
        try:
            await disk.pwrite(number * PIECE + 100, piece(number)[:-200])
        except OSError as error:
            check(error)
        else:
            kept.append(number)

    async with open_disk(on(media / "img", "align-4k")) as disk:
        async with asyncio.TaskGroup() as group:
            for number in range(40):
                group.create_task(write(disk, number))
        for number in kept:
            assert await disk.pread(number * PIECE + 100, PIECE - 200) == piece(number)[:-200]
    assert 0 < len(kept) < 40


@pytest.mark.parametrize("at", [0, 1, 5000, PIECE - 4])
async def test_a_failed_read_modify_write_leaves_the_neighbours_alone(media: Path, at: int) -> None:
    start = IMAGE_SIZE - 3 * PIECE
    async with open_disk(on(media / "img", "align-64k")) as disk:
        # A block with a little data, for the rest of which there is no room.
        write_below(media, start + 8 * KIB, b"neighbour")
        await fill(disk)
        await disk.flush()
        before = await disk.pread(start - PIECE, 3 * PIECE)
        with no_space():
            await disk.pwrite(start + at, b"new!")
        after = bytearray(await disk.pread(start - PIECE, 3 * PIECE))
    after[PIECE + at : PIECE + at + 4] = before[PIECE + at : PIECE + at + 4]
    assert b"neighbour" in before
    assert bytes(after) == before


def write_below(media: Path, offset: int, data: bytes) -> None:
    with (media / "img").open("r+b") as image:
        image.seek(offset)
        image.write(data)


async def test_giving_space_back_makes_room(media: Path) -> None:
    async with open_disk(on(media / "img")) as disk:
        failed = await fill(disk)
        await disk.pdiscard(0, 2 * PIECE)
        await disk.pwrite(failed * PIECE, piece(failed))
        await disk.pwrite_zeroes(2 * PIECE, 2 * PIECE, MAY_UNMAP)
        await disk.pwrite((failed + 1) * PIECE, piece(failed + 1))
        assert await disk.pread(2 * PIECE, 2 * PIECE) == bytes(2 * PIECE)
        assert await disk.pread(failed * PIECE, PIECE) == piece(failed)


async def test_zeros_that_need_room_fail_and_destroy_nothing_else(media: Path) -> None:
    async with open_disk(on(media / "img")) as disk:
        failed = await fill(disk)
        with no_space():
            await disk.pwrite_zeroes(failed * PIECE, 16 * PIECE)
        assert await disk.pread(0, PIECE) == piece(0)
        assert await disk.pread(failed * PIECE + PIECE, PIECE) == bytes(PIECE)


@pytest.mark.parametrize("preallocation", ["falloc", "full"])
async def test_an_image_that_cannot_be_made_longer_keeps_its_length(
    media: Path, preallocation: str
) -> None:
    async with open_disk(on(media / "img")) as disk:
        await disk.pwrite(0, b"kept")
        with pytest.raises(OSError, match="No space left") as caught:
            await disk.truncate(2 * IMAGE_SIZE, preallocation=preallocation)
        assert caught.value.errno == ENOSPC
        assert disk.length == IMAGE_SIZE
        assert await disk.pread(0, 4) == b"kept"
    assert (media / "img").stat().st_size == IMAGE_SIZE


SESSIONS = {
    "raw": ("-f", "raw", "img"),
    "writethrough": ("-t", "writethrough", "-f", "raw", "img"),
    "blkdebug": (
        "--image-opts",
        "driver=raw,file.driver=blkdebug,file.align=4k,file.image.driver=file,"
        "file.image.filename=img",
    ),
    "short-transfers": (
        "--image-opts",
        "driver=blkdebug,align=512,max-transfer=8k,image.driver=file,image.filename=img",
    ),
}
COMMANDS = (
    "write -P 1 0 512k",
    "write -P 2 512k 512k",
    "write -P 3 4M 256k",
    "write -P 4 5000001 3",
    "write -z 6M 256k",
    "write -zu 0 64k",
    "write -P 5 7M 64k",
    "flush",
    "read -P 1 64k 448k",
    "read -P 5 7M 64k",
    "read -P 0 6M 64k",
    "aio_write -P 6 3M 512k",
    "aio_flush",
    "discard 64k 448k",
    "write -P 7 3M 256k",
    "truncate -m falloc 12M",
    "truncate -m full 12M",
    "length",
    "map",
)


@pytest.mark.peer
@pytest.mark.parametrize("words", SESSIONS.values(), ids=SESSIONS)
def test_the_shell_says_and_leaves_what_qemu_io_does(
    words: tuple[str, ...],
    media: Path,
    require_peer: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = [*words, *(word for command in COMMANDS for word in ("-c", command))]
    real = subprocess.run(
        [require_peer("qemu-io"), *arguments],
        cwd=media,
        capture_output=True,
        text=True,
        check=False,
    )
    left = (media / "img").read_bytes()
    prepare(media)
    with monkeypatch.context() as patch:
        patch.chdir(media)
        ours = run_io(*arguments, program="qemu-io")
    assert "No space left on device" in ours.out
    assert without_rates(ours.out) == without_rates(real.stdout)
    assert (ours.status, ours.err) == (real.returncode, real.stderr)
    assert (media / "img").read_bytes() == left
