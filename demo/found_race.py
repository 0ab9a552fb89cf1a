"""Part 4 of the demo: a race that nobody knew of is found, made again, and proved to be gone."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from blkdebug_async import open_disk
from blkdebug_async.explore import Failure, Scenario, explore, replay
from blkdebug_async.report import text_report
from demo.page import WIDTH, Page
from demo.write_back_cache import MendedCache, WriteBackCache

TIMES = 20
BLOCK_SIZE = 512
OLD, NEW = b"\xaa" * BLOCK_SIZE, b"\xbb" * BLOCK_SIZE
#: Paragraphs of a report that are shown: what went otherwise, and the run.
_SHOWN = slice(1, 3)


def show_found_race(page: Page, image: Path) -> bool:
    """Explore a test that passes, replay what fails, and explore it again when it is mended."""
    page.heading("4. A race that nobody knew of: found, made again, mended")
    page.say("""
        demo/write_back_cache.py keeps writes in memory until flush(). In this test one task
        flushes it, while another one reads something and then writes the same block again. In
        the end the new data must be on the disk.
    """)
    test = partial(rewrite_while_flushing, image, WriteBackCache)
    page.table([("left alone:", f"{_failures(test)} of {TIMES} runs fail")])
    page.say("The explorer makes it under many schedules, and shows the simplest one that fails:")
    page.show("report = explore(test)")
    report = explore(test, seed=1, store=None)
    if report.failure is None:
        page.verdict(False, "a race was found")
        return False
    _show_failure(page, report.failure)
    again = [replay(test, report.failure.token).error is not None for _ in range(TIMES)]
    page.show(f'replay(test, "{report.failure.token}")')
    page.table([("that run again:", f"{sum(again)} of {TIMES} runs fail")])
    page.say("flush() forgot the block that had come meanwhile. Mended, and explored to the end:")
    page.show('explore(mended, strategy="dpor")')
    mended = explore(
        partial(rewrite_while_flushing, image, MendedCache), strategy="dpor", store=None
    )
    page.table([(f"{mended.runs} runs:", f"no failure in {mended.proof}")])
    good = all(again) and mended.passed and mended.exhausted
    page.verdict(good, f"found in run {report.failure.runs}, and gone for good when mended")
    return good


async def rewrite_while_flushing(image: Path, make: type[WriteBackCache]) -> None:
    """Write a block again while it is flushed; raise AssertionError if the newest data is lost."""
    async with open_disk(image, format="raw") as disk:
        cache = make(disk)
        cache.write(0, OLD)

        async def rewrite() -> None:
            await disk.pread(8 * BLOCK_SIZE, BLOCK_SIZE)
            cache.write(0, NEW)

        async with asyncio.TaskGroup() as group:
            group.create_task(cache.flush(), name="flusher")
            group.create_task(rewrite(), name="writer")
        await cache.flush()
        assert await disk.pread(0, BLOCK_SIZE) == NEW, "the newest data is not on the disk"


def _failures(test: Scenario) -> int:
    """Make a test as usual, and count how often it fails."""
    failures = 0
    for _ in range(TIMES):
        try:
            asyncio.run(test())
        except AssertionError:
            failures += 1
    return failures


def _show_failure(page: Page, failure: Failure) -> None:
    paragraphs = text_report(failure, width=WIDTH - 4).split("\n\n")
    for paragraph in paragraphs[_SHOWN]:
        page.show(paragraph)
