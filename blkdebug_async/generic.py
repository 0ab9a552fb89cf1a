"""The options that every node has, whatever its driver: taken by type, and handed down.

What a node says nothing about it has from the node above; only the words are handed down, so a bad
one is complained about where it is read first, and that is at the bottom.

QEMU: block.c, bdrv_runtime_opts and the functions around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import is_
from typing import Final, NamedTuple

from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.permissions import Role
from blkdebug_async.errors import OptionError
from blkdebug_async.options.reader import Kind, OptionReader
from blkdebug_async.options.tree import Options, Scalar, as_text

#: Those that are switches.
_SWITCHES: Final = {
    "cache.direct": Kind.BOOL,
    "cache.no-flush": Kind.BOOL,
    "read-only": Kind.BOOL,
    "auto-read-only": Kind.BOOL,
    "force-share": Kind.BOOL,
}
#: Those that a child has from its parent.
_HANDED_DOWN: Final = (
    "cache.direct",
    "cache.no-flush",
    "force-share",
    "read-only",
    "auto-read-only",
)
_DETECT_ZEROES: Final = ("off", "on", "unmap")
_DISCARD: Final = {"ignore": False, "off": False, "unmap": True, "on": True}

#: Most nodes above each other. A request runs through all of them on one stack, Python's.
_DEPTH_MAX: Final = 32
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
    if Role.COW in role:
        options.setdefault("read-only", "on")
        options.setdefault("auto-read-only", "off")
    for name in _HANDED_DOWN:
        if name in parent and name not in options:
            options[name] = parent[name]
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
    given: Options = {name: options.pop(name, False) for name in _SWITCHES}
    now = [flags.direct, flags.no_flush, flags.read_only, flags.auto_read_only, flags.force_share]
    if all(map(is_, given.values(), now)):
        return flags
    reader = OptionReader(given, driver="")
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
    discard = as_text(options.pop("discard", None))
    unmap = flags.unmap
    if discard is not None:
        if discard not in _DISCARD:
            raise OptionError("Invalid discard option")
        unmap = _DISCARD[discard]
    detect = as_text(options.pop("detect-zeroes", None))
    if detect is None:
        detect = flags.detect_zeroes
    if detect not in _DETECT_ZEROES:
        raise OptionError(f"invalid parameter value: {detect}")
    if detect == "unmap" and not unmap:
        raise OptionError(
            "setting detect-zeroes to unmap is not allowed without setting discard operation to "
            "unmap"
        )
    if unmap == flags.unmap and detect == flags.detect_zeroes:
        return flags
    return replace(flags, unmap=unmap, detect_zeroes=detect)


@dataclass(slots=True, eq=False)
class NodeOptions:
    """What a node was told, as far as it is not about its children."""

    #: What was said about this very node.
    explicit: Options
    #: That, what it has from above, and what was found out.
    effective: Options
    #: The node that it has it from; None: it is on its own.
    inherits_from: NodeOptions | None


class Place(NamedTuple):
    """Where a node is to be: at the top, or below another one."""

    flags: OpenFlags
    #: A file name is not looked into: its format is not guessed.
    protocol: bool
    #: The node above and what this one is to it.
    above: tuple[NodeOptions, Role] | None = None

    def check_depth(self) -> None:
        """Refuse to put more nodes above each other than a request can run through.

        Raises:
            OptionError: EINVAL; there are too many.
        """
        depth = 0
        node = None if self.above is None else self.above[0]
        while node is not None:
            depth += 1
            node = node.inherits_from
        if depth >= _DEPTH_MAX:
            raise OptionError(f"More than {_DEPTH_MAX} nodes are above each other")

    def inherit(self, options: Options) -> NodeOptions | None:
        """Add what comes from above; say from where."""
        if self.above is None:
            return None
        parent, role = self.above
        inherit(options, role, parent.effective)
        return parent


def told_to_driver(told: NodeOptions) -> Options:
    """Give what concerns the driver, for building its file name back."""
    return {
        key: value
        for key, value in told.effective.items()
        if key == "driver" or key not in GENERIC_OPTIONS
    }


def place_below(flags: OpenFlags, told: NodeOptions, role: Role, *, protocol: bool) -> Place:
    """Say where the child of a node is that has these flags and options."""
    if not flags.unmap or flags.copy_on_read or flags.detect_zeroes != "off":
        flags = replace(flags, unmap=True, copy_on_read=False, detect_zeroes="off")
    return Place(flags, protocol, (told, role))
