"""What the parts with seeded bugs are put together from: short words in blocks of a small disk.

Each word is one request of one block, so that no request is ever half done: a word is there or it
is not. What a part gets wrong is always the order of whole requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, Protocol, runtime_checkable

from blkdebug_async import Disk, DiskOpening, Event, InjectError, IoType, open_disk
from blkdebug_async.explore import Choices

#: Bytes of a block.
BLOCK: Final = 512


def memory(blocks: int) -> DiskOpening:
    """Open a disk of so many blocks, all of them empty."""
    return open_disk({"driver": "memory", "size": blocks * BLOCK})


def faulty(blocks: int) -> DiskOpening:
    """Open a disk that can be told to fail requests."""
    image = {"driver": "memory", "size": blocks * BLOCK}
    return open_disk({"driver": "raw", "file": {"driver": "blkdebug", "image": image}})


async def put(disk: Disk, block: int, word: str) -> None:
    """Write a word."""
    await disk.pwrite(block * BLOCK, word.encode().ljust(BLOCK, b"\0"))


async def get(disk: Disk, block: int) -> str:
    """Read a word; "" if there never was one."""
    return _word(await disk.pread(block * BLOCK, BLOCK))


async def get_number(disk: Disk, block: int) -> int:
    """Read a number; 0 if there never was one."""
    return int(await get(disk, block) or "0")


def _word(data: bytes) -> str:
    return data.rstrip(b"\0").decode()


async def fill(disk: Disk, *words: str) -> None:
    """Write words into the blocks from 0 on, one after the other."""
    for block, word in enumerate(words):
        await put(disk, block, word)


async def busy(disk: Disk, times: int = 1) -> None:
    """Do something else first: read the last block, so many times."""
    for _ in range(times):
        await disk.pread(disk.length - BLOCK, BLOCK)


async def pause(times: int = 1) -> None:
    """Let others go first, so many times."""
    for _ in range(times):
        await asyncio.sleep(0)


async def together(**parts: Coroutine[object, object, object]) -> None:
    """Run coroutines as tasks of these names until all are done.

    Raises:
        Exception: That of the first one that failed; the others are cancelled then.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for name, part in parts.items():
                group.create_task(part, name=name)
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def cancelled(
    doomed: Coroutine[object, object, object],
    after: Coroutine[object, object, object],
    **others: Coroutine[object, object, object],
) -> None:
    """Run a task named "doomed" until another one, "canceller", cancels it.

    Args:
        doomed: What is cancelled, unless it is done by then.
        after: What the canceller does first.
        others: What runs besides, by name.
    """

    async def cancel(task: asyncio.Task[object]) -> None:
        await after
        task.cancel()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(doomed, name="doomed")
        for name, other in others.items():
            group.create_task(other, name=name)
        group.create_task(cancel(task), name="canceller")


def lock_if(fixed: bool) -> AbstractAsyncContextManager[None]:
    """Make a lock where the fix is to have one, else what locks nothing."""
    return asyncio.Lock() if fixed else nullcontext()


# --- chance ---


@runtime_checkable
class _Exploring(Protocol):
    """A loop under exploration."""

    @property
    def exploration(self) -> _Exploration | None: ...


class _Exploration(Protocol):
    """What such a loop tells."""

    @property
    def scheduler(self) -> Choices: ...


def happens(key: str) -> bool:
    """Ask whether something goes wrong here; it never does outside of an exploration.

    Args:
        key: A stable name of it.
    """
    loop = asyncio.get_running_loop()
    if not isinstance(loop, _Exploring) or loop.exploration is None:
        return False
    return loop.exploration.scheduler.choose(2, key) == 1


def may_fail(disk: Disk, block: int, op: IoType = IoType.WRITE) -> None:
    """Let the next request of a kind to a block fail, if it so happens.

    Args:
        disk: Made by faulty().
        block: The block.
        op: The kind of request.
    """
    if happens(f"{op} of block {block} fails"):
        arming = Event.WRITE_AIO if op is IoType.WRITE else Event.READ_AIO
        disk.add_rule(
            InjectError(event=arming, iotypes={op}, sector=block, once=True, immediately=True)
        )
