"""What tests here share: each looks at every class of schedules of a small scenario."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager

from blkdebug_async import Disk, DiskOpening
from blkdebug_async.explore import Conditions, Report, Scenario, explore

#: Far above what any scenario here takes.
_MOST = 50_000


def exhaust(
    scenario: Scenario, *, sometimes: Iterable[str] = (), conditions: Conditions | None = None
) -> Report:
    """Make a run of every class of schedules, none of which may fail.

    Tasks are not taken to share nothing but the disk: the block layer has state of its own.
    """
    report = explore(
        scenario,
        strategy="dpor",
        runs=_MOST,
        store=None,
        sometimes=tuple(sometimes),
        conditions=conditions,
    )
    report.check()
    assert report.proof == "every class of schedules", report
    return report


def sample(scenario: Scenario, *, runs: int) -> Report:
    """Make so many runs of a scenario that has too many classes, half of them by chance.

    What passes may fail in a schedule that was not tried.
    """
    for strategy in ("random", "pct:3"):
        report = explore(scenario, strategy=strategy, runs=runs // 2, store=None)
        report.check()
    return report


@asynccontextmanager
async def opened(opening: DiskOpening) -> AsyncIterator[Disk]:
    """Open a disk; in the end, nobody may be counted any more who is gone."""
    async with opening as disk:
        yield disk
        if disk.closed:
            return
        for node in disk.root.walk():
            assert not node.tracker.requests
            assert not node.tracker.serialising
            assert not node.context.drains
        assert not disk.suspended()


def in_flight(disk: Disk) -> int:
    """Count the requests that are under way in a disk's tree."""
    return sum(len(node.tracker.requests) for node in disk.root.walk())


async def together(**parts: Coroutine[object, object, object]) -> None:
    """Run coroutines as tasks of these names."""
    async with asyncio.TaskGroup() as group:
        for name, part in parts.items():
            group.create_task(part, name=name)
