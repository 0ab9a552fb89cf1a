"""frontrun: DPOR over the attributes that tasks touch, between tasks that are known beforehand.

It explores a fixed list of tasks on a state, and then looks at the state; it runs them on a loop of
asyncio's own. So a scenario is cut in three: what it does before its group of tasks is making the
state, the members of the group are the tasks, and what it does afterwards is looking at the state.
Scenarios with more than one group, or with tasks that make tasks, do not fit into that.

Faults are not known to it, so they never happen. Requests to disks take effect at once, after a
pause in which others may come first: for a task that waits for its request, that is being in flight.

Its strategy "random" takes any task that is not at a pause for deadlocked, so it is not used.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import frontrun

from benchmarks.bugs.bug import Bug, Needs, Scenario
from benchmarks.explorers.explorer import Budget, Search

_Part = Coroutine[object, object, object]

#: Seconds after which a run is given up that neither goes on nor is known to be deadlocked.
STUCK: Final = 2.0
#: As many executions as the budget allows; it does not go on after that.
REAL_GROUP: Final = asyncio.TaskGroup


class UnfitError(Exception):
    """A scenario is not one group of tasks with something before and behind."""


class Frontrun:
    """frontrun's DPOR, without a bound on preemptions."""

    name = "frontrun"
    by_chance = False

    def cannot(self, bug: Bug) -> str:
        if bug.needs is Needs.FAULT:
            return "it knows no faults"
        try:
            for scenario in (bug.scenario, bug.twin):
                with _handing_over():
                    Cut(scenario).close()
        except UnfitError as error:
            return str(error)
        return ""

    def search(self, bug: Bug, seed: int, budget: Budget, *, twin: bool, shrink: bool) -> Search:
        scenario = bug.twin if twin else bug.scenario
        with _handing_over():
            first = Cut(scenario)
            number = len(first.parts)
            first.close()
        # It waits by the clock for runs that are stuck.
        start = time.perf_counter()
        with _handing_over():
            result = asyncio.run(_explore(scenario, number, budget))
        took = time.perf_counter() - start
        error = (result.explanation or "failed").splitlines()[0] if result.property_holds is False else ""
        return Search(error, result.num_explored, took, result.property_holds is True)


async def _explore(scenario: Scenario, number: int, budget: Budget) -> frontrun.InterleavingResult:
    return await frontrun.explore(
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

    def close(self) -> None:
        """Leave it at that."""
        for part in self.parts:
            part.coroutine.close()
        self._main.close()


class Part:
    """One task of a group, which can be cancelled as a task."""

    def __init__(self, coroutine: _Part) -> None:
        self.coroutine = coroutine
        self.error: Exception | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelled = False

    async def run(self) -> None:
        """Do it, and keep what it raises for the group."""
        if self._cancelled:
            self.coroutine.close()
            return
        self._task = asyncio.current_task()
        try:
            await self.coroutine
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
        except Exception as error:
            # The others are cancelled then in a group; here, the run is over with a failure.
            self.error = error
            raise
        finally:
            self._task = None

    def cancel(self, msg: object = None) -> bool:
        """Cancel it, wherever it is."""
        self._cancelled = True
        return self._task is None or self._task.cancel()

    def done(self) -> bool:
        """Never asked in a scenario that fits."""
        raise UnfitError("it asks whether a task is done")


class Group:
    """Stands in for asyncio's group of tasks: hands its tasks over, and waits until they are done."""

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

    def __await__(self) -> Iterator[Group]:
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


@contextmanager
def _handing_over() -> Iterator[None]:
    setattr(asyncio, "TaskGroup", Group)  # noqa: B010
    try:
        yield
    finally:
        setattr(asyncio, "TaskGroup", REAL_GROUP)  # noqa: B010


EXPLORERS: Final[Mapping[str, Callable[[], Frontrun]]] = {"frontrun": Frontrun}
