from __future__ import annotations

import pytest

from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.cli.failures import ErrorReport
from blkdebug_async.cli.opening import OpenRequest, OpenSettings, read_options
from blkdebug_async.options.tree import Options, ignore_warning


def request(*options: tuple[str, str], given: Options | None = None) -> OpenRequest:
    settings = OpenSettings()
    for letter, value in options:
        assert settings.apply(letter, value)
    return settings.request("img", given or {})


def test_the_defaults_are_those_of_qemu_io() -> None:
    flags = OpenFlags(unmap=True, aio="threads")
    assert request() == OpenRequest("img", {}, flags, True, False)


@pytest.mark.parametrize(
    ("mode", "direct", "no_flush", "writethrough"),
    [
        ("none", True, False, False),
        ("off", True, False, False),
        ("directsync", True, False, True),
        ("writeback", False, False, False),
        ("unsafe", False, True, False),
        ("writethrough", False, False, True),
    ],
)
def test_a_cache_mode_stands_for_flags(
    mode: str, direct: bool, no_flush: bool, writethrough: bool
) -> None:
    opened = request(("t", "unsafe"), ("t", mode))
    assert opened.flags == OpenFlags(unmap=True, aio="threads", direct=direct, no_flush=no_flush)
    assert opened.writethrough is writethrough


def test_n_keeps_the_rest_of_the_cache_mode() -> None:
    opened = request(("t", "unsafe"), ("n", ""))
    assert opened.flags == OpenFlags(unmap=True, aio="threads", direct=True, no_flush=True)
    assert not opened.writethrough


@pytest.mark.parametrize(
    ("mode", "unmap"), [("on", True), ("unmap", True), ("off", False), ("ignore", False)]
)
def test_discards_are_passed_on_or_not(mode: str, unmap: bool) -> None:
    assert request(("d", mode)).flags.unmap is unmap


@pytest.mark.parametrize(
    ("options", "aio"),
    [
        ([("i", "threads")], "threads"),
        ([("i", "io_uring")], "io_uring"),
        ([("k", "")], "native"),
        ([("k", ""), ("i", "threads")], "native"),
        ([("i", "io_uring"), ("i", "threads")], "io_uring"),
        ([("k", ""), ("i", "io_uring")], "native"),
        ([("i", "io_uring"), ("k", "")], "native"),
    ],
)
def test_native_aio_goes_first_and_threads_take_nothing_back(
    options: list[tuple[str, str]], aio: str
) -> None:
    assert request(*options).flags.aio == aio


def test_auto_is_not_qemus() -> None:
    with pytest.raises(ErrorReport, match="Invalid aio option: auto"):
        request(("i", "auto"))


def test_switches_are_flags() -> None:
    opened = request(("r", ""), ("s", ""), ("C", ""))
    assert opened.flags == OpenFlags(unmap=True, aio="threads", read_only=True, copy_on_read=True)
    assert opened.snapshot


def test_sharing_is_forced_by_an_option_too() -> None:
    opened = request(("U", ""), given={"driver": "raw"})
    assert opened.flags.force_share
    assert opened.options == {"driver": "raw", "force-share": "on"}


def test_sharing_may_not_be_forced_and_refused() -> None:
    with pytest.raises(ErrorReport, match="-U conflicts with image options"):
        request(("U", ""), given={"force-share": "off"})


@pytest.mark.parametrize(("letter", "what"), [("t", "cache"), ("d", "discard"), ("i", "aio")])
def test_an_unknown_mode_is_shown(letter: str, what: str) -> None:
    with pytest.raises(ErrorReport) as caught:
        request((letter, "foo"))
    assert str(caught.value) == f"Invalid {what} option: foo"


def test_other_letters_are_left_to_others() -> None:
    assert not OpenSettings().apply("o", "x")


def test_options_are_read_with_their_warnings() -> None:
    warnings: list[str] = []
    assert read_options("driver=raw,read-only", warnings.append) == {
        "driver": "raw",
        "read-only": "on",
    }
    assert warnings == [
        "short-form boolean option 'read-only' deprecated\nPlease use read-only=on instead"
    ]


def test_an_id_is_refused_unless_it_is_allowed() -> None:
    with pytest.raises(ErrorReport, match="Invalid parameter 'id'"):
        read_options("id=a", ignore_warning)
    assert read_options("id=a", ignore_warning, allow_id=True) == {"id": "a"}
