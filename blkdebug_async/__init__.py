"""An asyncio block layer with the semantics of QEMU's blkdebug: the public names.

Each is loaded when it is first used: open_disk takes 70 ms to import, 43 of them for asyncio, and
who wants an Event, or the shell's help, need not wait for either. __init__.pyi has their types.
Public too: blkdebug_async.block (to write drivers), blkdebug_async.explore, blkdebug_async.testing.
"""

from __future__ import annotations

import importlib

#: Defining module to the names that it gives.
_HOMES = {
    "blkdebug_async.block.driver": "BlockStatus",
    "blkdebug_async.block.flags": "ALLOCATED DATA EOF FUA MAY_UNMAP NO_FALLBACK OFFSET_VALID ZERO",
    "blkdebug_async.disk": "Disk",
    "blkdebug_async.drivers": "register_driver",
    "blkdebug_async.drivers.blkdebug.config": "BlkdebugConfig",
    "blkdebug_async.drivers.blkdebug.driver": "BlkdebugDriver",
    "blkdebug_async.drivers.blkdebug.rules": "InjectError Phase Predicate Rule SetState Suspend",
    "blkdebug_async.drivers.copy_on_read": "CopyOnReadDriver",
    "blkdebug_async.drivers.file.driver": "FileDriver HostDeviceDriver",
    "blkdebug_async.drivers.memory": "MemoryDriver",
    "blkdebug_async.drivers.null": "NullAioDriver NullCoDriver",
    "blkdebug_async.drivers.overlay": "OverlayDriver",
    "blkdebug_async.drivers.raw.driver": "RawDriver",
    "blkdebug_async.errors": (
        "BlockError CorruptImageError InjectedError OptionError SuspendedError WireError"
    ),
    "blkdebug_async.events": "Event IoType",
    "blkdebug_async.opening": "DiskOpening open_disk",
    "blkdebug_async.sync": "DiskFile SyncDisk open_disk_sync",
    "blkdebug_async.trace": "Observer RequestView",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> object:
    """Load a public name; from then on it is an ordinary attribute."""
    if name not in _HOME:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    """List all names, loaded or not."""
    return sorted({*globals(), *__all__})
