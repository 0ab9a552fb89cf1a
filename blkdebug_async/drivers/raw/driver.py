"""raw: an image that is nothing but its bytes, or a window onto a part of them.

Its child hears read_aio and write_aio from here.

QEMU: block/raw-format.c.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from errno import EINVAL, ENOSPC, ENOTSUP, EPERM
from functools import partial
from typing import ClassVar, Final, Self

from blkdebug_async.block.driver import Driver, NodeSource, Opener
from blkdebug_async.block.flags import (
    FUA,
    MAY_UNMAP,
    NO_FALLBACK,
    OFFSET_VALID,
    RAW,
    WRITE_UNCHANGED,
    OpenFlags,
)
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import RESIZE, WRITE, Permissions, Role
from blkdebug_async.block.target import BlockStatus, Target, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.raw.probe import PROBE_SIZE, probe_format
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.events import Event
from blkdebug_async.options.reader import Kind, OptionReader
from blkdebug_async.options.tree import Options
from blkdebug_async.units import INT64_MAX, SECTOR_SIZE, is_aligned

# Looking up a member of an Enum costs more than what is done with it here.
_READ_AIO: Final = Event.READ_AIO
_WRITE_AIO: Final = Event.WRITE_AIO
_KINDS: Final = {"offset": Kind.SIZE, "size": Kind.SIZE}


class RawDriver(Driver):
    """Shows the child's bytes, all of them or a window.

    Args:
        file: The child.
        offset: Where the window starts in the child, in bytes.
        size: How long the window is, a multiple of 512; None: it ends where the child ends.
        probed: Whether the format was guessed. Then nobody may write to the first sector what
            would make the next guess come out differently.
    """

    name: ClassVar[str] = "raw"
    has_variable_length: ClassVar[bool] = True
    strong_options: ClassVar[tuple[str, ...]] = ("offset", "size")
    mutable_options: ClassVar[frozenset[str]] = frozenset(_KINDS)

    #: Set in open(), before anything is forwarded.
    file: Target
    #: Whether the format was guessed; may be set until open().
    probed: bool

    def __init__(
        self, file: NodeSource, *, offset: int = 0, size: int | None = None, probed: bool = False
    ) -> None:
        super().__init__()
        self._source = file
        self._offset = offset
        #: None: up to the end of the child.
        self._fixed_size = size
        self._parents_take = 0
        self.probed = probed
        if offset:
            self.options["offset"] = offset
        if size is not None:
            self.options["size"] = size

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        offset, size = _take_window(reader, 0, None)
        return cls(reader.take_child("file"), offset=offset, size=size)

    async def open(self, opener: Opener) -> None:
        whole = not self._offset and self._fixed_size is None
        role = (Role.FILTERED if whole else Role.DATA) | Role.PRIMARY
        self.file = await opener.open_child("file", self._source, role)
        _check_window(self._offset, self._fixed_size, self.file.length)
        self.write_flags = WRITE_UNCHANGED | (FUA & self.file.write_flags)
        self.zero_flags = WRITE_UNCHANGED | ((FUA | MAY_UNMAP | NO_FALLBACK) & self.file.zero_flags)

    async def reopen(self, flags: OpenFlags, options: Options) -> None:
        given = {key: options[key] for key in _KINDS if key in options}
        if not given:
            return
        reader = OptionReader(dict(given), driver=self.name, is_protocol=False)
        offset, size = _take_window(
            reader,
            self._offset if given.get("offset", 0) is not None else 0,
            self._fixed_size if given.get("size", 0) is not None else None,
        )
        _check_window(offset, size, self.file.length)
        self._offset, self._fixed_size = offset, size
        self.options = {key: value for key, value in self.options.items() if key not in given}
        self.options |= {key: value for key, value in given.items() if value is not None}

    # --- facts ---

    def length(self) -> int:
        available = max(0, self.file.length - self._offset)
        if self._fixed_size is None:
            return available
        # A child that shrinks takes the window's end with it for good, as in raw_co_getlength().
        self._fixed_size = min(self._fixed_size, available)
        return self._fixed_size

    def cluster_size(self) -> int:
        return self.file.cluster_size

    def refresh_limits(self, limits: Limits) -> Limits:
        # A guarded first sector must come in one piece.
        return replace(limits, request_alignment=SECTOR_SIZE) if self.probed else limits

    def permissions_changed(self, permissions: Permissions) -> None:
        self._parents_take = permissions.taken

    def child_permissions(self, default: Permissions) -> Permissions:
        # As a window this would take more by default than it needs, and collide with others.
        needed = self._parents_take & (WRITE | RESIZE)
        return Permissions(default.taken & ~(WRITE | RESIZE) | needed, default.shared)

    # --- requests ---

    def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> Coroutine[object, None, None]:
        offset = self._translate(offset, length, EINVAL)
        if self.file.hears(_READ_AIO):
            work = partial(self.file.preadv, offset, length, iov, flags, request)
            return self._announced(_READ_AIO, work, request)
        return self.file.preadv(offset, length, iov, flags, request)

    def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> Coroutine[object, None, None]:
        if self.probed and offset < PROBE_SIZE and length:
            iov = _guard_first_sector(iov)
        offset = self._translate(offset, length, ENOSPC)
        if self.file.hears(_WRITE_AIO):
            work = partial(self.file.pwritev, offset, length, iov, flags, request)
            return self._announced(_WRITE_AIO, work, request)
        return self.file.pwritev(offset, length, iov, flags, request)

    async def _announced(
        self, event: Event, work: Callable[[], Awaitable[None]], request: Request
    ) -> None:
        await self.file.fire(event, request)
        await work()

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        file = self.file
        # Outside of a window is for preadv() to refuse.
        if self._fixed_size is not None and offset + length > self._fixed_size:
            return False
        return not file.hears(_READ_AIO) and file.preadv_nowait(offset + self._offset, length, iov)

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        file = self.file
        if (self._fixed_size is not None and offset + length > self._fixed_size) or (
            self.probed and offset < PROBE_SIZE
        ):
            return False
        return not file.hears(_WRITE_AIO) and file.pwritev_nowait(
            offset + self._offset, length, iov, flags
        )

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        offset = self._translate(offset, length, ENOSPC)
        await self.file.pwrite_zeroes(offset, length, flags, request)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        await self.file.pdiscard(self._translate(offset, length, ENOSPC), length, request)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        return BlockStatus(RAW | OFFSET_VALID, length, offset + self._offset, self.file)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        if self._fixed_size is not None:
            raise BlockError(ENOTSUP, "Cannot resize fixed-size raw disks")
        if size > INT64_MAX - self._offset:
            raise BlockError(EINVAL, "Disk size too large for the chosen offset")
        await self.file.truncate(size + self._offset, how, request)

    def _translate(self, offset: int, length: int, outside: int) -> int:
        if self._fixed_size is not None and offset + length > self._fixed_size:
            raise BlockError(
                outside,
                f"{length} bytes at offset {offset} are outside of {self._fixed_size} bytes",
            )
        return offset + self._offset


def _take_window(reader: OptionReader, offset: int, size: int | None) -> tuple[int, int | None]:
    reader.check(_KINDS)
    return reader.take_size("offset", offset), reader.take_size("size", size)


def _check_window(offset: int, size: int | None, available: int) -> None:
    if offset > available:
        raise OptionError(
            f"Offset ({offset}) cannot be greater than size of the containing file ({available})"
        )
    if size is None:
        return
    if size > available - offset:
        raise OptionError(
            f"The sum of offset ({offset}) and size ({size}) has to be smaller or equal to the  "
            f"actual size of the containing file ({available})"
        )
    if not is_aligned(size, SECTOR_SIZE):
        raise OptionError(f"Specified size is not multiple of {SECTOR_SIZE}")


def _guard_first_sector(iov: Iovec) -> Iovec:
    head = iov.slice(0, PROBE_SIZE).tobytes()
    guessed = probe_format(head, None)
    if guessed != "raw":
        raise BlockError(
            EPERM, f"The image was guessed to be raw, and must not be made to look like {guessed}"
        )
    # What was looked at is written, whatever the caller does to its buffer meanwhile.
    rest = iov.slice(PROBE_SIZE, iov.length - PROBE_SIZE)
    return Iovec([memoryview(head), *rest.views], iov.length)
