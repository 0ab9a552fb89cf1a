"""One run of a scenario: a fresh loop, a fresh coroutine, and how it ended."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

# Before any loop is made: what it finds imported, it knows to be explorable.
import anyio  # noqa: F401

from blkdebug_async.explore.actions import RedundantRunError, Scheduler
from blkdebug_async.explore.control import control_exceptions, passed_on_in
from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.explore.oracles import Background, BackgroundError, check_end
from blkdebug_async.explore.places import raising_place
from blkdebug_async.explore.record import Recorded, Recorder
from blkdebug_async.explore.strategies.strategy import Ending
from blkdebug_async.explore.timeline import Timeline, Watching
from blkdebug_async.explore.turns import EndlessRunError

#: Makes a fresh coroutine for each run.
Scenario: TypeAlias = Callable[[], Coroutine[object, object, object]]

#: What the main task of a run is called.
_MAIN: Final = "main"


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for every run of an exploration."""

    #: Most steps of a run; one that takes more is left.
    step_limit: int = 100_000
    #: Whether tasks and requests may be left behind.
    may_leave: bool = False
    #: Whether timers fire only when nothing else can happen: for timeouts that are there in case
    #: something hangs. Else, what is under way may take longer than any timeout.
    timers_last: bool = False
    #: Bytes of which a device promises that they are written all or not at all; None: as many as
    #: the leaf's alignment says, at least a sector.
    atomic_unit: int | None = None
    #: Exceptions that are no failures but are passed on to whoever explores, besides those by
    #: which pytest, unittest and Hypothesis steer tests.
    passed_on: tuple[type[BaseException], ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    ending: Ending
    run: Recorded
    #: How many steps were taken.
    steps: int
    #: Why it failed; None: it did not.
    error: BaseException | None = None
    #: The run for people, if it was traced.
    timeline: Timeline | None = None
    #: What sometimes() heard of: whether it was reached.
    reached: dict[str, bool] = field(default_factory=dict)


def run_once(
    scenario: Scenario,
    scheduler: Scheduler,
    conditions: Conditions | None = None,
    *,
    traced: bool = False,
) -> Outcome:
    """Make one run.

    Args:
        scenario: Makes the coroutine.
        scheduler: Decides.
        conditions: What holds for it.
        traced: Whether to keep actions, steps and a timeline, which takes several times as long.

    Raises:
        RuntimeError: A loop is running in this thread.
        BaseException: One of those that are passed on, KeyboardInterrupt or SystemExit.
    """
    if asyncio._get_running_loop() is not None:
        raise RuntimeError(
            "a scenario is run by loops of its own, and another loop is running in this thread: "
            "explore in plain code, or by `await asyncio.to_thread(explore, scenario)`"
        )
    conditions = conditions or Conditions()
    recorder = Recorder(scheduler, traced=traced)
    loop = ExploringLoop(recorder, conditions.step_limit)
    loop.exploration.atomic_unit = conditions.atomic_unit
    loop.hold_timers_back(conditions.timers_last)
    watching = None
    if traced:
        watching = loop.exploration.watcher = Watching(loop)
    try:
        ending, error = _ending(loop, scenario, conditions)
    finally:
        try:
            loop.abandon()
        finally:
            # What a scenario does on its way out may end that: sys.exit(), say.
            loop.close()
    run = recorder.recorded()
    operations = loop.exploration.history
    timeline = None if watching is None else watching.timeline(run, operations)
    return Outcome(ending, run, loop.steps, error, timeline, loop.exploration.reached)


@contextmanager
def chance_kept() -> Iterator[None]:
    """Leave `random` as it was for others, though each run begins with the same state of it."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def _ending(
    loop: ExploringLoop, scenario: Scenario, conditions: Conditions
) -> tuple[Ending, BaseException | None]:
    # Scenarios that take chance from here get the same each time.
    random.seed(0)
    background = Background()
    loop.set_exception_handler(background.hear)
    try:
        loop.run_until_complete(loop.create_task(scenario(), name=_MAIN))
        background.check()
        check_end(loop, may_leave=conditions.may_leave, atomic_unit=conditions.atomic_unit)
        background.check()
    except RedundantRunError:
        return Ending.REDUNDANT, None
    except EndlessRunError as error:
        return Ending.CUT, error
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        passed_on = (*conditions.passed_on, *control_exceptions())
        meant = passed_on_in(error, passed_on)
        if meant is error:
            raise
        if meant is not None:
            raise meant from error
        return Ending.FAILED, error
    return Ending.PASSED, None


def kind_of(error: BaseException) -> tuple[str, ...]:
    """Tell failures apart: by their types, and by the line of the scenario that they came from.

    Two runs fail in the same way if this is the same; messages may differ.
    """
    types = [type(error).__qualname__]
    inner = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
        types.append(type(inner).__qualname__)
    if isinstance(inner, BackgroundError) and inner.__cause__ is not None:
        inner = inner.__cause__
        types.append(type(inner).__qualname__)
    place = raising_place(inner)
    return (*types, "" if place is None else f"{place.file}:{place.line}")
