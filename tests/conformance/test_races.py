"""Requests at the same time, with faults and cancellations, over each driver without a kernel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blkdebug_async.block.driver import Driver
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError
from blkdebug_async.drivers.copy_on_read import CopyOnReadDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.events import RULE_IO_TYPES, Event
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver
from tests.unit.block.races import (
    INITIAL,
    Move,
    Play,
    Script,
    could_be_read,
    explains,
    run_race,
    writes_of,
)

SIZE = 1024
CONTENT = bytes([INITIAL]) * SIZE
KINDS = ["write", "write", "write", "read", "zeroes", "discard", "flush"]


def blkdebug(below: Driver) -> Driver:
    return BlkdebugDriver(
        below, config=BlkdebugConfig(align=16, max_transfer=48, max_write_zero=64, max_discard=80)
    )


OVER: dict[str, Callable[[Driver], Driver]] = {
    "raw": RawDriver,
    "blkdebug": blkdebug,
    "raw over blkdebug": lambda below: RawDriver(blkdebug(below)),
    "copy-on-read": CopyOnReadDriver,
    "overlay": OverlayDriver,
    "blkdebug over overlay": lambda below: blkdebug(OverlayDriver(below)),
}
MOVES = st.builds(
    Move,
    kind=st.sampled_from(KINDS),
    offset=st.integers(0, 64),
    length=st.integers(0, 96),
    fua=st.booleans(),
    wait=st.integers(0, 12),
    cancel=st.none() | st.integers(0, 40),
)
RACES = st.lists(MOVES, min_size=2, max_size=6)
RULES = st.lists(
    st.builds(
        InjectError,
        event=st.sampled_from([Event.PWRITEV, Event.PWRITEV_ZERO, Event.PWRITEV_RMW_HEAD]),
        iotypes=st.sets(st.sampled_from(RULE_IO_TYPES), min_size=1),
        once=st.just(True),
        immediately=st.booleans(),
    ),
    max_size=3,
)


async def check(disk: Disk, plays: Sequence[Play], *, faulty: bool) -> None:
    for node in disk.root.walk():
        assert not node.tracker.requests
    content = await disk.pread(0, SIZE)
    writes = writes_of(plays)
    for offset in range(SIZE):
        assert explains(content[offset : offset + 1], offset, writes), (offset, writes)
    for play in plays:
        assert not play.done or could_be_read(play, writes), play
        assert play.done or faulty or play.move.cancel is not None, play


@pytest.mark.slow
@pytest.mark.parametrize("over", OVER.values(), ids=OVER.keys())
@settings(max_examples=60)
@given(
    race=RACES,
    turns=st.lists(st.integers(0, 6), max_size=6),
    faults=st.dictionaries(st.integers(0, 20), st.integers(0, 3), max_size=3),
)
def test_faults_below_and_cancellations_harm_no_other_request(
    over: Callable[[Driver], Driver], race: list[Move], turns: list[int], faults: dict[int, int]
) -> None:
    async def run() -> None:
        below = RecordingDriver(CONTENT, write_flags=0, zero_flags=0)
        async with open_disk(over(below)) as disk:
            below.recorder.script = Script(turns, faults).bind()
            plays = await run_race(disk, race)
            below.recorder.script = None
            await check(disk, plays, faulty=bool(faults))

    asyncio.run(run())


@pytest.mark.slow
@settings(max_examples=200)
@given(race=RACES, rules=RULES)
def test_injected_errors_and_cancellations_harm_no_other_request(
    race: list[Move], rules: list[InjectError]
) -> None:
    async def run() -> None:
        limits = BlkdebugConfig(align=16, max_transfer=48)
        driver = BlkdebugDriver(MemoryDriver(SIZE, data=CONTENT), rules, config=limits)
        async with open_disk(driver) as disk:
            plays = await run_race(disk, race)
            for rule in rules:
                disk.remove_rule(rule)
            await check(disk, plays, faulty=bool(rules))

    asyncio.run(run())
