"""A driver that comes with another package, used the way its users do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from errno import EINVAL
from pathlib import Path

import pytest

from blkdebug_async import open_disk
from blkdebug_async.drivers import DRIVERS, ENTRY_POINT_GROUP
from blkdebug_async.errors import OptionError

MODULE = '''
from __future__ import annotations

from typing import ClassVar, Self

from blkdebug_async.block.driver import Driver
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.options.reader import OptionReader
from blkdebug_async.options.tree import Options


def parse_name(name: str) -> Options:
    return {"letter": name.removeprefix("letters:")}


class LettersDriver(Driver):
    """A disk full of one letter."""

    name: ClassVar[str] = "letters"
    is_protocol: ClassVar[bool] = True
    parse_filename = parse_name

    def __init__(self, letter: str, size: int) -> None:
        super().__init__()
        self._letter = letter.encode()
        self._size = size

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        return cls(reader.take_str("letter", "a"), reader.take_size("size", 4096))

    def length(self) -> int:
        return self._size

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        iov.copy_from(self._letter * length)


class Unfinished(Driver):
    """Has none of what a driver must have."""
'''
POINTS = f"""
[{ENTRY_POINT_GROUP}]
letters = letters_disk:LettersDriver
absent-module = letters_disk_of_old:LettersDriver
absent-class = letters_disk:Letters
no-driver = letters_disk:parse_name
fails = letters_disk_that_fails
misspelt = letters disk
unfinished = letters_disk:Unfinished
"""
FAILING = "raise RuntimeError('the first line\\nand a second')\n"


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    before = dict(DRIVERS)
    (tmp_path / "letters_disk.py").write_text(MODULE)
    (tmp_path / "letters_disk_that_fails.py").write_text(FAILING)
    info = tmp_path / "letters_disk-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: letters-disk\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("letters_disk", None)
    DRIVERS.clear()
    DRIVERS.update(before)


async def test_a_disk_is_opened_by_the_driver_s_name() -> None:
    async with open_disk({"driver": "letters", "letter": "x", "size": "64k"}) as disk:
        assert disk.length == 64 << 10
        assert await disk.pread(60000, 4) == b"xxxx"


@pytest.mark.parametrize("name", ["letters:y", 'json:{"driver": "letters", "letter": "y"}'])
async def test_a_disk_is_opened_by_a_file_name(name: str) -> None:
    async with open_disk(name, read_only=True) as disk:
        assert await disk.pread(0, 4) == b"yyyy"


async def test_rules_apply_to_it_like_to_any_other() -> None:
    rule = {"event": "read_aio", "errno": 28, "sector": 1}
    image = {"driver": "letters", "read-only": True}
    options = {"driver": "blkdebug", "read-only": True, "image": image, "inject-error": [rule]}
    async with open_disk({"driver": "raw", "file": options}, read_only=True) as disk:
        assert await disk.pread(0, 2) == b"aa"
        with pytest.raises(OSError, match="injected") as caught:
            await disk.pread(512, 512)
        assert caught.value.errno == 28


async def test_an_option_that_it_does_not_take_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="'letters' doesn't support the option 'colour'"):
        await open_disk({"driver": "letters", "colour": "red"})


async def test_an_option_of_the_wrong_type_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="Parameter 'size' expects"):
        await open_disk({"driver": "letters", "size": "many"})


@pytest.mark.parametrize(
    ("driver", "reason"),
    [
        ("absent-module", "No module named 'letters_disk_of_old'"),
        ("absent-class", "has no attribute 'Letters'"),
        ("no-driver", "Entry point 'letters_disk:parse_name' is no driver"),
        ("fails", "the first line"),
        ("misspelt", "letters disk"),
        ("unfinished", "Entry point 'letters_disk:Unfinished' is no driver"),
    ],
)
async def test_an_entry_point_that_is_broken_is_refused_in_one_line(
    driver: str, reason: str
) -> None:
    with pytest.raises(OptionError) as caught:
        await open_disk({"driver": driver})
    assert reason in str(caught.value)
    assert caught.value.errno == EINVAL
    assert "\n" not in str(caught.value)


def shell(package: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(package), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    return subprocess.run(
        [sys.executable, "-m", "blkdebug_async", "io", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )


@pytest.mark.slow
def test_the_command_finds_it(package: Path) -> None:
    done = shell(package, "-r", "-f", "raw", "letters:z", "-c", "read -v 4080 16")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].endswith("zzzzzzzzzzzzzzzz")


@pytest.mark.slow
def test_the_command_tells_of_a_broken_one(package: Path) -> None:
    done = shell(package, "--image-opts", "driver=absent-module", "-c", "length")
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert "No module named 'letters_disk_of_old'" in line
