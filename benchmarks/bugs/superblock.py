"""A superblock in several blocks, with a version that tells whether they belong together.

Whoever writes says so before and after, and whoever reads looks at the version before and after:
leave one of the four out, or put it in the wrong place, and a reader takes two halves for a whole.
"""

from __future__ import annotations

from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import busy, fill, get, get_number, memory, put, together
from blkdebug_async import Disk

KIND: Final = "superblock"


class Versioned:
    """Two halves in blocks 1 and 2, a version in block 0: odd while they are written."""

    def __init__(self, disk: Disk, *, says_before: bool, looks_after: bool) -> None:
        self.disk = disk
        self.says_before = says_before
        self.looks_after = looks_after

    async def write(self, word: str) -> None:
        """Write both halves."""
        if self.says_before:
            await put(self.disk, 0, "1")
        await put(self.disk, 1, word)
        await put(self.disk, 2, word)
        await put(self.disk, 0, "2")

    async def read(self) -> tuple[str, str] | None:
        """Read both halves, or None while they are being written."""
        before = await get_number(self.disk, 0)
        halves = await get(self.disk, 1), await get(self.disk, 2)
        after = await get_number(self.disk, 0) if self.looks_after else before
        return halves if before == after and before % 2 == 0 else None

    async def check(self) -> None:
        """Read, and see whether the halves belong together."""
        halves = await self.read()
        assert halves is None or halves[0] == halves[1], "two halves of two versions"


async def said_only_afterwards(*, fixed: bool) -> None:
    """Read while both halves are being written."""
    async with memory(4) as disk:
        await fill(disk, "0", "old", "old")
        superblock = Versioned(disk, says_before=fixed, looks_after=True)

        async def read() -> None:
            await busy(disk, 2)
            await superblock.check()

        await together(writer=superblock.write("new"), reader=read())


async def looked_only_before(*, fixed: bool) -> None:
    """Begin to write when a reader has seen that nobody does."""
    async with memory(4) as disk:
        await fill(disk, "0", "old", "old")
        superblock = Versioned(disk, says_before=True, looks_after=fixed)

        async def read() -> None:
            await busy(disk)
            await superblock.check()

        await together(writer=superblock.write("new"), reader=read())


class Alternating:
    """Two slots, of which the newer one counts; the older one is overwritten."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.number = 0

    async def write(self) -> None:
        """Write the next number to the slot whose turn it is, in two steps: empty it, fill it."""
        number = self.number + 1
        slot = (number if self.fixed else 0) % 2
        await put(self.disk, slot, "")
        await put(self.disk, slot, str(number))
        self.number = number

    async def newest(self) -> int:
        """Read both slots, and give the newer number."""
        return max(await get_number(self.disk, 0), await get_number(self.disk, 1))


async def the_only_good_slot(*, fixed: bool) -> None:
    """Look at the disk, as after a crash, while a slot is being written."""
    async with memory(3) as disk:
        superblock = Alternating(disk, fixed=fixed)
        await superblock.write()

        async def crash() -> None:
            await busy(disk)
            assert await superblock.newest() >= 1, "there is no superblock"

        await together(writer=superblock.write(), crash=crash())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        said_only_afterwards,
        KIND,
        Needs.COMPLETION,
        4,
        "A writer changes the version after writing only, so that a reader may meet it half way.",
    ),
    bug(
        looked_only_before,
        KIND,
        Needs.COMPLETION,
        3,
        "A reader looks at the version before reading only, and a writer begins after that.",
    ),
    bug(
        the_only_good_slot,
        KIND,
        Needs.SCHEDULE,
        1,
        "Of two slots, the one that counts is overwritten, so that for a moment there is none.",
    ),
)
