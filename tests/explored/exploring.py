"""What tests here share: each looks at every class of schedules of a small scenario."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable

from blkdebug_async import Disk
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


def in_flight(disk: Disk) -> int:
    """Count the requests that are under way in a disk's tree."""
    return sum(len(node.tracker.requests) for node in disk.root.walk())


async def together(**parts: Coroutine[object, object, object]) -> None:
    """Run coroutines as tasks of these names."""
    async with asyncio.TaskGroup() as group:
        for name, part in parts.items():
            group.create_task(part, name=name)
