"""copy-on-read: reads make the child keep what it found in its backing node.

The copying itself, and the event cor_write, happen in the child's request path.

QEMU: block/copy-on-read.c.
"""

from __future__ import annotations

from typing import ClassVar, Final, Self

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.driver import FilterDriver, NodeSource, Opener
from blkdebug_async.block.flags import COPY_ON_READ, FUA, MAY_UNMAP, NO_FALLBACK, WRITE_UNCHANGED
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.permissions import Permissions, Role
from blkdebug_async.block.tracked import Request
from blkdebug_async.errors import OptionError
from blkdebug_async.options.reader import OptionReader

#: What the parents decide about; write-unchanged is taken in any case.
_PARENTS_DECIDE: Final = perms.CONSISTENT_READ | perms.WRITE | perms.RESIZE


class CopyOnReadDriver(FilterDriver):
    """Asks for a copy with each read.

    Args:
        file: The child.
        bottom: Name of the node from which on nothing is copied. Only the child itself can be
            named: so far no driver has backing nodes in between. Then nothing is copied at all.
    """

    name: ClassVar[str] = "copy-on-read"
    has_variable_length: ClassVar[bool] = True
    #: It has no such function in QEMU.
    can_reopen: ClassVar[bool] = False

    def __init__(self, file: NodeSource, *, bottom: str | None = None) -> None:
        super().__init__()
        self._source = file
        self._bottom = bottom
        self._read_flags = COPY_ON_READ if bottom is None else 0
        if bottom is not None:
            self.options["bottom"] = bottom

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        return cls(reader.take_child("file"), bottom=reader.take_str("bottom", None))

    async def open(self, opener: Opener) -> None:
        self.file = await opener.open_child("file", self._source, Role.FILTERED | Role.PRIMARY)
        if self._bottom not in (None, self.file.node_name):
            raise OptionError(f"Bottom node '{self._bottom}' not found")
        self.write_flags = WRITE_UNCHANGED | (FUA & self.file.write_flags)
        self.zero_flags = WRITE_UNCHANGED | ((FUA | MAY_UNMAP | NO_FALLBACK) & self.file.zero_flags)

    def child_permissions(self, default: Permissions) -> Permissions:
        return Permissions(
            default.taken & _PARENTS_DECIDE | perms.WRITE_UNCHANGED,
            default.shared & _PARENTS_DECIDE | perms.ALL & ~_PARENTS_DECIDE,
        )

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await self.file.preadv(offset, length, iov, flags | self._read_flags, request)
