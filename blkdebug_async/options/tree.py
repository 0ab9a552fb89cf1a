"""Option trees: flat dictionaries with dotted keys, and their other forms.

Every option of every node of a disk is one entry, `image.file.filename`, and keeps the type in
which it was given: text on a command line, anything in JSON or in Python. QEMU calls this a flat
QDict. What an option means is the reader's business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import lru_cache
from types import NoneType
from typing import Final, TypeAlias, TypeGuard

from blkdebug_async.errors import OptionError
from blkdebug_async.units import INT64_MAX

_HASH_BUCKETS: Final = 512
_UINT32_MASK: Final = (1 << 32) - 1
_BLANKS: Final = " \t\n\v\f\r"
#: So many keys have their order remembered.
_FEW: Final = 16
#: What C's strtoll() takes for a whole number.
_INDEX: Final = re.compile(rf"[{_BLANKS}]*[+-]?[0-9]+")
#: More digits than any number here has. Python refuses to read more than 4300, or what it is told.
_DIGITS_MAX: Final = 40
#: How deep containers may be in each other.
MAX_NESTING: Final = 128


class Empty(Enum):
    """A container with nothing in it: flattening has no keys to give it, so it stays a value."""

    LIST = "[]"
    DICT = "{}"


Scalar: TypeAlias = str | int | float | bool | Empty | None
#: Dotted key to value.
Options: TypeAlias = dict[str, Scalar]
#: What JSON, YAML or a Python program gives.
Nested: TypeAlias = Scalar | Mapping[str, "Nested"] | Sequence["Nested"]
#: Takes a warning: one line, or a line and its advice.
Warn: TypeAlias = Callable[[str], None]
#: What is surely no container; asking Mapping and Sequence takes ten times as long.
_SCALARS: Final = (str, int, float, NoneType, Empty)


def ignore_warning(_message: str) -> None:
    """Take a warning and say nothing."""


def parse_decimal(text: str) -> int:
    """Read decimal digits, after a sign or none; from 2^128 on, any number as large will do."""
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-").lstrip("0") or "0"
    return sign * (int(digits) if len(digits) < _DIGITS_MAX else 10**_DIGITS_MAX)


def encode(text: str) -> bytes:
    """Give the bytes of text as file names have them.

    Half a surrogate pair, which is in no file name, becomes three bytes that are no UTF-8.
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def qemu_order(keys: Iterable[str]) -> list[str]:
    """Sort keys into the order in which QEMU walks a dictionary.

    It decides which of several mistakes is reported, and the order of names in a json: file name.
    Keys with the same hash come latest first.

    QEMU: qobject/qdict.c, qdict_first().
    """
    given = tuple(keys)
    if len(given) < 2:
        return list(given)
    return list(_order_of_few(given)) if len(given) <= _FEW else _sort(given)


# The same few names come with every node that is opened.
@lru_cache(maxsize=512)
def _order_of_few(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(_sort(keys))


def _sort(keys: tuple[str, ...]) -> list[str]:
    latest_first = keys[::-1]
    return sorted(latest_first, key=_bucket)


def _bucket(key: str) -> int:
    data = encode(key)
    value = 0x238F13AF * len(data)
    for index, byte in enumerate(data):
        value += byte << (index * 5 % 24)
    return ((1103515243 * value + 12345) & _UINT32_MASK) % _HASH_BUCKETS


def flatten(tree: Mapping[str, Nested]) -> Options:
    """Turn nested mappings and sequences into dotted keys; an element's key is its index.

    Args:
        tree: Any nesting. Keys that have dots already are taken as they are; a nested value wins
            over a dotted key that says the same.

    Raises:
        OptionError: EINVAL; a value is of a type that no option has, a key is no text, or
            containers are more than MAX_NESTING deep in each other.

    QEMU: qobject/block-qdict.c, qdict_flatten().
    """
    options: Options = {}
    nested: list[tuple[str, Nested]] = []
    for key, value in tree.items():
        _check_key(key)
        if isinstance(value, _SCALARS):
            options[key] = value
        elif isinstance(value, Mapping) or _is_sequence(value):
            nested.append((key, value))
        else:
            raise _unknown_type(key, value)
    for key, value in nested:
        _flatten_into(options, key, value, MAX_NESTING)
    return options


def _is_sequence(value: object) -> TypeGuard[Sequence[Nested]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def _check_key(key: object) -> None:
    if not isinstance(key, str):
        raise OptionError(f"The option name {key!r} is no text")


def _flatten_into(options: Options, key: str, value: Nested, levels: int) -> None:
    if not levels:
        raise OptionError(f"Options are nested too deeply: {key[:20]}...")
    if isinstance(value, _SCALARS):
        options[key] = value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            _check_key(name)
            _flatten_into(options, f"{key}.{name}", item, levels - 1)
        if not value:
            options[key] = Empty.DICT
    elif _is_sequence(value):
        for index, item in enumerate(value):
            _flatten_into(options, f"{key}.{index}", item, levels - 1)
        if not value:
            options[key] = Empty.LIST
    else:
        raise _unknown_type(key, value)


def _unknown_type(key: str, value: object) -> OptionError:
    return OptionError(f"Option '{key}' has a value of unknown type: {value!r}")


def nest(options: Mapping[str, Scalar]) -> Nested:
    """Turn dotted keys back into dictionaries and lists; two dots stand for one in a name.

    Raises:
        OptionError: EINVAL; keys contradict each other, or a list has gaps.

    QEMU: qobject/block-qdict.c, qdict_crumple().
    """
    leaves: dict[str, Scalar] = {}
    branches: dict[str, Options] = {}
    for key in qemu_order(options):
        name, rest = _split_key(key)
        if name in leaves or (rest is None and name in branches):
            raise OptionError("Cannot mix scalar and non-scalar keys")
        if rest is None:
            leaves[name] = options[key]
        else:
            branches.setdefault(name, {})[rest] = options[key]
    tree: dict[str, Nested] = {name: _grow(value) for name, value in leaves.items()}
    tree.update((name, nest(branch)) for name, branch in branches.items())
    return _as_list(tree) if _is_list(tree) else tree


def _grow(value: Scalar) -> Nested:
    match value:
        case Empty.LIST:
            return []
        case Empty.DICT:
            return {}
        case _:
            return value


def _split_key(key: str) -> tuple[str, str | None]:
    # A pair of dots is skipped as a whole, so of three dots the last one separates.
    start = 0
    while (dot := key.find(".", start)) >= 0:
        if key[dot + 1 : dot + 2] != ".":
            return key[:dot].replace("..", "."), key[dot + 1 :]
        start = dot + 2
    return key.replace("..", "."), None


def _is_list(tree: Mapping[str, Nested]) -> bool:
    indices = [index for key in tree if (index := _as_index(key)) is not None]
    if not indices:
        return False
    if len(indices) != len(tree):
        raise OptionError("Cannot mix list and non-list keys")
    largest = max(*indices, -1)
    if len(indices) != largest + 1:
        raise OptionError(
            "List indices are not contiguous, "
            f"saw {len(indices)} elements but {largest} largest index"
        )
    return True


def _as_index(key: str) -> int | None:
    if _INDEX.fullmatch(key) is None:
        return None
    index = parse_decimal(key.lstrip(_BLANKS))
    return index if -INT64_MAX <= index <= INT64_MAX else None


def _as_list(tree: Mapping[str, Nested]) -> list[Nested]:
    for index in range(len(tree)):
        # "01" and "+1" count as indices, but no element is found by such a name.
        if str(index) not in tree:
            raise OptionError(f"Missing list index {index}")
    return [tree[str(index)] for index in range(len(tree))]


def extract(options: Options, prefix: str) -> Options:
    """Move all options that start with a prefix into a tree of their own, without the prefix.

    Args:
        options: Loses what is moved.
        prefix: Usually ends in a dot.
    """
    keys = [key for key in options if key.startswith(prefix)]
    start = len(prefix)
    # In QEMU's order, because that decides the order of equal hashes in the new tree.
    return {key[start:]: options.pop(key) for key in qemu_order(keys)}


def drop_child(options: Options, name: str) -> None:
    """Forget what a tree says about a child: its reference and all below its name."""
    options.pop(name, None)
    prefix = f"{name}."
    for key in [key for key in options if key.startswith(prefix)]:
        del options[key]


def merge(explicit: Options, weaker: Mapping[str, Scalar]) -> Options:
    """Join two trees; where both have a key, the explicit one says what it is.

    QEMU: qobject/block-qdict.c, qdict_join(). It serves json: names, whose options are weaker.
    """
    added = [key for key in weaker if key not in explicit]
    return explicit | {key: weaker[key] for key in qemu_order(added)}


def clone(options: Options) -> Options:
    """Copy a tree as QEMU does, which turns the order of keys with the same hash around.

    QEMU: qobject/qdict.c, qdict_clone_shallow().
    """
    return {key: options[key] for key in qemu_order(options)}


def parse_comma(text: str, *, warn: Warn = ignore_warning, allow_id: bool = True) -> Options:
    """Read `key=value,key=value`, as --image-opts and -o give it.

    Two commas are one in a value, but not in a key. A key without value is switched on, or off if
    it starts with `no`, whatever the rest of its name is. Of a repeated key the last value counts,
    but of `id` the first.

    Args:
        text: The options; a comma at the end is harmless.
        warn: Hears of each key without value; two lines.
        allow_id: False where an id makes no sense.

    Raises:
        OptionError: EINVAL; the id is not allowed or not an identifier.

    QEMU: util/qemu-option.c, qemu_opts_parse_noisily().
    """
    words = list(_split_words(text))
    options: Options = {}
    ids = [value for name, value, _ in words if name == "id"]
    if ids:
        options["id"] = check_id(ids[0]) if allow_id else _refuse_id()
    for name, value, word in words:
        if word is not None and word not in ("help", "?"):
            warn(_short_form_warning(name, value, word))
        if name != "id":
            options[name] = value
    return options


def _split_words(text: str) -> Iterable[tuple[str, str, str | None]]:
    # Gives name, value and, where the value is implied, the word that implies it.
    position = 0
    while position < len(text):
        end = next((i for i in range(position, len(text)) if text[i] in "=,"), len(text))
        word = text[position:end]
        if text[end : end + 1] == "=":
            value, position = _scan_value(text, end + 1)
            yield word, value, None
        else:
            position = end + 1
            off = word.startswith("no")
            yield (word[2:], "off", word) if off else (word, "on", word)


def _scan_value(text: str, position: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        comma = text.find(",", position)
        end = comma if comma >= 0 else len(text)
        parts.append(text[position:end])
        if text[end + 1 : end + 2] != ",":
            return ",".join(parts), end + 1
        position = end + 2


def _short_form_warning(name: str, value: str, word: str) -> str:
    if name == "delay":
        # The one option whose own name starts with the letters that mean off.
        name, value = "nodelay", "on" if value == "off" else "off"
    return f"short-form boolean option '{word}' deprecated\nPlease use {name}={value} instead"


def check_id(text: str) -> str:
    """Give back a name that starts with a letter and has only letters, digits, `-`, `.`, `_`.

    Raises:
        OptionError: EINVAL; it does not.
    """
    if text[:1].isalpha() and text.isascii() and all(c.isalnum() or c in "-._" for c in text):
        return text
    raise OptionError(
        "Parameter 'id' expects an identifier",
        hint="Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.",
    )


def _refuse_id() -> Scalar:
    raise OptionError("Invalid parameter 'id'")


def as_text(value: Scalar) -> str | None:
    """Say a value as it would be typed; None for null and for empty containers.

    QEMU: util/qemu-option.c, qemu_opts_from_qdict_entry().
    """
    match value:
        case str():
            return value
        case bool():
            return "on" if value else "off"
        case int():
            return str(value)
        case float():
            return f"{value:.17g}"
        case _:
            return None
