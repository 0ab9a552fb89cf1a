"""Against aiofiles: 4 KiB reads of a cached file, by one task and by 32.

aiofiles is asked in the ways that suit it best: it has no buffer of its own, and each task has a
file of its own. From front to end it need not seek; elsewhere it must, as it knows no reads at an
offset.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import aiofiles

from benchmarks.harness import Comparison
from benchmarks.img_bench import BLOCK, STRIDE
from benchmarks.loops import Work, on_each_loop
from benchmarks.workplace import CACHED_SIZE, Workplace
from blkdebug_async import Disk, open_disk

DEPTHS = (1, 32)
#: Reads so many blocks.
Task = Callable[[int], Coroutine[object, None, None]]


def questions(place: Workplace) -> Iterator[Comparison]:
    """Ask for each depth, near and far."""
    for name, words, step, read in (
        ("near", "one after the other", BLOCK, _read_near),
        ("far", "all over the file", STRIDE, _read_far),
    ):
        for depth in DEPTHS:
            theirs = on_each_loop("aiofiles", _theirs(place.cached, read, depth), depth * 4)
            ours = on_each_loop("ours", _ours(place.cached, step, depth), depth * 4)
            yield Comparison(
                f"aiofiles-{name}-depth-{depth}",
                f"reads of a cached file, {words}, depth {depth}, against aiofiles",
                [theirs[0], ours[0], *theirs[1:], *ours[1:]],
                floor=20.0,
                aim=60.0,
            )


def _theirs(
    path: Path, read: Callable[[Path, int], Coroutine[object, None, None]], depth: int
) -> Work:
    return lambda count: _timed(lambda share: read(path, share), depth, count)


def _ours(path: Path, step: int, depth: int) -> Work:
    async def work(count: int) -> float:
        async with open_disk({"driver": "file", "filename": str(path)}) as disk:
            return await _timed(lambda share: _read_disk(disk, step, share), depth, count)

    return work


async def _timed(task: Task, depth: int, count: int) -> float:
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(depth):
            group.create_task(task(count // depth))
    return time.perf_counter() - start


async def _read_near(path: Path, count: int) -> None:
    async with aiofiles.open(path, "rb", buffering=0) as file:
        for _ in range(count):
            if not await file.read(BLOCK):
                await file.seek(0)


async def _read_far(path: Path, count: int) -> None:
    async with aiofiles.open(path, "rb", buffering=0) as file:
        for number in range(count):
            await file.seek(number * STRIDE % CACHED_SIZE)
            await file.read(BLOCK)


async def _read_disk(disk: Disk, step: int, count: int) -> None:
    for number in range(count):
        await disk.pread(number * step % CACHED_SIZE, BLOCK)
