from __future__ import annotations

import asyncio

import pytest

from blkdebug_async import IoType, open_disk
from blkdebug_async.explore import Kind, Moment, Place, Timeline, replay
from blkdebug_async.explore.here import exploration_here
from blkdebug_async.explore.places import raising_place


async def scenario() -> None:
    exploration = exploration_here()
    assert exploration is not None
    event = asyncio.Event()

    async def waiter() -> None:
        await event.wait()

    async with asyncio.TaskGroup() as group:
        group.create_task(waiter(), name="waiter")
        await exploration.in_flight("read")
        await asyncio.sleep(2)
        event.set()


def told() -> Timeline:
    return replay(scenario, ()).timeline


def step(timeline: Timeline, key: str) -> Moment:
    return next(moment for moment in timeline.moments if moment.action.key == key)


def test_steps_are_numbered_as_decisions_count_them() -> None:
    timeline = told()
    assert [moment.number for moment in timeline.moments] == list(range(len(timeline.moments)))
    for moment in timeline.moments:
        assert moment.decision is None or moment.decision.step == moment.number


def test_a_step_tells_where_its_task_was_and_where_it_waits_now() -> None:
    moment = step(told(), "main/waiter:0")
    assert moment.before is not None
    assert moment.after is not None
    assert moment.before.text == "async def waiter() -> None:"
    assert moment.after.text == "await event.wait()"
    assert moment.after.function == "waiter"
    assert moment.waits_for.startswith("event")


def test_a_task_that_is_over_waits_nowhere() -> None:
    last = [each for each in told().moments if each.action.actor == "main/waiter"][-1]
    assert last.before is not None
    assert last.before.text == "await event.wait()"
    assert (last.after, last.waits_for) == (None, "")


def test_a_place_tells_from_where_in_the_scenario_it_was_called() -> None:
    async def inner() -> None:
        await asyncio.sleep(0)

    async def outer() -> None:
        async with asyncio.timeout(1):
            await inner()

    moment = step(replay(outer, ()).timeline, "main:0")
    assert moment.after is not None
    assert moment.after.text == "await asyncio.sleep(0)"
    assert moment.after.caller is not None
    assert (moment.after.caller.text, moment.after.caller.caller) == ("await inner()", None)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no good"), "ValueError: no good"),
        (ValueError(), "ValueError"),
        (asyncio.CancelledError(), "CancelledError"),
        (None, ""),
    ],
)
def test_the_last_step_of_a_task_tells_what_it_ended_with(
    error: BaseException | None, told: str
) -> None:
    async def ends() -> None:
        if error is not None:
            raise error

    async def scenario() -> None:
        task = asyncio.ensure_future(ends())
        await asyncio.wait([task])

    moments = replay(scenario, ()).timeline.moments
    assert [moment.raised for moment in moments if moment.action.actor == "main/ends"] == [told]


def test_to_tell_of_an_error_is_not_to_hear_of_it() -> None:
    async def fails() -> None:
        raise ValueError

    async def scenario() -> None:
        task = asyncio.ensure_future(fails())
        await asyncio.wait([task])
        del task

    error = replay(scenario, ()).error
    assert error is not None
    assert "never retrieved" in str(error)


def test_a_step_tells_what_it_sent_off() -> None:
    timeline = told()
    launching = [moment for moment in timeline.moments if moment.launched == ("read",)]
    assert [moment.action.actor for moment in launching] == ["main"]


def test_time_stands_still_but_for_timers() -> None:
    assert sorted({moment.time for moment in told().moments}) == [0.0, 2.0]


def test_a_request_is_in_its_lane_from_being_sent_off_to_its_completion() -> None:
    timeline = told()
    lane = next(lane for lane in timeline.lanes() if lane.name == "read")
    assert lane.kind is Kind.REQUEST
    assert lane.begins < step(timeline, "read").number == lane.ends


def test_what_was_asked_of_disks_is_told() -> None:
    async def writes() -> None:
        async with open_disk({"driver": "memory", "size": 512}) as disk:
            await disk.pwrite(0, b"data")

    operations = replay(writes, ()).timeline.operations
    assert [(each.op, each.data, each.task) for each in operations[:1]] == [
        (IoType.WRITE, b"data", "main")
    ]


def test_what_never_completes_has_no_end() -> None:
    async def leaves() -> None:
        exploration = exploration_here()
        assert exploration is not None
        exploration.in_flight("read", effect=lambda: None)

    lanes = replay(leaves, ()).timeline.lanes()
    assert [lane.ends for lane in lanes if lane.name == "read"] == [None]


def test_a_step_that_went_otherwise_says_so() -> None:
    async def chooses() -> None:
        exploration = exploration_here()
        assert exploration is not None
        exploration.scheduler.choose(2, "fault")

    moments = replay(chooses, [1]).timeline.moments
    assert [moment.deviates for moment in moments[:1]] == [True]
    (choice,) = moments[0].choices
    assert (choice.key, choice.value) == ("fault", 1)


def test_an_error_comes_from_the_innermost_line_that_is_no_library_s() -> None:
    def fails() -> None:
        asyncio.Queue[int]().get_nowait()

    with pytest.raises(asyncio.QueueEmpty) as caught:
        fails()
    place = raising_place(ExceptionGroup("", [caught.value]))
    assert place is not None
    assert place.text == "asyncio.Queue[int]().get_nowait()"
    assert place.short.startswith("test_timeline.py:")
    assert str(place).endswith("in fails")


def test_an_error_that_was_never_raised_comes_from_nowhere() -> None:
    assert raising_place(KeyError()) is None


def test_a_file_that_is_gone_has_no_text() -> None:
    assert Place("gone.py", 1, "main").text == ""
