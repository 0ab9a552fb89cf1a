from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.waiting import WaitQueue


@dataclass(eq=False)
class Someone:
    start: int = 0
    end: int = 8
    serialising: bool = True
    queue: WaitQueue[Someone] | None = None

    def meets(self, other: Someone) -> bool:
        one_is_alone = self.serialising or other.serialising
        return one_is_alone and self.start < other.end and other.start < self.end


def queue_of(*waiters: Someone) -> WaitQueue[Someone]:
    queue = WaitQueue(Someone())
    for waiter in waiters:
        queue.join(waiter)
    return queue


async def test_oldest_is_woken_unless_another_is_picked() -> None:
    queue = queue_of()
    waiters = [Someone() for _ in range(4)]
    wakes = [queue.join(waiter) for waiter in waiters]
    assert [queue.wake(0), queue.wake(1)] == [waiters[0], waiters[2]]
    assert [wake.done() for wake in wakes] == [True, False, True, False]
    assert list(queue) == [waiters[1], waiters[3]]


async def test_who_was_woken_is_known_to_have_waited_until_it_leaves() -> None:
    waiter = Someone()
    queue = queue_of(waiter)
    queue.wake(0)
    assert not queue
    assert waiter not in queue
    assert waiter.queue is queue
    queue.leave(waiter)
    assert waiter.queue is None


async def test_who_is_cancelled_is_woken_without_harm() -> None:
    waiter = Someone()
    queue = queue_of()
    wake = queue.join(waiter)
    wake.cancel()
    assert queue.wake(0) is waiter
    assert wake.cancelled()


async def test_who_was_moved_to_another_queue_leaves_that_one() -> None:
    moved, others = Someone(), [Someone() for _ in range(3)]
    behind, ahead = queue_of(moved), queue_of(*others)
    together = ahead.followed_by(behind)
    behind.leave(moved)
    assert list(together) == others
    assert moved.queue is None


async def test_queue_with_nobody_left_is_false_and_has_nobody_to_be_alone() -> None:
    waiter = Someone()
    queue = queue_of(waiter)
    assert queue
    assert queue.any_serialising
    queue.leave(waiter)
    assert not queue
    assert not queue.any_serialising


# --- laws ----------------------------------------------------------------------------------------

people = st.builds(
    lambda start, length, serialising: Someone(start, start + length, serialising),
    st.integers(0, 12),
    st.integers(0, 8),
    st.booleans(),
)


@given(st.lists(people, min_size=1, max_size=6), people, st.sets(st.integers(0, 5)))
def test_all_meet_only_if_each_does(
    waiters: list[Someone], request: Someone, leaving: set[int]
) -> None:
    async def check() -> None:
        queue = queue_of(*waiters)
        assert queue.all_meet(request) <= all(waiter.meets(request) for waiter in queue)
        if request.serialising:
            assert queue.all_meet(request) == all(waiter.meets(request) for waiter in queue)
        for number in leaving & set(range(len(waiters))):
            queue.leave(waiters[number])
        if queue.all_meet(request):
            assert all(waiter.meets(request) for waiter in queue)
        for waiter in queue:
            assert queue.start <= waiter.start
            assert waiter.end <= queue.end

    asyncio.run(check())


@given(st.lists(people, max_size=5), st.lists(people, max_size=5), people)
def test_joined_queues_keep_the_order_and_know_as_much(
    first: list[Someone], second: list[Someone], request: Someone
) -> None:
    async def check() -> None:
        known = queue_of(*first).all_meet(request) and queue_of(*second).all_meet(request)
        together = queue_of(*first).followed_by(queue_of(*second))
        assert list(together) == first + second
        assert all(waiter.queue is together for waiter in together)
        assert together.all_meet(request) == known
        assert together.any_serialising == any(each.serialising for each in together)

    asyncio.run(check())
