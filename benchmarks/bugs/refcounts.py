"""Reference counts of clusters, several of them to a block of the disk.

The lock has to be as coarse as the block that is read, changed and written. And at zero a cluster
is on its way out: nobody may take a reference then, or it must not go.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import BLOCK, busy, fill, get, memory, pause, put, together
from blkdebug_async import Disk

KIND: Final = "refcounts"
#: Counts in a block; a count is one digit.
PER_BLOCK: Final = 4


class Refcounts:
    """Counts on the disk, four to a block. There are locks, but for what?"""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.locks: dict[int, asyncio.Lock] = {}

    async def add(self, cluster: int, change: int) -> None:
        """Change a count."""
        block, place = divmod(cluster, PER_BLOCK)
        guarded = block if self.fixed else cluster
        async with self.locks.setdefault(guarded, asyncio.Lock()):
            counts = [int(digit) for digit in await get(self.disk, block)]
            counts[place] += change
            await put(self.disk, block, "".join(map(str, counts)))


async def neighbour_undone(*, fixed: bool) -> None:
    """Change two counts of one block."""
    async with memory(2) as disk:
        await fill(disk, "0000")
        counts = Refcounts(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk, 2)
            await counts.add(1, +1)

        await together(first=counts.add(0, +1), second=later())
        assert await get(disk, 0) == "1100", "a count was lost"


class Dying:
    """Discards a cluster when nobody refers to it any more."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.counts = {0: 1}

    async def drop(self, cluster: int) -> None:
        """Give one reference up."""
        self.counts[cluster] -= 1
        if self.counts[cluster] == 0:
            if self.fixed:
                del self.counts[cluster]
            await self.disk.pdiscard(cluster * BLOCK, BLOCK)
            self.counts.pop(cluster, None)

    async def share(self, cluster: int, word: str) -> bool:
        """Take a reference and write, if the cluster is still there."""
        if cluster not in self.counts:
            return False
        self.counts[cluster] += 1
        await put(self.disk, cluster, word)
        return True


async def taken_on_its_way_out(*, fixed: bool) -> None:
    """Take a reference to a cluster while its last one is being dropped."""
    async with memory(2) as disk:
        clusters = Dying(disk, fixed=fixed)

        async def use() -> None:
            await busy(disk)
            if await clusters.share(0, "word"):
                await busy(disk)
                assert await get(disk, 0) == "word", "discarded under its new owner"

        await together(dropper=clusters.drop(0), user=use())


class Handle:
    """Counts who uses it, and closes when the last one leaves. In memory."""

    def __init__(self, *, fixed: bool) -> None:
        self.fixed = fixed
        self.users = 0
        self.open = False

    async def enter(self) -> None:
        """Begin to use it; the first one opens it."""
        if self.users == 0 and not self.open:
            self.open = True
        self.users += 1
        await pause()
        assert self.open, "closed under a user"

    async def leave(self) -> None:
        """Stop using it; the last one closes it."""
        last = self.users == 1
        self.users -= 1
        await pause()
        if self.fixed:
            last = self.users == 0
        if last:
            self.open = False


async def closed_under_the_next_user(*, fixed: bool) -> None:
    """Begin to use what its last user is about to close."""
    handle = Handle(fixed=fixed)

    async def use(after: int) -> None:
        await pause(after)
        await handle.enter()
        await handle.leave()

    await together(first=use(0), second=use(4))


class TwoTables:
    """A mapping in block 0, counts in block 1: the count goes up first, and down last."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed

    async def move(self) -> None:
        """Make the mapping point to cluster 1 in place of cluster 0."""
        await put(self.disk, 1, "11")
        if self.fixed:
            await put(self.disk, 0, "1")
            await put(self.disk, 1, "01")
        else:
            await together(mapping=put(self.disk, 0, "1"), counts=put(self.disk, 1, "01"))


async def counted_down_too_early(*, fixed: bool) -> None:
    """Look at the disk, as after a crash, while a mapping changes."""
    async with memory(3) as disk:
        await fill(disk, "0", "10")
        tables = TwoTables(disk, fixed=fixed)

        async def crash() -> None:
            await busy(disk)
            counts = await get(disk, 1)
            # What was mapped after the counts were read may be newer; older it may not be.
            if await get(disk, 0) == "0":
                assert counts[0] == "1", "a cluster in use counts as free"

        await together(mover=tables.move(), crash=crash())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        neighbour_undone,
        KIND,
        Needs.COMPLETION,
        2,
        "Each count has a lock of its own, but counts are written a block at a time.",
    ),
    bug(
        taken_on_its_way_out,
        KIND,
        Needs.COMPLETION,
        2,
        "A cluster whose count is zero can still be shared until its discard is done.",
    ),
    bug(
        closed_under_the_next_user,
        KIND,
        Needs.SCHEDULE,
        3,
        "Who is the last user is decided before a wait, and acted upon after it.",
        io=False,
    ),
    bug(
        counted_down_too_early,
        KIND,
        Needs.COMPLETION,
        3,
        "The mapping and the count that it frees are written at once, in any order.",
    ),
)
