from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

from blkdebug_async.explore.inside import sometimes


async def racy() -> None:
    """Fails if b comes before a."""
    order: list[str] = []

    async def note(name: str) -> None:
        print("hello from", name)  # noqa: T201
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in "ab":
            group.create_task(note(name), name=name)
    assert order == ["a", "b"], "b was first"


async def steady() -> None:
    async with asyncio.TaskGroup() as group:
        for name in "ab":
            group.create_task(asyncio.sleep(0), name=name)


async def never_there() -> None:
    sometimes("there", False)


async def pausing(times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


async def leaving() -> None:
    """Leaves a task behind."""
    asyncio.get_running_loop().create_task(asyncio.Event().wait())


pausing_twice = partial(pausing, 2)


def plain() -> int:
    return 3


def making() -> object:
    return steady()


async def generating() -> AsyncIterator[int]:
    yield 1


class Holder:
    async def scenario(self) -> None:
        """Does nothing."""


holder = Holder()
number = 3
