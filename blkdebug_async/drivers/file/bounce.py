"""Aligned memory, for requests past the page cache whose own memory is not aligned."""

from __future__ import annotations

from collections import deque
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap
from typing import Final

from blkdebug_async.drivers.file.address import address_of
from blkdebug_async.units import KIB, MIB

#: Most memory of one length kept for later, in bytes.
MOST_KEPT: Final = 2 * MIB
#: How many lengths are remembered.
MOST_LENGTHS: Final = 8
#: Copying less than this takes no longer than finding out where a caller's memory lies, in bytes.
SHORT: Final = 16 * KIB


class Bounce:
    """A buffer that starts at a page."""

    __slots__ = ("address", "view")

    def __init__(self, length: int) -> None:
        # Private, for a fork has a pool of the same buffers.
        self.view = memoryview(mmap(-1, length, MAP_PRIVATE | MAP_ANONYMOUS))
        self.address = address_of(self.view)


class BouncePool:
    """Buffers that are used again and again; most callers have but a few lengths."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        self._free: dict[int, deque[Bounce]] = {}

    def take(self, length: int) -> Bounce:
        """Give a buffer of exactly length bytes, > 0. What is in it is anybody's guess."""
        try:
            return self._free[length].pop()
        except (KeyError, IndexError):
            return Bounce(length)

    def give_back(self, bounce: Bounce, length: int) -> None:
        """Keep a buffer for later; only once the kernel is done with it."""
        try:
            self._free[length].append(bounce)
        except KeyError:
            if len(self._free) == MOST_LENGTHS:
                self._free.clear()
            self._free[length] = deque([bounce], maxlen=max(MOST_KEPT // length, 1))


def is_aligned_memory(views: list[memoryview], request: int, memory: int) -> bool:
    """Tell whether views can be handed to a file that was opened with O_DIRECT.

    Args:
        views: The memory of a request.
        request: What each length must be a multiple of.
        memory: What each address must be a multiple of.
    """
    return all(not len(view) % request and not address_of(view) % memory for view in views)
