"""Requests that may have to wait for the disk: by an io_uring if there is one, else in threads."""

from __future__ import annotations

import importlib
import os
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from functools import cache
from typing import Final, ParamSpec, Protocol, TypeVar

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.turn import LastFirst
from blkdebug_async.drivers.file.direct import NO_ALIGNMENT, Alignment
from blkdebug_async.drivers.file.threads import run_in_thread
from blkdebug_async.drivers.file.transfer import read_direct, read_rest, write_direct, write_rest

P = ParamSpec("P")
T = TypeVar("T")

_sync: Final = getattr(os, "fdatasync", os.fsync)


class Way(Enum):
    """How requests wait for the disk."""

    #: In a thread of the loop's executor.
    THREADS = auto()
    #: In an io_uring; in threads if the system gives none.
    ANY = auto()
    #: Here and now, and on a turn of the loop later, as from one of QEMU's threads. Only then is it
    #: certain who goes on when.
    TURNS = auto()


class Ring(Protocol):
    """RingTransfer, which is loaded when it is first needed."""

    def close(self) -> None: ...
    def sync(self, fd: int, /) -> Awaitable[None]: ...
    def read(self, fd: int, iov: Iovec, offset: int, done: int, /) -> Awaitable[None]: ...
    def write(self, fd: int, iov: Iovec, offset: int, done: int, /) -> Awaitable[None]: ...
    def read_direct(
        self, fd: int, iov: Iovec, offset: int, alignment: Alignment, /
    ) -> Awaitable[None]: ...
    def write_direct(
        self, fd: int, iov: Iovec, offset: int, alignment: Alignment, /
    ) -> Awaitable[None]: ...


@cache
def _ring_opener() -> Callable[[int], Ring]:
    # What is in the page cache, and what threads serve, needs none of it.
    module = importlib.import_module("blkdebug_async.drivers.file.ring_transfer")
    function: Callable[[int], Ring] = module.open_ring
    return function


class Blocking:
    """The requests of one file.

    Args:
        way: How they wait.
        max_batch: Most requests that go to the kernel together; 0: as many as is good.
    """

    __slots__ = ("_direct", "_max_batch", "_ring", "_turn", "_way", "alignment")

    def __init__(self, way: Way = Way.THREADS, *, max_batch: int = 0) -> None:
        self._way = way
        self._max_batch = max_batch
        self._ring: Ring | None = None
        self._turn = LastFirst()
        self._direct = False
        self.alignment = NO_ALIGNMENT

    def adopt(self, *, direct: bool, alignment: Alignment) -> None:
        """Serve a file that was opened with or without O_DIRECT."""
        self._direct = direct
        self.alignment = alignment

    def need_ring(self) -> None:
        """Get an io_uring at once.

        Raises:
            OptionError: EINVAL; there is none.
        """
        self._ring = _ring_opener()(self._max_batch)

    def close(self) -> None:
        """Give back what was got; nothing is under way any more."""
        ring, self._ring = self._ring, None
        if ring is not None:
            ring.close()

    def read(self, fd: int, iov: Iovec, offset: int, done: int) -> Awaitable[None]:
        """Read until the vector is full; what lies past the end of the file becomes zero.

        Args:
            fd: The file.
            iov: Where the bytes go.
            offset: Where the first byte of the vector is in the file.
            done: How many bytes the vector has already.

        Raises:
            OSError: The kernel's.
        """
        ring = self._ring or self._find_ring()
        if ring is not None:
            if self._direct:
                return ring.read_direct(fd, iov, offset, self.alignment)
            return ring.read(fd, iov, offset, done)
        if self._direct:
            return self.run(read_direct, fd, iov, offset)
        return self.run(read_rest, fd, iov, offset, done)

    def write(self, fd: int, iov: Iovec, offset: int, done: int) -> Awaitable[None]:
        """Write until nothing of the vector is left; arguments and errors as for read()."""
        ring = self._ring or self._find_ring()
        if ring is not None:
            if self._direct:
                return ring.write_direct(fd, iov, offset, self.alignment)
            return ring.write(fd, iov, offset, done)
        if self._direct:
            return self.run(write_direct, fd, iov, offset)
        return self.run(write_rest, fd, iov, offset, done)

    def sync(self, fd: int) -> Awaitable[None]:
        """Wait until all that was written is on the disk.

        Raises:
            OSError: The kernel's.
        """
        ring = self._ring or self._find_ring()
        return self.run(_sync, fd) if ring is None else ring.sync(fd)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function that blocks, and that no io_uring can do."""
        if self._way is not Way.TURNS:
            return await run_in_thread(function, *args, **kwargs)
        try:
            return function(*args, **kwargs)
        finally:
            await self._turn.take_turn()

    async def take_turn(self) -> None:
        """Wait as a request does that was done at once."""
        if self._way is Way.TURNS:
            await self._turn.take_turn()

    def _find_ring(self) -> Ring | None:
        if self._way is Way.ANY:
            try:
                self.need_ring()
            except (ImportError, OSError):
                # Without ctypes there is none either.
                self._way = Way.THREADS
        return self._ring
