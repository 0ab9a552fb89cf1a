"""A journal: records are appended, and a header says how many of them count.

What a crash would leave is on the disk between any two completions, so the record has to arrive
before the header that counts it. Two appenders must not take one place, who shares a commit must
have been part of it, and a checkpoint may only drop what it has copied.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import (
    busy,
    faulty,
    get,
    get_number,
    lock_if,
    may_fail,
    memory,
    put,
    together,
)
from blkdebug_async import Disk

KIND: Final = "journal"


class Journal:
    """Has its header in block 0 and records from block 1 on."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.count = 0

    async def recover(self) -> list[str]:
        """Read what counts, as after a crash."""
        count = await get_number(self.disk, 0)
        return [await get(self.disk, 1 + place) for place in range(count)]


class HurriedJournal(Journal):
    """Sends record and header off together, to save a round trip."""

    async def append(self, record: str) -> None:
        """Add a record."""
        self.count += 1
        if self.fixed:
            await put(self.disk, self.count, record)
            await put(self.disk, 0, str(self.count))
            return
        await together(
            record=put(self.disk, self.count, record), header=put(self.disk, 0, str(self.count))
        )


async def header_before_record(*, fixed: bool) -> None:
    """Look at the disk, as after a crash, while a record is being appended."""
    async with memory(3) as disk:
        journal = HurriedJournal(disk, fixed=fixed)

        async def crash() -> None:
            assert "" not in await journal.recover(), "the header counts a record that is not there"

        await together(appender=journal.append("a"), crash=crash())


class RacyJournal(Journal):
    """Takes a place for a record, and says so only when the record is there."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.appending = lock_if(fixed)

    async def append(self, record: str) -> None:
        """Add a record."""
        async with self.appending:
            place = self.count
            await put(self.disk, 1 + place, record)
            self.count = place + 1
            await put(self.disk, 0, str(self.count))


async def two_records_in_one_place(*, fixed: bool) -> None:
    """Append a record while another one is on its way."""
    async with memory(5) as disk:
        journal = RacyJournal(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk)
            await journal.append("b")

        await together(first=journal.append("a"), second=later())
        assert sorted(await journal.recover()) == ["a", "b"], "a record was overwritten"


class GroupCommit(Journal):
    """Many wait for one commit; whoever came after it began waits for the next."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.pending: list[str] = []
        self.waiting: list[asyncio.Event] = []
        self.committed: list[str] = []
        self.wanted = asyncio.Event()

    async def add(self, record: str) -> None:
        """Add a record; it is on the disk when this is over."""
        self.pending.append(record)
        event = asyncio.Event()
        self.waiting.append(event)
        self.wanted.set()
        await event.wait()
        assert record in self.committed, "told that it is safe, and it is not"

    async def commit_all(self, count: int) -> None:
        """Commit whenever somebody wants it, until so many records are safe."""
        while len(self.committed) < count:
            await self.wanted.wait()
            self.wanted.clear()
            await self.commit()

    async def commit(self) -> None:
        """Write down what is pending, and tell who waits for it."""
        batch, self.pending = self.pending, []
        waiting = self.waiting
        if self.fixed:
            self.waiting = []
        for record in batch:
            self.count += 1
            await put(self.disk, self.count, record)
        await put(self.disk, 0, str(self.count))
        self.committed += batch
        for event in waiting:
            event.set()
        if not self.fixed:
            self.waiting = []


async def told_of_the_commit_before(*, fixed: bool) -> None:
    """Add a record while those before it are being committed."""
    async with memory(5) as disk:
        journal = GroupCommit(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk, 3)
            await journal.add("b")

        await together(first=journal.add("a"), committer=journal.commit_all(2), second=later())


class Checkpointing(Journal):
    """Copies what it has in memory to its home, and empties the journal."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.records: list[str] = []
        self.home: list[str] = []

    async def append(self, record: str) -> None:
        """Add a record."""
        self.records.append(record)
        await put(self.disk, len(self.records), record)

    async def checkpoint(self) -> None:
        """Bring home what there is."""
        bringing = list(self.records)
        for record in bringing:
            await put(self.disk, 4 + len(self.home), record)
            self.home.append(record)
        if self.fixed:
            del self.records[: len(bringing)]
        else:
            self.records.clear()


async def checkpoint_drops_a_record(*, fixed: bool) -> None:
    """Append a record while a checkpoint copies those before it."""
    async with memory(8) as disk:
        journal = Checkpointing(disk, fixed=fixed)
        await journal.append("a")

        async def later() -> None:
            await busy(disk)
            await journal.append("b")

        await together(checkpoint=journal.checkpoint(), appender=later())
        await journal.checkpoint()
        assert journal.home == ["a", "b"], "a record never came home"


class Padded(Journal):
    """Writes a record over again in the same place if it failed; the next one waits its turn."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.appending = asyncio.Lock()

    async def append(self, record: str) -> None:
        """Add a record.

        Raises:
            OSError: It could not be written, and does not count.
        """
        async with self.appending:
            self.count += 1
            may_fail(self.disk, self.count)
            try:
                await put(self.disk, self.count, record)
            except OSError:
                if self.fixed:
                    self.count -= 1
                raise
            await put(self.disk, 0, str(self.count))


async def failed_record_counts(*, fixed: bool) -> None:
    """Append a record after another one has failed."""
    async with faulty(4) as disk:
        journal = Padded(disk, fixed=fixed)
        for record in ("a", "b"):
            try:
                await journal.append(record)
            except OSError:
                continue
        assert "" not in await journal.recover(), "a record counts that was never written"


class Leading(Journal):
    """The first one to come leads and writes for all who come meanwhile."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.leading = False
        self.pending: list[tuple[str, asyncio.Event]] = []

    async def add(self, record: str) -> None:
        """Add a record; it is on the disk when this is over."""
        event = asyncio.Event()
        self.pending.append((record, event))
        if self.leading:
            await event.wait()
            return
        self.leading = True
        while self.pending:
            while self.pending:
                await self.write_one()
            await put(self.disk, 0, str(self.count))
            if not self.fixed:
                break
        self.leading = False

    async def write_one(self) -> None:
        """Write the oldest record that is pending."""
        record, event = self.pending.pop(0)
        self.count += 1
        await put(self.disk, self.count, record)
        event.set()


async def leader_left_too_early(*, fixed: bool) -> None:
    """Add a record when the leader has written all others, and is not done yet."""
    async with memory(5) as disk:
        journal = Leading(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk, 3)
            await journal.add("b")

        await together(first=journal.add("a"), second=later())


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        header_before_record,
        KIND,
        Needs.COMPLETION,
        2,
        "Header and record are written at the same time, so a crash may leave only the header.",
    ),
    bug(
        two_records_in_one_place,
        KIND,
        Needs.SCHEDULE,
        1,
        "The next free place is read before a wait and moved on after it.",
    ),
    bug(
        told_of_the_commit_before,
        KIND,
        Needs.COMPLETION,
        2,
        "A commit wakes all who wait at its end, not those who waited at its beginning.",
    ),
    bug(
        checkpoint_drops_a_record,
        KIND,
        Needs.SCHEDULE,
        1,
        "A checkpoint empties the journal of records too that came while it was copying.",
    ),
    bug(
        failed_record_counts,
        KIND,
        Needs.FAULT,
        1,
        "A record that could not be written keeps its place, and the next header counts it.",
    ),
    bug(
        leader_left_too_early,
        KIND,
        Needs.COMPLETION,
        2,
        "The leader of a group commit leaves after its last write without looking again.",
    ),
)
