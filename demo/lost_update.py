"""Part 2 of the demo: a race that is lost every time, and one that cannot be lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

from blkdebug_async import (
    Disk,
    Event,
    IoType,
    Observer,
    Phase,
    Predicate,
    RequestView,
    Suspend,
    open_disk,
)
from demo.page import Page
from demo.record_store import RECORD_SIZE, RecordStore

TIMES = 20
#: Longest wait for a request to reach a breakpoint, in seconds.
WITHIN = 10.0


async def show_lost_update(page: Page, image: Path) -> bool:
    """Race two writers of one block: left alone, held by breakpoints, and inside the path."""
    page.heading("2. A lost update, every time")
    page.say("""
        demo/record_store.py stores records of 512 bytes in blocks of 4 KiB: put() reads a block,
        changes one record and writes the block back. It forgot its lock. Two tasks, A and B,
        put two records of one block at the same time.
    """)
    page.say(f"Left alone, run {TIMES} times, a lucky order hides the bug:")
    file = {"driver": "file", "filename": str(image)}
    async with open_disk({"driver": "blkdebug", "image": file}) as disk:
        lucky = [await race_freely(disk, f"free {n}") for n in range(TIMES)]
        _show_count(page, "left alone", lucky)

        page.say("Two breakpoints make the unlucky order the only one:")
        page.show("""
            Suspend("A has read", phase=Phase.BEFORE_COMPLETION,
                    predicate=Predicate(ops={IoType.READ}, task="A"))
            Suspend("B has written", phase=Phase.BEFORE_COMPLETION,
                    predicate=Predicate(ops={IoType.WRITE}, task="B"))
        """)
        page.table(
            [
                ("A", "B"),
                ("reads the block", ""),
                ("held at 'A has read'", "reads the same block"),
                ("", "writes it, with its record"),
                ("", "held at 'B has written', and resumed"),
                ("resumed", ""),
                ("writes the block as it was: B's record is gone", ""),
            ]
        )
        held = [await race_held(disk, f"held {n}") for n in range(TIMES)]
        _show_count(page, "with two breakpoints", held)
    page.verdict(all(held), f"{sum(held)} of {TIMES} updates lost, on demand")
    return await _show_path(page, file) and all(held)


async def _show_path(page: Page, file: dict[str, str]) -> bool:
    page.say("""
        Now leave it to the block layer. With align=4096 the disk itself takes blocks of 4 KiB
        only, so each write of 512 bytes becomes the same read, change, write. A is held
        in the middle of it, at the event pwritev_rmw_after_head; B is started meanwhile.
    """)
    waits = Waits()
    source = {"driver": "blkdebug", "align": 4096, "image": file}
    async with open_disk(source, observer=waits) as disk:
        lost = [await race_in_path(disk, waits, f"path {n}") for n in range(TIMES)]
    _show_count(page, "through our own path", lost)
    page.say(f"B waited for A each time: {waits.last}.")
    page.verdict(not any(lost), f"no update lost, {lost.count(False)} of {TIMES}")
    return not any(lost)


def _show_count(page: Page, how: str, lost: list[bool]) -> None:
    marks = "".join("x" if each else "." for each in lost)
    page.table([(f"{how}:", marks, f"{sum(lost)} of {len(lost)} lost   (x: lost, .: kept)")])


# --- the races: each gives whether a record was lost ---


async def race_freely(disk: Disk, run: str) -> bool:
    """Let two writers run as they like."""
    store = RecordStore(disk)
    async with asyncio.TaskGroup() as group:
        group.create_task(store.put(2, record("A", run)), name="A")
        group.create_task(store.put(4, record("B", run)), name="B")
    return await _is_lost(disk, run)


async def race_held(disk: Disk, run: str) -> bool:
    """Hold A between its read and its write until B is done."""
    a_reads = Predicate(ops={IoType.READ}, task="A")
    b_writes = Predicate(ops={IoType.WRITE}, task="B")
    disk.add_rule(Suspend("A has read", phase=Phase.BEFORE_COMPLETION, predicate=a_reads))
    disk.add_rule(Suspend("B has written", phase=Phase.BEFORE_COMPLETION, predicate=b_writes))
    store = RecordStore(disk)
    async with asyncio.TaskGroup() as group:
        group.create_task(store.put(2, record("A", run)), name="A")
        await disk.wait_suspended("A has read", within=WITHIN)
        b = group.create_task(store.put(4, record("B", run)), name="B")
        await disk.wait_suspended("B has written", within=WITHIN)
        disk.resume("B has written")
        await b
        disk.resume("A has read")
    return await _is_lost(disk, run)


async def race_in_path(disk: Disk, waits: Waits, run: str) -> bool:
    """Hold A between its read and its write, both made by the path, until B waits for it."""
    disk.breakpoint(Event.PWRITEV_RMW_AFTER_HEAD, "A")
    waits.seen.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(2 * RECORD_SIZE, record("A", run)), name="A")
        await disk.wait_suspended("A", within=WITHIN)
        group.create_task(disk.pwrite(4 * RECORD_SIZE, record("B", run)), name="B")
        async with asyncio.timeout(WITHIN):
            await waits.seen.wait()
        disk.resume("A")
    return await _is_lost(disk, run)


def record(writer: str, run: str) -> bytes:
    """Make the record that a writer stores in a run; no two are alike."""
    return f"{writer}, {run}".encode().ljust(RECORD_SIZE, b".")


async def _is_lost(disk: Disk, run: str) -> bool:
    store = RecordStore(disk)
    return [await store.get(2), await store.get(4)] != [record("A", run), record("B", run)]


class Waits(Observer):
    """Hears when a request waits for another."""

    def __init__(self) -> None:
        self.seen = asyncio.Event()
        self.last = "nobody waited"

    def request_waits(self, request: RequestView, blocker: RequestView) -> None:
        self.seen.set()
        self.last = (
            f"the write of task {request.task_name} at {request.offset} for that of task"
            f" {blocker.task_name} at {blocker.offset}"
        )
