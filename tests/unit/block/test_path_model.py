from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blkdebug_async.block.driver import Driver
from blkdebug_async.block.limits import Limits
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import ByteModel, RecordingDriver, RecordingFilter
from tests.unit.block.races import (
    INITIAL,
    Move,
    Script,
    could_be_read,
    explains,
    run_race,
    writes_of,
)

SIZE = 512
#: Writes are what most can go wrong with.
KINDS = ["write", "write", "write", "read", "zeroes", "discard", "flush"]


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    align = draw(st.sampled_from([1, 4, 16]))

    def blocks(most: int) -> st.SearchStrategy[int | None]:
        return st.none() | st.integers(1, most).map(lambda n: n * align)

    return Limits(
        align,
        max_transfer=draw(blocks(6)),
        pwrite_zeroes_alignment=draw(st.none() | st.integers(1, 40)),
        max_pwrite_zeroes=draw(blocks(12)),
        pdiscard_alignment=draw(st.none() | st.integers(1, 40)),
        max_pdiscard=draw(blocks(12)),
    )


@st.composite
def moves(draw: st.DrawFn, *, cancels: bool = False) -> Move:
    # Whole blocks are as frequent as odd bytes, and all is close together.
    unit = draw(st.sampled_from([1, 4, 16]))
    return Move(
        draw(st.sampled_from(KINDS)),
        draw(st.integers(0, 32 // unit)) * unit,
        draw(st.integers(0, 48 // unit)) * unit,
        fua=draw(st.booleans()),
        wait=draw(st.integers(0, 12)),
        cancel=draw(st.none() | st.integers(0, 40)) if cancels else None,
    )


drivers: st.SearchStrategy[Callable[[], Driver]] = st.one_of(
    st.just(lambda: MemoryDriver(SIZE, data=bytes([INITIAL]) * SIZE)),
    limits().map(lambda each: lambda: recording(each)),
    st.tuples(limits(), limits()).map(
        lambda pair: lambda: RecordingFilter(recording(pair[0]), pair[1])
    ),
)


def recording(each: Limits) -> RecordingDriver:
    # FUA has to be emulated, so it takes part in the races.
    return RecordingDriver(bytes([INITIAL]) * SIZE, each, write_flags=0, zero_flags=0)


# --- one after the other -----------------------------------------------------------------------


@given(drivers, st.lists(moves(), max_size=12))
def test_requests_one_after_the_other_do_what_they_do_to_a_bytearray(
    make: Callable[[], Driver], sequence: list[Move]
) -> None:
    asyncio.run(play_in_turn(make(), sequence))


async def play_in_turn(driver: Driver, sequence: Sequence[Move]) -> None:
    model = ByteModel(bytes([INITIAL]) * SIZE)
    async with open_disk(driver) as disk:
        for number, move in enumerate(sequence, 1):
            match move.kind:
                case "write":
                    data = bytes([number]) * move.length
                    await disk.pwrite(move.offset, data)
                    model.pwrite(move.offset, data)
                case "zeroes":
                    await disk.pwrite_zeroes(move.offset, move.length)
                    model.pwrite_zeroes(move.offset, move.length)
                case "discard":
                    await disk.pdiscard(move.offset, move.length)
                    model.pdiscard(move.offset, move.length)
                case "flush":
                    await disk.flush()
                case _:
                    data = await disk.pread(move.offset, move.length)
                    model.learn(move.offset, data)
        model.check(0, await disk.pread(0, SIZE))
        assert disk.length == SIZE


# --- at the same time --------------------------------------------------------------------------

stacks = st.tuples(limits(), st.none() | limits())
races = st.lists(moves(), min_size=2, max_size=6)
rough_races = st.lists(moves(cancels=True), min_size=2, max_size=6)
slowness = st.lists(st.integers(0, 6), min_size=1, max_size=6)
faults = st.dictionaries(st.integers(0, 25), st.integers(0, 3), max_size=4)


@pytest.mark.slow
@settings(max_examples=400)
@given(stacks, races, slowness, st.booleans())
def test_racing_requests_end_as_if_some_order_had_been_kept_in_each_block(
    stack: tuple[Limits, Limits | None], race: list[Move], turns: list[int], heard: bool
) -> None:
    asyncio.run(race_and_check(stack, race, Script(turns, {}, heard=heard)))


@pytest.mark.slow
@settings(max_examples=800)
@given(stacks, rough_races, slowness, faults, st.booleans())
@example(
    # The edges of one block are read and written in turn, though one of them is given up.
    (Limits(16), None),
    [Move("write", 0, 16), Move("write", 3, 4), Move("write", 5, 4, cancel=8)],
    [3],
    {1: 0},
    False,
)
def test_faults_and_cancellations_change_nothing_but_whole_blocks_of_their_own_request(
    stack: tuple[Limits, Limits | None],
    race: list[Move],
    turns: list[int],
    faults: dict[int, int],
    heard: bool,
) -> None:
    asyncio.run(
        race_and_check(stack, race, Script(turns, faults, stack[0].request_alignment, heard))
    )


async def race_and_check(
    stack: tuple[Limits, Limits | None], race: Sequence[Move], script: Script
) -> None:
    below = recording(stack[0])
    if not script.heard:
        # Where nobody hears events, requests may take shortcuts.
        below.heard = frozenset()
    below.recorder.script = script.bind()
    driver = below if stack[1] is None else RecordingFilter(below, stack[1])
    unit = min(each.request_alignment for each in stack if each is not None)
    async with open_disk(driver) as disk:
        plays = await run_race(disk, race)
        for node in disk.root.walk():
            assert not node.tracker.requests
            assert node.tracker.serialising == 0
        below.recorder.script = None
    writes = writes_of(plays)
    for offset in range(0, SIZE, unit):
        block = bytes(below.content[offset : offset + unit])
        assert explains(block, offset, writes), (offset, block, writes)
    for play in plays:
        assert not play.done or could_be_read(play, writes), (play, play.data)
        assert play.done or script.faults or play.move.cancel is not None, play
