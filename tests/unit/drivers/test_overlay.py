from __future__ import annotations

import asyncio
from errno import EINVAL, ENOSPC, ENOTSUP, EPERM
from typing import ClassVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.overlay import CLUSTER_SIZE
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk

SECTOR = 512
SIZE = 4 * CLUSTER_SIZE


def content(size: int = SIZE) -> bytes:
    return b"".join(bytes([n % 255 + 1]) * SECTOR for n in range(-(-size // SECTOR)))[:size]


async def runs(disk: Disk) -> list[tuple[int, bool]]:
    """Where each run starts, and whether it is in the overlay."""
    found: list[tuple[int, bool]] = []
    position = 0
    while position < disk.length:
        here, length = await disk.is_allocated(position, disk.length - position)
        if not found or found[-1][1] != here:
            found.append((position, here))
        position += length
    return found


class WaitingDriver(MemoryDriver):
    """Reads wait until they are let go."""

    name: ClassVar[str] = "waiting"

    def __init__(self, data: bytes) -> None:
        super().__init__(data=data)
        self.go = asyncio.Event()
        self.waiting = 0
        self._one_more = asyncio.Event()

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self.waiting += 1
        self._one_more.set()
        await self.go.wait()
        await super().preadv(offset, length, iov, flags, request)

    async def until_waiting(self, count: int) -> None:
        while self.waiting < count:
            self._one_more.clear()
            await self._one_more.wait()


async def test_what_lies_below_stays_as_it_was() -> None:
    below = MemoryDriver(data=content())
    async with open_disk(below, snapshot=True) as disk:
        await disk.pwrite(100, b"x" * 100_000)
        await disk.pwrite_zeroes(0, CLUSTER_SIZE)
        await disk.pdiscard(2 * CLUSTER_SIZE, CLUSTER_SIZE)
        await disk.flush()
        lower = bytearray(SIZE)
        await disk.root.children[0].preadv(0, SIZE, Iovec.over(lower), 0, None)
    assert lower == content()


async def test_what_lies_below_is_opened_for_reading() -> None:
    async with open_disk(MemoryDriver(SIZE), snapshot=True) as disk:
        below = disk.root.children[0]
        assert below.node.flags.read_only
        assert not disk.read_only


async def test_a_read_only_snapshot_takes_no_writes() -> None:
    async with open_disk(MemoryDriver(SIZE), snapshot=True, read_only=True) as disk:
        with pytest.raises(OSError, match="read-only") as caught:
            await disk.pwrite(0, b"x")
        assert caught.value.errno == EPERM


async def test_reads_show_what_is_below_where_nothing_was_written() -> None:
    async with open_disk(MemoryDriver(data=content()), snapshot=True) as disk:
        await disk.pwrite(CLUSTER_SIZE + 10, b"new")
        expected = bytearray(content())
        expected[CLUSTER_SIZE + 10 : CLUSTER_SIZE + 13] = b"new"
        assert await disk.pread(0, SIZE) == expected


async def test_a_cluster_is_allocated_as_a_whole() -> None:
    async with open_disk(MemoryDriver(data=content()), snapshot=True) as disk:
        assert await runs(disk) == [(0, False)]
        await disk.pwrite(CLUSTER_SIZE + 10, b"new")
        assert await runs(disk) == [
            (0, False),
            (CLUSTER_SIZE, True),
            (2 * CLUSTER_SIZE, False),
        ]
        assert disk.root.driver.cluster_size() == CLUSTER_SIZE


async def test_zeroes_and_discards_hide_what_is_below() -> None:
    async with open_disk(MemoryDriver(data=content()), snapshot=True) as disk:
        await disk.pwrite_zeroes(0, CLUSTER_SIZE)
        await disk.pdiscard(2 * CLUSTER_SIZE, CLUSTER_SIZE)
        assert await disk.pread(0, CLUSTER_SIZE) == bytes(CLUSTER_SIZE)
        assert await disk.pread(2 * CLUSTER_SIZE, CLUSTER_SIZE) == bytes(CLUSTER_SIZE)
        assert [start for start, here in await runs(disk) if here] == [0, 2 * CLUSTER_SIZE]


async def test_a_discard_of_less_than_a_cluster_does_nothing() -> None:
    async with open_disk(MemoryDriver(data=content()), snapshot=True) as disk:
        await disk.pdiscard(SECTOR, CLUSTER_SIZE)
        assert await disk.pread(0, SIZE) == content()


async def test_a_huge_range_of_zeroes_costs_nothing() -> None:
    async with open_disk({"driver": "null-co", "size": 1 << 50}, snapshot=True) as disk:
        await disk.pwrite_zeroes(0, 1 << 50)
        assert await disk.pread((1 << 49) + 1, 3) == bytes(3)
        assert await disk.is_allocated(0, 1 << 50) == (True, 1 << 50)


async def test_the_last_cluster_may_be_cut_short() -> None:
    size = CLUSTER_SIZE + 3 * SECTOR
    async with open_disk(MemoryDriver(data=content(size)), snapshot=True) as disk:
        await disk.pwrite(size - 5, b"end")
        assert await disk.pread(CLUSTER_SIZE, 3 * SECTOR) == (
            content(size)[CLUSTER_SIZE : size - 5] + b"end" + content(size)[-2:]
        )
        await disk.pwrite_zeroes(CLUSTER_SIZE, 3 * SECTOR)
        assert await disk.pread(CLUSTER_SIZE, 3 * SECTOR) == bytes(3 * SECTOR)


async def test_what_was_cut_off_does_not_come_back() -> None:
    async with open_disk(MemoryDriver(data=content()), snapshot=True) as disk:
        await disk.pwrite(CLUSTER_SIZE, b"x" * CLUSTER_SIZE)
        await disk.truncate(CLUSTER_SIZE + SECTOR)
        await disk.truncate(SIZE)
        assert await disk.pread(0, SIZE) == (
            content()[:CLUSTER_SIZE] + b"x" * SECTOR + bytes(SIZE - CLUSTER_SIZE - SECTOR)
        )


async def test_what_was_cut_off_below_does_not_come_back() -> None:
    async with open_disk(MemoryDriver(data=content()), snapshot=True) as disk:
        await disk.truncate(SECTOR)
        await disk.truncate(2 * SIZE)
        assert await disk.pread(0, 2 * SIZE) == content()[:SECTOR] + bytes(2 * SIZE - SECTOR)


@pytest.mark.parametrize(
    ("size", "preallocation", "errno"), [(SIZE, "full", ENOTSUP), (SIZE + 1, "off", EINVAL)]
)
async def test_a_length_that_cannot_be_is_refused(
    size: int, preallocation: str, errno: int
) -> None:
    async with open_disk(MemoryDriver(SIZE), snapshot=True) as disk:
        with pytest.raises(OSError, match=r"preallocation|multiple") as caught:
            await disk.truncate(size, preallocation=preallocation)
        assert (caught.value.errno, disk.length) == (errno, SIZE)


async def test_a_write_that_cannot_read_below_changes_nothing() -> None:
    rule = InjectError(event=Event.NONE, errno=ENOSPC, iotypes={IoType.READ}, once=True)
    below = BlkdebugDriver(MemoryDriver(data=content()), [rule])
    async with open_disk(below, snapshot=True) as disk:
        with pytest.raises(OSError, match="injected") as caught:
            await disk.pwrite(10, b"x" * CLUSTER_SIZE)
        assert caught.value.errno == ENOSPC
        assert await runs(disk) == [(0, False)]
        assert await disk.pread(0, SIZE) == content()


async def test_two_writes_to_one_cluster_at_once_both_count() -> None:
    below = WaitingDriver(content())
    async with open_disk(below, snapshot=True) as disk:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(disk.pwrite(10, b"one"))
            tasks.create_task(disk.pwrite(20, b"two"))
            await below.until_waiting(2)
            below.go.set()
        assert await disk.pread(9, 15) == b"\1one" + b"\1" * 7 + b"two" + b"\1"


async def test_zeroes_that_overtake_a_write_are_not_undone_by_it() -> None:
    below = WaitingDriver(content())
    async with open_disk(below, snapshot=True) as disk:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(disk.pwrite(10, b"one"))
            await below.until_waiting(1)
            await disk.pwrite_zeroes(0, CLUSTER_SIZE)
            below.go.set()
        assert await disk.pread(0, 20) == bytes(10) + b"one" + bytes(7)


async def test_a_cancelled_write_leaves_nothing() -> None:
    below = WaitingDriver(content())
    async with open_disk(below, snapshot=True) as disk:
        task = asyncio.ensure_future(disk.pwrite(10, b"one"))
        await below.until_waiting(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        below.go.set()
        assert await runs(disk) == [(0, False)]


async def test_copy_on_read_keeps_what_was_read() -> None:
    below = MemoryDriver(data=content())
    async with open_disk(below, snapshot=True, copy_on_read=True) as disk:
        assert await disk.pread(5, 10) == content()[5:15]
        assert await runs(disk) == [(0, True), (CLUSTER_SIZE, False)]


async def test_an_overlay_can_be_had_by_options() -> None:
    source = {"driver": "overlay", "backing": {"driver": "memory", "size": SIZE}}
    async with open_disk(source) as disk:
        await disk.pwrite(0, b"x")
        assert await disk.pread(0, 2) == b"x\0"


async def test_a_snapshot_can_be_reopened() -> None:
    async with open_disk(MemoryDriver(SIZE), snapshot=True) as disk:
        await disk.pwrite(0, b"x")
        await disk.reopen({"read-only": True})
        await disk.reopen({"read-only": False})
        await disk.pwrite(1, b"y")
        assert await disk.pread(0, 2) == b"xy"


# --- against models ---

sectors = st.integers(0, SIZE // SECTOR)
offsets = st.integers(0, SIZE - 1)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), offsets, st.integers(1, 2 * CLUSTER_SIZE)),
        st.tuples(st.just("zeroes"), offsets, st.integers(1, 3 * CLUSTER_SIZE)),
        st.tuples(st.just("discard"), st.integers(0, 3), st.integers(1, 4)),
        st.tuples(st.just("truncate"), sectors, st.just(0)),
    ),
    max_size=12,
)


@given(steps=steps, below=st.integers(0, SIZE // SECTOR))
@example(steps=[("truncate", 100, 0), ("truncate", 300, 0)], below=512)
def test_an_overlay_is_a_row_of_bytes(steps: list[tuple[str, int, int]], below: int) -> None:
    asyncio.run(play(steps, below * SECTOR))


async def play(steps: list[tuple[str, int, int]], below: int) -> None:
    model = bytearray(content(below))
    async with open_disk(MemoryDriver(data=content(below)), snapshot=True) as disk:
        for number, (verb, first, second) in enumerate(steps):
            if verb == "truncate":
                await disk.truncate(first * SECTOR)
                model = model[: first * SECTOR].ljust(first * SECTOR, b"\0")
                continue
            unit = CLUSTER_SIZE if verb == "discard" else 1
            start, stop = (min(each * unit, len(model)) for each in (first, first + second))
            if verb == "write":
                await disk.pwrite(start, bytes([number + 1]) * (stop - start))
                model[start:stop] = bytes([number + 1]) * (stop - start)
            else:
                change = disk.pdiscard if verb == "discard" else disk.pwrite_zeroes
                await change(start, stop - start)
                model[start:stop] = bytes(stop - start)
            assert await disk.pread(0, disk.length) == model
        assert await disk.pread(0, disk.length) == model
