"""Requests that must be alone on their bytes, many at once: nobody meets, nobody is forgotten."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from blkdebug_async.block.context import Context
from blkdebug_async.block.tracked import Request, Tracker
from blkdebug_async.events import IoType
from blkdebug_async.explore import cancel_sometime, sometimes
from blkdebug_async.explore.here import exploration_here
from tests.explored.exploring import exhaust, sample

#: Who wants which bytes; small letters need not be alone there.
Wishes = dict[str, tuple[int, int]]

ALL_THE_SAME = {"A": (0, 1), "B": (0, 1), "C": (0, 1)}
A_CHAIN = {"A": (0, 2), "B": (1, 3), "C": (2, 4)}
TWO_BEHIND_ONE = {"A": (0, 4), "B": (0, 2), "C": (2, 4)}
ONE_BEHIND_TWO = {"A": (0, 2), "B": (2, 4), "C": (0, 4)}
WITH_PLAIN = {"A": (0, 2), "b": (0, 1), "C": (0, 2)}
PLAIN_FIRST = {"a": (0, 2), "B": (0, 4), "c": (2, 4)}
FOUR_IN_A_CHAIN = {"A": (0, 2), "B": (1, 3), "C": (2, 4), "D": (3, 5)}
FOUR_OVER_EACH_OTHER = {"A": (0, 4), "B": (0, 1), "C": (0, 4), "D": (0, 2)}
FOUR_WITH_PLAIN = {"a": (0, 2), "B": (0, 4), "c": (2, 4), "D": (1, 3)}
#: B is woken by A, and C is to wait for it; then D is there before B, and not in the way of C.
ONE_OVERTAKES = {"A": (0, 4), "B": (0, 4), "C": (2, 4), "D": (0, 1)}


class IndexedTracker(Tracker):
    """Finds requests by the index even where they are few."""

    few = 0


class Crowd:
    """Requests to a node without a driver."""

    def __init__(self, kind: type[Tracker]) -> None:
        exploration = exploration_here()
        assert exploration is not None
        self.tracker = kind(Context(choices=exploration.scheduler))
        self.inside: list[Request] = []
        self._numbers = count(1)

    async def occupy(self, name: str, start: int, end: int) -> None:
        request = Request(next(self._numbers), "node", IoType.WRITE, start, end - start, 0, None)
        self.tracker.begin(request)
        try:
            if name.isupper():
                self.tracker.mark_serialising(request, 1)
            if self.tracker.serialising:
                await self.tracker.wait(request)
            await self._be_inside(request)
        finally:
            self.tracker.end(request, None)
            self.check_waiting()

    async def _be_inside(self, request: Request) -> None:
        for other in self.inside:
            assert not _conflict(request, other)
        self.inside.append(request)
        self.check_waiting()
        try:
            await asyncio.sleep(0)
        finally:
            self.check_waiting()
            self.inside.remove(request)

    def check_waiting(self) -> None:
        """Look whether all who wait have to: for one that does not wait, or was just woken."""
        # Not by always(): nothing would commute any more.
        requests = self.tracker.requests
        assert self.tracker.serialising == sum(each.serialising for each in requests)
        for each in requests:
            blocker = each.waiting_for
            if blocker is not None:
                assert blocker in requests
                assert blocker.waiting_for is None
                assert _conflict(each, blocker)

    def check_empty(self) -> None:
        assert not self.tracker.requests
        assert self.tracker.serialising == 0


def _conflict(one: Request, other: Request) -> bool:
    meet = other.start < one.end and one.start < other.end
    return meet and (one.serialising or other.serialising)


@pytest.mark.parametrize("kind", [Tracker, IndexedTracker])
@pytest.mark.parametrize(
    "wishes",
    [ALL_THE_SAME, A_CHAIN, TWO_BEHIND_ONE, ONE_BEHIND_TWO, WITH_PLAIN, PLAIN_FIRST],
    ids=["same", "chain", "two-behind-one", "one-behind-two", "with-plain", "plain-first"],
)
def test_nobody_meets_anybody_and_all_go_on(wishes: Wishes, kind: type[Tracker]) -> None:
    async def scenario() -> None:
        crowd = Crowd(kind)
        async with asyncio.TaskGroup() as group:
            for name, (start, end) in wishes.items():
                group.create_task(crowd.occupy(name, start, end), name=name)
        crowd.check_empty()

    exhaust(scenario)


@pytest.mark.parametrize(
    ("wishes", "doomed"),
    [(ALL_THE_SAME, "B"), (A_CHAIN, "B")],
    ids=["same", "chain"],
)
def test_who_is_cancelled_is_in_nobodys_way(wishes: Wishes, doomed: str) -> None:
    async def scenario() -> None:
        crowd = Crowd(Tracker)
        async with asyncio.TaskGroup() as group:
            tasks = {
                name: group.create_task(crowd.occupy(name, start, end), name=name)
                for name, (start, end) in wishes.items()
            }
            cancel_sometime(tasks[doomed])
        crowd.check_empty()
        sometimes("cancelled", tasks[doomed].cancelled())

    exhaust(scenario)


@pytest.mark.parametrize("kind", [Tracker, IndexedTracker])
@pytest.mark.parametrize(
    "wishes",
    [FOUR_IN_A_CHAIN, FOUR_OVER_EACH_OTHER, FOUR_WITH_PLAIN, ONE_OVERTAKES],
    ids=["chain", "over-each-other", "with-plain", "one-overtakes"],
)
@pytest.mark.parametrize("cancelling", [False, True], ids=["all-go-on", "some-are-cancelled"])
def test_no_failure_in_many_schedules_of_four(
    wishes: Wishes, kind: type[Tracker], cancelling: bool
) -> None:
    async def scenario() -> None:
        crowd = Crowd(kind)
        async with asyncio.TaskGroup() as group:
            for name, (start, end) in wishes.items():
                task = group.create_task(crowd.occupy(name, start, end), name=name)
                if cancelling:
                    cancel_sometime(task)
        crowd.check_empty()

    sample(scenario, runs=200 if cancelling else 400)
