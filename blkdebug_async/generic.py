"""The options that every node has, whatever its driver: taken by type, and handed down.

What a node says nothing about it has from the node above; only the words are handed down, so a bad
one is complained about where it is read first, and that is at the bottom.

QEMU: block.c, bdrv_runtime_opts and the functions around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.permissions import Role
from blkdebug_async.errors import OptionError
from blkdebug_async.options.reader import Kind, OptionReader
from blkdebug_async.options.tree import Options, Scalar

#: Those that are switches.
_SWITCHES: Final = {
    "cache.direct": Kind.BOOL,
    "cache.no-flush": Kind.BOOL,
    "read-only": Kind.BOOL,
    "auto-read-only": Kind.BOOL,
    "force-share": Kind.BOOL,
}
_DETECT_ZEROES: Final = ("off", "on", "unmap")
_DISCARD: Final = {"ignore": False, "off": False, "unmap": True, "on": True}

#: All that every node has.
GENERIC_OPTIONS: Final = frozenset({*_SWITCHES, "driver", "node-name", "discard", "detect-zeroes"})


def text_option(options: Options, name: str) -> str | None:
    """Look at an option; None unless it is a text.

    QEMU: qobject/qdict.c, qdict_get_try_str().
    """
    value = options.get(name)
    return value if isinstance(value, str) else None


def fill_in(options: Options, flags: OpenFlags) -> None:
    """Say as options what only flags say so far.

    QEMU: block.c, update_options_from_flags().
    """
    options.setdefault("cache.direct", flags.direct)
    options.setdefault("cache.no-flush", flags.no_flush)
    options.setdefault("read-only", flags.read_only)
    options.setdefault("auto-read-only", flags.auto_read_only)
    if flags.force_share:
        options.setdefault("force-share", True)


def inherit(options: Options, role: Role, parent: Mapping[str, Scalar]) -> None:
    """Add what a child has from its parent where its own options say nothing.

    Args:
        options: The child's; they gain what they lack.
        role: What the child is to the parent.
        parent: The parent's options, with what that one has inherited.

    QEMU: block.c, bdrv_inherited_options().
    """
    names = ["cache.direct", "cache.no-flush", "force-share"]
    if Role.COW in role:
        options.setdefault("read-only", "on")
        options.setdefault("auto-read-only", "off")
    else:
        names += ["read-only", "auto-read-only"]
    for name in names:
        if name in parent:
            options.setdefault(name, parent[name])
    # A discard is asked for above, so that below nothing needs to stand in its way.
    options.setdefault("discard", "unmap")


def is_opened_as_protocol(role: Role, *, parent_is_format: bool, parent_is_protocol: bool) -> bool:
    """Tell whether a child's format is left alone, rather than guessed, if nobody says what it is.

    QEMU: block.c, bdrv_inherited_options().
    """
    if (parent_is_format and Role.COW not in role) or Role.METADATA in role:
        return True
    if not parent_is_format and Role.DATA in role:
        return False
    return parent_is_protocol


def take_switches(options: Options, flags: OpenFlags) -> OpenFlags:
    """Take what is on or off; what is not said is off.

    Raises:
        OptionError: EINVAL; a value is no switch.

    QEMU: block.c, update_flags_from_options().
    """
    reader = OptionReader(options, driver="")
    reader.check(_SWITCHES)
    return replace(
        flags,
        direct=reader.take_bool("cache.direct", False),
        no_flush=reader.take_bool("cache.no-flush", False),
        read_only=reader.take_bool("read-only", False),
        auto_read_only=reader.take_bool("auto-read-only", False),
        force_share=reader.take_bool("force-share", False),
    )


def take_policies(options: Options, flags: OpenFlags) -> OpenFlags:
    """Take what becomes of discards and of zeroes that are written.

    Raises:
        OptionError: EINVAL; there is no such policy.
    """
    reader = OptionReader(options, driver="")
    discard = reader.take_str("discard", None)
    if discard is not None:
        if discard not in _DISCARD:
            raise OptionError("Invalid discard option")
        flags = replace(flags, unmap=_DISCARD[discard])
    detect = reader.take_str("detect-zeroes", flags.detect_zeroes)
    if detect not in _DETECT_ZEROES:
        raise OptionError(f"invalid parameter value: {detect}")
    if detect == "unmap" and not flags.unmap:
        raise OptionError(
            "setting detect-zeroes to unmap is not allowed without setting discard operation to "
            "unmap"
        )
    return replace(flags, detect_zeroes=detect)
