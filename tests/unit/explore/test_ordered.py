from __future__ import annotations

import asyncio
import asyncio.tasks

import pytest

from blkdebug_async.explore.loop import ExploringLoop
from tests.unit.explore.loop_schedulers import Listed


async def note(order: list[int], number: int) -> int:
    order.append(number)
    return number


@pytest.mark.parametrize("named", [False, True])
def test_as_completed_begins_coroutines_in_the_order_in_which_they_are_given(named: bool) -> None:
    order: list[int] = []

    async def main() -> set[int]:
        coroutines = [note(order, number) for number in range(20)]
        # Their addresses go the other way round.
        given = coroutines[::-1]
        return {await each for each in asyncio.as_completed([*given, given[0]])}

    loop = ExploringLoop(Listed(wants_actions=named))
    try:
        assert loop.run_until_complete(main()) == set(range(20))
    finally:
        loop.close()
    assert order == list(range(20))[::-1]


def test_waiting_gives_sets() -> None:
    async def main() -> None:
        tasks = [asyncio.ensure_future(note([], number)) for number in range(3)]
        done, pending = await asyncio.wait(tasks)
        assert (done, pending) == (set(tasks), set())
        assert (type(done), type(pending)) == (set, set)

    loop = ExploringLoop(Listed())
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_asyncio_is_as_it_was_after_the_last_loop() -> None:
    loops = [ExploringLoop(Listed()) for _ in range(2)]
    assert "set" in vars(asyncio.tasks)
    loops[0].close()
    assert "set" in vars(asyncio.tasks)
    loops[1].close()
    assert "set" not in vars(asyncio.tasks)
