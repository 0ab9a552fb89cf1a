from __future__ import annotations

from errno import EINVAL
from pathlib import Path

import pytest

from blkdebug_async.block.limits import Limits
from blkdebug_async.disk import Disk
from blkdebug_async.errors import OptionError
from blkdebug_async.opening import open_disk
from blkdebug_async.options.tree import Options

CONTENT = bytes(range(251)) * 100 + bytes(2 * 250)
DIRECT: Options = {"cache.direct": True}
CACHED: Options = {"cache.direct": False}
STACK = "json:" + '{{"driver":"raw","file":{{"driver":"blkdebug","image.filename":"{}"}}}}'


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(params=["file", "a stack"])
def source(request: pytest.FixtureRequest, image: Path) -> str:
    return str(image) if request.param == "file" else STACK.format(image)


async def reopen(disk: Disk, options: Options) -> None:
    try:
        await disk.reopen(options)
    except OSError as error:
        if error.errno != EINVAL or isinstance(error, OptionError):
            raise
        pytest.skip("the file system has no direct access")


def limits_of(disk: Disk) -> list[Limits]:
    return [node.limits for node in disk.root.walk()]


async def limits_of_another(source: str, cache: str) -> list[Limits]:
    async with open_disk(source, format=format_of(source), cache=cache, read_only=True) as other:
        return limits_of(other)


def format_of(source: str) -> str | None:
    return None if source.startswith("json:") else "raw"


async def test_a_disk_reopened_past_the_cache_takes_requests_of_any_alignment(source: str) -> None:
    async with open_disk(source, format=format_of(source)) as disk:
        await reopen(disk, DIRECT)
        assert await disk.pread(1, 511) == CONTENT[1:512]
        await disk.pwrite(1000, b"neighbours")
        assert await disk.pread(990, 30) == CONTENT[990:1000] + b"neighbours" + CONTENT[1010:1020]


async def test_limits_are_those_of_the_new_cache_mode(source: str) -> None:
    async with open_disk(source, format=format_of(source), read_only=True) as disk:
        cached = limits_of(disk)
        await reopen(disk, DIRECT)
        assert limits_of(disk) == await limits_of_another(source, "none")
        await reopen(disk, CACHED)
        assert limits_of(disk) == cached


async def test_a_refused_reopen_leaves_the_limits(image: Path) -> None:
    async with open_disk(str(image), format="raw") as disk:
        before = limits_of(disk)
        with pytest.raises(OptionError, match="Cannot change the option 'locking'"):
            await reopen(disk, {**DIRECT, "file.locking": "off"})
        assert limits_of(disk) == before
        assert await disk.pread(1, 511) == CONTENT[1:512]
