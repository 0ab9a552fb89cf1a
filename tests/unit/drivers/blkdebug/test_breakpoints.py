from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine

import pytest

from blkdebug_async.drivers.blkdebug.breakpoints import Breakpoints
from blkdebug_async.events import IoType
from tests.unit.drivers.blkdebug.fakes import FakeRequest


class Watched(Breakpoints):
    """Breakpoints that write down what happens."""

    def __init__(self) -> None:
        self.log: list[str] = []
        super().__init__(
            lambda parked: self.log.append(f"suspended {parked.tag}"),
            lambda parked: self.log.append(f"resuming {parked.tag}"),
        )

    async def go_through(self, name: str, *tags: str) -> None:
        await self.park_all(tags, FakeRequest(node=name))
        self.log.append(f"{name} goes on")

    def names(self) -> list[tuple[str, str]]:
        everything = [(parked.tag, parked.request) for parked in self.parked()]
        return [(tag, request.node) for tag, request in everything if request is not None]


class Tasks:
    """Starts coroutines, and runs them as far as they come."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group

    async def start(self, coroutine: Coroutine[object, object, None]) -> asyncio.Task[None]:
        task = self._group.create_task(coroutine)
        await settle()
        return task


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def points() -> Watched:
    return Watched()


@pytest.fixture
async def tasks(points: Watched) -> AsyncIterator[Tasks]:
    async with asyncio.TaskGroup() as group:
        yield Tasks(group)
        points.resume_everything()


async def test_parked_request_goes_on_when_it_is_resumed(points: Watched, tasks: Tasks) -> None:
    await tasks.start(points.go_through("a", "T"))
    assert points.is_suspended("T")
    assert points.resume("T")
    assert not points.is_suspended("T")
    await settle()
    assert points.log == ["suspended T", "resuming T", "a goes on"]


async def test_single_park_holds_under_one_tag(points: Watched, tasks: Tasks) -> None:
    task = await tasks.start(points.park_all(("T",)))
    assert not task.done()
    points.resume("T")
    await settle()
    assert task.done()


async def test_nothing_to_resume_is_told(points: Watched) -> None:
    assert not points.resume("T")
    assert points.resume_all("T") == 0
    assert points.resume_everything() == 0
    assert points.log == []


async def test_request_suspended_last_is_resumed_first(points: Watched, tasks: Tasks) -> None:
    for name in "abc":
        await tasks.start(points.go_through(name, "T"))
    points.resume("T")
    assert points.names() == [("T", "a"), ("T", "b")]
    points.resume("T")
    assert points.names() == [("T", "a")]


async def test_resume_all_takes_the_last_one_first_and_leaves_other_tags(
    points: Watched, tasks: Tasks
) -> None:
    for name, tag in [("a", "T"), ("b", "U"), ("c", "T")]:
        await tasks.start(points.go_through(name, tag))
    assert points.resume_all("T") == 2
    await settle()
    assert points.log[-2:] == ["c goes on", "a goes on"]
    assert points.names() == [("U", "b")]


async def test_resume_everything_takes_the_last_one_first(points: Watched, tasks: Tasks) -> None:
    for name, tag in [("a", "T"), ("b", "U"), ("c", "V")]:
        await tasks.start(points.go_through(name, tag))
    assert points.resume_everything() == 3
    assert points.log[-3:] == ["resuming V", "resuming U", "resuming T"]
    assert points.parked() == []


@pytest.mark.parametrize("order", ["AB", "BA"])
async def test_request_held_under_two_tags_needs_both_resumed_in_any_order(
    points: Watched, tasks: Tasks, order: str
) -> None:
    task = await tasks.start(points.go_through("a", "A", "B"))
    assert points.names() == [("A", "a"), ("B", "a")]
    points.resume(order[0])
    await settle()
    assert not task.done()
    points.resume(order[1])
    await settle()
    assert task.done()


async def test_request_held_twice_under_one_tag_needs_two_resumes(
    points: Watched, tasks: Tasks
) -> None:
    task = await tasks.start(points.go_through("a", "T", "T"))
    points.resume("T")
    await settle()
    assert not task.done()
    assert points.resume_all("T") == 1
    await settle()
    assert task.done()


async def test_request_held_under_no_tag_does_not_wait(points: Watched) -> None:
    coroutine = points.go_through("a")
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def test_cancelled_request_is_parked_nowhere(points: Watched, tasks: Tasks) -> None:
    await tasks.start(points.go_through("a", "T"))
    task = await tasks.start(points.go_through("b", "T", "U"))
    task.cancel()
    await settle()
    assert task.cancelled()
    assert points.names() == [("T", "a")]
    assert not points.is_suspended("U")


async def test_cancelled_request_is_not_reported_as_resumed(points: Watched, tasks: Tasks) -> None:
    task = await tasks.start(points.go_through("a", "T"))
    task.cancel()
    await settle()
    assert points.log == ["suspended T"]
    assert not points.resume("T")


async def test_request_cancelled_after_one_of_two_resumes_leaves_nothing(
    points: Watched, tasks: Tasks
) -> None:
    task = await tasks.start(points.go_through("a", "T", "U"))
    points.resume("T")
    task.cancel()
    await settle()
    assert points.parked() == []


async def test_request_whose_suspension_cannot_be_told_is_not_parked() -> None:
    def fail(_: object) -> None:
        raise BrokenPipeError

    points = Breakpoints(on_suspend=fail)
    with pytest.raises(BrokenPipeError):
        await points.park_all(("T", "U"))
    assert points.parked() == []


async def test_parked_lists_the_oldest_first_over_all_tags(points: Watched, tasks: Tasks) -> None:
    for name, tag in [("a", "T"), ("b", "U"), ("c", "T")]:
        await tasks.start(points.go_through(name, tag))
    assert points.names() == [("T", "a"), ("U", "b"), ("T", "c")]
    times = [parked.since for parked in points.parked()]
    assert times == sorted(times)


# --- waiting until somebody is suspended ---


async def test_waiting_for_a_suspended_request_ends_when_one_is(
    points: Watched, tasks: Tasks
) -> None:
    waiter = await tasks.start(points.wait_suspended("T"))
    await tasks.start(points.go_through("a", "U"))
    assert not waiter.done()
    await tasks.start(points.go_through("b", "T"))
    assert waiter.done()


async def test_waiting_does_not_wait_if_a_request_is_suspended_already(
    points: Watched, tasks: Tasks
) -> None:
    await tasks.start(points.go_through("a", "T"))
    coroutine = points.wait_suspended("T")
    with pytest.raises(StopIteration):
        coroutine.send(None)


async def test_all_who_wait_for_a_tag_are_woken(points: Watched, tasks: Tasks) -> None:
    waiters = [await tasks.start(points.wait_suspended("T")) for _ in range(2)]
    await tasks.start(points.go_through("a", "T"))
    assert all(waiter.done() for waiter in waiters)


async def test_waiter_is_woken_even_if_the_request_was_resumed_at_once(
    points: Watched, tasks: Tasks
) -> None:
    waiter = await tasks.start(points.wait_suspended("T"))

    async def suspend_and_resume() -> None:
        parking = points.go_through("a", "T")
        parking.send(None)
        points.resume("T")
        parking.close()

    await tasks.start(suspend_and_resume())
    assert waiter.done()


async def test_cancelled_waiter_is_forgotten(points: Watched, tasks: Tasks) -> None:
    first = await tasks.start(points.wait_suspended("T"))
    second = await tasks.start(points.wait_suspended("T"))
    first.cancel()
    await settle()
    assert points.describe_waiting() == "no request is held; waited for: 'T'"
    second.cancel()
    await settle()
    assert points.describe_waiting() == "no request is held"


# --- in words ---


async def test_description_names_who_is_held_where(points: Watched, tasks: Tasks) -> None:
    request = FakeRequest(
        id=7, node="disk", op=IoType.WRITE, offset=1024, length=512, task_name="writer"
    )
    await tasks.start(points.park_all(("rmw",), request))
    await tasks.start(points.park_all(("boot",)))
    await tasks.start(points.park_all(("rmw",), FakeRequest(id=8)))
    assert points.describe_waiting() == (
        "held: write of 512 bytes at 1024 on node 'disk' (request 7, task 'writer') at 'rmw'; "
        "held: an event without a request at 'boot'; "
        "held: write of 512 bytes at 0 on node 'disk' (request 8, no task) at 'rmw'"
    )


async def test_a_resume_is_not_spent_on_a_request_cancelled_in_the_same_turn(
    points: Watched, tasks: Tasks
) -> None:
    await tasks.start(points.go_through("first", "A"))
    second = await tasks.start(points.go_through("second", "A"))
    second.cancel()
    assert points.resume("A")
    await settle()
    assert points.log[-1] == "first goes on"
    assert not points.is_suspended("A")
