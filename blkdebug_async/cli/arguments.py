"""What the words of an I/O command ask for; each check in QEMU's order, as it decides the message.

QEMU 7.2: qemu-io-cmds.c, read_f() and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from blkdebug_async.block.flags import FUA, MAY_UNMAP, NO_FALLBACK
from blkdebug_async.cli.failures import CommandFailed, UsageError
from blkdebug_async.cli.getopt import Getopt
from blkdebug_async.cli.parse import parse_lengths, parse_pattern, parse_size
from blkdebug_async.options.tree import Warn
from blkdebug_async.units import MAX_REQUEST, SECTOR_SIZE, is_aligned

#: What a write puts down, and what a buffer holds before a read.
WRITE_PATTERN: Final = 0xCD
READ_PREFILL: Final = 0xAB


class ReadArguments(NamedTuple):
    """Of read."""

    offset: int
    length: int
    #: What the bytes should be; None: anything.
    pattern: int | None
    #: Where that starts, in bytes from offset, and its length.
    pattern_offset: int
    pattern_length: int
    vmstate: bool
    dump: bool
    quiet: bool
    terse: bool


class WriteArguments(NamedTuple):
    """Of write."""

    offset: int
    length: int
    pattern: int
    #: Name of a file whose content is written, over and over; None: the pattern.
    source: str | None
    zeroes: bool
    compressed: bool
    vmstate: bool
    #: FUA, MAY_UNMAP, NO_FALLBACK.
    flags: int
    quiet: bool
    terse: bool


class VectorArguments(NamedTuple):
    """Of readv, writev, aio_read and aio_write."""

    offset: int = 0
    lengths: Sequence[int] = ()
    #: What is written, or should be read; None: the usual, or anything.
    pattern: int | None = None
    zeroes: bool = False
    #: FUA, MAY_UNMAP.
    flags: int = 0
    dump: bool = False
    quiet: bool = False
    terse: bool = False
    #: Only count an invalid request.
    invalid: bool = False

    @property
    def total(self) -> int:
        """Bytes in all buffers."""
        return sum(self.lengths)


class RangeArguments(NamedTuple):
    """Of discard."""

    offset: int
    length: int
    quiet: bool
    terse: bool


class Given:
    """The options and operands of one command.

    Args:
        words: The command and what follows it.
        letters: Its options, as for Getopt.
        readers: How the arguments of some options are read; others stay text.
        last: A letter after which nothing is looked at any more.

    Raises:
        UsageError: An option is unknown or lacks its argument.
        OptionError: An argument makes no sense.
    """

    def __init__(
        self,
        words: Sequence[str],
        letters: str,
        readers: Mapping[str, Callable[[str], int]],
        *,
        last: str = "",
    ) -> None:
        self._options = Getopt(words[0], words[1:], letters)
        self.texts: dict[str, str] = {}
        self.numbers: dict[str, int] = {}
        for letter, value in self._options:
            self.texts[letter] = value
            if letter in readers:
                self.numbers[letter] = readers[letter](value)
            if letter == last:
                return

    @property
    def operands(self) -> list[str]:
        """Words that are no options."""
        return self._options.operands

    @property
    def first_word(self) -> str:
        """What stands first once the options stand before the operands."""
        return [*self._options.taken, *self._options.operands][0]

    def has(self, letter: str) -> bool:
        """Tell whether an option was given."""
        return letter in self.texts

    def flags(self, table: Mapping[str, int]) -> int:
        """Join the bits of the options that were given."""
        return sum(bit for letter, bit in table.items() if letter in self.texts)


def parse_read(words: Sequence[str], warn: Warn) -> ReadArguments:
    """Understand read.

    Raises:
        UsageError: There are too many or too few operands, or -l or -s without -P.
        OptionError: A number or a combination makes no sense.
    """
    given = Given(
        words,
        "bCl:pP:qs:v",
        {"l": _size_reader(warn), "s": _size_reader(warn), "P": parse_pattern},
    )
    offset, length = _offset_and_length(given, warn)
    if length > MAX_REQUEST:
        raise _too_long("", given.operands[1])
    if not given.has("P") and (given.has("l") or given.has("s")):
        raise UsageError
    start = given.numbers.get("s", 0)
    count = given.numbers.get("l", length - start)
    if count < 0 or start + count > length:
        raise CommandFailed("pattern verification range exceeds end of read data")
    if given.has("b"):
        _check_sectors(offset, length)
    return ReadArguments(
        offset,
        length,
        given.numbers.get("P"),
        start,
        count,
        vmstate=given.has("b"),
        dump=given.has("v"),
        quiet=given.has("q"),
        terse=given.has("C"),
    )


def parse_write(words: Sequence[str], warn: Warn) -> WriteArguments:
    """Understand write.

    Raises:
        UsageError: There are too many or too few operands.
        OptionError: A number or a combination makes no sense.
    """
    given = Given(words, "bcCfnpP:qs:uz", {"P": parse_pattern})
    if len(given.operands) != 2:
        raise UsageError
    _check_write_options(given)
    offset, length = _offset_and_length(given, warn)
    if length > MAX_REQUEST and not given.has("n"):
        raise _too_long(" without -n", given.operands[1])
    if given.has("b") or given.has("c"):
        _check_sectors(offset, length)
    return WriteArguments(
        offset,
        length,
        given.numbers.get("P", WRITE_PATTERN),
        given.texts.get("s"),
        zeroes=given.has("z"),
        compressed=given.has("c"),
        vmstate=given.has("b"),
        flags=given.flags({"f": FUA, "u": MAY_UNMAP, "n": NO_FALLBACK}),
        quiet=given.has("q"),
        terse=given.has("C"),
    )


def _check_write_options(given: Given) -> None:
    if given.has("b") and given.has("z"):
        raise CommandFailed("-b and -z cannot be specified at the same time")
    if given.has("f") and (given.has("b") or given.has("c")):
        raise CommandFailed("-f and -b or -c cannot be specified at the same time")
    for letter in ("n", "u"):
        if given.has(letter) and not given.has("z"):
            raise CommandFailed(f"-{letter} requires -z to be specified")
    if sum(given.has(letter) for letter in "zPs") > 1:
        raise CommandFailed("Only one of -z, -P, and -s can be specified at the same time")


def parse_readv(words: Sequence[str], warn: Warn) -> VectorArguments:
    """Understand readv; raises as parse_read() does."""
    return _vector(Given(words, "CP:qv", {"P": parse_pattern}), warn)


def parse_writev(words: Sequence[str], warn: Warn) -> VectorArguments:
    """Understand writev; raises as parse_read() does."""
    return _vector(Given(words, "CfP:q", {"P": parse_pattern}), warn)


def parse_aio_read(words: Sequence[str], warn: Warn) -> VectorArguments:
    """Understand aio_read; raises as parse_read() does."""
    given = Given(words, "CiP:qv", {"P": parse_pattern}, last="i")
    return VectorArguments(invalid=True) if given.has("i") else _vector(given, warn)


def parse_aio_write(words: Sequence[str], warn: Warn) -> VectorArguments:
    """Understand aio_write; raises as parse_read() does.

    Of -z and -P together the first wins silently, as in QEMU 7.2, which looks for a flag that it
    never sets.
    """
    given = Given(words, "CfiP:quz", {"P": parse_pattern}, last="i")
    if given.has("i"):
        return VectorArguments(invalid=True)
    if len(given.operands) < 2:
        raise UsageError
    if given.has("z") and len(given.operands) != 2:
        raise CommandFailed("-z supports only a single length parameter")
    if given.has("u") and not given.has("z"):
        raise CommandFailed("-u requires -z to be specified")
    if not given.has("z"):
        return _vector(given, warn)
    offset, length = _offset_and_length(given, warn)
    return VectorArguments(
        offset,
        [length],
        zeroes=True,
        flags=given.flags({"f": FUA, "u": MAY_UNMAP}),
        quiet=given.has("q"),
        terse=given.has("C"),
    )


def _vector(given: Given, warn: Warn) -> VectorArguments:
    if len(given.operands) < 2:
        raise UsageError
    return VectorArguments(
        parse_size(given.operands[0], warn),
        parse_lengths(given.operands[1:], warn),
        given.numbers.get("P"),
        flags=given.flags({"f": FUA}),
        dump=given.has("v"),
        quiet=given.has("q"),
        terse=given.has("C"),
    )


def parse_discard(words: Sequence[str], warn: Warn) -> RangeArguments:
    """Understand discard; raises as parse_read() does."""
    given = Given(words, "Cq", {})
    offset, length = _offset_and_length(given, warn)
    if length > MAX_REQUEST:
        raise _too_long("", given.operands[1])
    return RangeArguments(offset, length, quiet=given.has("q"), terse=given.has("C"))


def _offset_and_length(given: Given, warn: Warn) -> tuple[int, int]:
    if len(given.operands) != 2:
        raise UsageError
    offset, length = given.operands
    return parse_size(offset, warn), parse_size(length, warn)


def _size_reader(warn: Warn) -> Callable[[str], int]:
    return lambda text: parse_size(text, warn)


def _too_long(unless: str, text: str) -> CommandFailed:
    return CommandFailed(f"length cannot exceed {MAX_REQUEST}{unless}, given {text}")


def _check_sectors(offset: int, length: int) -> None:
    for name, value in (("offset", offset), ("count", length)):
        if not is_aligned(value, SECTOR_SIZE):
            raise CommandFailed(f"{value} is not a sector-aligned value for '{name}'")
