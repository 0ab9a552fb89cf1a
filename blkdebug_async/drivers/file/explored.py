"""A file under exploration: it is only read, and what is written to it is the run's alone.

It is opened as ever, so that whoever may not open it hears of that, but without locks: nobody else
is concerned. Loaded only where a disk is opened in an exploration.
"""

from __future__ import annotations

import os
from functools import cache

from blkdebug_async.block.driver import Driver, Opener, Pace
from blkdebug_async.block.flags import DATA, MAY_UNMAP, OFFSET_VALID, OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.file.blocking import Blocking
from blkdebug_async.drivers.file.driver import FileDriver, Locking
from blkdebug_async.drivers.file.locks import PermissionLocks
from blkdebug_async.drivers.file.opening import open_file
from blkdebug_async.drivers.file.shadow import Shadow
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.here import exploration_here


class ExploredFileDriver(FileDriver):
    """A file of which a run has its own version."""

    #: Set in open().
    _shadow: Shadow | None = None

    @classmethod
    def explored(cls) -> type[Driver]:
        return cls

    # --- life ---

    async def open(self, opener: Opener) -> None:
        exploration = exploration_here()
        assert exploration is not None
        if self._locking is not Locking.ON or PermissionLocks.available():
            self._locking = Locking.OFF
        await super().open(opener)
        fd = self._fd
        try:
            self._shadow = _shadow_of(exploration, self._path, fd)
            self._fd = self._shadow.fd
        finally:
            os.close(fd)
        self.storage = self._shadow.name
        self.pace = Pace.AT_ONCE

    async def close(self) -> None:
        """Leave the file to the run, in which it may be opened again."""
        self._fd = -1

    def _choose_way(self, opener: Opener) -> Blocking:
        blocking = super()._choose_way(opener)
        # It was needed to hear whether there is one.
        blocking.close()
        return blocking

    def _exchange(self, flags: OpenFlags) -> None:
        kept, fd = self._fd, self._open_as(flags)
        try:
            self._adopt(fd, flags)
        finally:
            self._fd = kept
            os.close(fd)

    # --- facts and requests ---

    @property
    def _file(self) -> Shadow:
        assert self._shadow is not None
        return self._shadow

    def length(self) -> int:
        return self._file.length()

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        try:
            self._file.read(offset, iov)
        except OSError as error:
            self._fail("read from", error)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        try:
            self._file.write(offset, iov)
        except OSError as error:
            self._fail("write to", error)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        self._file.zero(offset, length, grow=not flags & MAY_UNMAP)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        self._file.zero(offset, length, grow=False)

    async def flush_to_disk(self, request: Request) -> None:
        """Do nothing: what a run writes is never safe."""

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        if not want_zero:
            return BlockStatus(DATA | OFFSET_VALID, length, offset)
        what, length = self._file.extent(offset, length, self._blocking.alignment.request)
        return BlockStatus(what | OFFSET_VALID, length, offset)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        if self._is_regular:
            self._file.truncate(size, how.preallocation)
        else:
            await super().truncate(size, how, request)


def _shadow_of(exploration: Exploration, path: str, fd: int) -> Shadow:
    """Find the shadow of a file in a run, or make one."""
    status = os.fstat(fd)
    key = f"file {status.st_dev}:{status.st_ino}"
    found = exploration.shared.get(key)
    if isinstance(found, Shadow):
        return found
    name = exploration.root.number(f"file {os.path.basename(path)}")
    shadow = Shadow(open_file(path, writable=False, direct=False), name)
    exploration.shared[key] = shadow
    exploration.at_end.callback(shadow.close)
    return shadow


@cache
def explored_kind(kind: type[FileDriver]) -> type[Driver]:
    """Give the class that drivers of a kind become."""
    # Who derives from the file driver keeps whatever it does otherwise.
    others = () if kind is FileDriver else (kind,)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (*others, ExploredFileDriver), names)
