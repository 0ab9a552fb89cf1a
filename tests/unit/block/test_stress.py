from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack

import pytest

from blkdebug_async.block.driver import Driver
from blkdebug_async.block.flags import FUA
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError, Phase, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, SuspendedError
from blkdebug_async.events import Event
from blkdebug_async.opening import open_disk

#: Each writer has a strip of its own, so what it last wrote is what must be there.
STRIP = 450
WRITERS = 8
SIZE = 8 * 512
EVENTS = [event for event in Event if event.startswith(("pwritev", "flush", "write_aio", "read_"))]
LIMITS = BlkdebugConfig(
    align=256,
    max_transfer=512,
    opt_write_zero=512,
    max_write_zero=1024,
    opt_discard=512,
    max_discard=1024,
)

STACKS: dict[str, Callable[[], Driver]] = {
    "limits": lambda: RawDriver(BlkdebugDriver(MemoryDriver(SIZE), config=LIMITS)),
    "overlay": lambda: RawDriver(
        BlkdebugDriver(OverlayDriver(MemoryDriver(SIZE, data=bytes(SIZE))), config=LIMITS)
    ),
}


class Strip:
    def __init__(self, disk: Disk, index: int, chance: random.Random) -> None:
        self._disk = disk
        self._base = index * STRIP
        self._chance = chance
        #: What each byte may be.
        self._maybe: list[set[int]] = [{0} for _ in range(STRIP)]

    async def work(self, steps: int) -> None:
        for _ in range(steps):
            first = self._chance.randrange(STRIP)
            stop = self._chance.randint(first, STRIP)
            match self._chance.randrange(6):
                case 0 | 1:
                    await self._write(first, stop, self._chance.randrange(1, 256))
                case 2:
                    await self._write(first, stop, 0)
                case 3:
                    await self._attempt(self._disk.flush())
                case _:
                    await self._read(first, stop)

    async def _write(self, first: int, stop: int, value: int) -> None:
        offset, length = self._base + first, stop - first
        flags = FUA if self._chance.randrange(4) == 0 else 0
        if value:
            work = self._disk.pwrite(offset, bytes([value]) * length, flags)
        else:
            work = self._disk.pwrite_zeroes(offset, length, flags)
        done = await self._attempt(work)
        for at in range(first, stop):
            self._maybe[at] = {value} if done else self._maybe[at] | {value}

    async def _read(self, first: int, stop: int) -> None:
        try:
            data = await self._disk.pread(self._base + first, stop - first)
        except BlockError:
            return
        self.check(first, data)

    def check(self, first: int, data: bytes) -> None:
        wrong = [at for at, value in enumerate(data, first) if value not in self._maybe[at]]
        assert not wrong, (self._base, wrong[:5])

    async def check_all(self) -> None:
        self.check(0, await self._disk.pread(self._base, STRIP))

    async def _attempt(self, work: Coroutine[None, None, None]) -> bool:
        # In a task of its own, so that it can be given up after a few turns of the loop.
        task = asyncio.Task(work)
        if self._chance.randrange(5) == 0:
            for _ in range(self._chance.randrange(8)):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.wait((task,))
        return not task.cancelled() and task.exception() is None


async def disturb(disk: Disk, chance: random.Random, stop: asyncio.Event) -> None:
    # Sets breakpoints and errors, resumes whatever is held, drains now and then.
    while not stop.is_set():
        tag = chance.choice("AB")
        match chance.randrange(6):
            case 0:
                disk.breakpoint(chance.choice(EVENTS), tag)
            case 1:
                disk.add_rule(Suspend(tag, phase=chance.choice(list(Phase))))
            case 2:
                disk.add_rule(InjectError(chance.choice(EVENTS), once=True, immediately=True))
            case 3:
                try:
                    await disk.drain()
                except SuspendedError:
                    disk.resume(disk.suspended()[0][0])
            case _:
                for held, _ in disk.suspended()[::-1]:
                    disk.resume(held)
        await asyncio.sleep(0)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("seed", range(20))
async def test_whatever_happens_data_is_as_written_and_nothing_is_left(
    stack: str, seed: int
) -> None:
    chance = random.Random(seed)
    async with AsyncExitStack() as closing:
        disk = await open_disk(STACKS[stack]())
        closing.push_async_callback(disk.release_and_close)
        nodes = list(disk.root.walk())
        strips = [Strip(disk, index, chance) for index in range(WRITERS)]
        stop = asyncio.Event()
        async with asyncio.timeout(20), asyncio.TaskGroup() as outer:
            outer.create_task(disturb(disk, chance, stop))
            async with asyncio.TaskGroup() as group:
                for strip in strips:
                    group.create_task(strip.work(30))
            stop.set()
        disk.blkdebug().release_suspended()
        for _, rule in disk.unused_rules():
            disk.remove_rule(rule)
        for node in nodes:
            assert not node.tracker.requests
            assert node.tracker.serialising == 0
        assert not disk.suspended()
        for strip in strips:
            await strip.check_all()
    assert disk.closed
