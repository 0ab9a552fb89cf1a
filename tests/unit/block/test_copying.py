from __future__ import annotations

import asyncio
from errno import EIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.context import Context
from blkdebug_async.block.driver import Driver, NodeSource, Opener
from blkdebug_async.block.flags import COPY_ON_READ, DATA, PREFETCH, WRITE_UNCHANGED, OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import Role
from blkdebug_async.block.target import BlockStatus, Target
from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.copy_on_read import CopyOnReadDriver
from blkdebug_async.drivers.null import NullCoDriver
from blkdebug_async.events import Event, IoType
from blkdebug_async.options.reader import OptionReader
from blkdebug_async.testing import Call, RecordingDriver, RecordingFilter
from blkdebug_async.tree import TreeOpener
from tests.unit.block.disks import CONTENT, KIB, opened, settle

CLUSTER = 4 * KIB


class CowDriver(Driver):
    # Keeps whole clusters; the others are below.

    name = "cow"
    supports_backing = True
    backing: Target

    def __init__(self, backing: NodeSource, limits: Limits | None = None) -> None:
        super().__init__()
        self._source = backing
        self._limits = limits or Limits(512)
        self.here: dict[int, bytearray] = {}
        self.log: list[Call | Event] = []
        self.failing = 0
        self.heard = frozenset(Event)
        self.write_flags = WRITE_UNCHANGED

    @classmethod
    def from_options(cls, reader: OptionReader) -> CowDriver:
        return cls(reader.take_child("backing"))

    async def open(self, opener: Opener) -> None:
        self.backing = await opener.open_child("backing", self._source, Role.COW)

    def length(self) -> int:
        return self.backing.length

    def cluster_size(self) -> int:
        return CLUSTER

    def refresh_limits(self, limits: Limits) -> Limits:
        return self._limits

    async def fire(self, event: Event, request: Request | None) -> None:
        self.log.append(event)

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        assert iov.length == length >= 0
        done = 0
        while done < length:
            index, start = divmod(offset + done, CLUSTER)
            step = min(CLUSTER - start, length - done)
            part = iov.slice(done, step)
            if index in self.here:
                part.copy_from(self.here[index][start : start + step])
            else:
                await self.backing.preadv(offset + done, step, part, 0, request)
            done += step

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self.log.append(Call(IoType.WRITE, offset, length, flags))
        if self.failing:
            raise OSError(self.failing, "cannot keep it")
        first, last = offset // CLUSTER, (offset + length - 1) // CLUSTER
        for index in range(first, last + 1):
            if index not in self.here:
                cluster = bytearray(CLUSTER)
                below = Iovec.over(cluster)
                await self.backing.preadv(index * CLUSTER, CLUSTER, below, 0, request)
                self.here[index] = cluster
        for position, value in enumerate(iov.tobytes(), offset):
            self.here[position // CLUSTER][position % CLUSTER] = value

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        index = offset // CLUSTER
        stop = index
        while stop * CLUSTER < offset + length and (stop in self.here) == (index in self.here):
            stop += 1
        return BlockStatus(DATA if index in self.here else 0, min(stop * CLUSTER - offset, length))


def copying(limits: Limits | None = None) -> tuple[CopyOnReadDriver, CowDriver]:
    cow = CowDriver(RecordingDriver(CONTENT), limits)
    return CopyOnReadDriver(cow), cow


async def test_read_keeps_the_clusters_that_it_touches() -> None:
    top, cow = copying()
    async with opened(top) as disk:
        assert await disk.pread(5 * KIB, 4 * KIB) == CONTENT[5 * KIB : 9 * KIB]
        assert cow.log == [Event.COR_WRITE, Call(IoType.WRITE, 4 * KIB, 8 * KIB, WRITE_UNCHANGED)]
        assert {index: bytes(data) for index, data in cow.here.items()} == {
            1: CONTENT[4 * KIB : 8 * KIB],
            2: CONTENT[8 * KIB : 12 * KIB],
        }


async def test_what_is_here_already_is_only_read() -> None:
    top, cow = copying()
    async with opened(top) as disk:
        await disk.pread(0, CLUSTER)
        cow.log.clear()
        assert await disk.pread(100, 100) == CONTENT[100:200]
        assert cow.log == []


async def test_mixed_range_copies_only_what_is_missing() -> None:
    top, cow = copying()
    async with opened(top) as disk:
        await disk.pread(CLUSTER, 1)
        cow.log.clear()
        assert await disk.pread(0, 3 * CLUSTER) == CONTENT[: 3 * CLUSTER]
        written = [entry for entry in cow.log if isinstance(entry, Call)]
        assert [(call.offset, call.length) for call in written] == [
            (0, CLUSTER),
            (2 * CLUSTER, CLUSTER),
        ]


async def test_failure_to_keep_it_fails_the_read() -> None:
    top, cow = copying()
    async with opened(top) as disk:
        cow.failing = EIO
        with pytest.raises(OSError, match="cannot keep it"):
            await disk.pread(0, 1)
        cow.failing = 0
        assert await disk.pread(0, 1) == CONTENT[:1]


async def test_prefetch_copies_without_giving_data() -> None:
    top, cow = copying()
    async with opened(top) as disk:
        path = disk.root.children[0].node.path
        for _ in range(2):
            buffer = bytearray(b"?" * 16)
            await path.preadv(0, 16, Iovec.over(buffer), COPY_ON_READ | PREFETCH, None)
            assert buffer == b"?" * 16
            assert list(cow.here) == [0]


async def test_read_past_the_end_gives_zeros_and_copies_up_to_the_end() -> None:
    top, cow = copying()
    async with opened(top) as disk:
        path = disk.root.children[0].node.path
        buffer = bytearray(b"?" * 8 * KIB)
        await path.preadv(60 * KIB, 8 * KIB, Iovec.over(buffer), COPY_ON_READ, None)
        assert buffer == CONTENT[60 * KIB :] + bytes(4 * KIB)
        assert list(cow.here) == [15]


async def test_write_waits_while_its_cluster_is_copied() -> None:
    cow = CowDriver(below := RecordingDriver(CONTENT))
    hold = below.recorder.hold(IoType.READ)
    async with opened(CopyOnReadDriver(cow)) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pread(0, 512))
        await hold.arrived()
        write = group.create_task(disk.pwrite(2 * KIB, b"new" * 512))
        await settle()
        assert not write.done()
        hold.release()
        await write
        assert await disk.pread(2 * KIB, 3) == b"new"


@given(
    st.lists(st.integers(0, 15), max_size=6),
    st.integers(0, 64 * KIB - 1),
    st.integers(0, 24 * KIB),
    st.sampled_from([None, 512, KIB, 3 * KIB, 8 * KIB]),
    st.sampled_from([1, 512, KIB]),
)
def test_copying_never_changes_what_is_read(
    here: list[int], offset: int, length: int, longest: int | None, align: int
) -> None:
    length = min(length, 64 * KIB - offset)
    if longest is not None and longest < align:
        longest = align
    asyncio.run(_read_twice(here, offset, length, Limits(align, max_transfer=longest)))


async def _read_twice(here: list[int], offset: int, length: int, limits: Limits) -> None:
    top, cow = copying(limits)
    async with opened(top) as disk:
        for index in here:
            cow.here[index] = bytearray(CONTENT[index * CLUSTER : (index + 1) * CLUSTER])
        for _ in range(2):
            assert await disk.pread(offset, length) == CONTENT[offset : offset + length]
        for index, data in cow.here.items():
            assert data == CONTENT[index * CLUSTER : (index + 1) * CLUSTER]


async def test_the_last_block_is_copied_whole_where_the_image_ends_within_it() -> None:
    driver = RecordingFilter(NullCoDriver(5 * KIB, read_zeroes=False), Limits(4 * KIB))
    opener = TreeOpener(Context(), print)
    node = await opener.open(driver, OpenFlags(copy_on_read=True))
    # Who writes to such an image must be allowed to make it longer.
    async with Disk(opener, node, writes=False) as disk:
        disk.acquire(perms.WRITE_UNCHANGED)
        await disk.pread(4 * KIB, KIB)
    assert driver.recorder.spell() == ["read 4096@4096", "write-zeroes 4096@4096"]
