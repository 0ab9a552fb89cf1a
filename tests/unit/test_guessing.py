from __future__ import annotations

import os
from pathlib import Path

import pytest

from blkdebug_async.errors import OptionError
from blkdebug_async.guessing import guess_format, name_protocol
from blkdebug_async.opening import open_disk
from blkdebug_async.options.tree import Options


@pytest.mark.parametrize(
    ("filename", "driver", "options"),
    [
        ("img", "file", {"filename": "img"}),
        ("file:img", "file", {"filename": "img"}),
        ("./a:b", "file", {"filename": "./a:b"}),
        ("null-co://", "null-co", {}),
        ("blkdebug:c:i", "blkdebug", {"config": "c", "x-image": "i"}),
        (os.devnull, "host_device", {"filename": os.devnull}),
        ("a\0b", "file", {"filename": "a\0b"}),
    ],
)
def test_a_file_name_says_which_driver_it_is_for(
    filename: str, driver: str, options: Options
) -> None:
    found: Options = {}
    assert name_protocol(filename, found, None) == driver
    assert found == {**options, "driver": driver}


def test_a_name_given_as_an_option_is_a_path() -> None:
    options: Options = {"filename": "blkdebug:c:i"}
    assert name_protocol(None, options, None) == "file"
    assert options["filename"] == "blkdebug:c:i"


def test_who_knows_the_driver_gets_the_name_in_its_way() -> None:
    options: Options = {}
    assert name_protocol("img", options, "blkdebug") == "blkdebug"
    assert options == {"x-image": "img"}


@pytest.mark.parametrize(
    ("filename", "options", "message"),
    [
        ("img", {"filename": "x"}, "Can't specify 'file' and 'filename' options at the same time"),
        (None, {}, "Must specify either driver or file"),
        (None, {"filename": 5}, "Must specify either driver or file"),
        ("foo:img", {}, "Unknown protocol 'foo'"),
    ],
)
def test_a_name_that_says_nothing_is_refused(
    filename: str | None, options: Options, message: str
) -> None:
    with pytest.raises(OptionError) as caught:
        name_protocol(filename, options, None)
    assert str(caught.value) == message


async def test_there_is_nothing_to_guess_without_an_image() -> None:
    with pytest.raises(OptionError, match="Must specify either driver or file"):
        await guess_format(None, None)


@pytest.mark.parametrize("content", [b"", b"x", bytes(512)])
async def test_what_looks_like_nothing_is_raw(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "image"
    path.write_bytes(content)
    async with open_disk({"driver": "file", "filename": str(path)}) as disk:
        assert (await guess_format(disk.root, str(path))).name == "raw"
