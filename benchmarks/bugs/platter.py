"""A disk with a volatile cache, for parts that have to flush: what would a power cut leave?

What was written is safe when a flush that began later is done. Until then a power cut keeps it or
loses it, block by block, as it happens.
"""

from __future__ import annotations

from benchmarks.bugs.common import happens, put
from blkdebug_async import Disk


class Platter:
    """Keeps track of what is safe."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        #: Words by block that survive a power cut.
        self.safe: dict[int, str] = {}
        self._volatile: dict[int, str] = {}

    async def put(self, block: int, word: str) -> None:
        """Write a word, into the cache."""
        await put(self.disk, block, word)
        self._volatile[block] = word

    async def flush(self) -> None:
        """Make safe what was written before."""
        covered = dict(self._volatile)
        await self.disk.flush()
        self.safe |= covered
        for block, word in covered.items():
            if self._volatile.get(block) == word:
                del self._volatile[block]

    def power_cut(self) -> dict[int, str]:
        """Tell what is left: what is safe, and some of the rest.

        It keeps the cache unless it so happens that a block of it is lost.
        """
        kept = {
            block: word for block, word in self._volatile.items() if not happens(f"lost: {block}")
        }
        return self.safe | kept
