from __future__ import annotations

from errno import EPERM

from blkdebug_async.block.driver import NodeSource
from blkdebug_async.block.flags import DATA, OFFSET_VALID, OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import Role
from blkdebug_async.block.target import BlockStatus, Target, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.compat import SAFE, Compat
from blkdebug_async.errors import BlockError
from blkdebug_async.events import Event, IoType
from blkdebug_async.explore.choices import Choices, Unchanged
from blkdebug_async.options.reader import OptionReader
from blkdebug_async.options.tree import Scalar

#: What a driver gets as its node's request, where it does not matter which.
REQUEST = Request(1, "node", IoType.READ, 0, 0, 0, None)


def reader(driver: str, **options: Scalar) -> OptionReader:
    return OptionReader({key.replace("_", "-"): options[key] for key in options}, driver=driver)


class FakeTarget:
    """A node below that keeps its bytes in memory and notes what is asked of it."""

    def __init__(
        self, size: int = 0, *, name: str = "below", write_flags: int = 0, zero_flags: int = 0
    ) -> None:
        self.data = bytearray(size)
        self.calls: list[tuple[object, ...]] = []
        self.heard: set[Event] = set()
        self.node_name = name
        self.plain_filename: str | None = name
        self.is_protocol = True
        self.limits = Limits()
        self.cluster_size = 0
        self.write_flags = write_flags
        self.zero_flags = zero_flags

    @property
    def length(self) -> int:
        return len(self.data)

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> None:
        self.calls.append(("preadv", offset, length, flags))
        iov.copy_from(self.data[offset : offset + length].ljust(length, b"\0"))

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> None:
        self.calls.append(("pwritev", offset, length, flags))
        self.data[offset : offset + length] = iov.tobytes()

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        return False

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        return False

    async def pwrite_zeroes(
        self, offset: int, length: int, flags: int, parent: Request | None
    ) -> None:
        self.calls.append(("pwrite_zeroes", offset, length, flags))

    async def pdiscard(self, offset: int, length: int, parent: Request | None) -> None:
        self.calls.append(("pdiscard", offset, length))

    async def flush(self, parent: Request | None) -> None:
        self.calls.append(("flush",))

    async def block_status(
        self, offset: int, length: int, want_zero: bool, parent: Request | None
    ) -> BlockStatus:
        return BlockStatus(DATA | OFFSET_VALID, length, offset)

    async def truncate(self, size: int, how: Truncation, parent: Request | None) -> None:
        self.calls.append(("truncate", size, how))

    def hears(self, event: Event) -> bool:
        return event in self.heard

    async def fire(self, event: Event, parent: Request | None) -> None:
        assert event in self.heard
        self.calls.append(("fire", event))


class FakeOpener:
    """Opens one child, whatever it is said to be."""

    def __init__(self, child: Target | None = None, flags: OpenFlags | None = None) -> None:
        self._child = child
        self.flags = flags or OpenFlags()
        self.compat: Compat = SAFE
        self.choices: Choices = Unchanged()
        self.node_name = "node"
        #: What was warned of.
        self.warnings: list[str] = []
        #: What was opened: name of the edge, source, role.
        self.opened: list[tuple[str, NodeSource, Role]] = []

    async def open_child(self, name: str, source: NodeSource, role: Role) -> Target:
        self.opened.append((name, source, role))
        assert self._child is not None
        return self._child

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def become_read_only(self) -> None:
        raise BlockError(EPERM, "no driver here gives up writing by itself")
