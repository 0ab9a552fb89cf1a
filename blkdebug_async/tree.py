"""From options and file names to a tree of nodes.

QEMU: block.c, bdrv_open_inherit() and what it calls. The order of steps is QEMU's: it decides
which of several mistakes is reported.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from errno import EBUSY, EFBIG, EIO
from itertools import count
from typing import Final, NamedTuple, Protocol

from blkdebug_async.block.context import Context
from blkdebug_async.block.driver import Driver, NodeSource
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.graph import node_permissions
from blkdebug_async.block.node import Node
from blkdebug_async.block.permissions import Role
from blkdebug_async.block.target import Target
from blkdebug_async.compat import Compat
from blkdebug_async.drivers import find_driver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.explore.choices import Choices
from blkdebug_async.generic import (
    NodeOptions,
    Place,
    fill_in,
    inherit,
    is_opened_as_protocol,
    place_below,
    take_policies,
    take_switches,
    text_option,
    told_to_driver,
)
from blkdebug_async.guessing import guess_format, guessed_raw_warning, name_protocol
from blkdebug_async.options.filename import is_json_name, parse_json_name
from blkdebug_async.options.reader import ChildOptions, OptionReader
from blkdebug_async.options.tree import Nested, Options, as_text, clone, drop_child, flatten, merge
from blkdebug_async.units import MAX_LENGTH

#: Hears of what is questionable but no error: a line or more for people.
Warn = Callable[[str], None]

#: What a file is to an image format.
_FORMAT: Final = Role.DATA | Role.METADATA | Role.PRIMARY
_NODE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9\-._]*")
_NODE_NAME_MAX: Final = 31


class _Plan(NamedTuple):
    """A node that is to be opened."""

    kind: type[Driver]
    told: NodeOptions
    place: Place
    #: What nobody has taken so far.
    options: Options
    #: The child, if what is on it was guessed.
    probed: Node | None = None
    #: Whether nobody has said that there is no backing child.
    allows_backing: bool = True


class Launcher(Protocol):
    """Lets requests go into flight, in an exploration."""

    def adapt(self, driver: Driver) -> None:
        """Change a driver that is about to be opened."""
        ...

    def launch(self, node: Node) -> None:
        """Change a node that was opened."""
        ...


class TreeOpener:
    """Opens nodes that may refer to each other by name.

    Args:
        context: What they share.
        warn: Hears of questionable things.
        launcher: Changes drivers and nodes; None: they stay as they are.
    """

    def __init__(self, context: Context, warn: Warn, launcher: Launcher | None = None) -> None:
        self.context = context
        self._warn = warn
        self._launcher = launcher
        #: All nodes by name, those included that are being opened.
        self.nodes: dict[str, Node] = {}
        #: What they were told.
        self.told: dict[Node, NodeOptions] = {}
        #: Those that are being opened, each one below the one before.
        self.opening: list[Node] = []
        #: Held while nodes are reopened or closed.
        self.changing = asyncio.Lock()
        self._serial = count(100)

    async def open(
        self,
        source: NodeSource,
        flags: OpenFlags,
        *,
        protocol: bool = False,
        snapshot: bool = False,
    ) -> Node:
        """Open a node and all below it.

        Args:
            source: A file name, options, or a driver.
            flags: How it is opened, unless options say otherwise.
            protocol: A file name is not looked into: its format is not guessed.
            snapshot: Open it read-only, below an overlay that forgets what was written to it.

        Raises:
            OSError: It cannot be opened; everything opened on the way is closed again.
        """
        if not snapshot:
            return await self._open(source, Place(flags, protocol))
        match source:
            case str():
                return await self.open_options(source, {}, flags, protocol=protocol, snapshot=True)
            case Mapping():
                options = flatten(_as_nested(source))
                return await self.open_options(
                    None, options, flags, protocol=protocol, snapshot=True
                )
        below = replace(flags, read_only=True, copy_on_read=False)
        return await self._cover(await self._open(source, Place(below, protocol)), {}, flags)

    async def open_options(
        self,
        filename: str | None,
        options: Options,
        flags: OpenFlags,
        *,
        protocol: bool = False,
        snapshot: bool = False,
    ) -> Node:
        """Open what a file name and options together say.

        Args:
            filename: A path, a name with a prefix, or json:{...}; None: options say it.
            options: Dotted keys to values; they win over those in filename.
            flags: How it is opened, unless options say otherwise.
            protocol: As in open().
            snapshot: As in open().

        Raises:
            OSError: It cannot be opened.
        """
        filename, options = _unfold_json(filename, options)
        place = Place(flags, protocol)
        if not snapshot:
            return await self._open_options(filename, options, place)
        kept: Options = {
            name: options[name] for name in ("read-only", "discard") if name in options
        }
        options.pop("read-only", None)
        inherit(options, Role.COW, {})
        place = Place(replace(flags, copy_on_read=False), protocol)
        return await self._cover(await self._open_options(filename, options, place), kept, flags)

    async def _cover(self, base: Node, options: Options, flags: OpenFlags) -> Node:
        """Put an overlay on a node.

        QEMU: block.c, bdrv_append_temp_snapshot().
        """
        reference = ChildOptions("backing", base.name, None, {})
        flags = replace(flags, direct=False, no_flush=True, detect_zeroes="off")
        try:
            return await self._open_driver(OverlayDriver(reference), Place(flags, False), options)
        finally:
            if not base.parents:
                with suppress(OSError):
                    await self.close(base)

    async def close(self, node: Node) -> None:
        """Close a node and those below that nobody else uses, and free their names.

        Raises:
            OSError: The first error of flushing or closing; everything is closed all the same.
        """
        below = list(node.walk())
        try:
            await node.close()
        finally:
            for each in below:
                if not each.parents:
                    self._forget(each)

    def _forget(self, node: Node) -> None:
        self.nodes.pop(node.name, None)
        self.told.pop(node, None)

    # --- any source ---

    async def open_below(self, node: Node, source: NodeSource, role: Role) -> Node:
        """Open a node that is to be a child of one that is being opened."""
        kind = node.driver
        protocol = is_opened_as_protocol(
            role,
            parent_is_format=not kind.is_protocol and not kind.is_filter,
            parent_is_protocol=kind.is_protocol,
        )
        place = place_below(node.flags, self.told[node], role, protocol=protocol)
        return await self._open(source, place)

    async def _open(self, source: NodeSource, place: Place) -> Node:
        place.check_depth()
        match source:
            case ChildOptions():
                if source.reference is not None:
                    return self.find(source.reference, device=source.reference)
                return await self._open_options(
                    *_unfold_json(source.filename, source.options), place
                )
            case str():
                return await self._open_options(*_unfold_json(source, {}), place)
            case Driver():
                return await self._open_driver(source, place, {})
            case Mapping():
                return await self._open_options(None, flatten(_as_nested(source)), place)

    def find(self, name: str, *, device: str = "") -> Node:
        """Find a node by its name.

        Args:
            name: Of the node.
            device: What to say in a complaint is the name of the device.

        Raises:
            OptionError: EINVAL; there is none.
        """
        if name not in self.nodes:
            raise OptionError(f"Cannot find device='{device}' nor node-name='{name}'")
        return self.nodes[name]

    async def _open_driver(self, driver: Driver, place: Place, options: Options) -> Node:
        """Open a driver that was put together in code; options are those that every node has."""
        if driver.used:
            raise OptionError(
                f"This driver '{driver.name}' was opened before; each node needs one of its own",
                errno=EBUSY,
            )
        given = {"driver": driver.name, **driver.options, **options}
        told = NodeOptions(dict(given), given, place.inherit(given))
        fill_in(given, place.flags)
        return await self._open_plan(_Plan(type(driver), told, place, clone(given)), driver)

    # --- options ---

    async def _open_options(self, filename: str | None, options: Options, place: Place) -> Node:
        """Open what options say; json: in front of a file name means nothing any more."""
        explicit = clone(options)
        parent = place.inherit(options)
        driver = text_option(options, "driver")
        known = None if driver is None else find_driver(driver)
        protocol = place.protocol if known is None else known.is_protocol
        fill_in(options, place.flags)
        if protocol and (driver is None or filename is not None):
            driver = name_protocol(filename, options, driver)
        told = NodeOptions(explicit, options, parent)
        allows_backing = self._drop_null_backing(explicit, options)
        working = clone(options)
        if driver is not None and protocol:
            known = known or find_driver(driver)
            return await self._open_plan(_Plan(known, told, place, working, None, allows_backing))
        file = await self._open_file_child(filename, working, told, place)
        try:
            kind = known or await guess_format(file, filename)
            options["driver"] = kind.name
            probed = file if driver is None else None
            return await self._open_plan(_Plan(kind, told, place, working, probed, allows_backing))
        finally:
            if file is not None and not file.parents:
                with suppress(OSError):
                    await self.close(file)

    def _drop_null_backing(self, explicit: Options, options: Options) -> bool:
        """Take a backing child away that is said not to be there; tell whether there may be one."""
        if "backing" not in options or options["backing"] not in (None, ""):
            return True
        if options["backing"] == "":
            self._warn('Use of "backing": "" is deprecated; use "backing": null instead')
        explicit.pop("backing", None)
        del options["backing"]
        return False

    async def _open_file_child(
        self, filename: str | None, options: Options, told: NodeOptions, place: Place
    ) -> Node | None:
        """Open the node below a format before the format is known."""
        reader = OptionReader(options, driver="")
        child = reader.take_optional_child("file", filename=filename)
        if child is None:
            return None
        node = await self._open(child, place_below(place.flags, told, _FORMAT, protocol=True))
        options["file"] = node.name
        return node

    # --- one node ---

    async def _open_plan(self, plan: _Plan, driver: Driver | None = None) -> Node:
        """Open a node about which everything is known.

        QEMU: block.c, bdrv_open_common(), bdrv_open_driver().
        """
        kind, options = plan.kind, plan.options
        flags = take_switches(options, plan.place.flags)
        if flags.force_share and not flags.read_only:
            raise OptionError("force-share=on can only be used with read-only images")
        if driver is None and kind.needs_filename and not text_option(options, "filename"):
            raise OptionError(f"The '{kind.name}' block driver requires a file name")
        if flags.copy_on_read and flags.read_only:
            raise OptionError("Can't use copy-on-read on read-only device")
        flags = take_policies(options, flags)
        name = self._check_name(as_text(options.pop("node-name", None)))
        options.pop("driver", None)
        reader = None
        if driver is None:
            reader = OptionReader(
                options, driver=kind.name, is_protocol=kind.is_protocol, warn=self._warn
            )
            driver = kind.from_options(reader)
        if isinstance(driver, RawDriver) and plan.probed is not None:
            driver.probed = True
        if self._launcher is not None:
            self._launcher.adapt(driver)
        node = Node(name, driver, self.context, flags)
        self.nodes[name] = node
        self.told[node] = plan.told
        self.opening.append(node)
        try:
            await self._open_node(node, plan, reader)
        except BaseException:
            await self._undo(node)
            raise
        finally:
            self.opening.remove(node)
        return node

    async def _open_node(self, node: Node, plan: _Plan, reader: OptionReader | None) -> None:
        if plan.probed is not None and plan.kind is RawDriver and not node.flags.read_only:
            self._warn(guessed_raw_warning(plan.probed.filename))
        await _open_driver_of(node, _NodeOpener(self, node, self._warn))
        if self._launcher is not None:
            self._launcher.launch(node)
        _refresh_length(node)
        node.refresh_limits()
        node_permissions(node, all_below=False)
        if reader is not None:
            if plan.allows_backing and not plan.kind.supports_backing:
                _refuse_backing(plan.options)
            reader.finish()
        for child in node.children:
            drop_child(plan.told.explicit, child.name)
            drop_child(plan.told.effective, child.name)
        node.driver.options = told_to_driver(plan.told)

    def _check_name(self, name: str | None) -> str:
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
                with suppress(OSError):
                    await self.close(child.node)
        self._forget(node)


class _NodeOpener:
    """Opens the children of one node, for its driver."""

    def __init__(self, tree: TreeOpener, node: Node, warn: Warn) -> None:
        self._tree = tree
        self._node = node
        self._warn = warn

    @property
    def flags(self) -> OpenFlags:
        return self._node.flags

    @property
    def compat(self) -> Compat:
        return self._tree.context.compat

    @property
    def choices(self) -> Choices:
        return self._tree.context.choices

    @property
    def node_name(self) -> str:
        return self._node.name

    def become_read_only(self) -> None:
        assert self._node.flags.auto_read_only
        self._node.flags = replace(self._node.flags, read_only=True)

    def warn(self, message: str) -> None:
        self._warn(message)

    async def open_child(self, name: str, source: NodeSource, role: Role) -> Target:
        child = await self._tree.open_below(self._node, source, role)
        try:
            if child in self._tree.opening:
                raise OptionError(
                    f"Making '{child.name}' a {name} child of '{self._node.name}' would create a "
                    "cycle"
                )
            return self._node.attach(name, child, role)
        except OSError:
            if not child.parents and child not in self._tree.opening:
                with suppress(OSError):
                    await self._tree.close(child)
            raise


def _as_nested(source: Mapping[str, object]) -> Mapping[str, Nested]:
    # flatten() itself refuses what is neither a mapping, a list nor a scalar.
    return source  # type: ignore[return-value]


def _unfold_json(filename: str | None, options: Options) -> tuple[str | None, Options]:
    """Turn a json: name into options; where both say something, options win."""
    if filename is None or not is_json_name(filename):
        return filename, dict(options)
    return None, merge(options, parse_json_name(filename))


async def _open_driver_of(node: Node, opener: _NodeOpener) -> None:
    try:
        await node.driver.open(opener)
    except BlockError:
        raise
    except OSError as error:
        # A driver that does not say what it means.
        number = error.errno or EIO
        text = f"Could not open '{node.driver.name}': {os.strerror(number)}"
        raise BlockError(number, text) from error


def _refresh_length(node: Node) -> None:
    try:
        number = EFBIG if node.refresh_length() > MAX_LENGTH else 0
    except OSError as error:
        number = error.errno or EIO
    if number:
        raise BlockError(number, f"Could not refresh total sector count: {os.strerror(number)}")


def _refuse_backing(options: Options) -> None:
    # A key alone that has no text is an unknown option like any other.
    if not options:
        return
    below = any(key.startswith("backing.") for key in options)
    if below or text_option(options, "backing") is not None:
        raise OptionError("Driver doesn't support backing files")
