"""A cluster allocator: finds free clusters, in a bitmap on the disk or in memory.

Finding a cluster and taking it have to be one step. What was reserved must come back when the rest
fails, and what is freed must not be given away while anything on the disk still points to it.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import (
    busy,
    faulty,
    fill,
    get,
    lock_if,
    may_fail,
    memory,
    pause,
    put,
    together,
)
from blkdebug_async import Disk

KIND: Final = "cluster allocator"


class Bitmap:
    """One letter a cluster in block 0: "-" is free, "x" is taken."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.allocating = lock_if(fixed)

    async def allocate(self) -> int:
        """Take the first free cluster."""
        async with self.allocating:
            bits = await get(self.disk, 0)
            cluster = bits.index("-")
            await put(self.disk, 0, bits[:cluster] + "x" + bits[cluster + 1 :])
            return cluster


async def one_cluster_for_two(*, fixed: bool) -> None:
    """Allocate in two tasks."""
    async with memory(2) as disk:
        await fill(disk, "----")
        bitmap = Bitmap(disk, fixed=fixed)
        taken = []

        async def take(after: int) -> None:
            await busy(disk, after)
            taken.append(await bitmap.allocate())

        await together(first=take(0), second=take(2))
        assert sorted(taken) == [0, 1], "two have the same cluster"


class Hinted:
    """Remembers where to look first. In memory; asking the policy takes a moment."""

    def __init__(self, clusters: int, *, fixed: bool) -> None:
        self.fixed = fixed
        self.free = [True] * clusters
        self.hint = 0

    async def allocate(self) -> int:
        """Take the first free cluster from the hint on.

        Raises:
            AssertionError: There is none.
        """
        start = self.hint
        await pause()
        if self.fixed:
            start = self.hint
        cluster = next((n for n in range(start, len(self.free)) if self.free[n]), None)
        assert cluster is not None, "no space, although there is some"
        self.free[cluster] = False
        self.hint = cluster + 1
        return cluster

    async def release(self, cluster: int) -> None:
        """Give one back."""
        await pause(2)
        self.free[cluster] = True
        self.hint = min(self.hint, cluster)


async def hint_forgets_a_free_one(*, fixed: bool) -> None:
    """Give a cluster back while another one is being allocated, and allocate that one."""
    clusters = Hinted(2, fixed=fixed)
    await clusters.allocate()
    await together(taker=clusters.allocate(), giver=clusters.release(0))
    await clusters.allocate()


class Reserving:
    """Reserves in memory, then initialises the cluster on the disk."""

    def __init__(self, disk: Disk, clusters: int, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.free = list(range(clusters))

    async def allocate(self) -> int:
        """Take a cluster, with "new" in it.

        Raises:
            OSError: It could not be written.
        """
        cluster = self.free.pop(0)
        may_fail(self.disk, cluster)
        try:
            await put(self.disk, cluster, "new")
        except OSError:
            if self.fixed:
                self.free.insert(0, cluster)
            raise
        return cluster


async def reservation_leaks(*, fixed: bool) -> None:
    """Fail to allocate; all clusters must be free then."""
    async with faulty(2) as disk:
        clusters = Reserving(disk, 2, fixed=fixed)
        got = 0
        for _ in range(2):
            try:
                await clusters.allocate()
                got += 1
            except OSError:
                continue
        assert len(clusters.free) + got == 2, "a cluster is neither free nor taken"


class Reusing:
    """A file's cluster, and the table in block 0 that points to it.

    Truncating the file clears the pointer on the disk and gives the cluster away.
    """

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.free: list[int] = []
        self.freed = asyncio.Event()

    async def truncate(self) -> None:
        """Give up the cluster that the table points to."""
        cluster = int(await get(self.disk, 0))
        if not self.fixed:
            self.release(cluster)
        await put(self.disk, 0, "-")
        if self.fixed:
            self.release(cluster)

    def release(self, cluster: int) -> None:
        """Let somebody else have a cluster."""
        self.free.append(cluster)
        self.freed.set()

    async def write_elsewhere(self, word: str) -> None:
        """Write a word of another file into a cluster that is free."""
        await busy(self.disk)
        await self.freed.wait()
        await put(self.disk, self.free.pop(), word)


async def reused_while_pointed_to(*, fixed: bool) -> None:
    """Look at the disk, as after a crash, while one file shrinks and another one grows."""
    async with memory(3) as disk:
        await fill(disk, "1", "mine")
        clusters = Reusing(disk, fixed=fixed)

        async def crash() -> None:
            await busy(disk)
            word = await get(disk, 1)
            if await get(disk, 0) == "1":
                assert word == "mine", "a file has another file's data"

        await together(
            shrinking=clusters.truncate(), growing=clusters.write_elsewhere("yours"), crash=crash()
        )


class FreeList:
    """Free clusters, each with the number of the next one in it. The head is in memory."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.head = "0"
        self.changes = 0

    async def pop(self) -> str:
        """Take the head."""
        while True:
            head, changes = self.head, self.changes
            assert head, "no space, although there is some"
            following = await get(self.disk, int(head))
            # The label of the list, in the last block.
            await busy(self.disk)
            if self.move(head, changes, following):
                return head

    async def push(self, cluster: str) -> None:
        """Give one back."""
        while True:
            head, changes = self.head, self.changes
            await put(self.disk, int(cluster), head)
            if self.move(head, changes, cluster):
                return

    def move(self, head: str, changes: int, new_head: str) -> bool:
        """Have another head, if it is still the same."""
        if self.head != head or (self.fixed and self.changes != changes):
            return False
        self.head = new_head
        self.changes += 1
        return True


async def same_head_again(*, fixed: bool) -> None:
    """Take a cluster while another task takes two and gives the first one back."""
    async with memory(5) as disk:
        await fill(disk, "1", "2")
        clusters = FreeList(disk, fixed=fixed)
        taken = []

        async def give_one_back() -> None:
            first = await clusters.pop()
            taken.append(await clusters.pop())
            await clusters.push(first)

        async def take() -> None:
            taken.append(await clusters.pop())

        await together(giver=give_one_back(), taker=take())
        assert clusters.head not in taken, "a cluster is both free and taken"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        one_cluster_for_two,
        KIND,
        Needs.COMPLETION,
        2,
        "The bitmap is read, searched and written back while others may do the same.",
    ),
    bug(
        hint_forgets_a_free_one,
        KIND,
        Needs.SCHEDULE,
        2,
        "The hint is read before a wait and moved on after it, over a cluster freed meanwhile.",
        io=False,
    ),
    bug(
        reservation_leaks,
        KIND,
        Needs.FAULT,
        1,
        "A cluster that was reserved is not given back when writing to it fails.",
    ),
    bug(
        reused_while_pointed_to,
        KIND,
        Needs.COMPLETION,
        3,
        "A cluster is free for others before the table on the disk has stopped pointing to it.",
    ),
    bug(
        same_head_again,
        KIND,
        Needs.COMPLETION,
        3,
        "The head of the free list is the same as before, but what follows it is not.",
    ),
)
