"""All that could happen next in an exploring loop, in the order in which it would.

First the loop's ready queue, then requests in flight, oldest first, then what threads have to do,
then the next timer. Nothing is made of all that unless somebody asks: a scheduler that picks by
number never sees an Action.

What asyncio promises holds in every order:
- A task has at most one step ready, and tasks owe each other nothing: steps come in any order.
- Plain callbacks (call_soon, a future's done callbacks) come in the order in which they were
  scheduled, and nothing overtakes a callback that became ready after it: who goes on after an await
  may rely on all callbacks that were due by then. So the ready queue can be picked from up to its
  first callback, that one included. A callback may overtake a task's step, as if the task had been
  woken later. Callbacks with which asyncio counts what has gone well are as free as steps: all that
  they do is to wake somebody after the last. A callback that schedules itself again, maybe for
  ever, lets all steps go first that were ready before.
- Timers fire in the order of their times. Of those for the same time, which asyncio leaves open,
  any may be first; only sleeps stay in the order in which they began, as the tasks that they wake
  come in any order anyway. One that is due may be late: the ready queue may overtake it.
- Once the main task is over, what else is ready happens in the same turn of the loop, or never.
What could happen hangs on nothing else: not on where a turn of the loop begins, for one.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import TypeAlias

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.handles import (
    Call,
    Flight,
    FreeCall,
    Ready,
    StepHandle,
    Timer,
    describe_step,
    is_sleep,
)
from blkdebug_async.explore.task_names import Actor, actor_of, name_task, short_name

#: What can be picked: something ready, in flight, or a timer.
Choice: TypeAlias = Ready | Flight


class Possible:
    """What could happen next."""

    __slots__ = (
        "_length",
        "_others",
        "_skip",
        "calls",
        "ending",
        "flights",
        "indices",
        "jobs",
        "places",
        "ready",
        "running",
        "timers_last",
    )

    def __init__(self, ready: deque[Ready]) -> None:
        #: The loop's ready queue.
        self.ready = ready
        #: How many in it are not tuples.
        self.calls = 0
        #: Which places in it can be picked from; None: those from the first one on.
        self.indices: list[int] | None = None
        #: Requests in flight, oldest first.
        self.flights: dict[Flight, None] = {}
        #: What threads have to do, oldest first.
        self.jobs: dict[Flight, None] = {}
        #: Ends the turn under way, once the main task is over; None: it is not.
        self.ending: Flight | None = None
        #: How many places at the front of the ready queue belong to the turn under way.
        self.places = 0
        #: Whether time stands still as long as anything else can happen.
        self.timers_last = False
        #: The plain callback that is running.
        self.running: Call | None = None
        self._length = 0
        # What could happen apart from the ready queue.
        self._others: list[Flight | Timer] = []
        # How many of them come before the ready queue: none or all. The place of the first one.
        self._skip = 0

    def gather(self, timers: list[Timer], *, ready_last: bool) -> int:
        """Look what could happen.

        Args:
            timers: The loop's heap.
            ready_last: The ready queue has kept all else waiting for so long that it comes last.

        Returns:
            How many actions there are.
        """
        self.indices = None
        reach = self.reach() if self.calls else len(self.ready)
        if self.flights or self.jobs or timers or self.ending:
            self._others = [*self.flights, *self.jobs]
            if ready_last or not (self.timers_last and (reach or self._others)):
                self._others += self._timers_behind(timers)
            if self.ending is not None:
                self._others.append(self.ending)
            self._skip = 0 if ready_last else reach
            self._length = reach + len(self._others)
        else:
            self._others = []
            self._skip = self._length = reach
        return self._length

    def reach(self) -> int:
        """Count what can be picked from the ready queue; throws away cancelled callbacks.

        The first one always can.
        """
        self.indices = None
        for number, entry in enumerate(self.ready):
            if type(entry) is tuple or isinstance(entry, StepHandle | FreeCall):
                continue
            if entry._cancelled:  # type: ignore[union-attr]  # it is a Handle
                del self.ready[number]
                self.calls -= 1
                # Those behind belong to the next turn.
                self.places -= number < self.places
                return self.reach()
            if isinstance(entry, Timer) or any(isinstance(each, Timer) for each in self.ready):
                self.indices = self._indices()
                return len(self.indices)
            return number if _waits_for_others(entry, number) else number + 1
        return len(self.ready)

    def _timers_behind(self, heap: list[Timer]) -> list[Timer]:
        """List the timers that could fire and are not in the ready queue."""
        found = next_timers(heap)
        if not found or not self.calls:
            return found
        due = [each for each in self.ready if isinstance(each, Timer) and not each._cancelled]
        if not due:
            return found
        # Those that are due come before those that are not. Which of them has joined the ready
        # queue so far makes no difference, as long as they are for the same time.
        slept = any(is_sleep(each._callback) for each in due if each._when == due[0]._when)
        return [
            each
            for each in found
            if each._when <= due[0]._when and not (slept and is_sleep(each._callback))
        ]

    def _indices(self) -> list[int]:
        """List the places that can be picked from, where there are timers among them."""
        indices: list[int] = []
        first: Timer | None = None
        slept = held_back = False
        for number, entry in enumerate(self.ready):
            if isinstance(entry, Timer):
                first = first or entry
                sleeps = is_sleep(entry._callback)
                if entry._cancelled or entry._when != first._when or (sleeps and slept):
                    continue
                slept = slept or sleeps
            elif held_back:
                continue
            else:
                held_back = isinstance(entry, Call) and not isinstance(entry, FreeCall)
                if held_back and _waits_for_others(entry, len(indices)):
                    continue
            indices.append(number)
        return indices

    def take(self, number: int) -> Choice:
        """Pick one; what is ready leaves the queue."""
        other = number - self._skip
        if 0 <= other < len(self._others):
            return self._others[other]
        if other >= 0:
            number -= len(self._others)
        if self.indices is not None:
            number = self.indices[number]
        entry = self.ready[number]
        del self.ready[number]
        if not isinstance(entry, tuple):
            self.calls -= 1
        return entry

    def actions(self) -> list[Action]:
        """List what could happen, in the order in which it would."""
        ready = self.ready
        if self.indices is None:
            reach = self._length - len(self._others)
            entries: Iterable[Ready] = ready if reach == len(ready) else islice(ready, reach)
        else:
            entries = (ready[number] for number in self.indices)
        found: list[Action] = []
        for entry in entries:
            if type(entry) is tuple:
                # Whoever was woken was named then.
                task: asyncio.Task[object] = entry[0].__self__  # type: ignore[attr-defined]
                actor: Actor = task._explored_as  # type: ignore[attr-defined]
                found.append(actor.action or describe_step(actor))
            else:
                found.append(_action_of(entry))  # type: ignore[arg-type]  # not narrowed by type()
        if self._others:
            others = [_action_of(each) for each in self._others]
            return found + others if self._skip else others + found
        return found


def _waits_for_others(entry: Ready, ahead: int) -> bool:
    """Tell whether it is a callback that goes on for ever, and others are ahead of it."""
    return ahead > 0 and isinstance(entry, Call) and entry.again


def _action_of(choice: asyncio.Handle | Flight) -> Action:
    """Say which action something is that is no tuple; it was named when it was made."""
    if isinstance(choice, Flight | Call | Timer):
        assert choice.action is not None
        return choice.action
    assert isinstance(choice, StepHandle)
    return describe_step(known_actor(choice._callback.__self__))  # type: ignore[attr-defined]


def known_actor(task: asyncio.Task[object]) -> Actor:
    """Look up who a task is; one that nobody has named is named after its coroutine."""
    actor = actor_of(task)
    if actor is None:
        actor = Actor(short_name(task.get_coro()))
        name_task(task, actor)
    return actor


def next_timers(heap: list[Timer]) -> list[Timer]:
    """List the timers that could fire next, in the heap's order; leaves the heap as it is."""
    if not heap:
        return []
    first = heap[0]
    when = first._when
    if not first._cancelled and all(other._when != when for other in heap[1:3]):
        return [first]
    found: list[Timer] = []
    rest = heap.copy()
    while rest and (not found or rest[0]._when == found[0]._when):
        timer = heapq.heappop(rest)
        if not timer._cancelled:
            found.append(timer)
    sleeps = [timer for timer in found if is_sleep(timer._callback)]
    return [timer for timer in found if not any(timer is sleep for sleep in sleeps[1:])]
