from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator

import pytest

from blkdebug_async.explore import explore
from tests.unit.explore import portable


@pytest.fixture
def _busy_loop() -> Iterator[None]:
    """Make tasks without end in a loop of another thread."""
    over = threading.Event()

    async def make_tasks() -> None:
        while not over.is_set():
            async with asyncio.TaskGroup() as group:
                for _ in range(300):
                    group.create_task(asyncio.sleep(0))

    thread = threading.Thread(target=lambda: asyncio.run(make_tasks()))
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread.start()
        yield
    finally:
        over.set()
        thread.join()
        sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_busy_loop")
@pytest.mark.parametrize("strategy", ["random", "pct"])
def test_a_loop_in_another_thread_is_no_part_of_a_run(strategy: str) -> None:
    report = explore(portable.steady, store=None, strategy=strategy, runs=600)
    report.check()
    assert report.runs == 600
