"""File names to options and back.

A name is a path, `PREFIX:REST` in the way of the driver that has the prefix, or `json:{...}`. The
way back is to gather what each node was told, and to ask whether a plain name says the same.
Whether a path is a device or exists at all is for those who may look.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final, NamedTuple, TypeAlias

from blkdebug_async.errors import OptionError
from blkdebug_async.options.qjson import format_json, parse_json
from blkdebug_async.options.tree import Nested, Options, Scalar, encode, flatten, qemu_order

#: Turns a file name into options of the driver that it was written for.
FilenameParser: TypeAlias = Callable[[str], Options]

#: Longest file name that QEMU can hold, in bytes.
_NAME_MAX: Final = 4095
_PREFIX_MAX: Final = 127
_PREFIX: Final = re.compile(r"([^:/]*):")
_JSON: Final = "json:"
_BLKDEBUG: Final = "blkdebug:"


def protocol_prefix(name: str) -> str | None:
    """Give what stands before the first colon, unless a slash comes earlier: `./a:b` is a path."""
    match = _PREFIX.match(name)
    return None if match is None else match[1]


def find_protocol(name: str, prefixes: Collection[str]) -> str | None:
    """Tell which driver's prefix a name has.

    Args:
        name: A file name that is not a json: one.
        prefixes: All that are known.

    Returns:
        The prefix without its colon; None: the name is a path.

    Raises:
        OptionError: EINVAL; there is a prefix, but nobody knows it.

    QEMU: block.c, bdrv_find_protocol().
    """
    prefix = protocol_prefix(name)
    if prefix is None or prefix in prefixes:
        return prefix
    raise OptionError(f"Unknown protocol '{_cut(prefix, _PREFIX_MAX)}'")


def parse_filename(name: str, parsers: Mapping[str, FilenameParser]) -> Options:
    """Turn a file name into options, the driver's name included.

    Args:
        name: A path, a name with a prefix, or json:{...}.
        parsers: Prefix, which is the driver's name as well, to what reads such names.

    Raises:
        OptionError: EINVAL; nobody knows the prefix, or the name is not as its driver wants it.
    """
    if is_json_name(name):
        return parse_json_name(name)
    prefix = find_protocol(name, parsers)
    if prefix is None:
        return {"driver": "file", **parse_file_name(name)}
    return {"driver": prefix, **parsers[prefix](name)}


def is_json_name(name: str) -> bool:
    """Tell whether a name is JSON options with `json:` in front."""
    return name.startswith(_JSON)


def parse_json_name(name: str) -> Options:
    """Read the options in a json: name.

    Raises:
        OptionError: EINVAL; what follows the prefix is no JSON object.

    QEMU: block.c, parse_json_filename().
    """
    try:
        tree = parse_json(name.removeprefix(_JSON))
    except OptionError as error:
        raise OptionError(f"Could not parse the JSON options: {error}") from None
    if not isinstance(tree, Mapping):
        raise OptionError("Invalid JSON object given")
    return flatten(tree)


def parse_file_name(name: str) -> Options:
    """Read a path, with or without `file:` in front.

    QEMU: block.c, bdrv_parse_filename_strip_prefix().
    """
    return {"filename": strip_prefix(name, "file")}


def strip_prefix(name: str, prefix: str) -> str:
    """Take `PREFIX:` away; a path that then looks like a prefix itself gets `./` in front."""
    if not name.startswith(f"{prefix}:"):
        return name
    path = name.removeprefix(f"{prefix}:")
    return path if protocol_prefix(path) is None else f"./{path}"


def parse_null_name(name: str, driver: str) -> Options:
    """Read the one name that a null driver has.

    Args:
        name: The file name.
        driver: `null-co` or `null-aio`.

    Raises:
        OptionError: EINVAL; it is another name.

    QEMU: block/null.c, null_co_parse_filename().
    """
    if name != f"{driver}://":
        raise OptionError(f"The only allowed filename for this driver is '{driver}://'")
    return {}


def parse_blkdebug_name(name: str) -> Options:
    """Read `blkdebug:CONFIG:IMAGE`; a name without the prefix is the image's.

    Raises:
        OptionError: EINVAL; the second colon is missing.

    QEMU: block/blkdebug.c, blkdebug_parse_filename().
    """
    if not name.startswith(_BLKDEBUG):
        return {"x-image": name}
    config, colon, image = name.removeprefix(_BLKDEBUG).partition(":")
    if not colon:
        raise OptionError("blkdebug requires both config file and image path")
    return {"config": config, "x-image": image} if config else {"x-image": image}


class Gathered(NamedTuple):
    """What a node was told, as far as it matters to what it shows.

    QEMU: block.c, bdrv_refresh_filename().
    """

    #: Options of the node, and of its children under their names.
    options: Mapping[str, Nested]
    #: Whether a plain name must leave something out.
    is_special: bool


def gather(
    driver: str,
    options: Mapping[str, Scalar],
    strong: Iterable[str],
    children: Mapping[str, Gathered],
) -> Gathered:
    """Collect what would open the same node again.

    Args:
        driver: The driver's name.
        options: All options of the node, flat.
        strong: Options that change what is read; with a dot at the end: all that start so.
        children: Option name of a child to what is gathered there.
    """
    told: dict[str, Nested] = {
        key: options[key] for key in ("driver", "filename") if key in options
    }
    special = [key for name in strong for key in _keys_of(name, options)]
    told.update((key, options[key]) for key in special)
    told.setdefault("driver", driver)
    told.update((name, child.options) for name, child in children.items())
    return Gathered(told, bool(special))


def _keys_of(name: str, options: Mapping[str, Scalar]) -> list[str]:
    if name.endswith("."):
        return [key for key in qemu_order(options) if key.startswith(name)]
    return [name] if name in options else []


def blkdebug_name(config: str | None, image: str | None, gathered: Gathered) -> str | None:
    """Build a plain blkdebug name.

    Args:
        config: Path of the config file.
        image: The child's plain name.
        gathered: What the blkdebug node was told.

    Returns:
        The name; None if it would be too long or leave something out.

    QEMU: block/blkdebug.c, blkdebug_refresh_filename().
    """
    if not image or gathered.options.keys() - {"config", "image", "x-image", "driver"}:
        return None
    name = f"{_BLKDEBUG}{config or ''}:{image}"
    return name if _length(name) <= _NAME_MAX else None


def json_name(gathered: Gathered) -> str:
    """Build a json: name, cut with three dots where QEMU's buffer ends."""
    name = _JSON + format_json(gathered.options)
    return name if _length(name) <= _NAME_MAX else f"{name[: _NAME_MAX - 3]}..."


def _length(name: str) -> int:
    return len(encode(name))


def _cut(text: str, length: int) -> str:
    data = encode(text)[:length]
    return data.decode("utf-8", "surrogateescape")
