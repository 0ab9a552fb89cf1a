"""frontrun: DPOR over the attributes that tasks touch, between tasks that are known beforehand.

It explores a fixed list of tasks on a state, and then looks at the state; it runs them on a loop of
asyncio's own. So a scenario is cut in three: what it does before its group of tasks is making the
state, the members of the group are the tasks, and what it does afterwards is looking at the state.
Scenarios with more than one group, or with tasks that make tasks, do not fit into that.

It knows no faults, so they never happen. A request to a disk takes effect after a pause of its task
in which others may come first: for a task that waits for its requests, that is being in flight.

Its strategy "random" takes any task that is not at a pause for deadlocked, so it is not used.
"""

from __future__ import annotations

import asyncio
import sys
import time
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context
from typing import Final

import frontrun
from frontrun.common import InterleavingResult

from benchmarks.bugs.bug import Bug, Needs, Scenario
from benchmarks.explorers.explorer import Budget, Search, UnfitError
from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.possible import Possible
from blkdebug_async.explore.strategies.fifo import Fifo

_Part = Coroutine[object, object, object]

#: Seconds after which a run is given up that neither goes on nor is known to be deadlocked.
STUCK: Final = 2.0
REAL_GROUP: Final = asyncio.TaskGroup


class Frontrun:
    """frontrun's DPOR, without a bound on preemptions."""

    name = "frontrun"
    by_chance = False

    def cannot(self, bug: Bug) -> str:
        if bug.needs is Needs.FAULT:
            return "it knows no faults"
        try:
            for scenario in (bug.scenario, bug.twin):
                _number_of_tasks(scenario)
        except UnfitError as error:
            return str(error)
        return ""

    def search(self, bug: Bug, seed: int, budget: Budget, *, twin: bool, shrink: bool) -> Search:
        scenario = bug.twin if twin else bug.scenario
        number = _number_of_tasks(scenario)
        # It waits by the clock for runs that are stuck.
        start = time.perf_counter()
        with _handing_over():
            result = asyncio.run(_explore(scenario, number, budget))
        took = time.perf_counter() - start
        told = (result.explanation or "failed").splitlines()[0]
        error = "" if result.property_holds is not False else told
        if UnfitError.__name__ in told:
            raise UnfitError("it has more than one group of tasks")
        if "bad yield" in told:
            raise UnfitError("a task of it has a group of tasks")
        return Search(error, result.num_explored, took, result.property_holds is True)


def _number_of_tasks(scenario: Scenario) -> int:
    # Disks that are left open at a place where they would have to wait say so when they are
    # collected, at any time; so do coroutines that never began.
    sys.unraisablehook = _ignore
    warnings.simplefilter("ignore", RuntimeWarning)
    with _handing_over():
        return len(Cut(scenario).parts)


def _ignore(raised: object) -> None:
    """Say nothing."""


async def _explore(scenario: Scenario, number: int, budget: Budget) -> InterleavingResult:
    loop = asyncio.get_running_loop()
    setattr(loop, "exploration", StandIn(loop))  # noqa: B010  it has none
    found: InterleavingResult = await frontrun.explore(
        setup=lambda: Cut(scenario),
        workers=[_worker(index) for index in range(number)],
        invariant=Cut.ends_well,
        clock="explored",
        preemption_bound=None,
        max_executions=budget.runs,
        total_timeout=budget.seconds,
        timeout_per_run=STUCK,
        deadlock_timeout=STUCK / 2,
        reproduce_on_failure=0,
    )
    return found


def _worker(index: int) -> Callable[[Cut], Awaitable[None]]:
    async def work(cut: Cut) -> None:
        await cut.run_part(index)

    return work


class Cut:
    """A scenario that stands still at its group of tasks.

    Args:
        scenario: It runs up to there.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.parts: list[Part] = []
        self._main = scenario()
        group = _drive(self._main)
        if group is None:
            raise UnfitError("it has no group of tasks")
        self.parts = group.parts

    async def run_part(self, index: int) -> None:
        """Be one of the tasks."""
        await self.parts[index].run()

    def ends_well(self) -> bool:
        """Go on behind the group; raises what the scenario raises."""
        if _drive(self._main) is not None:
            raise UnfitError("it has more than one group of tasks")
        return True


class Part:
    """One task of a group, which can be cancelled as a task."""

    def __init__(self, coroutine: _Part) -> None:
        self.coroutine = coroutine
        self._task: asyncio.Task[object] | None = None
        self._cancelled = False

    async def run(self) -> None:
        """Do it; in a group the others are cancelled if it fails, here the run is over."""
        if self._cancelled:
            self.coroutine.close()
            return
        self._task = asyncio.current_task()
        try:
            await self.coroutine
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
        finally:
            self._task = None

    def cancel(self, msg: object = None) -> bool:
        """Cancel it, wherever it is."""
        self._cancelled = True
        return self._task is None or self._task.cancel()

    def done(self) -> bool:
        """Never asked in a scenario that fits."""
        raise UnfitError


class Group:
    """Stands in for asyncio's: hands its tasks over, and waits until they are done."""

    def __init__(self) -> None:
        self.parts: list[Part] = []

    async def __aenter__(self) -> Group:
        return self

    def create_task(self, coroutine: _Part, *, name: str | None = None) -> Part:
        """Hand over a task."""
        part = Part(coroutine)
        self.parts.append(part)
        return part

    async def __aexit__(self, *raised: object) -> None:
        await _Handed(self)


class _Handed:
    def __init__(self, group: Group) -> None:
        self._group = group

    def __await__(self) -> Generator[Group, None, None]:
        yield self._group


def _drive(coroutine: _Part) -> Group | None:
    """Run something up to its next group; None: it has ended.

    Raises:
        UnfitError: It waits for something else.
    """
    while True:
        try:
            wants = coroutine.send(None)
        except StopIteration:
            return None
        if isinstance(wants, Group):
            return wants
        if wants is not None:
            raise UnfitError("it waits outside of its group of tasks")


class StandIn(Exploration):
    """What code under exploration may ask its loop, where that is asyncio's own.

    Args:
        loop: The loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop, Fifo().scheduler(0), Possible(deque()))

    def fly(  # type: ignore[override]  # whoever awaits it asks for nothing else
        self,
        kind: Kind,
        key: str,
        touches: tuple[Footprint, ...] | None,
        effect: Callable[[], object] | None,
        context: Context,
    ) -> Pause:
        return Pause(effect)


class Pause:
    """A request in flight: awaited once, by the task that sent it off.

    Args:
        effect: What it does.
    """

    def __init__(self, effect: Callable[[], object] | None) -> None:
        self._effect = effect

    def __await__(self) -> Generator[None, None, None]:
        try:
            yield
        finally:
            # A device knows nothing of tasks that are cancelled.
            if self._effect is not None:
                self._effect()


@contextmanager
def _handing_over() -> Iterator[None]:
    setattr(asyncio, "TaskGroup", Group)  # noqa: B010
    try:
        yield
    finally:
        setattr(asyncio, "TaskGroup", REAL_GROUP)  # noqa: B010


EXPLORERS: Final[Mapping[str, Callable[[], Frontrun]]] = {"frontrun": Frontrun}
