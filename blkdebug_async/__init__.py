"""An asyncio block layer with the semantics of QEMU's blkdebug: the public names.

Each is loaded when it is first used: open_disk takes 70 ms to import, 43 of them for asyncio, and
who wants an Event, or the shell's help, need not wait for either. __init__.pyi has their types.
Public too: blkdebug_async.block (to write drivers), blkdebug_async.explore, blkdebug_async.testing.
"""

from __future__ import annotations

from blkdebug_async.lazy import lazy_names

#: Defining module to the names that it gives.
_HOMES = {
    "blkdebug_async.block.target": "BlockStatus",
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
__all__, __getattr__, __dir__ = lazy_names(globals(), _HOMES)
