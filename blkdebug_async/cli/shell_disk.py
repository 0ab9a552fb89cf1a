"""What the io language asks of an open disk."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Protocol

from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.options.tree import Options


@dataclass(frozen=True, slots=True)
class DiskInfo:
    """Facts about a disk's top node."""

    #: Name of its driver.
    driver: str
    #: Opened by a file name or an address rather than over another node.
    is_protocol: bool
    #: Bytes, 0 if it has no clusters; None: the driver cannot tell facts like this.
    cluster_size: int | None
    #: Where the VM state begins, in bytes.
    vm_state_offset: int
    #: Format specific lines for people, or "".
    specific: str


class ShellDisk(Protocol):
    """An open disk; all sizes are bytes, all failures OSErrors."""

    @property
    def length(self) -> int:
        """Length, a multiple of 512."""
        ...

    @property
    def flags(self) -> OpenFlags:
        """How its top node is opened."""
        ...

    @property
    def writethrough(self) -> bool:
        """Whether each write is made safe before it is answered."""
        ...

    def preadv(
        self, offset: int, buffers: Sequence[memoryview], flags: int = 0
    ) -> Coroutine[object, None, None]:
        """Read."""
        ...

    def pwritev(
        self, offset: int, buffers: Sequence[memoryview], flags: int = 0
    ) -> Coroutine[object, None, None]:
        """Write."""
        ...

    def pwrite_zeroes(
        self, offset: int, length: int, flags: int = 0
    ) -> Coroutine[object, None, None]:
        """Make a range read as zeros."""
        ...

    def pdiscard(self, offset: int, length: int) -> Coroutine[object, None, None]:
        """Say that a range is not needed."""
        ...

    def flush(self) -> Coroutine[object, None, None]:
        """Make all writes safe."""
        ...

    def truncate(
        self, size: int, *, exact: bool = False, prealloc: str = "off"
    ) -> Coroutine[object, None, None]:
        """Change the length."""
        ...

    def is_allocated(self, offset: int, length: int) -> Coroutine[object, None, tuple[bool, int]]:
        """Tell whether a range is allocated, and how much of it is alike."""
        ...

    def take_permissions(self, permissions: int) -> None:
        """Take these too, from now on."""
        ...

    def drop_permissions(self, permissions: int) -> None:
        """Take these no longer."""
        ...

    def info(self) -> DiskInfo:
        """Tell facts."""
        ...

    def reopen(self, options: Options, *, writethrough: bool) -> Coroutine[object, None, None]:
        """Open the top node anew with other options."""
        ...

    def drain(self) -> Coroutine[object, None, None]:
        """Wait for all requests."""
        ...

    def close(self) -> Coroutine[object, None, None]:
        """Flush and close."""
        ...

    def breakpoint(self, event: str, tag: str) -> None:
        """Hold the next request that announces an event."""
        ...

    def remove_breakpoint(self, tag: str) -> None:
        """Forget the breakpoints of a tag, and resume what they hold."""
        ...

    def resume(self, tag: str) -> None:
        """Resume the request that was held last."""
        ...

    def is_suspended(self, tag: str) -> bool:
        """Tell whether a request is held."""
        ...

    def wait_suspended(self, tag: str) -> Coroutine[object, None, None]:
        """Wait until a request is held."""
        ...
