"""The two queues that an io_uring shares with the kernel, and its three system calls.

Loaded when a ring is first wanted: it needs ctypes, which costs 5 ms. No package does this here;
docs/decisions/0006-io-uring.md says why.

Only this thread puts entries into the submission queue, and the kernel takes them out in a system
call of this thread, so nothing needs ordering there. Completions may come from other processors:
their entries are read only after the queue's tail, which x86 sees to, and elsewhere a lock.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
import sys
import threading
from errno import ENOSYS
from typing import Final

from blkdebug_async.drivers.file.address import address_of
from blkdebug_async.units import align_up

# Of linux/io_uring.h, and the numbers that these calls have on all machines but one.
READV: Final = 1
WRITEV: Final = 2
FSYNC: Final = 3
READ: Final = 22
WRITE: Final = 23
#: Flag of an entry: a thread of the kernel does it, even if it need not wait.
ASYNC: Final = 1 << 4

_SETUP: Final = 425
_ENTER: Final = 426
_REGISTER: Final = 427
_GET_EVENTS: Final = 1
_REGISTER_EVENTFD: Final = 4
_DATA_ONLY: Final = 1
_AT_ENTRIES: Final = 0x10000000
#: Both queues are in one mapping; kernels can READ and WRITE without a vector.
_SINGLE_MAP: Final = 1 << 0
_READ_AND_WRITE: Final = 1 << 6
_NEEDED: Final = _SINGLE_MAP | _READ_AND_WRITE

_PARAMETERS: Final = struct.Struct("@10I 8IQ 8IQ")
#: Operation, flags, priority, file, offset, address, length, flags of the operation, number.
_ENTRY: Final = struct.Struct("@BBHiQQIIQ")
_ENTRY_SIZE: Final = 64
#: Number, result, flags.
_COMPLETION: Final = struct.Struct("@QiI")
_WORD: Final = 4
_WRAP: Final = (1 << 32) - 1
_MACHINES: Final = frozenset({"x86_64", "aarch64"})

_NO_ARGUMENTS: Final = (0,) * 6

_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = [ctypes.c_long] * 7
_syscall.restype = ctypes.c_long


class Rings:
    """An io_uring: what is pushed goes to the kernel with the next submit().

    Args:
        entries: Places in the submission queue, a power of two. The completion queue has twice as
            many; whoever has no more than that under way cannot make it overflow.

    Raises:
        OSError: ENOSYS: the system has no io_uring, or one older than Linux 5.6. EPERM: it is not
            allowed. ENOMEM, EMFILE, ...
    """

    __slots__ = (
        "_barrier",
        "_completions",
        "_entries",
        "_fd",
        "_head_word",
        "_mask",
        "_seen",
        "_sqes",
        "_tail",
        "_tail_word",
        "_taken",
        "_told_word",
        "_words",
        "eventfd",
    )

    #: Readable when there are completions.
    eventfd: int

    def __init__(self, entries: int) -> None:
        if sys.platform != "linux" or platform.machine() not in _MACHINES:
            raise OSError(ENOSYS, os.strerror(ENOSYS))
        parameters = bytearray(_PARAMETERS.size)
        self._fd = _call(_SETUP, entries, address_of(memoryview(parameters)))
        self.eventfd = -1
        self._words = self._sqes = self._completions = memoryview(b"")
        try:
            self._share(_PARAMETERS.unpack(parameters))
            self.eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            number = struct.pack("@i", self.eventfd)
            _call(_REGISTER, self._fd, _REGISTER_EVENTFD, address_of(memoryview(number)), 1)
        except BaseException:
            self.close()
            raise
        #: Entries put in, entries that the kernel took, completions seen: since ever.
        self._tail = self._taken = self._seen = 0
        self._barrier: threading.Lock | None = None
        if platform.machine() != "x86_64":
            self._barrier = threading.Lock()
            self._barrier.acquire()

    def _share(self, told: tuple[int, ...]) -> None:
        """Map the queues; the kernel tells where in the mapping each part is, in bytes."""
        entries, features = told[0], told[5]
        if features & _NEEDED != _NEEDED:
            raise OSError(ENOSYS, os.strerror(ENOSYS))
        submission, completion = told[10:], told[19:]
        places, completions = submission[6], completion[5]
        end = completions + 2 * entries * _COMPLETION.size
        size = align_up(max(end, places + entries * _WORD), mmap.PAGESIZE)
        queues = memoryview(mmap.mmap(self._fd, size))
        self._sqes = memoryview(mmap.mmap(self._fd, entries * _ENTRY_SIZE, offset=_AT_ENTRIES))
        self._completions = queues[completions:end]
        self._words = queues.cast("I")
        self._entries = entries
        self._mask = entries - 1
        self._tail_word = submission[1] // _WORD
        self._head_word = completion[0] // _WORD
        self._told_word = completion[1] // _WORD
        # The n-th place of the submission queue always refers to the n-th entry.
        for place in range(entries):
            self._words[places // _WORD + place] = place

    def close(self) -> None:
        """Give it back; what is under way goes on, and nobody hears of it."""
        os.close(self._fd)
        if self.eventfd >= 0:
            os.close(self.eventfd)
        # The mappings go with their last view.
        self._words = self._sqes = self._completions = memoryview(b"")

    def push(  # noqa: PLR0913  the fields of an entry
        self,
        operation: int,
        flags: int,
        fd: int,
        offset: int,
        address: int,
        length: int,
        number: int,
    ) -> bool:
        """Put an entry into the submission queue.

        Args:
            operation: READ, WRITE, READV, WRITEV or FSYNC, which does as fdatasync() does.
            flags: ASYNC or 0.
            fd: The file.
            offset: Where in the file.
            address: Where in memory; of READV and WRITEV, where their vector is.
            length: Bytes; of READV and WRITEV, items of the vector.
            number: What the completion will have.

        Returns:
            False: the queue is full.
        """
        tail = self._tail
        if tail - self._taken == self._entries:
            return False
        how = _DATA_ONLY if operation == FSYNC else 0
        place = (tail & self._mask) * _ENTRY_SIZE
        _ENTRY.pack_into(
            self._sqes, place, operation, flags, 0, fd, offset, address, length, how, number
        )
        self._tail = tail + 1
        return True

    def submit(self, wait: int = 0) -> int:
        """Hand over what was pushed.

        Args:
            wait: For how many completions to wait.

        Returns:
            How many entries the kernel took.

        Raises:
            OSError: It took none. EAGAIN, EBUSY, EINTR: it may later.
        """
        tail = self._tail
        self._words[self._tail_word] = tail & _WRAP
        flags = _GET_EVENTS if wait else 0
        # Not by _call(), which would be felt here.
        count: int = _syscall(_ENTER, self._fd, tail - self._taken, wait, flags, 0, 0)
        if count < 0:
            raise _failure()
        self._taken += count
        return count

    def take(self) -> list[tuple[int, int, int]]:
        """Take all completions out of their queue.

        Returns:
            Of each, in order: number, result or negative errno, flags.
        """
        start = self._seen & _WRAP
        count = (self._words[self._told_word] - start) & _WRAP
        if self._barrier is not None:
            self._barrier.release()
            self._barrier.acquire()
        queue, size = self._completions, _COMPLETION.size
        first = (start & 2 * self._entries - 1) * size
        end = first + count * size
        found = list(_COMPLETION.iter_unpack(queue[first:end]))
        if end > len(queue):
            found += _COMPLETION.iter_unpack(queue[: end - len(queue)])
        self._seen += count
        self._words[self._head_word] = self._seen & _WRAP
        return found


def _call(number: int, *arguments: int) -> int:
    result: int = _syscall(number, *arguments, *_NO_ARGUMENTS[len(arguments) :])
    if result < 0:
        raise _failure()
    return result


def _failure() -> OSError:
    errno = ctypes.get_errno()
    return OSError(errno, os.strerror(errno))
