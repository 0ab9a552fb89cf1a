from __future__ import annotations

import ctypes
import os
import struct
from dataclasses import dataclass, field

import pytest

from blkdebug_async.drivers.file import rings
from blkdebug_async.drivers.file.rings import FSYNC, READ, READV, WRITEV

#: Operation, file, offset, address, length, number.
_Entry = tuple[int, int, int, int, int, int]


@dataclass
class FakeKernel:
    """Does at once what is submitted, but no faster and no better than it was told to."""

    #: Most bytes of one transfer.
    longest: int = 1 << 30
    #: Most requests that one submission takes.
    takes: int = 1 << 30
    #: What the next submissions fail with.
    refusals: list[int] = field(default_factory=list)
    #: What the next requests fail with, instead of being done; 0: it is done.
    failures: list[int] = field(default_factory=list)
    #: Completions come only when they are asked for.
    is_slow: bool = False
    #: How many requests each submission took.
    batches: list[int] = field(default_factory=list)
    #: Operation, flags and length in bytes of each request.
    seen: list[tuple[int, int, int]] = field(default_factory=list)
    eventfd: int = -1
    _places: int = 0
    _queue: list[_Entry] = field(default_factory=list)
    _done: list[tuple[int, int, int]] = field(default_factory=list)

    def open(self, entries: int) -> FakeKernel:
        self._places = entries
        self.eventfd = os.eventfd(0, os.EFD_NONBLOCK)
        return self

    def close(self) -> None:
        os.close(self.eventfd)
        self.eventfd = -1
        self._queue.clear()
        self._done.clear()

    def answer(self) -> None:
        """Let the completions be seen that are there."""
        if self._done:
            os.eventfd_write(self.eventfd, 1)

    def push(  # noqa: PLR0913
        self,
        operation: int,
        flags: int,
        fd: int,
        offset: int,
        address: int,
        length: int,
        number: int,
    ) -> bool:
        if len(self._queue) == self._places:
            return False
        self._queue.append((operation, fd, offset, address, length, number))
        moved = length if operation not in (READV, WRITEV) else -length
        self.seen.append((operation, flags, moved))
        return True

    def submit(self, wait: int = 0) -> int:
        if self.refusals:
            errno = self.refusals.pop(0)
            raise OSError(errno, os.strerror(errno))
        taken, self._queue = self._queue[: self.takes], self._queue[self.takes :]
        self.batches.append(len(taken))
        self._done += [(entry[-1], self._do(*entry[:-1]), 0) for entry in taken]
        if not self.is_slow:
            self.answer()
        return len(taken)

    def take(self) -> list[tuple[int, int, int]]:
        done, self._done = self._done, []
        return done

    def _do(self, operation: int, fd: int, offset: int, address: int, length: int) -> int:
        errno = self.failures.pop(0) if self.failures else 0
        if errno:
            return -errno
        try:
            if operation == FSYNC:
                os.fdatasync(fd)
                return 0
            views = self._views(operation, address, length)
            move = os.preadv if operation in (READ, READV) else os.pwritev
            return move(fd, views, offset)
        except OSError as error:
            return -(error.errno or 5)

    def _views(self, operation: int, address: int, length: int) -> list[memoryview]:
        parts = [(address, length)]
        if operation in (READV, WRITEV):
            parts = list(struct.iter_unpack("@NN", _memory(address, 16 * length)))
        rest = self.longest
        views = []
        for start, size in parts:
            views.append(_memory(start, min(size, rest)))
            rest -= len(views[-1])
        return views


def _memory(address: int, length: int) -> memoryview:
    return memoryview((ctypes.c_char * length).from_address(address)).cast("B")


def refuse_rings(monkeypatch: pytest.MonkeyPatch, errno: int) -> None:
    """Be a kernel that gives no io_uring."""

    def refuse(*arguments: int) -> int:
        ctypes.set_errno(errno)
        return -1

    monkeypatch.setattr(rings, "_syscall", refuse)
