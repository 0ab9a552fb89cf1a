"""Images that cannot be opened, cannot be written to, shrink, or fail."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from errno import EACCES, EIO, EPERM
from pathlib import Path

import pytest

from blkdebug_async import open_disk
from tests.compat.outcome import without_rates
from tests.real.mounts import NOBODY, as_nobody, loop_device, make_read_only, need_root, tmpfs
from tests.real.shell import Answer, no_descriptor_lost, run_io
from tests.real.talk import Talk

Peer = Callable[[str], Path]
SIZE = 64 << 10
IMAGE = bytes(range(1, 256)) * (SIZE // 255) + bytes(SIZE % 255)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Names are relative: nobody may look for anything above this folder.
    tmp_path.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    Path("img").write_bytes(IMAGE)
    return tmp_path


def qemu_io(program: Path, *words: str, as_user: int | None = None) -> Answer:
    done = subprocess.run(
        ["qemu-io", *words],
        executable=program,
        capture_output=True,
        check=False,
        text=True,
        user=as_user,
        group=as_user,
        extra_groups=None if as_user is None else [],
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def same(ours: Answer, real: Answer) -> bool:
    plain = [(each.status, without_rates(each.out), each.err) for each in (ours, real)]
    assert plain[0] == plain[1]
    return True


@pytest.fixture
def protected() -> None:
    """Make files that nobody may have, and one that nobody may have to write."""
    need_root("become somebody without privileges")
    Path("locked").mkdir()
    for name, mode in {"locked/img": 0o644, "secret": 0o600, "readable": 0o644}.items():
        Path(name).write_bytes(IMAGE)
        Path(name).chmod(mode)
    Path("locked").chmod(0o700)
    # Whatever is needed is imported now; later it may be out of reach.
    run_io("-f", "raw", "blkdebug::img", "-c", "read 0 512", "-c", "write -z 0 512", "-c", "info")
    run_io("-f", "raw", "absent", "-c", "read 0 512")
    Path("img").write_bytes(IMAGE)


@pytest.mark.usefixtures("protected")
@pytest.mark.parametrize("name", ["locked/img", "secret", "blkdebug:secret:readable"])
async def test_without_permission_an_image_is_refused(name: str) -> None:
    with as_nobody(), no_descriptor_lost(), pytest.raises(OSError, match="Permission") as caught:
        await open_disk(name, format="raw", read_only=True)
    assert caught.value.errno == EACCES
    assert "\n" not in str(caught.value)


@pytest.mark.peer
@pytest.mark.usefixtures("protected")
@pytest.mark.parametrize("switches", [("-r",), ()])
@pytest.mark.parametrize("name", ["locked/img", "secret", "readable", "blkdebug:secret:readable"])
def test_without_permission_the_shell_says_what_qemu_io_says(
    name: str, switches: tuple[str, ...], require_peer: Peer
) -> None:
    words = (*switches, "-f", "raw", name, "-c", "read 0 512", "-c", "write 0 512")
    with as_nobody():
        ours = run_io(*words, program="qemu-io")
    assert same(ours, qemu_io(require_peer("qemu-io"), *words, as_user=NOBODY))
    assert Path("readable").read_bytes() == IMAGE


@pytest.mark.usefixtures("protected")
async def test_who_may_read_only_may_read() -> None:
    with as_nobody():
        with pytest.raises(OSError, match="Permission denied") as caught:
            await open_disk("readable", format="raw")
        async with open_disk("readable", format="raw", read_only=True) as disk:
            assert await disk.pread(0, SIZE) == IMAGE
    assert caught.value.errno == EACCES


async def test_an_image_on_read_only_media_can_be_read_but_not_written(folder: Path) -> None:
    with tmpfs(folder / "media", 1 << 20) as media:
        image = media / "img"
        image.write_bytes(IMAGE)
        make_read_only(media)
        with no_descriptor_lost(), pytest.raises(OSError, match="Read-only file system") as caught:
            await open_disk(image, format="raw")
        async with open_disk(image, format="raw", read_only=True) as disk:
            assert await disk.pread(0, SIZE) == IMAGE
            with pytest.raises(OSError, match=r".") as writing:
                await disk.pwrite(0, b"x")
        assert image.read_bytes() == IMAGE
    # As in QEMU, EROFS is told as EACCES: for that one, openers fall back to reading.
    assert (caught.value.errno, writing.value.errno) == (EACCES, EPERM)


async def test_auto_read_only_opens_read_only_media(folder: Path) -> None:
    with tmpfs(folder / "media", 1 << 20) as media:
        (media / "img").write_bytes(IMAGE)
        make_read_only(media)
        file = {"driver": "file", "filename": str(media / "img"), "auto-read-only": True}
        async with open_disk({"driver": "raw", "file": file}, read_only=True) as disk:
            assert await disk.pread(0, SIZE) == IMAGE


async def test_a_snapshot_of_read_only_media_can_be_written(folder: Path) -> None:
    with tmpfs(folder / "media", 1 << 20) as media:
        (media / "img").write_bytes(IMAGE)
        make_read_only(media)
        async with open_disk(media / "img", format="raw", snapshot=True) as disk:
            await disk.pwrite(1000, b"new")
            assert await disk.pread(999, 5) == IMAGE[999:1000] + b"new" + IMAGE[1003:1004]
        assert (media / "img").read_bytes() == IMAGE


@pytest.mark.peer
@pytest.mark.parametrize("switches", [("-r",), (), ("-n",)])
def test_of_read_only_media_the_shell_says_what_qemu_io_says(
    switches: tuple[str, ...], folder: Path, require_peer: Peer
) -> None:
    with tmpfs(folder / "media", 1 << 20) as media:
        (media / "img").write_bytes(IMAGE)
        make_read_only(media)
        words = (*switches, "-f", "raw", "media/img", "-c", "read 0 512", "-c", "write 0 512")
        ours = run_io(*words, program="qemu-io")
        assert same(ours, qemu_io(require_peer("qemu-io"), *words))


# --- a file that changes its length ---


async def test_of_a_file_that_has_shrunk_the_rest_reads_as_zeros() -> None:
    async with open_disk("img", format="raw") as disk:
        await disk.pwrite(0, b"kept")
        await disk.flush()
        os.truncate("img", 10_000)
        data = await disk.pread(0, SIZE)
        assert disk.length == SIZE
    assert data == b"kept" + IMAGE[4:10_000] + bytes(SIZE - 10_000)


@pytest.mark.parametrize("offset", [0, 9_999, 20_000, SIZE - 3])
async def test_of_a_file_that_has_shrunk_any_part_can_be_written_again(offset: int) -> None:
    os.truncate("img", SIZE)
    async with open_disk(
        {"driver": "blkdebug", "align": 4096, "image": {"driver": "file", "filename": "img"}}
    ) as disk:
        os.truncate("img", 10_000)
        await disk.pwrite(offset, b"new")
        data = await disk.pread(0, SIZE)
    expected = bytearray(IMAGE[:10_000] + bytes(SIZE - 10_000))
    expected[offset : offset + 3] = b"new"
    assert data == bytes(expected)


@pytest.mark.peer
@pytest.mark.slow
def test_a_file_that_shrinks_and_grows_is_to_the_shell_what_it_is_to_qemu_io(
    require_peer: Peer,
) -> None:
    heard = []
    for program in (Talk.with_qemu_io(require_peer("qemu-io")), Talk.with_ours()):
        Path("img").write_bytes(IMAGE)
        with program("-f", "raw", "img") as talk:
            answers = [talk.say("read -v 8k 32")]
            os.truncate("img", 10_000)
            answers += [
                talk.say("length"),
                talk.say("read -v 9984 32"),
                talk.say("read -P 0 20k 44k"),
                talk.say("map"),
                talk.say("alloc 0 64k"),
                talk.say("write -P 9 30k 1k"),
                talk.say("read -P 0 20k 10k"),
                talk.say("flush"),
            ]
            os.truncate("img", 2 * SIZE)
            answers += [
                talk.say("length"),
                talk.say("read 64k 1k"),
                talk.say("write -z 63k 1k"),
                talk.say("discard 0 8k"),
            ]
        heard.append((answers, talk.status, Path("img").read_bytes()))
    assert heard[0] == heard[1]
    # Neither program looks at the length again while the image is open.
    failed = [answer for answer in heard[0][0] if "failed" in answer]
    assert failed == ["read failed: Input/output error\n"]


# --- errors of the device itself ---


async def test_an_error_of_the_device_comes_up_as_it_is(folder: Path) -> None:
    backing = folder / "backing"
    backing.write_bytes(IMAGE)
    with loop_device(backing) as device:
        async with open_disk(device, format="raw") as disk:
            await disk.pwrite(0, b"kept")
            await disk.flush()
            # A loop device has errors where its file ends.
            os.truncate(backing, 4096)
            with pytest.raises(OSError, match="Could not read from") as reading:
                await disk.pread(32 << 10, 512)
            assert await disk.pread(0, 4) == b"kept"
    assert reading.value.errno == EIO
    assert "\n" not in str(reading.value)
