from __future__ import annotations

from collections.abc import Callable

import pytest

from blkdebug_async.block.flags import FUA, MAY_UNMAP, NO_FALLBACK
from blkdebug_async.cli.arguments import (
    RangeArguments,
    ReadArguments,
    VectorArguments,
    WriteArguments,
    parse_aio_read,
    parse_aio_write,
    parse_discard,
    parse_read,
    parse_readv,
    parse_write,
    parse_writev,
)
from blkdebug_async.cli.failures import UsageError
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.options.tree import Warn, ignore_warning

PARSERS: dict[str, Callable[[list[str], Warn], object]] = {
    "aio_read": parse_aio_read,
    "aio_write": parse_aio_write,
    "discard": parse_discard,
    "read": parse_read,
    "readv": parse_readv,
    "write": parse_write,
    "writev": parse_writev,
}


def parse(line: str) -> object:
    words = line.split()
    return PARSERS[words[0]](words, ignore_warning)


def reads(offset: int, length: int, pattern: int | None = None, **others: bool) -> ReadArguments:
    switches = {"vmstate": False, "dump": False, "quiet": False, "terse": False} | others
    return ReadArguments(offset, length, pattern, 0, length, **switches)


def writes(
    offset: int,
    length: int,
    pattern: int = 0xCD,
    source: str | None = None,
    flags: int = 0,
    **others: bool,
) -> WriteArguments:
    names = ("zeroes", "compressed", "vmstate", "quiet", "terse")
    switches = dict.fromkeys(names, False) | others
    return WriteArguments(offset, length, pattern, source, flags=flags, **switches)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("read 0 4k", reads(0, 4096)),
        ("read -pqvC 512 0x10", reads(512, 16, dump=True, quiet=True, terse=True)),
        ("read 0 -P 010 8", reads(0, 8, 8)),
        ("read -b 1k 512", reads(1024, 512, vmstate=True)),
        ("write 0 4k", writes(0, 4096)),
        ("write 0 512 -P 7 -f", writes(0, 512, 7, flags=FUA)),
        ("write -znu 0 3G", writes(0, 3 << 30, flags=NO_FALLBACK | MAY_UNMAP, zeroes=True)),
        ("write -qC -s file 0 512", writes(0, 512, source="file", quiet=True, terse=True)),
        ("write -c 512 512", writes(512, 512, compressed=True)),
        ("write -b 512 512", writes(512, 512, vmstate=True)),
        ("readv -P 1 -vq 0 1 2", VectorArguments(0, [1, 2], 1, dump=True, quiet=True)),
        ("writev -f -C 512 1k", VectorArguments(512, [1024], flags=FUA, terse=True)),
        ("aio_read -v 512 1k 1k", VectorArguments(512, [1024, 1024], dump=True)),
        ("aio_read -i x -Z", VectorArguments(invalid=True)),
        ("aio_write -fP 3 0 1", VectorArguments(0, [1], 3, flags=FUA)),
        (
            "aio_write -zuf 0 3G",
            VectorArguments(0, [3 << 30], zeroes=True, flags=FUA | MAY_UNMAP),
        ),
        ("aio_write -z -P 3 0 1", VectorArguments(0, [1], zeroes=True)),
        ("aio_write -i", VectorArguments(invalid=True)),
        ("discard -Cq 0 4k", RangeArguments(0, 4096, quiet=True, terse=True)),
    ],
)
def test_words_become_what_is_to_be_done(line: str, expected: object) -> None:
    assert parse(line) == expected


def test_a_part_of_what_is_read_may_be_checked() -> None:
    arguments = parse("read -P 1 -s 512 -l 1k 0 4k")
    assert isinstance(arguments, ReadArguments)
    assert (arguments.pattern_offset, arguments.pattern_length) == (512, 1024)


def test_without_a_length_everything_behind_the_start_is_checked() -> None:
    arguments = parse("read -P 1 -s 512 0 4k")
    assert isinstance(arguments, ReadArguments)
    assert (arguments.pattern_offset, arguments.pattern_length) == (512, 3584)


@pytest.mark.parametrize(
    "line",
    [
        "read 0",
        "read 0 1 2",
        "read -l 1 0 1",
        "read -s 1 0 1",
        "readv 0",
        "write 0 1 2",
        "write -bz 0",
        "writev 0",
        "aio_read 0",
        "aio_write -z 0",
        "discard 0",
        "discard 0 1 2",
    ],
)
def test_a_wrong_number_of_operands_shows_the_usage(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(line)
    assert str(caught.value) == ""


@pytest.mark.parametrize("command", sorted(PARSERS))
def test_an_unknown_option_is_told_in_the_command_s_name(command: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(f"{command} -Z 0 1")
    assert str(caught.value) == f"{command}: invalid option -- 'Z'"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("read -P 256 x y", "256 is not a valid pattern byte"),
        ("read 0 2G", "length cannot exceed 2147483136, given 2G"),
        ("read -P 1 -s 5 0 4", "pattern verification range exceeds end of read data"),
        ("read -P 1 -s 1 -l 4 0 4", "pattern verification range exceeds end of read data"),
        ("read -b 1 512", "1 is not a sector-aligned value for 'offset'"),
        ("read -b 512 1", "1 is not a sector-aligned value for 'count'"),
        ("write -bz x 1", "-b and -z cannot be specified at the same time"),
        ("write -fb 0 1", "-f and -b or -c cannot be specified at the same time"),
        ("write -fc 0 1", "-f and -b or -c cannot be specified at the same time"),
        ("write -n 0 1", "-n requires -z to be specified"),
        ("write -un 0 1", "-n requires -z to be specified"),
        ("write -u 0 1", "-u requires -z to be specified"),
        ("write -zP1 0 1", "Only one of -z, -P, and -s can be specified at the same time"),
        ("write -s f -P1 0 1", "Only one of -z, -P, and -s can be specified at the same time"),
        ("write 0 2G", "length cannot exceed 2147483136 without -n, given 2G"),
        ("write -c 0 1", "1 is not a sector-aligned value for 'count'"),
        ("aio_write -z 0 1 1", "-z supports only a single length parameter"),
        ("aio_write -u 0 1", "-u requires -z to be specified"),
        ("discard 0 2G", "length cannot exceed 2147483136, given 2G"),
        ("readv 0 2G", "Argument '2G' exceeds maximum size 2147483136"),
    ],
)
def test_what_makes_no_sense_is_told_in_qemu_s_words(line: str, message: str) -> None:
    with pytest.raises(BlockError) as caught:
        parse(line)
    assert str(caught.value) == message


def test_the_first_mistake_counts() -> None:
    with pytest.raises(OptionError, match=r"^999 is not a"):
        parse("read -P 999 -Z 0 1")
    with pytest.raises(UsageError):
        parse("read -Z -P 999 0 1")
