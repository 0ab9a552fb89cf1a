from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping

import pytest

from blkdebug_async import Disk, Event, InjectError, open_disk
from blkdebug_async.explore import Kind, Timeline, replay
from blkdebug_async.report.words import Doer, Words, doer, story_place, tells, whose_error
from tests.unit.report import failures

SECTOR = 512


def told(scenario: Callable[[], Coroutine[object, object, None]], *values: int) -> list[str]:
    timeline = replay(scenario, values).timeline
    words = Words(timeline)
    return [
        f"{words.owner_of(moment)}: {words.happening(moment)}"
        for moment in timeline.moments
        if tells(moment)
    ]


def on_disk(
    body: Callable[[Disk], Coroutine[object, object, object]],
) -> Callable[[], Coroutine[object, object, None]]:
    async def scenario() -> None:
        image = {"driver": "memory", "size": 8 * SECTOR}
        blkdebug = {"driver": "blkdebug", "image": image}
        async with open_disk({"driver": "raw", "file": blkdebug}) as disk:
            await body(disk)

    return scenario


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("main/a", Kind.TASK, Doer("main/a")),
        ("main/a: read 0+512 on #block1", Kind.REQUEST, Doer("main/a", "read 0+512", "#block1")),
        ("main: flush on disk#3", Kind.REQUEST, Doer("main", "flush", "disk")),
        ("read", Kind.REQUEST, Doer("", "read")),
        ("main/a>sleep#2", Kind.TIMER, Doer("main/a", "sleep")),
        ("main>thread work", Kind.THREAD, Doer("main", "thread work")),
    ],
)
def test_the_name_of_an_actor_is_taken_apart(name: str, kind: Kind, expected: Doer) -> None:
    assert doer(name, kind) == expected


OPERATIONS: Mapping[str, Callable[[Disk], Coroutine[object, object, object]]] = {
    "writes 'word' to 0+4|wrote 0+4": lambda disk: disk.pwrite(0, b"word"),
    "reads 0+512|got zeroes from 0+512": lambda disk: disk.pread(0, SECTOR),
    "zeroes 0+512|zeroed 0+512": lambda disk: disk.pwrite_zeroes(0, SECTOR),
    "discards 0+512|discarded 0+512": lambda disk: disk.pdiscard(0, SECTOR),
    "truncates at 512|truncated at 512": lambda disk: disk.truncate(SECTOR),
}


@pytest.mark.parametrize(("words", "body"), OPERATIONS.items())
def test_a_request_is_told_when_it_begins_and_when_it_ends(
    words: str, body: Callable[[Disk], Coroutine[object, object, object]]
) -> None:
    begins, ends = words.split("|")
    lines = told(on_disk(body))
    assert lines[0] == f"main: begins, {begins}"
    assert lines[2].startswith(f"main: {ends}, ")


def test_a_request_that_fails_tells_why() -> None:
    async def body(disk: Disk) -> None:
        disk.add_rule(InjectError(event=Event.WRITE_AIO, once=True))
        with pytest.raises(OSError, match="Input"):
            await disk.pwrite(0, b"x")

    assert any("write 0+1 failed: EIO" in line for line in told(on_disk(body)))


def test_timers_and_threads_are_told_by_whose_they_are() -> None:
    async def scenario() -> None:
        await asyncio.sleep(1)
        await asyncio.to_thread(len, "")
        async with asyncio.timeout(5):
            await asyncio.sleep(1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()

    lines = told(scenario)
    assert lines[0] == "main: begins, waits"
    assert lines.count("main: sleep is over") == 2
    assert "main: sends off len in a thread" in lines
    assert "main: len in a thread is done" in lines
    assert "main: timeout fires" in lines


def test_what_a_task_waits_for_is_told_by_short_names() -> None:
    async def scenario() -> None:
        lock = asyncio.Lock()

        async def holds() -> None:
            async with lock:
                await asyncio.sleep(1)

        async def waits() -> None:
            async with lock:
                pass

        async with asyncio.TaskGroup() as group:
            group.create_task(holds(), name="holder")
            group.create_task(waits(), name="waiter")

    assert "waiter: begins, waits for lock main, held by holder" in told(scenario)


def test_who_was_cancelled_is_over_and_who_fails_raises() -> None:
    async def scenario() -> None:
        async def fails() -> None:
            raise ValueError("a long story")

        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(9), name="sleeper")
            group.create_task(fails(), name="failing")

    lines = told(scenario)
    assert "failing: begins, raises ValueError" in lines
    assert "sleeper: is over" in lines


def test_where_there_are_two_disks_they_are_named() -> None:
    async def scenario() -> None:
        options = {"driver": "memory", "size": SECTOR}
        async with open_disk(options) as one, open_disk(options) as two:
            await one.pwrite(0, b"xy")
            await two.pread(0, 1)

    lines = told(scenario)
    assert lines[0] == "main: begins, writes 'xy' to 0+2 on memory"
    assert lines[1] == "main: write 0+2 on memory completes"
    assert lines[3] == "main: read 0+1 on memory#1 completes"


def test_the_line_that_tells_most_is_in_the_file_of_the_task() -> None:
    timeline = replay(on_disk(lambda disk: helper(disk)), ()).timeline
    place = timeline.moments[0].after
    assert place is not None
    assert place.text == 'await disk.pwrite(0, word.ljust(SECTOR, b"\\0"))'
    assert story_place(place).text == 'await failures.write(disk, b"word")'


async def helper(disk: Disk) -> None:
    await failures.write(disk, b"word")


def test_an_error_that_no_step_raised_is_nobodys() -> None:
    assert whose_error(Timeline(()), ValueError()) is None
