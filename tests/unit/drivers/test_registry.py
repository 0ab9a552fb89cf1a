from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from errno import EINVAL
from pathlib import Path

import pytest

from blkdebug_async.drivers import (
    DRIVERS,
    ENTRY_POINT_GROUP,
    filename_parsers,
    find_driver,
    register_driver,
)
from blkdebug_async.drivers.null import NullCoDriver
from blkdebug_async.errors import OptionError

PLUGIN = """
from blkdebug_async.drivers.null import NullDriver

class PluginDriver(NullDriver):
    name = "plug"
    parse_filename = lambda name: {"size": len(name)}
"""


@pytest.fixture(autouse=True)
def _same_drivers_afterwards() -> Iterator[None]:
    before = dict(DRIVERS)
    yield
    DRIVERS.clear()
    DRIVERS.update(before)


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "plugin_module.py").write_text(PLUGIN)
    info = tmp_path / "plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    points = "plug = plugin_module:PluginDriver\nbad = plugin_module:PLUGIN\nworse = sys:path\n"
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{points}")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("plugin_module", None)


def test_every_driver_is_found_by_its_name() -> None:
    assert {name: find_driver(name).name for name in DRIVERS} == {name: name for name in DRIVERS}
    assert set(DRIVERS) >= {"blkdebug", "copy-on-read", "file", "host_device", "memory", "raw"}


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(OptionError, match=r"^Unknown driver 'foo'$") as caught:
        find_driver("foo")
    assert caught.value.errno == EINVAL


@pytest.mark.usefixtures("plugin")
def test_another_package_brings_a_driver() -> None:
    assert find_driver("plug").name == "plug"
    assert find_driver("plug") is DRIVERS["plug"]


@pytest.mark.usefixtures("plugin")
def test_an_entry_point_that_is_no_driver_is_refused() -> None:
    with pytest.raises(OptionError, match="Entry point 'sys:path' is no driver"):
        find_driver("worse")


@pytest.mark.usefixtures("plugin")
def test_the_file_names_of_another_package_can_be_read() -> None:
    assert filename_parsers("plug:abc")["plug"]("plug:abc") == {"size": 8}
    assert "plug" not in filename_parsers("nobody:abc").keys() - {"plug"}


def test_file_names_are_read_by_those_who_have_prefixes() -> None:
    parsers = filename_parsers("image")
    assert set(parsers) == {"blkdebug", "file", "host_device", "null-aio", "null-co"}
    assert parsers["file"]("file:a.img") == {"filename": "a.img"}
    assert parsers["host_device"]("host_device:/dev/sda") == {"filename": "/dev/sda"}


def test_a_class_can_be_registered_by_decorating_it() -> None:
    @register_driver
    class OwnDriver(NullCoDriver):
        name = "own"

    assert find_driver("own") is OwnDriver


def test_what_most_disks_never_need_is_not_imported() -> None:
    lazy = {"aiofiles", "ctypes", "importlib.metadata"}
    code = f"import sys, blkdebug_async.drivers; print(sorted({lazy!r} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
