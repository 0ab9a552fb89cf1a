"""file and host_device: a regular file, or a device, of the host.

What the page cache has is read in place, and short writes are made in place; all else goes to an
io_uring if it may and there is one, or to threads.

QEMU: block/file-posix.c.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from errno import EINVAL, EIO, ENOTSUP
from mmap import PAGESIZE
from typing import ClassVar, Final, NoReturn, ParamSpec, Self, TypeVar

from blkdebug_async.block.driver import Driver, Opener
from blkdebug_async.block.flags import DATA, MAY_UNMAP, NO_FALLBACK, OFFSET_VALID, OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import ALL, RESIZE, WRITE, WRITE_UNCHANGED, Permissions
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.compat import SAFE
from blkdebug_async.drivers.file.blocking import Blocking, Way
from blkdebug_async.drivers.file.direct import NO_ALIGNMENT, probe_alignment
from blkdebug_async.drivers.file.extents import find_extent
from blkdebug_async.drivers.file.in_place import (
    LONGEST,
    NOWAIT,
    InPlaceWriter,
    takes_nowait,
)
from blkdebug_async.drivers.file.locks import PermissionLocks
from blkdebug_async.drivers.file.opening import check_kind, open_file
from blkdebug_async.drivers.file.resize import resize
from blkdebug_async.drivers.file.zeroing import Zeroing
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.options.filename import FilenameParser, Gathered, parse_file_name, strip_prefix
from blkdebug_async.options.reader import Kind, OptionReader, parse_enum
from blkdebug_async.options.tree import Options

P = ParamSpec("P")
T = TypeVar("T")

_KINDS: Final = {
    "filename": Kind.STR,
    "aio": Kind.STR,
    "aio-max-batch": Kind.NUMBER,
    "locking": Kind.STR,
    "pr-manager": Kind.STR,
    "drop-cache": Kind.BOOL,
    "x-check-cache-dropped": Kind.BOOL,
}
#: Options that may change while the node is open.
_MUTABLE: Final = frozenset({"drop-cache", "x-check-cache-dropped"})
_WRITING: Final = WRITE | WRITE_UNCHANGED | RESIZE


class Aio(StrEnum):
    """How requests are handed to the system."""

    #: An io_uring if the system gives one, else threads; unknown to QEMU.
    AUTO = "auto"
    THREADS = "threads"
    #: The same as auto, but for files past the page cache only.
    NATIVE = "native"
    #: Nothing but an io_uring.
    IO_URING = "io_uring"


class Locking(StrEnum):
    """Whether other processes are told what is done to the file."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class FileDriver(Driver):
    """A regular file.

    Args:
        path: Its name.
        aio: How requests wait that cannot be answered at once: "auto", "threads", "native" or
            "io_uring"; None: as the node is opened.
        locking: "auto": take locks where they belong to the open file. "on": refuse to go without.

    Raises:
        OptionError: EINVAL; there is no name, or an option has an unknown value.
    """

    name: ClassVar[str] = "file"
    is_protocol: ClassVar[bool] = True
    needs_filename: ClassVar[bool] = True
    mutable_options: ClassVar[frozenset[str]] = _MUTABLE
    parse_filename: ClassVar[FilenameParser | None] = parse_file_name
    #: Whether this is for devices.
    _for_devices: ClassVar[bool] = False

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        aio: str | None = None,
        locking: str = "auto",
    ) -> None:
        super().__init__()
        self._path = os.fspath(path)
        if not self._path:
            raise OptionError(f"The '{self.name}' block driver requires a file name")
        self._aio = None if aio is None else parse_enum(aio, Aio)
        #: Most requests that go to an io_uring together; 0: as many as is good. For open().
        self.max_batch = 0
        self._locking = parse_enum(locking, Locking)
        self.zero_flags = MAY_UNMAP | NO_FALLBACK
        self.options["filename"] = self._path
        self._fd = -1
        self._flags = OpenFlags()
        self._writable = False
        self._is_regular = False
        self._taken = 0
        self._locks: PermissionLocks | None = None
        self._blocking = Blocking()
        #: Flag with which reads are tried in place; 0: they are not.
        self._nowait = 0
        #: Longest read or write that is tried in place, in bytes; -1: none is.
        self._longest_in_place = -1
        self._in_place = InPlaceWriter()
        #: What is done in place goes on a turn of the loop later, as from one of QEMU's threads.
        self._takes_a_turn = False
        self._zeroing = Zeroing(is_device=False, zero_range=True)
        self._sync_errno = 0

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        path = reader.take_str("filename", "")
        if not path:
            raise OptionError(f"The '{cls.name}' block driver requires a file name")
        reader.check(_KINDS)
        driver = cls(
            path,
            aio=reader.take_str("aio", None),
            locking=reader.take_str("locking", "auto"),
        )
        driver.max_batch = reader.take_number("aio-max-batch", 0)
        manager = reader.take_str("pr-manager", None)
        if manager is not None:
            raise OptionError(f"No persistent reservation manager with id '{manager}'")
        # No node ever moves to another host.
        reader.take_bool("drop-cache", True)
        reader.take_bool("x-check-cache-dropped", False)
        return driver

    @classmethod
    def explored(cls) -> type[Driver]:
        # Whoever explores nothing need not load it.
        module = importlib.import_module("blkdebug_async.drivers.file.explored")
        kind: type[Driver] = module.explored_kind(cls)
        return kind

    # --- life ---

    async def open(self, opener: Opener) -> None:
        self._flags = opener.flags
        self._takes_a_turn = opener.compat.file_requests_take_a_turn
        if self._locking is not Locking.OFF:
            if PermissionLocks.available():
                self._locks = PermissionLocks(self._path)
            elif self._locking is Locking.ON:
                raise OptionError("File lock requested but OFD locking syscall is unavailable")
        fd = self._open_as(self._flags)
        try:
            self._blocking = self._choose_way(opener)
            check_kind(fd, self._path, self.name, device=self._for_devices)
            self._adopt(fd, self._flags)
        except OSError:
            self._blocking.close()
            os.close(fd)
            raise
        mode = os.fstat(fd).st_mode
        self._is_regular = stat.S_ISREG(mode)
        # A block device may keep stale pages of what it zeroed itself.
        zero_range = self._flags.direct or not stat.S_ISBLK(mode)
        self._zeroing = Zeroing(is_device=self._for_devices, zero_range=zero_range)

    async def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            self._blocking.close()
            os.close(fd)

    async def reopen(self, flags: OpenFlags, options: Options) -> None:
        if flags.direct != self._flags.direct or self._needs_writing(flags) != self._writable:
            self._exchange(flags)
        self._flags = flags

    def _choose_way(self, opener: Opener) -> Blocking:
        aio = self._aio or Aio(self._flags.aio)
        if self._aio is Aio.AUTO and opener.compat != SAFE:
            raise OptionError(f"invalid parameter value: {aio}")
        if aio is Aio.NATIVE and not self._flags.direct:
            raise OptionError(
                "aio=native was specified, but it requires cache.direct=on, "
                "which was not specified."
            )
        if self._takes_a_turn:
            return Blocking(Way.TURNS)
        if aio is Aio.THREADS:
            return Blocking(Way.THREADS)
        blocking = Blocking(Way.ANY, max_batch=self.max_batch)
        if aio is Aio.IO_URING:
            blocking.need_ring()
        return blocking

    def _needs_writing(self, flags: OpenFlags) -> bool:
        # With auto-read-only, the file is opened for writing when somebody wants to write.
        return bool(self._taken & _WRITING) if flags.auto_read_only else not flags.read_only

    def _open_as(self, flags: OpenFlags) -> int:
        return open_file(self._path, writable=self._needs_writing(flags), direct=flags.direct)

    def _adopt(self, fd: int, flags: OpenFlags) -> None:
        alignment = probe_alignment(fd) if flags.direct else NO_ALIGNMENT
        self._blocking.adopt(direct=flags.direct, alignment=alignment)
        self._fd = fd
        self._writable = self._needs_writing(flags)
        cached = not flags.direct and takes_nowait(fd)
        self.answers_at_once = cached and not self._takes_a_turn
        self._nowait = NOWAIT if cached else 0
        self._longest_in_place = LONGEST if cached else -1
        self._in_place = InPlaceWriter()

    def _exchange(self, flags: OpenFlags) -> None:
        old = self._fd
        new = self._open_as(flags)
        try:
            if self._locks is not None:
                self._locks.move(new)
            self._adopt(new, flags)
            # Requests that are under way know the file by its number.
            os.dup2(new, old, inheritable=False)
        finally:
            self._fd = old
            os.close(new)

    # --- facts ---

    def length(self) -> int:
        # Unlike fstat() it refuses what only looks like a regular file: most of /proc.
        return os.lseek(self._fd, 0, os.SEEK_END)

    def refresh_limits(self, limits: Limits) -> Limits:
        return replace(
            limits,
            request_alignment=self._blocking.alignment.request,
            min_mem_alignment=self._blocking.alignment.memory,
            opt_mem_alignment=max(self._blocking.alignment.memory, PAGESIZE),
        )

    def permissions_changed(self, permissions: Permissions) -> None:
        if self._fd < 0:
            return
        if self._flags.force_share:
            permissions = Permissions(permissions.taken, ALL)
        before, self._taken = self._taken, permissions.taken
        try:
            if self._locks is not None:
                self._locks.change(self._fd, permissions)
            if self._needs_writing(self._flags) != self._writable:
                self._exchange(self._flags)
        except OSError:
            self._taken = before
            raise

    def plain_filename(self, told: Gathered) -> str | None:
        return None if told.is_special else self._path

    # --- requests ---

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        done = 0
        if length <= self._longest_in_place:
            try:
                done = os.preadv(self._fd, iov.views, offset, self._nowait)
            except OSError:
                # It would wait; or the error will come again where it may wait.
                done = 0
            if done < length and self._is_regular and offset + done >= self.length():
                iov.slice(done, length - done).fill(0)
                done = length
            if done == length:
                await self._blocking.take_turn()
                return
        try:
            await self._blocking.read(self._fd, iov, offset, done)
        except OSError as error:
            self._fail("read from", error)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        done = 0
        if length <= self._longest_in_place:
            done = self._in_place.write(self._fd, iov.views, offset, length)
            if done == length:
                await self._blocking.take_turn()
                return
        try:
            await self._blocking.write(self._fd, iov, offset, done)
        except OSError as error:
            self._fail("write to", error)

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        if length > self._longest_in_place or self._takes_a_turn:
            return False
        try:
            return os.preadv(self._fd, iov.views, offset, self._nowait) == length
        except OSError:
            # It would wait; or the error will come again where it may wait.
            return False

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        if length > self._longest_in_place or self._takes_a_turn:
            return False
        return self._in_place.write(self._fd, iov.views, offset, length) == length

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        zero = self._zeroing.write_zeroes
        await self._in_thread("zero a part of", zero, self._fd, offset, length, flags)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        discard = self._zeroing.discard
        await self._in_thread("discard a part of", discard, self._fd, offset, length)

    async def flush_to_disk(self, request: Request) -> None:
        if self._sync_errno:
            raise BlockError(
                self._sync_errno, f"Could not flush '{self._path}': an earlier flush failed"
            )
        try:
            await self._blocking.sync(self._fd)
        except OSError as error:
            self._remember_failed_sync(error)
            self._fail("flush", error)
        except asyncio.CancelledError as cancelled:
            if isinstance(cancelled.__cause__, OSError):
                self._remember_failed_sync(cancelled.__cause__)
            raise

    def _remember_failed_sync(self, error: OSError) -> None:
        # The kernel may have marked pages clean that never reached the disk, and would say yes
        # the next time. Without the page cache there are no such pages.
        if not self._flags.direct:
            self._sync_errno = error.errno or EIO

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        if not want_zero:
            return BlockStatus(DATA | OFFSET_VALID, length, offset)
        what, length = find_extent(self._fd, offset, length, self._blocking.alignment.request)
        return BlockStatus(what | OFFSET_VALID, length, offset)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        if self._is_regular:
            await self._in_thread("resize", resize, self._fd, size, how.preallocation)
            return
        if how.preallocation != "off":
            raise BlockError(
                ENOTSUP,
                f"Preallocation mode '{how.preallocation}' unsupported for this non-regular file",
            )
        length = self.length()
        if size != length and how.exact:
            raise BlockError(ENOTSUP, "Cannot resize device files")
        if size > length:
            raise BlockError(EINVAL, "Cannot grow device files")

    async def _in_thread(
        self, verb: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return await self._blocking.run(function, *args, **kwargs)
        except OSError as error:
            self._fail(verb, error)

    def _fail(self, verb: str, error: OSError) -> NoReturn:
        if isinstance(error, BlockError):
            raise error
        message = f"Could not {verb} '{self._path}': {error.strerror}"
        raise BlockError(error.errno or EIO, message) from error


def parse_host_device_name(name: str) -> Options:
    """Read a path, with or without `host_device:` in front."""
    return {"filename": strip_prefix(name, "host_device")}


class HostDeviceDriver(FileDriver):
    """A character or block device."""

    name: ClassVar[str] = "host_device"
    has_variable_length: ClassVar[bool] = True
    parse_filename: ClassVar[FilenameParser | None] = parse_host_device_name
    _for_devices: ClassVar[bool] = True
