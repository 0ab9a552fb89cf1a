"""What a driver may ask of the nodes below it, and the words of question and answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.tracked import Request
from blkdebug_async.events import Event


@dataclass(frozen=True, slots=True)
class Truncation:
    """How a node's length is to be changed."""

    #: Fail if the length cannot be met exactly; otherwise longer is fine.
    exact: bool = False
    #: What to do with new space: "off", "metadata", "falloc" or "full".
    preallocation: str = "off"
    #: New space must read as zeros whatever lies below.
    zero: bool = False


@dataclass(frozen=True, slots=True)
class BlockStatus:
    """What a stretch of a node is made of."""

    #: Bits DATA, ZERO, OFFSET_VALID, RAW, ALLOCATED, EOF, RECURSE of block.flags.
    flags: int
    #: Bytes from the asked offset on that are alike.
    length: int
    #: Where the stretch starts in target, if OFFSET_VALID.
    offset: int = 0
    #: The node below that holds it; None: this node itself.
    target: Target | None = None


class Target(Protocol):
    """What a driver may ask of a node below it. Offsets and lengths in bytes, any alignment.

    `parent` is the driver's own request; it links the two in messages and explorations.
    """

    @property
    def node_name(self) -> str:
        """Name of the node below."""
        ...

    @property
    def plain_filename(self) -> str | None:
        """File name that opens the node below again; None: only json: can say it."""
        ...

    @property
    def is_protocol(self) -> bool:
        """Whether the node below is opened by a file name or an address."""
        ...

    @property
    def length(self) -> int:
        """Length of the node below in bytes, a multiple of 512."""
        ...

    @property
    def limits(self) -> Limits:
        """Limits of the node below."""
        ...

    @property
    def cluster_size(self) -> int:
        """Allocation unit of the node below in bytes; 0: there is none."""
        ...

    @property
    def write_flags(self) -> int:
        """Request flags that the node below takes natively on writes."""
        ...

    @property
    def zero_flags(self) -> int:
        """Request flags that the node below takes natively on zero writes."""
        ...

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> None:
        """Read; past the end come zeros."""
        ...

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> None:
        """Write; past the end the node grows if its driver can."""
        ...

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        """Read at once; False: nothing has happened, ask preadv()."""
        ...

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        """Write at once; False: ask pwritev(), which does all of it again."""
        ...

    async def pwrite_zeroes(
        self, offset: int, length: int, flags: int, parent: Request | None
    ) -> None:
        """Make a range read as zeros."""
        ...

    async def pdiscard(self, offset: int, length: int, parent: Request | None) -> None:
        """Say that a range is not needed any more."""
        ...

    async def flush(self, parent: Request | None) -> None:
        """Make everything written before this call safe."""
        ...

    async def block_status(
        self, offset: int, length: int, want_zero: bool, parent: Request | None
    ) -> BlockStatus:
        """Tell what a range is made of."""
        ...

    async def truncate(self, size: int, how: Truncation, parent: Request | None) -> None:
        """Change the length."""
        ...

    async def fire(self, event: Event, parent: Request | None) -> None:
        """Announce a debug event to the node below. Skip the call if nobody there hears it."""
        ...

    def hears(self, event: Event) -> bool:
        """Tell whether fire() would do anything."""
        ...
