"""What a conformance check works with: a fresh driver, a disk over it, chance, and its wits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from blkdebug_async.block.driver import Driver
from blkdebug_async.disk import Disk
from blkdebug_async.explore.choices import Choices
from blkdebug_async.opening import open_disk
from blkdebug_async.trace import Observer
from blkdebug_async.units import KIB, align_down

#: Bytes at the beginning of the disk with which the checks play, at most.
_WINDOW: Final = 256 * KIB
#: Turns of the loop that a request is given before it is cancelled, at most.
_TURNS: Final = 6


class CheckFailedError(AssertionError):
    """A check has found something."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What a check is given."""

    make: Callable[[], Driver]
    #: Whether what is written can be read back.
    stores: bool
    writable: bool
    choices: Choices
    #: Requests in a random sequence.
    requests: int
    #: Whether somebody looks: then no request is answered at once, all are by coroutines.
    observed: bool = False

    @asynccontextmanager
    async def open(self, *, read_only: bool | None = None) -> AsyncIterator[Disk]:
        """Open a fresh driver."""
        driver = self.make()
        read_only = not self.writable if read_only is None else read_only
        observer = _Looker() if self.observed else None
        opening = open_disk(driver, read_only=read_only, observer=observer, warn=_ignore)
        async with opening as disk:
            yield disk

    def window(self, disk: Disk) -> int:
        """Say how many bytes from the beginning on the checks may use.

        Raises:
            CheckFailedError: There are none.
        """
        align = disk.root.limits.request_alignment
        window = align_down(min(disk.length, max(_WINDOW, 8 * align)), align)
        if not window:
            raise CheckFailedError(
                f"the disk has {disk.length} bytes; for a check, it needs a block of {align}"
            )
        return window

    def range_in(self, window: int, align: int) -> tuple[int, int]:
        """Choose a range of bytes, often along block edges."""
        unit = (1, align, 512)[self.choices.choose(3, "unit")]
        unit = min(unit, window)
        offset = self.choices.choose(window // unit, "offset") * unit
        longest = min(window - offset, 4 * max(align, KIB))
        length = 1 + self.choices.choose(longest, "length")
        return offset, min(-(-length // unit) * unit, window - offset)

    def pattern(self, length: int) -> bytes:
        """Choose bytes to write; all the same, but not zero."""
        return bytes((1 + self.choices.choose(255, "pattern"),)) * length

    async def cancel_somewhere(
        self, work: Callable[[], Coroutine[object, None, None]], name: str
    ) -> bool:
        """Begin a request and cancel it after some turns of the loop.

        Returns:
            Whether it was finished before.
        """
        turns = self.choices.choose(_TURNS, "turns")
        task = asyncio.Task(work(), name=name)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel(f"{name} is cancelled by a check")
        await asyncio.wait({task})
        if task.cancelled():
            return False
        error = task.exception()
        if error is not None:
            raise error
        return True


class _Looker(Observer):
    """Hears of everything and makes nothing of it."""


def _ignore(message: str) -> None:
    """Hear of something questionable that is no concern of a check."""
