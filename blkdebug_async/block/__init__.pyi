"""Types of the public names of the block floor, for type checkers and editors."""

from blkdebug_async.block.driver import Driver, FilterDriver, NodeSource, Opener, has
from blkdebug_async.block.flags import (
    COPY_ON_READ,
    RAW,
    RECURSE,
    WRITE_UNCHANGED,
    OpenFlags,
    describe_flags,
)
from blkdebug_async.block.iovec import Buffer, Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.node import Child, Node
from blkdebug_async.block.permissions import Permissions, Role
from blkdebug_async.block.target import BlockStatus, Target, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.options.reader import ChildOptions, Kind, OptionReader

__all__ = [
    "COPY_ON_READ",
    "RAW",
    "RECURSE",
    "WRITE_UNCHANGED",
    "BlockStatus",
    "Buffer",
    "Child",
    "ChildOptions",
    "Driver",
    "FilterDriver",
    "Iovec",
    "Kind",
    "Limits",
    "Node",
    "NodeSource",
    "OpenFlags",
    "Opener",
    "OptionReader",
    "Permissions",
    "Request",
    "Role",
    "Target",
    "Truncation",
    "describe_flags",
    "has",
]
