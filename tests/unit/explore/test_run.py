from __future__ import annotations

import asyncio
import random
import sys

import pytest

from blkdebug_async.explore import explore, replay


async def steady() -> None:
    await asyncio.sleep(random.randint(1, 9))


async def leaves_by_exit() -> None:
    """Fails while a task is on its way to end the whole process."""

    async def child() -> None:
        try:
            await asyncio.sleep(1)
        finally:
            sys.exit(3)

    task = asyncio.ensure_future(child())
    await asyncio.sleep(0)
    raise AssertionError(task)


def test_chance_is_as_it_was_after_exploring_and_replaying() -> None:
    random.seed(7)
    before = random.getstate()
    explore(steady, store=None, runs=3).check()
    replay(steady, ()).check()
    assert random.getstate() == before


@pytest.mark.parametrize("again", [False, True])
def test_a_loop_that_is_running_is_said_to_be_in_the_way(again: bool) -> None:
    async def main() -> None:
        if again:
            replay(steady, ())
        else:
            explore(steady, store=None)

    with pytest.raises(RuntimeError, match=r"asyncio\.to_thread"):
        asyncio.run(main())


def test_amid_a_running_loop_a_thread_explores() -> None:
    async def main() -> None:
        report = await asyncio.to_thread(explore, steady, store=None, runs=3)
        report.check()

    asyncio.run(main())


def test_asyncio_is_as_it_was_after_a_run_whose_rest_ends_the_process() -> None:
    before = dict(vars(asyncio.Lock))
    with pytest.raises(SystemExit):
        replay(leaves_by_exit, ())
    assert dict(vars(asyncio.Lock)) == before
