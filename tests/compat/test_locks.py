from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blkdebug_async.block.permissions import (
    ALL,
    CONSISTENT_READ,
    RESIZE,
    WRITE,
    Permissions,
)
from blkdebug_async.drivers.file.driver import FileDriver
from blkdebug_async.errors import BlockError
from tests.unit.drivers.fakes import FakeOpener

pytestmark = pytest.mark.peer

#: What a format driver that writes takes of the file below it, and what it lets others take.
FORMAT = Permissions(CONSISTENT_READ | WRITE | RESIZE, ALL & ~(WRITE | RESIZE))
#: What somebody takes who only looks, and does not mind that others write.
LOOKING = Permissions(CONSISTENT_READ, ALL)


@pytest.fixture
def qemu_io(require_peer: Callable[[str], Path]) -> str:
    return str(require_peer("qemu-io"))


@pytest.fixture
def image(tmp_path: Path, require_peer: Callable[[str], Path]) -> Path:
    path = tmp_path / "image"
    command = [str(require_peer("qemu-img")), "create", "-q", "-f", "qcow2", str(path), "1M"]
    subprocess.run(command, check=True)
    return path


@contextlib.contextmanager
def held_by_qemu(*command: str) -> Iterator[None]:
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        # Its answer shows that it has opened the image.
        process.stdin.write("length\n")
        assert process.stdout.readline() != ""
        yield
        process.stdin.close()


def qemu_looks(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command, "-c", "length"], capture_output=True, text=True, check=False)


async def ours(image: Path) -> FileDriver:
    driver = FileDriver(image)
    await driver.open(FakeOpener())
    return driver


async def refusal(image: Path, permissions: Permissions) -> tuple[str, str] | None:
    driver = await ours(image)
    try:
        driver.permissions_changed(permissions)
    except BlockError as error:
        return str(error), error.hint
    finally:
        await driver.close()
    return None


def refused(image: Path, message: str) -> tuple[str, str]:
    return message, f"Is another process using the image [{image}]?"


async def test_we_respect_what_a_writing_format_driver_of_qemu_holds(
    qemu_io: str, image: Path
) -> None:
    with held_by_qemu(qemu_io, "-f", "qcow2", str(image)):
        assert await refusal(image, FORMAT) == refused(image, 'Failed to get "write" lock')
        assert await refusal(image, Permissions(RESIZE, ALL)) == refused(
            image, 'Failed to get "resize" lock'
        )
        assert await refusal(image, Permissions(CONSISTENT_READ, ALL & ~WRITE)) == refused(
            image, 'Failed to get shared "write" lock'
        )
        assert await refusal(image, LOOKING) is None
    assert await refusal(image, FORMAT) is None


async def test_raw_images_are_shared_with_qemu(qemu_io: str, image: Path) -> None:
    with held_by_qemu(qemu_io, "-f", "raw", str(image)):
        assert await refusal(image, Permissions(CONSISTENT_READ | WRITE, ALL)) is None
        assert await refusal(image, FORMAT) == refused(image, 'Failed to get shared "write" lock')


@pytest.mark.parametrize("options", [("-U", "-r"), ("-r",)])
async def test_who_only_looks_at_a_raw_image_in_qemu_lets_us_write(
    qemu_io: str, image: Path, options: tuple[str, ...]
) -> None:
    with held_by_qemu(qemu_io, *options, "-f", "raw", str(image)):
        assert await refusal(image, FORMAT) is None


@pytest.mark.parametrize(
    ("held", "options", "message"),
    [
        (FORMAT, ("-f", "qcow2"), 'Failed to get "write" lock'),
        (FORMAT, ("-f", "raw"), 'Failed to get "write" lock'),
        (FORMAT, ("-r", "-f", "qcow2"), 'Failed to get shared "write" lock'),
        (Permissions(WRITE, ALL), ("-f", "qcow2"), 'Failed to get shared "write" lock'),
        (
            Permissions(CONSISTENT_READ, ALL & ~CONSISTENT_READ),
            ("-r", "-f", "raw"),
            'Failed to get "consistent read" lock',
        ),
    ],
)
async def test_qemu_respects_what_we_hold(
    qemu_io: str, image: Path, held: Permissions, options: tuple[str, ...], message: str
) -> None:
    driver = await ours(image)
    driver.permissions_changed(held)
    run = qemu_looks(qemu_io, *options, str(image))
    assert run.returncode == 1
    assert run.stderr == (
        f"qemu-io: can't open device {image}: {message}\n"
        f"Is another process using the image [{image}]?\n"
    )
    await driver.close()
    assert qemu_looks(qemu_io, *options, str(image)).returncode == 0


@pytest.mark.parametrize(
    ("held", "options"),
    [
        (LOOKING, ("-f", "qcow2")),
        (FORMAT, ("-r", "-f", "raw")),
        (FORMAT, ("-r", "-U", "-f", "qcow2")),
        (Permissions(CONSISTENT_READ | WRITE | RESIZE, ALL), ("-f", "raw")),
    ],
)
async def test_qemu_takes_what_we_share(
    qemu_io: str, image: Path, held: Permissions, options: tuple[str, ...]
) -> None:
    driver = await ours(image)
    driver.permissions_changed(held)
    assert qemu_looks(qemu_io, *options, str(image)).returncode == 0
    await driver.close()
