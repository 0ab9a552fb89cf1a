"""Scenarios that fail under some schedules, for reports to tell of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from blkdebug_async import Disk, open_disk
from blkdebug_async.explore import Failure, explore
from blkdebug_async.explore.here import exploration_here

SECTOR = 512


def found(scenario: Callable[[], Coroutine[object, object, None]]) -> Failure:
    failure = explore(scenario, store=None, seed=1).failure
    assert failure is not None
    return failure


async def write(disk: Disk, word: bytes) -> None:
    await disk.pwrite(0, word.ljust(SECTOR, b"\0"))


async def racing_writes(*, steps: int = 0, fixed: bool = False) -> None:
    """Two writes to one sector; the second one is taken for the last."""
    async with open_disk({"driver": "memory", "size": 8 * SECTOR}) as disk:

        async def first() -> None:
            await write(disk, b"first")

        async def second() -> None:
            for _ in range(steps):
                await asyncio.sleep(0)
            await write(disk, b"second")

        async with asyncio.TaskGroup() as group:
            one = group.create_task(first(), name="one")
            if fixed:
                await one
            group.create_task(second(), name="two")
        assert (await disk.pread(0, 6)) == b"second", "the second write was lost"


async def crossed_locks() -> None:
    """Two tasks take two locks, each in its own order."""
    locks = [asyncio.Lock(), asyncio.Lock()]

    async def take(first: int, second: int) -> None:
        async with locks[first]:
            await asyncio.sleep(0)
            async with locks[second]:
                pass

    async with asyncio.TaskGroup() as group:
        group.create_task(take(0, 1), name="up")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        group.create_task(take(1, 0), name="down")


async def unlucky_choice() -> None:
    """Something may go wrong, and nobody looks."""
    exploration = exploration_here()
    assert exploration is not None
    assert not exploration.scheduler.choose(2, "the lamp breaks"), "it is dark"


async def failing_group() -> None:
    """An error that comes in a group."""
    async with asyncio.TaskGroup() as group:
        group.create_task(unlucky_choice(), name="unlucky")
