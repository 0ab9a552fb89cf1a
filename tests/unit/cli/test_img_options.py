from __future__ import annotations

import pytest

from blkdebug_async.cli.failures import ErrorReport
from blkdebug_async.cli.img_options import (
    BenchOptions,
    Caller,
    Subcommand,
    parse_bench_options,
    parse_standard_options,
    usage_text,
)
from blkdebug_async.opening import CACHE_MODES

QEMU = Caller("qemu-img", "/usr/bin/qemu-img")
OURS = Caller("blkdebug-async img", "blkdebug-async img")


def ignore(message: str) -> None:
    """Nobody hears it."""


def parse(*words: str, caller: Caller = OURS) -> BenchOptions:
    return parse_bench_options(caller, words, ignore)


def complaint(*words: str, caller: Caller = OURS) -> ErrorReport:
    with pytest.raises(ErrorReport) as caught:
        parse(*words, caller=caller)
    return caught.value


def test_defaults_are_those_of_qemu() -> None:
    options = parse("img")
    assert (options.count, options.depth, options.offset) == (75000, 64, 0)
    assert (options.size, options.step, options.pattern) == (4096, 0, 0)
    assert (options.flush_interval, options.drains, options.is_write) == (0, True, False)
    request = options.settings.request(options.image, {})
    assert request.flags.read_only
    assert not request.flags.unmap
    assert not request.writethrough


@pytest.mark.parametrize(
    ("caller", "words", "aio"),
    [
        (QEMU, (), "threads"),
        (OURS, (), "auto"),
        (OURS, ("-i", "threads"), "threads"),
        (OURS, ("-i", "io_uring", "-i", "threads"), "io_uring"),
        (OURS, ("-i", "native", "-i", "auto"), "auto"),
    ],
)
def test_how_files_are_served_is_ours_to_choose_unless_it_is_said(
    caller: Caller, words: tuple[str, ...], aio: str
) -> None:
    assert parse(*words, "img", caller=caller).settings.aio == aio


def test_all_options_have_their_place() -> None:
    options = parse(
        *("-c", "10", "-d2", "-o", "1k", "-s", "2k", "-S", "3k", "-wqU", "--pattern", "65"),
        *("--flush-interval=5", "--no-drain", "-f", "raw", "-t", "none", "-i", "io_uring", "img"),
    )
    assert (options.count, options.depth) == (10, 2)
    assert (options.offset, options.size, options.step) == (1024, 2048, 3072)
    assert (options.pattern, options.flush_interval, options.drains) == (65, 5, False)
    assert (options.format, options.image) == ("raw", "img")
    settings = options.settings
    assert (settings.aio, settings.cache, settings.force_share) == (
        "io_uring",
        CACHE_MODES["none"],
        True,
    )
    assert not settings.read_only


def test_n_is_native_aio() -> None:
    assert parse("-n", "img").settings.aio == "native"


def test_a_list_of_options_is_no_format() -> None:
    assert str(complaint("--image-opts", "-f", "raw", "driver=null-co")) == (
        "--image-opts and --format are mutually exclusive"
    )


def test_requests_that_would_never_be_sent_are_refused() -> None:
    assert str(complaint("-d", "0", "img")) == "With a queue depth of 0 no request is ever sent"
    assert parse("-d", "0", "-c", "0", "img").depth == 0


def test_ours_can_tell_json_and_choose_the_loop() -> None:
    options = parse("--json", "--loop=asyncio", "img")
    assert (options.json, options.loop) == (True, "asyncio")


def test_an_unknown_loop_is_refused() -> None:
    assert str(complaint("--loop=foo", "img")) == "Invalid loop: foo"


@pytest.mark.parametrize("word", ["--json", "--loop=asyncio"])
def test_qemu_img_has_nothing_of_ours(word: str) -> None:
    error = complaint(word, "img", caller=QEMU)
    assert str(error) == f"unrecognized option '{word}'"
    assert error.hint == "Try 'qemu-img --help' for more information"
    assert word.partition("=")[0] in usage_text(OURS)
    assert word.partition("=")[0] not in usage_text(QEMU)


def test_help_needs_no_image() -> None:
    assert parse("-c", "1", "--help", "--nosuch").wants_help


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-h", "foo"], Subcommand("help")),
        (["--version"], Subcommand("version")),
        (["bench", "-V"], Subcommand("run", "bench", ["-V"])),
        (["--", "bench", "--", "img"], Subcommand("run", "bench", ["--", "img"])),
        (["--"], Subcommand("nothing")),
    ],
)
def test_standard_options_end_at_the_subcommand(words: list[str], expected: Subcommand) -> None:
    assert parse_standard_options(OURS, words) == expected


@pytest.mark.parametrize("caller", [QEMU, OURS])
def test_help_has_every_option(caller: Caller) -> None:
    text = usage_text(caller)
    letters = ("-c", "-d", "-f", "-i", "-n", "-o", "-q", "-s", "-S", "-t", "-U", "-w")
    assert all(f"    {letter}" in text for letter in letters)
    assert max(map(len, text.splitlines())) < 80
