from __future__ import annotations

import asyncio

from blkdebug_async.block.turn import LastFirst


async def note(turn: LastFirst, notes: list[int], number: int) -> None:
    await turn.take_turn()
    notes.append(number)


async def test_of_those_who_wait_together_the_last_goes_on_first() -> None:
    turn = LastFirst()
    notes: list[int] = []
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(note(turn, notes, number))
    assert notes == [3, 2, 1, 0]


async def test_who_comes_later_waits_for_the_next_turn() -> None:
    turn = LastFirst()
    notes: list[int] = []

    async def twice() -> None:
        await note(turn, notes, 1)
        await note(turn, notes, 2)

    async with asyncio.TaskGroup() as group:
        group.create_task(twice())
        group.create_task(note(turn, notes, 0))
    assert notes == [0, 1, 2]


async def test_who_is_cancelled_holds_nobody_up() -> None:
    turn = LastFirst()
    notes: list[int] = []
    async with asyncio.TaskGroup() as group:
        cancelled = group.create_task(note(turn, notes, 0))
        group.create_task(note(turn, notes, 1))
        await asyncio.sleep(0)
        cancelled.cancel()
    assert notes == [1]
