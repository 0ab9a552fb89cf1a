"""Say to other processes what is done to a file, and hear what they do: QEMU's lock bytes.

Who takes permission number N holds a shared lock on byte 100 + N; who does not share it holds one
on byte 200 + N. So a permission is free if nobody holds its byte at 200, and may be kept for
oneself if nobody holds its byte at 100. Locks belong to the open file, not to the process, and go
away with it.

QEMU: block/file-posix.c, raw_apply_lock_bytes(), raw_check_lock_bytes(); util/osdep.c.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from errno import EACCES, EAGAIN, EIO
from typing import Final

from blkdebug_async.block.permissions import NAMES, Permissions, describe
from blkdebug_async.errors import BlockError

_TAKEN_BASE: Final = 100
_UNSHARED_BASE: Final = 200
#: struct flock: kind, whence, start, length, process; padded as the compiler does.
_FLOCK: Final = struct.Struct("@hhqqi0q")
#: None where locks belong to processes only, as on macOS.
_SET: Final[int | None] = getattr(fcntl, "F_OFD_SETLK", None)
_GET: Final[int | None] = getattr(fcntl, "F_OFD_GETLK", None)


class PermissionLocks:
    """The locks that one open file holds.

    Args:
        filename: The file's name, for messages.
    """

    def __init__(self, filename: str) -> None:
        self._filename = filename
        #: Offsets of the bytes that are locked.
        self._held: set[int] = set()

    @staticmethod
    def available() -> bool:
        """Tell whether the system has locks that belong to an open file."""
        return _SET is not None and _GET is not None

    def change(self, fd: int, permissions: Permissions) -> None:
        """Hold what these permissions need and no more.

        Raises:
            BlockError: EAGAIN: somebody else is in the way. Then nothing has changed.
        """
        before = set(self._held)
        wanted = set(_bytes_of(permissions))
        try:
            # First all of the old and the new, so that there is no moment without.
            self._lock(fd, wanted)
            if not wanted <= before:
                self._check(fd, permissions)
        except OSError:
            self._unlock_all_but(fd, before)
            raise
        self._unlock_all_but(fd, wanted)

    def move(self, fd: int) -> None:
        """Take the same locks through another descriptor; the one before is closed next."""
        held, self._held = self._held, set()
        try:
            self._lock(fd, held)
        except OSError:
            self._held = held
            raise

    def _lock(self, fd: int, wanted: set[int]) -> None:
        for offset in sorted(wanted - self._held):
            try:
                _flock(fd, _SET, fcntl.F_RDLCK, offset)
            except OSError as error:
                raise _failure(f"Failed to lock byte {offset}", error) from error
            self._held.add(offset)

    def _unlock_all_but(self, fd: int, wanted: set[int]) -> None:
        for offset in sorted(self._held - wanted):
            # Some network file systems fail here; the lock is no worse for being kept.
            with contextlib.suppress(OSError):
                _flock(fd, _SET, fcntl.F_UNLCK, offset)
            self._held.discard(offset)

    def _check(self, fd: int, permissions: Permissions) -> None:
        taken, unshared = permissions.taken, ~permissions.shared
        for mask, base, word in ((taken, _UNSHARED_BASE, ""), (unshared, _TAKEN_BASE, "shared ")):
            for number, bit in enumerate(NAMES.values()):
                if mask & bit and _is_locked(fd, base + number):
                    hint = f"Is another process using the image [{self._filename}]?"
                    message = f'Failed to get {word}"{describe(bit)}" lock'
                    raise BlockError(EAGAIN, message, hint=hint)


def _bytes_of(permissions: Permissions) -> Iterator[int]:
    for number, bit in enumerate(NAMES.values()):
        if permissions.taken & bit:
            yield _TAKEN_BASE + number
        if not permissions.shared & bit:
            yield _UNSHARED_BASE + number


def _is_locked(fd: int, offset: int) -> bool:
    # Whether a lock of one's own could be exclusive; one's shared locks are not in its way.
    return _flock(fd, _GET, fcntl.F_WRLCK, offset) != fcntl.F_UNLCK


def _flock(fd: int, command: int | None, kind: int, offset: int) -> int:
    assert command is not None
    answer = fcntl.fcntl(fd, command, _FLOCK.pack(kind, os.SEEK_SET, offset, 1, 0))
    found: int = _FLOCK.unpack(answer)[0]
    return found


def _failure(message: str, error: OSError) -> BlockError:
    errno = error.errno or EIO
    if errno in (EAGAIN, EACCES):
        return BlockError(errno, message)
    return BlockError(errno, f"{message}: {error.strerror}")
