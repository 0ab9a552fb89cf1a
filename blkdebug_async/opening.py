"""How a disk is opened: cache modes, switches, and open_disk() itself."""

from __future__ import annotations

import asyncio
import importlib
import os
import warnings
from collections.abc import Generator, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Final, NamedTuple

from blkdebug_async.block.context import Context
from blkdebug_async.block.driver import Driver, NodeSource
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.compat import compat_named
from blkdebug_async.disk import Disk
from blkdebug_async.errors import OptionError
from blkdebug_async.explore.choices import Choices
from blkdebug_async.options.filename import protocol_prefix
from blkdebug_async.options.reader import ChildOptions
from blkdebug_async.options.tree import Options
from blkdebug_async.trace import Observer
from blkdebug_async.tree import Launcher, TreeOpener, Warn


class CacheMode(NamedTuple):
    """What the name of a cache mode stands for."""

    #: Bypass the page cache.
    direct: bool = False
    #: Never flush.
    no_flush: bool = False
    #: Each write is made safe before it is answered.
    writethrough: bool = False


#: As in qemu-io -t. QEMU: block.c, bdrv_parse_cache_mode().
CACHE_MODES: Final = {
    "none": CacheMode(direct=True),
    "off": CacheMode(direct=True),
    "directsync": CacheMode(direct=True, writethrough=True),
    "writeback": CacheMode(),
    "unsafe": CacheMode(no_flush=True),
    "writethrough": CacheMode(writethrough=True),
}


#: The usual ones first.
_KNOWN_SOURCES: Final = (str, dict, Mapping, Driver, ChildOptions)


class _How(NamedTuple):
    """Everything that open_disk() was told besides what to open."""

    flags: OpenFlags
    writethrough: bool
    context: Context
    warn: Warn
    format: str | None
    snapshot: bool


class DiskOpening:
    """A disk that is about to be opened: await it, or use it in `async with`."""

    def __init__(self, source: NodeSource, how: _How) -> None:
        self._source = source
        self._how = how
        self._disk: Disk | None = None

    def __await__(self) -> Generator[object, None, Disk]:
        return self._open().__await__()

    async def __aenter__(self) -> Disk:
        self._disk = await self._open()
        return await self._disk.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._disk is not None
        await self._disk.__aexit__(kind, error, trace)

    async def _open(self) -> Disk:
        how = self._how
        opener = TreeOpener(how.context, how.warn, _launcher_here(how.context))
        source = self._source
        if how.format is not None and isinstance(source, str):
            options: Options = {"driver": how.format}
            node = await opener.open_options(source, options, how.flags, snapshot=how.snapshot)
        else:
            node = await opener.open(source, how.flags, snapshot=how.snapshot)
        try:
            return Disk(opener, node, writethrough=how.writethrough)
        except OSError:
            with suppress(OSError):
                await opener.close(node)
            raise


def open_disk(  # noqa: PLR0913  all but the first are named
    source: NodeSource | os.PathLike[str],
    *,
    format: str | None = None,
    read_only: bool = False,
    cache: str = "writeback",
    discard: bool = True,
    copy_on_read: bool = False,
    force_share: bool = False,
    snapshot: bool = False,
    compat: str | None = None,
    choices: Choices | None = None,
    observer: Observer | None = None,
    warn: Warn | None = None,
) -> DiskOpening:
    """Open a disk, with `async with` or `await`.

    Args:
        source: A file name in any of QEMU's forms (a path, blkdebug:CONFIG:IMAGE, json:{...}),
            options (dotted keys or nested mappings), or a driver put together in code. A
            pathlib.Path is a path, whatever its name looks like.
        format: Driver of a plain file name; None: guessed from its first bytes.
        read_only: Refuse writes.
        cache: writeback, writethrough, none, directsync or unsafe, as qemu-io -t.
        discard: Pass discards on.
        copy_on_read: Copy what reads find in a backing node.
        force_share: Take no locks against writers; only with read_only.
        snapshot: Open it read-only; what is written stays in memory until the disk is closed.
        compat: Which QEMU to follow where it is unsafe or was different: "qemu-7.2", "seed";
            None: be safe.
        choices: Decides whatever may go either way.
        observer: Hears of every request and event.
        warn: Hears of questionable things; None: warnings.warn().

    Raises:
        OptionError: EINVAL; cache or compat is unknown. Other errors come on awaiting.
        TypeError: The source is nothing of the kind.
    """
    mode = _cache_mode(cache)
    flags = OpenFlags(
        read_only=read_only,
        unmap=discard,
        copy_on_read=copy_on_read,
        force_share=force_share,
        direct=mode.direct,
        no_flush=mode.no_flush,
    )
    context = Context(compat=compat_named(compat), choices=choices, observer=observer)
    how = _How(flags, mode.writethrough, context, warn or _warn, format, snapshot)
    return DiskOpening(_as_source(source), how)


def _launcher_here(context: Context) -> Launcher | None:
    """Give what lets requests go into flight, and have the scheduler choose; None: nobody explores.

    Whoever explores nothing need not load it.
    """
    if not hasattr(asyncio._get_running_loop(), "exploration"):
        return None
    module = importlib.import_module("blkdebug_async.drivers.in_flight.driver")
    launcher: Launcher | None = module.launcher_here(context)
    return launcher


def _cache_mode(name: str) -> CacheMode:
    if name not in CACHE_MODES:
        raise OptionError(f"Invalid cache option: {name}")
    return CACHE_MODES[name]


def _as_source(source: object) -> NodeSource:
    if isinstance(source, _KNOWN_SOURCES):
        return source
    if isinstance(source, os.PathLike):
        path = os.fsdecode(source)
        # What would be taken for a prefix is a part of a name here.
        return path if protocol_prefix(path) is None else os.path.join(os.curdir, path)
    raise TypeError(f"A disk is opened from a name, options or a driver, not from {source!r}")


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)
