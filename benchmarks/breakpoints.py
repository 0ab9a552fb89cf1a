"""How many requests can be suspended and resumed in a second?

QEMU's side is one qemu-io that is typed the same five lines over and over, from its first prompt
to its end. Ours is a loop that awaits the same five things. Further sides: several at a time, so
that they share turns of the loop; our shell, typed the same lines; and what asyncio takes by itself
for a task that waits once, which nobody who is built on it can beat.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

from benchmarks.harness import Comparison, Side
from benchmarks.loops import DEFAULT_LOOP, on_each_loop, run_on
from benchmarks.programs import missing, our_command, typed
from benchmarks.workplace import Workplace
from blkdebug_async import Event, Suspend, open_disk

LINES = "break write_aio A\naio_write 0 512\nwait_break A\nresume A\naio_flush\n"
NAME = "blkdebug::null-co://"
CROWD = 100
OPTIONS = ("-f", "raw", NAME)


def questions(place: Workplace) -> Iterator[Comparison]:
    """Ask the only one."""
    yield Comparison(
        "suspend-and-resume",
        "a write is suspended and resumed",
        [
            Side("QEMU, typed into qemu-io", typed("qemu-io", *OPTIONS, lines=LINES), 20),
            *on_each_loop("ours", pairs, 20),
            Side(f"ours, {CROWD} at a time", lambda n: run_on(DEFAULT_LOOP, crowds(n)), CROWD),
            Side("asyncio alone, on the same loop", lambda n: run_on(DEFAULT_LOOP, tasks(n)), 20),
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


async def crowds(count: int) -> float:
    """Suspend and resume as many, CROWD of them at a time."""
    data = bytes(512)
    all_of_them = Suspend("A", event=Event.WRITE_AIO, count=CROWD)
    async with open_disk(NAME, format="raw") as disk:
        start = time.perf_counter()
        for _ in range(count // CROWD):
            disk.add_rule(all_of_them)
            async with asyncio.TaskGroup() as group:
                for _ in range(CROWD):
                    group.create_task(disk.pwrite(0, data))
                await disk.wait_suspended("A")
                for _ in range(CROWD):
                    disk.resume("A")
        return time.perf_counter() - start


async def tasks(count: int) -> float:
    """Make as many tasks that wait for an event, one after the other; nothing else."""
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            event = asyncio.Event()
            waiting = group.create_task(event.wait())
            await asyncio.sleep(0)
            event.set()
            await waiting
    return time.perf_counter() - start
