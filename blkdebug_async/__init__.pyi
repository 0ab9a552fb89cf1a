"""Types of the public names, for type checkers and editors."""

from blkdebug_async.block.flags import (
    ALLOCATED,
    DATA,
    EOF,
    FUA,
    MAY_UNMAP,
    NO_FALLBACK,
    OFFSET_VALID,
    ZERO,
)
from blkdebug_async.block.target import BlockStatus
from blkdebug_async.disk import Disk
from blkdebug_async.drivers import register_driver
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import (
    InjectError,
    Phase,
    Predicate,
    Rule,
    SetState,
    Suspend,
)
from blkdebug_async.drivers.copy_on_read import CopyOnReadDriver
from blkdebug_async.drivers.file.driver import FileDriver, HostDeviceDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.null import NullAioDriver, NullCoDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import (
    BlockError,
    CorruptImageError,
    InjectedError,
    OptionError,
    SuspendedError,
    WireError,
)
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import DiskOpening, open_disk
from blkdebug_async.sync import DiskFile, SyncDisk, open_disk_sync
from blkdebug_async.trace import Observer, RequestView

__all__ = [
    "ALLOCATED",
    "DATA",
    "EOF",
    "FUA",
    "MAY_UNMAP",
    "NO_FALLBACK",
    "OFFSET_VALID",
    "ZERO",
    "BlkdebugConfig",
    "BlkdebugDriver",
    "BlockError",
    "BlockStatus",
    "CopyOnReadDriver",
    "CorruptImageError",
    "Disk",
    "DiskFile",
    "DiskOpening",
    "Event",
    "FileDriver",
    "HostDeviceDriver",
    "InjectError",
    "InjectedError",
    "IoType",
    "MemoryDriver",
    "NullAioDriver",
    "NullCoDriver",
    "Observer",
    "OptionError",
    "OverlayDriver",
    "Phase",
    "Predicate",
    "RawDriver",
    "RequestView",
    "Rule",
    "SetState",
    "Suspend",
    "SuspendedError",
    "SyncDisk",
    "WireError",
    "open_disk",
    "open_disk_sync",
    "register_driver",
]
