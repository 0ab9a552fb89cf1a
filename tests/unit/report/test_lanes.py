from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore import Action, Kind, Moment, Timeline, replay
from blkdebug_async.explore.here import exploration_here
from blkdebug_async.report.lanes import ROWS_PER_TASK, Row, Rows, rows_of
from tests.unit.report.failures import crossed_locks, racing_writes


def rows(scenario: Callable[[], Coroutine[object, object, None]]) -> Rows:
    return rows_of(replay(scenario, []).timeline)


def drawn(found: Rows) -> list[str]:
    return [f"{'  ' * row.depth}{row.label or row.name}" for row in found.rows]


async def fly(name: str) -> None:
    exploration = exploration_here()
    assert exploration is not None
    await exploration.in_flight(f"{exploration.acting().path}: {name}")


def test_tasks_stand_below_who_made_them_in_the_order_of_making() -> None:
    async def parent() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0), name="a")
            group.create_task(asyncio.sleep(0), name="b")

    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(parent(), name="one")
            group.create_task(asyncio.sleep(0), name="two")

    found = rows(scenario)
    assert drawn(found) == ["main", "  one", "    a", "    b", "  two"]


def test_requests_stand_below_the_task_that_sent_them() -> None:
    found = rows(racing_writes)
    names = [row.name for row in found.rows]
    own = names[names.index("main/one") + 1]
    assert own.startswith("main/one: write 0+512")
    assert found.rows[found.of[own]].depth == 2
    assert found.senders[own] == "main/one"


def test_callbacks_and_timers_stand_in_the_row_of_their_task() -> None:
    async def scenario() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(1), name="sleeper")

    found = rows(scenario)
    sleeper = found.of["main/sleeper"]
    others = {name: row for name, row in found.of.items() if name.startswith("main/sleeper>")}
    assert len(others) == 2
    assert set(others.values()) == {sleeper}


def test_a_task_that_ends_has_an_end_and_one_that_waits_for_ever_has_none() -> None:
    timeline = replay(crossed_locks, []).timeline
    assert all(row.ends is not None for row in rows_of(timeline).rows)

    async def stuck() -> None:
        asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="waiter")
        await asyncio.Event().wait()

    assert [row.ends for row in rows(stuck).rows] == [None, None]


def test_a_task_that_never_began_has_a_row_all_the_same() -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().create_task(asyncio.sleep(0), name="late")
        for _ in range(2):
            await asyncio.sleep(0)

    found = rows_of(replay(scenario, [1, 1, 1]).timeline)
    assert "  late" in drawn(found)


def test_a_request_that_never_completes_has_no_end() -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().create_task(fly("read"), name="reader")
        await asyncio.sleep(0)

    found = rows(scenario)
    (span,) = found.rows[found.of["main/reader: read"]].spans
    assert span.ends is None


def test_few_requests_get_a_row_each_and_more_share_rows() -> None:
    async def scenario(count: int) -> None:
        for number in range(count):
            await fly(f"read {number}")

    few = rows(lambda: scenario(ROWS_PER_TASK))
    many = rows(lambda: scenario(ROWS_PER_TASK + 1))
    assert [len(row.spans) for row in few.rows] == [0] + [1] * ROWS_PER_TASK
    assert [len(row.spans) for row in many.rows] == [0, ROWS_PER_TASK + 1]
    assert drawn(many)[1] == "  in flight"


def test_what_belongs_to_no_task_stands_in_the_row_of_the_event_loop() -> None:
    moment = made(0, "stranger", Kind.CALL)
    assert drawn(rows_of(Timeline((moment,)))) == ["event loop"]


def test_a_run_without_steps_has_no_rows() -> None:
    assert rows_of(Timeline(())).rows == ()


# --- laws ---


def made(number: int, key: str, kind: Kind, launched: tuple[str, ...] = ()) -> Moment:
    action = Action(key, key, kind)
    return Moment(number, action, 0.0, None, None, "", (), launched, None, ())


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    moments: list[Moment] = []
    flying: list[str] = []
    count = 0
    for number in range(draw(st.integers(1, 60))):
        completes = draw(st.booleans())
        if flying and completes:
            key = flying.pop(draw(st.integers(0, len(flying) - 1)))
            moments.append(made(number, key, Kind.REQUEST))
            continue
        task = draw(st.sampled_from(["main", "main/a", "main/a/b"]))
        sent = tuple(f"{task}: read {count + each}" for each in range(draw(st.integers(0, 3))))
        count += len(sent)
        flying += sent
        moments.append(made(number, task, Kind.TASK, sent))
    return Timeline(tuple(moments))


def overlap(row: Row) -> bool:
    ends = [span.ends for span in row.spans]
    begins = [span.begins for span in row.spans]
    return any(
        end is None or end >= begin for end, begin in zip(ends[:-1], begins[1:], strict=True)
    )


@given(timelines())
def test_what_is_in_flight_stands_once_and_never_over_another(timeline: Timeline) -> None:
    found = rows_of(timeline)
    keys = [span.key for row in found.rows for span in row.spans]
    assert sorted(keys) == sorted(key for moment in timeline.moments for key in moment.launched)
    assert not any(overlap(row) for row in found.rows)
    assert all(key in {span.key for span in found.rows[found.of[key]].spans} for key in keys)


@given(timelines())
def test_every_step_has_a_row(timeline: Timeline) -> None:
    found = rows_of(timeline)
    assert all(moment.action.actor in found.of for moment in timeline.moments)
