"""Copy-on-write: the first write to a cluster copies the rest of it from the backing disk.

A cluster has two blocks. Whoever copies must be the only one who does, must not be seen half way,
and must not copy over what was written meanwhile.
"""

from __future__ import annotations

from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, fill, get, lock_if, memory, put, together
from blkdebug_async import Disk

KIND: Final = "copy-on-write"


class Overlay:
    """One cluster of two blocks, over a backing disk."""

    def __init__(self, top: Disk, backing: Disk, *, fixed: bool) -> None:
        self.top = top
        self.backing = backing
        self.fixed = fixed
        self.allocated = False
        self.copying = lock_if(fixed)

    async def read(self, block: int) -> str:
        """Read from where it is."""
        return await get(self.top if self.allocated else self.backing, block)

    async def write(self, block: int, word: str) -> None:
        """Write to the top; the other block comes along the first time."""
        async with self.copying:
            if not self.allocated:
                other = await get(self.backing, 1 - block)
                await put(self.top, 1 - block, other)
                self.allocated = True
            await put(self.top, block, word)


async def copied_over_a_write(*, fixed: bool) -> None:
    """Write both blocks of a cluster that is not there yet."""
    async with memory(3) as top, memory(2) as backing:
        await fill(backing, "a", "b")
        overlay = Overlay(top, backing, fixed=fixed)

        async def later() -> None:
            await busy(top, 2)
            await overlay.write(1, "B")

        await together(first=overlay.write(0, "A"), second=later())
        words = [await overlay.read(0), await overlay.read(1)]
        assert words == ["A", "B"], "a copy went over a write"


class EarlyMapping(Overlay):
    """Says that the cluster is there before all of it is."""

    async def write(self, block: int, word: str) -> None:
        if self.allocated:
            await put(self.top, block, word)
            return
        other = await get(self.backing, 1 - block)
        if not self.fixed:
            self.allocated = True
        await put(self.top, block, word)
        await put(self.top, 1 - block, other)
        self.allocated = True


async def seen_half_copied(*, fixed: bool) -> None:
    """Read the block beside the one that is written."""
    async with memory(3) as top, memory(2) as backing:
        await fill(backing, "a", "b")
        overlay = EarlyMapping(top, backing, fixed=fixed)

        async def read() -> None:
            await busy(top, 3)
            assert await overlay.read(1) == "b", "a hole was read"

        await together(writer=overlay.write(0, "A"), reader=read())


class CopyOnRead(Overlay):
    """Keeps what it has read from the backing disk, unless somebody has written it."""

    def __init__(self, top: Disk, backing: Disk, *, fixed: bool) -> None:
        super().__init__(top, backing, fixed=fixed)
        self.present: set[int] = set()

    async def read(self, block: int) -> str:
        if block in self.present:
            return await get(self.top, block)
        word = await get(self.backing, block)
        async with self.copying:
            if block not in self.present:
                await put(self.top, block, word)
                self.present.add(block)
        return word

    async def write(self, block: int, word: str) -> None:
        async with self.copying:
            await put(self.top, block, word)
            self.present.add(block)


async def read_copies_over_a_write(*, fixed: bool) -> None:
    """Write a block while a read of it brings it in."""
    async with memory(2) as top, memory(1) as backing:
        await fill(backing, "old")
        overlay = CopyOnRead(top, backing, fixed=fixed)

        async def read() -> None:
            await busy(top, 2)
            await overlay.read(0)

        await together(writer=overlay.write(0, "new"), reader=read())
        assert await overlay.read(0) == "new", "what was read went over what was written"


class Committing(Overlay):
    """Commit copies the top into the backing disk, and then gives the top up."""

    def __init__(self, top: Disk, backing: Disk, *, fixed: bool) -> None:
        super().__init__(top, backing, fixed=fixed)
        self.words: dict[int, str] = {}

    async def write(self, block: int, word: str) -> None:
        async with self.copying:
            await put(self.top, block, word)
            self.words[block] = word

    async def read(self, block: int) -> str:
        return await get(self.top if block in self.words else self.backing, block)

    async def commit(self) -> None:
        """Copy everything down."""
        async with self.copying:
            for block in list(self.words):
                await put(self.backing, block, await get(self.top, block))
            self.words.clear()


async def commit_forgets_a_write(*, fixed: bool) -> None:
    """Write while everything is being copied into the backing disk."""
    async with memory(3) as top, memory(2) as backing:
        overlay = Committing(top, backing, fixed=fixed)
        await overlay.write(0, "a")

        async def later() -> None:
            await busy(top, 2)
            await overlay.write(1, "b")

        await together(commit=overlay.commit(), writer=later())
        assert await overlay.read(1) == "b", "a write was given up with the top"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        copied_over_a_write,
        KIND,
        Needs.SCHEDULE,
        1,
        "Two first writes to a cluster both copy the rest of it, one over what the other wrote.",
    ),
    bug(
        seen_half_copied,
        KIND,
        Needs.COMPLETION,
        2,
        "The cluster is mapped before the rest of it is copied, so that a reader finds a hole.",
    ),
    bug(
        read_copies_over_a_write,
        KIND,
        Needs.COMPLETION,
        3,
        "Copy-on-read checks that nobody has written, then waits, then writes what it has read.",
    ),
    bug(
        commit_forgets_a_write,
        KIND,
        Needs.COMPLETION,
        2,
        "A commit gives all of the top up, with what was written after it began.",
    ),
)
