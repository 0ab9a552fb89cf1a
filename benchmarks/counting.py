"""How many runs DPOR makes for writers to one disk, and how many there are to be told apart."""

from __future__ import annotations

from collections.abc import Iterator
from math import factorial

from benchmarks.bug_results import Count
from benchmarks.bugs.bug import Scenario
from benchmarks.bugs.common import memory, put, together
from blkdebug_async.explore.explorer import explore

#: So many runs are more than anybody waits for.
_MOST_RUNS = 100_000


def counts(most_writers: int = 5) -> Iterator[Count]:
    """Count for disjoint and for overlapping writes; tasks share nothing but the disk."""
    for overlapping in (False, True):
        for writers in range(1, most_writers + 1):
            scenario = writing(writers, overlapping=overlapping)
            report = explore(
                scenario, runs=_MOST_RUNS, strategy="dpor", assume="disk-only", store=None
            )
            expected = factorial(writers) if overlapping else 1
            yield Count(writers, overlapping, report.runs, expected)


def writing(writers: int, *, overlapping: bool) -> Scenario:
    """Make a scenario with so many tasks that write one block each.

    Args:
        writers: How many tasks.
        overlapping: Whether all write the same block.
    """

    async def scenario() -> None:
        async with memory(writers) as disk:
            blocks = [0 if overlapping else number for number in range(writers)]
            tasks = {f"writer{n}": put(disk, block, str(n)) for n, block in enumerate(blocks)}
            await together(**tasks)

    return scenario
