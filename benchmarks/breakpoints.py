"""How many requests can be suspended and resumed in a second?

QEMU's side is one qemu-io that is typed the same five lines over and over, from its first prompt
to its end. Ours is a loop that awaits the same five things; our shell, typed the same lines, is a
further side.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from benchmarks.harness import Comparison, Side
from benchmarks.loops import on_each_loop
from benchmarks.programs import missing, our_command, typed
from benchmarks.workplace import Workplace
from blkdebug_async import open_disk

LINES = "break write_aio A\naio_write 0 512\nwait_break A\nresume A\naio_flush\n"
NAME = "blkdebug::null-co://"
OPTIONS = ("-f", "raw", NAME)


def questions(place: Workplace) -> Iterator[Comparison]:
    """Ask the only one."""
    yield Comparison(
        "suspend-and-resume",
        "a write is suspended and resumed",
        [
            Side("QEMU, typed into qemu-io", typed("qemu-io", *OPTIONS, lines=LINES), 20),
            *on_each_loop("ours", pairs, 20),
            Side("our shell", typed(*our_command(), "io", *OPTIONS, lines=LINES), 20),
        ],
        things="pairs",
        floor=5.0,
        aim=20.0,
        skipped=missing("qemu-io"),
    )


async def pairs(count: int) -> float:
    """Suspend and resume so many writes; gives how long it took, in seconds."""
    data = bytes(512)
    async with open_disk(NAME, format="raw") as disk, asyncio.TaskGroup() as group:
        start = time.perf_counter()
        for _ in range(count):
            disk.breakpoint("write_aio", "A")
            writing = group.create_task(disk.pwrite(0, data))
            await disk.wait_suspended("A")
            disk.resume("A")
            await writing
        return time.perf_counter() - start
