"""`type,key=value,key.sub=value`, as --object has it.

Stricter than what --image-opts takes: a key needs a value, and keys are words with dots between.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple, TypeAlias

from blkdebug_async.errors import OptionError

#: Keys to texts, or to what is below them.
Keyval: TypeAlias = dict[str, "str | Keyval"]

_NAME: Final = r"(?:__[A-Za-z0-9.-]+_)?[A-Za-z][A-Za-z0-9_-]*"
_FRAGMENT: Final = rf"[0-9]+|{_NAME}"
_KEY: Final = rf"{_NAME}(?:\.(?:{_FRAGMENT}))*"
_LONGEST_FRAGMENT: Final = 127
_HELP: Final = ("help", "?")


class Given(NamedTuple):
    """What a text says."""

    options: Keyval
    #: Whether it asks for help instead.
    wants_help: bool


def parse_keyval(text: str, implied_key: str) -> Given:
    """Read a text.

    Args:
        text: Two commas are one in a value. A comma at the end is harmless.
        implied_key: The key of the first value, if it has none itself.

    Raises:
        OptionError: EINVAL; a key is no name, has no value, or has both a value and keys below it.

    QEMU: util/keyval.c, keyval_parse().
    """
    options: Keyval = {}
    wants_help = False
    position = 0
    while position < len(text):
        word = re.compile(r"[^=,]*").match(text, position)
        assert word is not None
        key, end = word[0], word.end()
        has_value = text[end : end + 1] == "="
        if key in _HELP and not has_value:
            wants_help = True
            position = end + 1
        elif key and not has_value and position == 0:
            _put(options, implied_key, key)
            position = end + 1
        else:
            fragments = _split_key(key)
            if not has_value:
                raise OptionError(f"Expected '=' after parameter '{key}'")
            value = re.compile(r"(?:[^,]|,,)*").match(text, end + 1)
            assert value is not None
            _put(options, key, value[0].replace(",,", ","), fragments)
            position = value.end() + 1
    return Given(options, wants_help)


def _split_key(key: str) -> list[str]:
    if re.fullmatch(_KEY, key) is None:
        raise OptionError(f"Invalid parameter '{key}'")
    first = re.match(_NAME, key)
    assert first is not None
    fragments = [first[0], *re.findall(rf"\.({_FRAGMENT})", key[first.end() :])]
    for fragment in fragments:
        if len(fragment) > _LONGEST_FRAGMENT:
            what = "Parameter" if len(fragments) == 1 else "Parameter fragment"
            raise OptionError(f"{what} '{fragment}' is too long")
    return fragments


def _put(options: Keyval, key: str, value: str, fragments: list[str] | None = None) -> None:
    *above, last = fragments or [key]
    way = ""
    for fragment in above:
        way += ("." if way else "") + fragment
        below = options.setdefault(fragment, {})
        if isinstance(below, str):
            raise OptionError(f"Parameters '{way}.*' used inconsistently")
        options = below
    if not isinstance(options.get(last, ""), str):
        raise OptionError(f"Parameters '{key}.*' used inconsistently")
    options[last] = value
