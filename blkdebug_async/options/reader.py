"""Options are taken by type here, and what nobody took is complained about.

A driver takes what it knows out of a tree; numbers, sizes and switches may be text or typed. The
functions that read one value are here too, because others (rules in files, a command line) have
values that are in no tree.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar, assert_never

from blkdebug_async.errors import OptionError
from blkdebug_async.options.tree import (
    Empty,
    Nested,
    Options,
    Scalar,
    Warn,
    as_text,
    extract,
    ignore_warning,
    nest,
    parse_decimal,
    qemu_order,
)

_UINT64: Final = 1 << 64
_SUFFIXES: Final = "BKMGTPE"
#: Switches as text. QEMU: qapi/qapi-util.c, qapi_bool_parse().
_BOOLS: Final = {
    **dict.fromkeys(("on", "yes", "true", "y"), True),
    **dict.fromkeys(("off", "no", "false", "n"), False),
}
_BLANK: Final = r"[ \t\n\v\f\r]*"
# Compiled when they are used first: many runs have no number among their options.
_INTEGER: Final = (
    rf"{_BLANK}(?P<sign>[+-]?)"
    r"(?:0[xX](?P<hex>[0-9a-fA-F]+)|0(?P<octal>[0-7]*)|(?P<decimal>[1-9][0-9]*))"
)
_SIZE: Final = (
    rf"{_BLANK}(?P<sign>[+-]?)(?P<digits>0[xX](?P<hex>[0-9a-fA-F]+)|(?P<whole>[0-9]+))"
    rf"(?P<fraction>\.[0-9]*)?"
    rf"(?P<suffix>[{_SUFFIXES}{_SUFFIXES.lower()}]?)(?P<rest>.*)"
)

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


class Kind(StrEnum):
    """How the text of an option is read."""

    STR = "str"
    BOOL = "bool"
    NUMBER = "number"
    SIZE = "size"


class Fault(StrEnum):
    """Why a text is no number."""

    MALFORMED = "malformed"
    TOO_LARGE = "too large"


def scan_size(text: str, *, warn: Warn = ignore_warning) -> int | Fault:
    """Read a size: decimal or 0x, with one letter for a power of 1024, possibly with a fraction.

    Args:
        text: The size; a fraction needs a letter above B and is rounded, half upwards.
        warn: Hears of a hexadecimal number with a letter.

    Returns:
        Bytes below 2^64, or what is wrong.

    QEMU 7.2: util/cutils.c, qemu_strtosz().
    """
    match = re.match(_SIZE, text, re.DOTALL)
    if match is None:
        return Fault.MALFORMED
    whole = int(match["hex"], 16) if match["hex"] else parse_decimal(match["whole"])
    is_negative = match["sign"] == "-"
    if whole >= _UINT64 and not (is_negative and match["hex"]):
        # C has stopped after the digits, and so anything that follows is too much.
        return Fault.MALFORMED if text[match.end("digits") :] else Fault.TOO_LARGE
    if is_negative:
        return Fault.MALFORMED
    if match["hex"] and match["fraction"]:
        return Fault.MALFORMED
    if match["hex"] and match["suffix"]:
        warn(f"Using a multiplier suffix on hex numbers is deprecated: {text}")
    size = _scale(whole, match["fraction"], match["suffix"].upper() or "B")
    if match["rest"]:
        return Fault.MALFORMED
    return size


def _scale(whole: int, fraction: str | None, suffix: str) -> int | Fault:
    # 64 bits after the point; a fraction that rounds to one is lost, as in QEMU.
    parts = int(float(f"0{fraction or '.'}0") * _UINT64) % _UINT64
    if suffix == "B":
        return Fault.MALFORMED if parts else whole
    size = ((whole * _UINT64 + parts) * 1024 ** _SUFFIXES.index(suffix) + _UINT64 // 2) // _UINT64
    return size if size < _UINT64 else Fault.TOO_LARGE


def scan_number(text: str) -> int | Fault:
    """Read an integer as C does with base 0: decimal, 0x, or octal after a 0.

    Returns:
        0 to 2^64-1; a negative number counts from 2^64 downwards, as in QEMU.

    QEMU: util/cutils.c, qemu_strtou64().
    """
    match = re.fullmatch(_INTEGER, text)
    if match is None:
        return Fault.MALFORMED
    if match["hex"]:
        number = int(match["hex"], 16)
    elif match["decimal"]:
        number = parse_decimal(match["decimal"])
    else:
        number = int(match["octal"] or "0", 8)
    if number >= _UINT64:
        return Fault.TOO_LARGE
    return -number % _UINT64 if match["sign"] == "-" else number


def parse_size(name: str, text: str, *, warn: Warn = ignore_warning) -> int:
    """Read the size that an option has, as scan_size() does.

    Raises:
        OptionError: EINVAL; it is none.

    QEMU: util/qemu-option.c, parse_option_size().
    """
    match scan_size(text, warn=warn):
        case Fault.TOO_LARGE:
            raise OptionError(f"Value '{text}' is out of range for parameter '{name}'")
        case Fault.MALFORMED:
            raise OptionError(
                f"Parameter '{name}' expects a non-negative number below 2^64",
                hint="Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
                "and exabytes, respectively.",
            )
        case size:
            return size


def parse_number(name: str, text: str) -> int:
    """Read the number that an option has, as scan_number() does.

    Raises:
        OptionError: EINVAL; it is none.

    QEMU: util/qemu-option.c, parse_option_number().
    """
    match scan_number(text):
        case Fault.TOO_LARGE:
            raise OptionError(f"Value '{text}' is too large for parameter '{name}'")
        case Fault.MALFORMED:
            raise OptionError(f"Parameter '{name}' expects a number")
        case number:
            return number


def parse_bool(name: str, text: str) -> bool:
    """Read the switch that an option is.

    Raises:
        OptionError: EINVAL; it is neither on nor off, in whatever spelling.
    """
    if text not in _BOOLS:
        raise OptionError(f"Parameter '{name}' expects 'on' or 'off'")
    return _BOOLS[text]


def parse_enum(text: str, allowed: type[E] | Iterable[E]) -> E:
    """Find the member that is spelt so.

    Raises:
        OptionError: EINVAL; there is none.

    QEMU: qapi/qapi-util.c, qapi_enum_parse().
    """
    members = tuple(allowed)
    if text not in members:
        raise OptionError(f"invalid parameter value: {text}")
    return members[members.index(text)]


def check_value(name: str, text: str, kind: Kind) -> None:
    """Refuse a text that is not of a kind.

    Raises:
        OptionError: EINVAL; it is not.
    """
    match kind:
        case Kind.SIZE:
            parse_size(name, text)
        case Kind.NUMBER:
            parse_number(name, text)
        case Kind.BOOL:
            parse_bool(name, text)
        case Kind.STR:
            pass
        case _:
            assert_never(kind)


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """How a node says what one of its children is."""

    #: The child's key in the parent's tree.
    name: str
    #: Name of a node that exists already.
    reference: str | None
    #: File name that did not come as an option.
    filename: str | None
    options: Options


class OptionReader:
    """Takes options out of a tree.

    Args:
        options: The tree; what is taken leaves it.
        driver: Name of the driver, for complaints.
        is_protocol: Whether the driver is at the bottom or stands for a protocol; filters that can
            be named by a prefix, such as blkdebug, do. Only a complaint's wording depends on it.
        warn: Hears of questionable values.
    """

    def __init__(
        self,
        options: Options,
        *,
        driver: str,
        is_protocol: bool = True,
        warn: Warn = ignore_warning,
    ) -> None:
        self._options = options
        self._driver = driver
        self._is_protocol = is_protocol
        self._warn = warn

    def check(self, kinds: Mapping[str, Kind]) -> None:
        """Refuse values of the wrong kind; of several, the one that QEMU meets first.

        Drivers call it before they take anything.

        QEMU: util/qemu-option.c, qemu_opts_absorb_qdict().
        """
        options = self._options
        doubtful = [
            key for key in options if key in kinds and not _is_fine(options[key], kinds[key])
        ]
        for key in qemu_order(doubtful):
            text = as_text(options[key])
            if text is not None:
                check_value(key, text, kinds[key])

    def _take(self, name: str) -> str | None:
        return as_text(self._options.pop(name, None))

    def take_str(self, name: str, default: T) -> str | T:
        """Take a text; numbers and switches count as what one would have typed."""
        if name not in self._options:
            return default
        text = self._take(name)
        return default if text is None else text

    def take_size(self, name: str, default: T) -> int | T:
        """Take a size in bytes, as scan_size() reads it."""
        if name not in self._options:
            return default
        value = self._options.pop(name)
        if type(value) is int and 0 <= value < _UINT64:
            return value
        text = as_text(value)
        return default if text is None else parse_size(name, text, warn=self._warn)

    def take_number(self, name: str, default: T) -> int | T:
        """Take a number, as scan_number() reads it."""
        if name not in self._options:
            return default
        value = self._options.pop(name)
        if type(value) is int and 0 <= value < _UINT64:
            return value
        text = as_text(value)
        return default if text is None else parse_number(name, text)

    def take_bool(self, name: str, default: T) -> bool | T:
        """Take a switch."""
        if name not in self._options:
            return default
        value = self._options.pop(name)
        if isinstance(value, bool):
            return value
        text = as_text(value)
        return default if text is None else parse_bool(name, text)

    def take_enum(self, name: str, allowed: type[E] | Iterable[E], default: T) -> E | T:
        """Take one of several words."""
        if name not in self._options:
            return default
        text = self._take(name)
        return default if text is None else parse_enum(text, allowed)

    def take_child(self, name: str, *, filename: str | None = None) -> ChildOptions:
        """Take everything that says what a child is.

        Args:
            name: Its key; `NAME=NODE` refers to a node, `NAME.KEY=VALUE` is an option of the child.
            filename: Its file name, if the parent knows it by other means.

        Raises:
            OptionError: EINVAL; nothing says what it is, or two things do.

        QEMU: block.c, bdrv_open_child().
        """
        child = self.take_optional_child(name, filename=filename)
        if child is None:
            raise OptionError(f'A block device must be specified for "{name}"')
        return child

    def take_optional_child(self, name: str, *, filename: str | None = None) -> ChildOptions | None:
        """Take a child as take_child() does, or None if nothing says what it is."""
        options = extract(self._options, f"{name}.")
        reference = self._options.pop(name, None)
        if not isinstance(reference, str):
            # A number or a null here is as good as nothing.
            reference = None
        if reference is None and filename is None and not options:
            return None
        if reference is not None and (filename is not None or options):
            raise OptionError(
                "Cannot reference an existing block device with additional options or a new "
                "filename"
            )
        return ChildOptions(name, reference, filename, options)

    def take_all(self, prefixes: tuple[str, ...]) -> Options:
        """Take all options that start with any of these, in their order and under their names."""
        options = self._options
        keys = [key for key in options if key.startswith(prefixes)]
        return {key: options.pop(key) for key in keys}

    def take_rules(
        self, group: str, kinds: Mapping[str, Kind], *, taken_ids: Collection[str] = ()
    ) -> list[OptionReader]:
        """Take `GROUP.KEY` (one rule) or `GROUP.INDEX.KEY` (as many as there are).

        Args:
            group: What kind of rule.
            kinds: The keys that a rule may have.
            taken_ids: Ids that sections of a config file in this group have.

        Returns:
            A reader for each rule, in which only known keys are, all of the right kind.

        Raises:
            OptionError: EINVAL; a key is unknown, an index missing, or a value of the wrong kind.

        QEMU: util/qemu-config.c, qemu_config_parse_qdict().
        """
        options = extract(self._options, f"{group}.")
        if not options:
            return []
        single = self._split_known(options, kinds)
        if single and options:
            raise OptionError(f"Unknown option '{_first(options)}' for [{group}]")
        if single:
            return [self._rule(single)]
        elements = _take_elements(options)
        if options:
            raise OptionError(f"Unused option '{_first(options)}' for [{group}]")
        rules = []
        for index, element in enumerate(elements):
            if element is None:
                raise OptionError(f"[{group}] section (index {index}) does not consist of keys")
            if f"{group}.{index}" in taken_ids:
                raise OptionError(f"Duplicate ID '{group}.{index}' for {group}")
            rule = self._split_known(element, kinds)
            if element:
                raise OptionError(
                    f"[{group}] section doesn't support the option '{_first(element)}'"
                )
            rules.append(self._rule(rule))
        return rules

    def _split_known(self, options: Options, kinds: Mapping[str, Kind]) -> Options:
        self._rule(options).check(kinds)
        return {key: options.pop(key) for key in list(options) if key in kinds}

    def _rule(self, options: Options) -> OptionReader:
        return OptionReader(options, driver=self._driver, warn=self._warn)

    def take_string_list(self, name: str, allowed: Iterable[str]) -> list[str]:
        """Take `NAME.0`, `NAME.1`, ..., each one of several words.

        Raises:
            OptionError: EINVAL; it is no list, or a word is unknown.

        QEMU: block/blkdebug.c, blkdebug_parse_perm_list().
        """
        options = extract(self._options, f"{name}.")
        if not options:
            return []
        words = nest(options)
        if not isinstance(words, list):
            raise OptionError("Invalid parameter type for '<anonymous>', expected: array")
        known = tuple(allowed)
        return [_check_word(index, word, known) for index, word in enumerate(words)]

    def rest(self) -> list[str]:
        """Name what nobody took, in the order in which QEMU would complain."""
        return qemu_order(self._options)

    def finish(self) -> None:
        """Complain about what nobody took.

        Raises:
            OptionError: EINVAL; there is such an option.

        QEMU: block.c, bdrv_open_inherit().
        """
        rest = self.rest()
        if rest and self._is_protocol:
            raise OptionError(
                f"Block protocol '{self._driver}' doesn't support the option '{rest[0]}'"
            )
        if rest:
            raise OptionError(
                f"Block format '{self._driver}' does not support the option '{rest[0]}'"
            )


def _is_fine(value: Scalar, kind: Kind) -> bool:
    """Tell, without reading any text, whether a value is surely of a kind."""
    if kind is Kind.STR or value is None:
        return True
    if isinstance(value, bool):
        return kind is Kind.BOOL
    return isinstance(value, int) and kind is not Kind.BOOL and 0 <= value < _UINT64


def _first(options: Options) -> str:
    return qemu_order(options)[0]


def _take_elements(options: Options) -> list[Options | None]:
    # None stands for an element that has no keys because it is no dictionary. An index with both
    # a value and keys of its own ends the list, as a missing one does.
    below: dict[str, list[str]] = {}
    for key in options:
        index, dot, _ = key.partition(".")
        if dot:
            below.setdefault(index, []).append(key)
    elements: list[Options | None] = []
    while True:
        index = str(len(elements))
        keys = below.get(index)
        if (keys is not None) == (index in options):
            return elements
        if keys is None:
            elements.append({} if options.pop(index) is Empty.DICT else None)
        else:
            start = len(index) + 1
            elements.append({key[start:]: options.pop(key) for key in qemu_order(keys)})


def _check_word(index: int, word: Nested, allowed: Collection[str]) -> str:
    if not isinstance(word, str):
        raise OptionError(f"Invalid parameter type for '[{index}]', expected: string")
    if word not in allowed:
        raise OptionError(f"Parameter 'null' does not accept value '{word}'")
    return word
