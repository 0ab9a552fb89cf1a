"""Door of the block floor: what is needed to write drivers."""

from __future__ import annotations

from blkdebug_async.lazy import lazy_names

#: Defining module to the names that it gives.
_HOMES = {
    "blkdebug_async.block.driver": "Driver FilterDriver NodeSource Opener has",
    "blkdebug_async.block.flags": (
        "COPY_ON_READ OpenFlags RAW RECURSE WRITE_UNCHANGED describe_flags"
    ),
    "blkdebug_async.block.iovec": "Buffer Iovec",
    "blkdebug_async.block.limits": "Limits",
    "blkdebug_async.block.node": "Child Node",
    "blkdebug_async.block.permissions": "Permissions Role",
    "blkdebug_async.block.target": "BlockStatus Target Truncation",
    "blkdebug_async.block.tracked": "Request",
    "blkdebug_async.options.reader": "ChildOptions Kind OptionReader",
}

__all__, __getattr__, __dir__ = lazy_names(globals(), _HOMES)
