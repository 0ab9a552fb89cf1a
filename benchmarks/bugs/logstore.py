"""A log-structured store: words are appended, an index says where, compaction moves what lives.

A place that was looked up is old news once one has waited. Readers must look again, and so must the
compaction before it says where it has moved a word: by then there may be a newer one, or none.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import BLOCK, busy, get, lock_if, memory, put, together
from blkdebug_async import Disk

KIND: Final = "log-structured store"


class Store:
    """Appends from block 0 on; the index is in memory."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.index: dict[str, int] = {}
        self.tail = 0

    def take_place(self) -> int:
        """Give the next free block."""
        self.tail += 1
        return self.tail - 1

    async def put(self, key: str, word: str) -> None:
        """Store a word."""
        place = self.take_place()
        await put(self.disk, place, word)
        self.index[key] = place

    async def get(self, key: str) -> str | None:
        """Give a word, or None."""
        while key in self.index:
            place = self.index[key]
            word = await get(self.disk, place)
            if self.index.get(key) == place or not self.fixed:
                return word
        return None

    async def compact(self, key: str) -> None:
        """Move a word to the end, and give its old place back."""
        old = self.index[key]
        word = await get(self.disk, old)
        place = self.take_place()
        await put(self.disk, place, word)
        self.index[key] = place
        await self.disk.pdiscard(old * BLOCK, BLOCK)


async def read_from_where_it_was(*, fixed: bool) -> None:
    """Read a word while it is being moved."""
    async with memory(4) as disk:
        store = Store(disk, fixed=fixed)
        await store.put("k", "word")

        async def read() -> None:
            await busy(disk, 3)
            assert await store.get("k") == "word", "read from a place that was given back"

        await together(compaction=store.compact("k"), reader=read())


class Updating(Store):
    """Takes it that nobody has stored anything while a word was moved."""

    async def compact(self, key: str) -> None:
        old = self.index[key]
        word = await get(self.disk, old)
        place = self.take_place()
        await put(self.disk, place, word)
        if not self.fixed or self.index.get(key) == old:
            self.index[key] = place


async def compaction_undoes_an_update(*, fixed: bool) -> None:
    """Store a word while the one before it is being moved."""
    async with memory(5) as disk:
        store = Updating(disk, fixed=fixed)
        await store.put("k", "old")

        async def update() -> None:
            await busy(disk, 2)
            await store.put("k", "new")

        await together(compaction=store.compact("k"), writer=update())
        assert await store.get("k") == "new", "an old word is back"


class Deleting(Store):
    """Looks whether the word still lives, but before it waits for the last time."""

    async def compact(self, key: str) -> None:
        if key not in self.index:
            return
        word = await get(self.disk, self.index[key])
        place = self.take_place()
        alive = key in self.index
        await put(self.disk, place, word)
        if self.fixed:
            alive = key in self.index
        if alive:
            self.index[key] = place


async def compaction_revives_the_dead(*, fixed: bool) -> None:
    """Delete a word while it is being moved."""
    async with memory(4) as disk:
        store = Deleting(disk, fixed=fixed)
        await store.put("k", "word")

        async def delete() -> None:
            await busy(disk)
            store.index.pop("k", None)

        async def compact() -> None:
            await busy(disk, 2)
            await store.compact("k")

        await together(deleter=delete(), compaction=compact())
        assert await store.get("k") is None, "a deleted word is back"


class TwoSegments(Store):
    """Compacts into the other half of the disk, then makes that the current one."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.writing = lock_if(fixed)

    async def put(self, key: str, word: str) -> None:
        async with self.writing:
            place = self.take_place()
            await put(self.disk, place, word)
            self.index[key] = place

    async def compact_all(self) -> None:
        """Move everything to the second half, and free the first."""
        async with self.writing:
            fresh: dict[str, int] = {}
            for place, (key, old) in enumerate(list(self.index.items()), start=4):
                await put(self.disk, place, await get(self.disk, old))
                fresh[key] = place
            self.index = fresh
            self.tail = 4 + len(fresh)


async def swap_forgets_a_put(*, fixed: bool) -> None:
    """Store a word while all others are moved into a new segment."""
    async with memory(9) as disk:
        store = TwoSegments(disk, fixed=fixed)
        await store.put("a", "1")

        async def later() -> None:
            await busy(disk, 2)
            await store.put("b", "2")

        await together(compaction=store.compact_all(), writer=later())
        assert await store.get("b") == "2", "a word was left behind in the old segment"


class Pinned(Store):
    """Readers pin the segment that they read from; its last reader gives it back."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.readers = 0
        self.unpinned = asyncio.Event()
        self.unpinned.set()

    async def get(self, key: str) -> str | None:
        if self.fixed:
            self.pin()
        place = self.index[key]
        await busy(self.disk)
        if not self.fixed:
            self.pin()
        try:
            return await get(self.disk, place)
        finally:
            self.readers -= 1
            if not self.readers:
                self.unpinned.set()

    def pin(self) -> None:
        """Keep what there is where it is."""
        self.readers += 1
        self.unpinned.clear()

    async def compact(self, key: str) -> None:
        old = self.index[key]
        place = self.take_place()
        await put(self.disk, place, await get(self.disk, old))
        self.index[key] = place
        while self.readers:
            await self.unpinned.wait()
        await self.disk.pdiscard(old * BLOCK, BLOCK)


async def pinned_too_late(*, fixed: bool) -> None:
    """Read a word while it is moved; the reader pins only what it has looked up already."""
    async with memory(4) as disk:
        store = Pinned(disk, fixed=fixed)
        await store.put("k", "word")

        async def read() -> None:
            assert await store.get("k") == "word", "read from a place that was given back"

        await together(reader=read(), compaction=store.compact("k"))


class Reusing(Store):
    """Takes freed places first. The fix is a version that no two words share."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.freed: list[int] = []
        self.version = 0

    def take_place(self) -> int:
        return self.freed.pop() if self.freed else super().take_place()

    async def put(self, key: str, word: str) -> None:
        self.version += 1
        await super().put(key, word)

    def delete(self, key: str) -> None:
        """Forget a word; its place is free."""
        self.freed.append(self.index.pop(key))

    async def compact(self, key: str) -> None:
        old, version = self.index.get(key), self.version
        if old is None:
            return
        word = await get(self.disk, old)
        place = self.take_place()
        await put(self.disk, place, word)
        if self.index.get(key) == old and (not self.fixed or version == self.version):
            self.index[key] = place


async def same_place_again(*, fixed: bool) -> None:
    """Delete a word that is being moved, and store a new one where it was."""
    async with memory(5) as disk:
        store = Reusing(disk, fixed=fixed)
        await store.put("k", "old")

        async def replace() -> None:
            await busy(disk, 2)
            store.delete("k")
            await store.put("k", "new")

        await together(compaction=store.compact("k"), writer=replace())
        assert await store.get("k") == "new", "an old word is back"


class Recycling(Store):
    """Gives a place that was moved away from to the next word."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.freed: list[int] = []

    def take_place(self) -> int:
        return self.freed.pop() if self.freed else super().take_place()

    async def compact(self, key: str) -> None:
        old = self.index[key]
        word = await get(self.disk, old)
        place = self.take_place()
        await put(self.disk, place, word)
        self.index[key] = place
        self.freed.append(old)


async def read_a_strangers_word(*, fixed: bool) -> None:
    """Read a word while it is moved, and another one is stored where it was."""
    async with memory(5) as disk:
        store = Recycling(disk, fixed=fixed)
        await store.put("k", "mine")

        async def read() -> None:
            await busy(disk, 2)
            assert await store.get("k") == "mine", "read another key's word"

        async def write() -> None:
            await busy(disk, 2)
            await store.put("other", "yours")

        await together(writer=write(), compaction=store.compact("k"), reader=read())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        read_from_where_it_was,
        KIND,
        Needs.COMPLETION,
        3,
        "A reader looks a place up and reads it later, when it was moved and given back.",
    ),
    bug(
        compaction_undoes_an_update,
        KIND,
        Needs.COMPLETION,
        2,
        "Compaction points the index at what it has copied, although there is something newer.",
    ),
    bug(
        compaction_revives_the_dead,
        KIND,
        Needs.COMPLETION,
        3,
        "Compaction checks that a key lives before its last wait, not after it.",
    ),
    bug(
        swap_forgets_a_put,
        KIND,
        Needs.COMPLETION,
        2,
        "Compaction makes a new index and swaps it in, without what was stored meanwhile.",
    ),
    bug(
        pinned_too_late,
        KIND,
        Needs.COMPLETION,
        2,
        "A reader pins a segment after it has looked up a place in it, with a wait in between.",
    ),
    bug(
        same_place_again,
        KIND,
        Needs.COMPLETION,
        2,
        "Compaction knows a word by its place, where by then a newer one is.",
    ),
    bug(
        read_a_strangers_word,
        KIND,
        Needs.COMPLETION,
        3,
        "A reader looks a place up and reads it later, when another word is there.",
    ),
)
