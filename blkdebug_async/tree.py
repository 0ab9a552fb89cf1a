"""From options and file names to a tree of nodes.

QEMU: block.c, bdrv_open_inherit() and what it calls.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from errno import EINVAL
from itertools import count
from typing import Final

from blkdebug_async.block.context import Context
from blkdebug_async.block.driver import Driver, NodeSource, Target
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.node import Node, node_permissions
from blkdebug_async.block.permissions import Role
from blkdebug_async.compat import Compat
from blkdebug_async.drivers import DRIVERS, filename_parsers, find_driver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.drivers.raw.probe import PROBE_SIZE, probe_format
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.options.filename import find_protocol, is_json_name, parse_json_name
from blkdebug_async.options.reader import ChildOptions, OptionReader
from blkdebug_async.options.tree import Nested, Options, as_text, flatten

#: Hears of what is questionable but no error: a line or more for people.
Warn = Callable[[str], None]

_NODE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9\-._]*")
_NODE_NAME_MAX: Final = 31
_DETECT_ZEROES: Final = ("off", "on", "unmap")
_DISCARD: Final = {"ignore": False, "off": False, "unmap": True, "on": True}


@dataclass(frozen=True, slots=True)
class _Plan:
    """A node that is to be opened."""

    driver: str
    options: Options
    flags: OpenFlags
    node_name: str | None
    #: Whether the format was guessed.
    probed: bool = False


class TreeOpener:
    """Opens nodes that may refer to each other by name.

    Args:
        context: What they share.
        warn: Hears of questionable things.
    """

    def __init__(self, context: Context, warn: Warn) -> None:
        self.context = context
        self._warn = warn
        #: All open nodes by name.
        self.nodes: dict[str, Node] = {}
        self._serial = count(100)

    async def open(self, source: NodeSource, flags: OpenFlags, *, protocol: bool = False) -> Node:
        """Open a node and all below it.

        Args:
            source: A file name, options, or a driver.
            flags: How it is opened, unless options say otherwise.
            protocol: A file name is not looked into: its format is not guessed.

        Raises:
            OSError: It cannot be opened; everything opened on the way is closed again.
        """
        match source:
            case Driver():
                return await self._open_driver(source, _Plan(source.name, {}, flags, None), None)
            case ChildOptions():
                return await self._open_child_options(source, flags, protocol)
            case str():
                return await self.open_options(source, {}, flags, protocol=protocol)
            case Mapping():
                options = flatten(_as_nested(source))
                return await self.open_options(None, options, flags, protocol=protocol)

    async def _open_child_options(
        self, child: ChildOptions, flags: OpenFlags, protocol: bool
    ) -> Node:
        if child.reference is None:
            return await self.open_options(child.filename, child.options, flags, protocol=protocol)
        if child.reference not in self.nodes:
            raise OptionError(
                f"Cannot find device='{child.reference}' nor node-name='{child.reference}'"
            )
        return self.nodes[child.reference]

    async def open_options(
        self, filename: str | None, options: Options, flags: OpenFlags, *, protocol: bool = False
    ) -> Node:
        """Open what a file name and options together say.

        Args:
            filename: A path, a name with a prefix, or json:{...}; None: options say it.
            options: Dotted keys to values; they win over those in filename.
            flags: How it is opened, unless options say otherwise.
            protocol: A file name is not looked into: its format is not guessed.

        Raises:
            OSError: It cannot be opened.
        """
        options = dict(options)
        if filename is not None and is_json_name(filename):
            options = parse_json_name(filename) | options
            filename = None
        driver = _driver_option(options)
        if driver is not None:
            protocol = find_driver(driver).is_protocol
        if protocol:
            driver = _name_protocol(filename, options, driver)
        name, flags = take_generic(options, flags)
        if protocol:
            assert driver is not None
            return await self._open_plan(_Plan(driver, options, flags, name), None)
        file = await self._open_file_child(filename, options, flags)
        try:
            plan = _Plan(driver or "", options, flags, name)
            if driver is None:
                plan = replace(plan, driver=await _guess_format(file, filename), probed=True)
            return await self._open_plan(plan, file)
        finally:
            if file is not None and not file.parents:
                await self._close(file)

    async def _open_file_child(
        self, filename: str | None, options: Options, flags: OpenFlags
    ) -> Node | None:
        """Open the node below a format before the format is known."""
        reader = OptionReader(options, driver="")
        child = reader.take_optional_child("file", filename=filename)
        if child is None:
            return None
        node = await self._open_child_options(child, inherited(flags, Role.DATA), True)
        options["file"] = node.name
        return node

    async def _open_plan(self, plan: _Plan, file: Node | None) -> Node:
        kind = find_driver(plan.driver)
        reader = OptionReader(
            plan.options, driver=kind.name, is_protocol=kind.is_protocol, warn=self._warn
        )
        given = {"driver": kind.name} | plan.options
        driver = kind.from_options(reader)
        driver.options = given
        if isinstance(driver, RawDriver):
            driver.probed = plan.probed
        return await self._open_driver(driver, plan, reader)

    async def _open_driver(self, driver: Driver, plan: _Plan, reader: OptionReader | None) -> Node:
        flags = plan.flags
        if flags.copy_on_read and flags.read_only:
            raise OptionError("Can't use copy-on-read on read-only device")
        node = Node(self._claim_name(plan.node_name), driver, self.context, flags)
        try:
            await driver.open(_NodeOpener(self, node))
            node.refresh_length()
            node.refresh_limits()
            node_permissions(node)
            node.refresh_filename()
            if plan.probed and driver.name == "raw" and not node.flags.read_only:
                self._warn(_guessed_raw(node.filename))
            if reader is not None:
                reader.finish()
        except BaseException:
            await self._undo(node)
            raise
        self.nodes[node.name] = node
        return node

    def _claim_name(self, name: str | None) -> str:
        if name is None:
            return f"#block{next(self._serial)}"
        if not _NODE_NAME.fullmatch(name):
            raise OptionError(f"Invalid node-name: '{name}'")
        if name in self.nodes:
            raise OptionError(f"Duplicate nodes with node-name='{name}'")
        if len(name) > _NODE_NAME_MAX:
            raise OptionError("Node name too long")
        return name

    async def _undo(self, node: Node) -> None:
        """Close a node that was never opened to its end; the first error is what matters."""
        with suppress(OSError):
            await node.driver.close()
        for child in list(node.children):
            node.detach(child)
            if not child.node.parents:
                await self._close(child.node)

    async def _close(self, node: Node) -> None:
        with suppress(OSError):
            await node.close()
        self.forget_closed(node)

    def forget_closed(self, node: Node) -> None:
        """Free the names of nodes that were closed together with this one."""
        self.nodes = {
            name: other for name, other in self.nodes.items() if other is not node and other.parents
        }


class _NodeOpener:
    """Opens the children of one node, for its driver."""

    def __init__(self, tree: TreeOpener, node: Node) -> None:
        self._tree = tree
        self._node = node

    @property
    def flags(self) -> OpenFlags:
        return self._node.flags

    @property
    def compat(self) -> Compat:
        return self._tree.context.compat

    def become_read_only(self) -> None:
        assert self._node.flags.auto_read_only
        self._node.flags = replace(self._node.flags, read_only=True)

    async def open_child(self, name: str, source: NodeSource, role: Role) -> Target:
        driver = self._node.driver
        is_format = not driver.is_protocol and not driver.is_filter
        protocol = driver.is_protocol
        if not is_format and Role.DATA in role and not role & (Role.METADATA | Role.FILTERED):
            protocol = False
        if (is_format and Role.COW not in role) or Role.METADATA in role:
            protocol = True
        flags = inherited(self._node.flags, role)
        node = await self._tree.open(source, flags, protocol=protocol)
        try:
            return self._node.attach(name, node, role)
        except OSError:
            if not node.parents:
                await node.close()
                self._tree.forget_closed(node)
            raise


def inherited(parent: OpenFlags, role: Role) -> OpenFlags:
    """Work out how a child is opened if its own options say nothing.

    QEMU: block.c, bdrv_inherited_options().
    """
    flags = replace(parent, unmap=True, copy_on_read=False, detect_zeroes="off")
    if Role.COW in role:
        return replace(flags, read_only=True, auto_read_only=False)
    return flags


def _as_nested(source: Mapping[str, object]) -> Mapping[str, Nested]:
    # flatten() itself refuses what is neither a mapping, a list nor a scalar.
    return source  # type: ignore[return-value]


def _driver_option(options: Options) -> str | None:
    driver = options.pop("driver", None)
    return None if driver is None else str(driver)


def _name_protocol(filename: str | None, options: Options, driver: str | None) -> str:
    """Find out which driver a file name is for, and let it turn the name into options."""
    if filename is not None:
        if "filename" in options:
            raise OptionError("Can't specify 'file' and 'filename' options at the same time")
        options["filename"] = filename
    name = options.get("filename")
    if driver is None:
        if not isinstance(name, str):
            raise OptionError("Must specify either driver or file")
        driver = _find_by_name(name, may_have_prefix=filename is not None)
    kind = find_driver(driver)
    if filename is not None and kind.parse_filename is not None:
        del options["filename"]
        options.update(kind.parse_filename(filename))
    return driver


def _find_by_name(name: str, *, may_have_prefix: bool) -> str:
    if _is_device(name):
        return "host_device"
    if not may_have_prefix:
        return "file"
    return find_protocol(name, filename_parsers(name)) or "file"


def _is_device(name: str) -> bool:
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def take_generic(options: Options, flags: OpenFlags) -> tuple[str | None, OpenFlags]:
    """Take the options that every node has.

    QEMU: block.c, bdrv_runtime_opts and bdrv_open_common().
    """
    reader = OptionReader(options, driver="")
    name = reader.take_str("node-name", None)
    flags = replace(
        flags,
        direct=reader.take_bool("cache.direct", flags.direct),
        no_flush=reader.take_bool("cache.no-flush", flags.no_flush),
        read_only=reader.take_bool("read-only", flags.read_only),
        auto_read_only=reader.take_bool("auto-read-only", flags.auto_read_only),
        force_share=reader.take_bool("force-share", flags.force_share),
    )
    if flags.force_share and not flags.read_only:
        raise OptionError("force-share=on can only be used with read-only images")
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
    return name, replace(flags, detect_zeroes=detect)


async def _guess_format(file: Node | None, filename: str | None) -> str:
    """Look at the first bytes of an image.

    Raises:
        OSError: They cannot be read. EINVAL: there is no image. ENOTSUP: it is of a format that
            nobody here can open, and treating it as raw would destroy it.
    """
    if file is None:
        raise OptionError("Must specify either driver or file")
    if file.length == 0:
        return "raw"
    head = bytearray(PROBE_SIZE)
    try:
        await file.path.preadv(0, PROBE_SIZE, Iovec.over(head), 0, None)
    except OSError as error:
        number = error.errno or EINVAL
        raise BlockError(
            number,
            f"Could not read image for determining its format: {os.strerror(number)}",
        ) from error
    guessed = probe_format(bytes(head), filename)
    if guessed not in DRIVERS:
        try:
            find_driver(guessed)
        except OptionError:
            raise OptionError(
                f"'{filename or file.filename}' is an image of format {guessed}, for which there "
                f"is no driver",
                hint="Specify the 'raw' format explicitly to see it as bytes.",
            ) from None
    return guessed


def _guessed_raw(filename: str) -> str:
    return (
        f"WARNING: Image format was not specified for '{filename}' and probing guessed raw.\n"
        "         Automatically detecting the format is dangerous for raw images, write operations"
        " on block 0 will be restricted.\n"
        "         Specify the 'raw' format explicitly to remove the restrictions."
    )


async def change_flags(node: Node, flags: OpenFlags, options: Options) -> None:
    """Reopen a node and those below that are opened likewise; undo all if one refuses."""
    changes = [
        (step, flags if step is node else _follow(step.flags, node.flags, flags))
        for step in node.walk()
    ]
    done: list[tuple[Node, OpenFlags]] = []
    try:
        for step, new in changes:
            await step.driver.reopen(new, options if step is node else {})
            done.append((step, step.flags))
            step.flags = new
        node_permissions(node)
    except OSError:
        for step, old in reversed(done):
            step.flags = old
            await step.driver.reopen(old, {})
        node_permissions(node)
        raise


def check_unchanged(node: Node, options: Options) -> None:
    """Refuse options of drivers that differ from those that a tree was opened with.

    Args:
        node: The top of the tree.
        options: Its own as they are, those of a child after the child's name and a dot.

    Raises:
        OptionError: EINVAL; one differs, or was not given before.
    """
    for key, value in options.items():
        owner, name = node, key
        while below := [c for c in owner.children if name.startswith(f"{c.name}.")]:
            owner, name = below[0].node, name.removeprefix(f"{below[0].name}.")
        before = owner.driver.options.get(name)
        if before is None or as_text(before) != as_text(value):
            raise OptionError(f"Cannot change the option '{name}'")


def _follow(child: OpenFlags, before: OpenFlags, after: OpenFlags) -> OpenFlags:
    """Change in child what has changed above and was the same there before."""
    changed = {}
    for field in ("read_only", "direct", "no_flush", "force_share"):
        if getattr(child, field) == getattr(before, field):
            changed[field] = getattr(after, field)
    return replace(child, **changed)
