"""Runs in which a process may end: made one by one, each decision told before it is carried out.

When the process ends, it is known in which run, and after which decision. That run is made once
more here, up to the step in which the process ended, which is not taken. So it has a token and a
timeline, and nobody else need end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from enum import StrEnum
from typing import NamedTuple

from blkdebug_async.explore.actions import Action, RedundantRunError, Scheduler
from blkdebug_async.explore.batches import (
    JobsError,
    Told,
    Trouble,
    each_told,
    unpack,
    unpack_schedulers,
)
from blkdebug_async.explore.collecting import collecting_between_runs
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.record import Decision, Recorded
from blkdebug_async.explore.run import Conditions, Outcome, Scenario, run_once
from blkdebug_async.explore.strategies.strategy import Ending
from blkdebug_async.explore.timeline import Timeline
from blkdebug_async.explore.workers import Wire, Worker


class RunDiedError(RuntimeError):
    """The process ended in which a run was made."""


class Said(NamedTuple):
    """A decision that is about to be carried out."""

    #: What is chosen about; None: it is which action happens next.
    key: str | None
    n: int
    value: int


class Mark(StrEnum):
    """What else the process tells."""

    STEP_OVER = "step over"
    #: The run raised what is passed on.
    RAISED = "raised"
    #: No run is left.
    FINISHED = "finished"


class Diary:
    """What is known of a run that is being made, or was not made to its end."""

    def __init__(self) -> None:
        #: How many steps are over.
        self.steps = 0
        #: What was decided in these, and then in the one under way.
        self.earlier: list[Said] = []
        self.latest: list[Said] = []

    def step_over(self) -> None:
        """Hear that the step under way is over."""
        self.steps += 1
        self.earlier += self.latest
        self.latest.clear()


def make_with_care(
    packed: bytes, batch: bytes, scenario: Scenario, conditions: Conditions
) -> Iterator[Outcome | None]:
    """Make the runs of a batch in a process of their own, up to one that fails.

    Args:
        packed: The scenario and its conditions, as workers get them.
        batch: Schedulers, as workers get them.
        scenario: Makes the coroutine.
        conditions: What holds for each run.

    Returns:
        How each ended; None: it raised what is passed on, and is the last.

    Raises:
        JobsError: The process cannot be started.
    """
    worker = Worker(packed, serve_with_care)
    diary, finished = Diary(), False
    try:
        trouble = worker.greet()
        if isinstance(trouble, Trouble):
            raise JobsError(trouble.why)
        if trouble is not None:
            raise JobsError(f"workers cannot be started: {trouble.how}")
        worker.send(batch)
        while not finished:
            match worker.receive():
                case Told() as told:
                    yield told.outcome()
                    diary = Diary()
                case Said() as said:
                    diary.latest.append(said)
                case Mark.STEP_OVER:
                    diary.step_over()
                case Mark.RAISED:
                    yield None
                case _:
                    finished = True
    except (EOFError, OSError):
        yield died(diary, worker.end(), scenario, conditions)
    finally:
        worker.end()


def died(diary: Diary, how: str, scenario: Scenario, conditions: Conditions) -> Outcome:
    """Tell of a run that ended its process.

    Args:
        diary: What is known of it.
        how: How the process ended.
        scenario: Makes the coroutine.
        conditions: What holds for each run.
    """
    error = RunDiedError(f"the process that made this run is gone: {how}")
    scheduler = _UpTo(diary)
    run, timeline = Recorded((), ()), Timeline(())
    if scheduler.goes_anywhere:
        before = run_once(scenario, scheduler, conditions, traced=True)
        run, timeline = before.run, before.timeline or timeline
    last = scheduler.last_decisions()
    run = Recorded(
        (*run.values, *(decision.value for decision in last)),
        (*run.ways, *(decision.n for decision in last)),
        (*run.decisions, *last),
        run.steps,
    )
    return Outcome(Ending.FAILED, run, diary.steps + 1, error, timeline)


class _UpTo:
    """Decides as it was decided before, and leaves the run before the step that ended it.

    Args:
        diary: What is known of it.
    """

    wants_actions = True

    def __init__(self, diary: Diary) -> None:
        self._diary = diary
        self._values = iter([said.value for said in diary.earlier])
        self._steps = 0
        self._actions: tuple[Action, ...] = ()
        self._picks_last = bool(diary.latest) and diary.latest[0].key is None

    @property
    def goes_anywhere(self) -> bool:
        """Whether anything was done, or could be picked, before that step."""
        return self._diary.steps > 0 or self._picks_last

    def choose(self, n: int, key: str) -> int:
        return next(self._values, 0)

    def pick(self, actions: Sequence[Action]) -> int:
        if self._steps == self._diary.steps:
            self._actions = tuple(actions)
            raise RedundantRunError
        return next(self._values, 0)

    def pick_of(self, n: int) -> int:
        """Never asked: it wants to see actions."""
        return 0

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        self._steps += 1
        if self._steps == self._diary.steps and not self._picks_last:
            raise RedundantRunError

    def last_decisions(self) -> tuple[Decision, ...]:
        """Give those of the step that ended it, as far as they are known."""
        steps, latest, actions = self._diary.steps, self._diary.latest, self._actions
        picks: tuple[Decision, ...] = ()
        if actions:
            value = min(latest[0].value, len(actions) - 1)
            picks = (Decision(actions[0].key, len(actions), value, actions, steps),)
        chosen = (
            Decision(said.key, said.n, said.value, (), steps)
            for said in latest
            if said.key is not None
        )
        return (*picks, *chosen)


# --- in the process ---


def serve_with_care(theirs: Wire, packed: bytes) -> None:
    """Be the process: make a batch, and tell everything at once."""
    unpacked = unpack(packed)
    if isinstance(unpacked, Trouble):
        theirs.send(unpacked)
        return
    theirs.send(None)
    # Nobody may listen any more.
    with suppress(EOFError, OSError):
        schedulers = [Telling(each, theirs) for each in unpack_schedulers(theirs.recv_bytes())]
        try:
            with collecting_between_runs():
                for told in each_told(unpacked, schedulers):
                    theirs.send(told)
        # What is passed on to whoever explores.
        except BaseException:
            theirs.send(Mark.RAISED)
        theirs.send(Mark.FINISHED)


class Telling:
    """A scheduler that tells of each decision before it is carried out.

    Args:
        scheduler: Who decides.
        theirs: Where to tell it.
    """

    wants_actions = True

    def __init__(self, scheduler: Scheduler, theirs: Wire) -> None:
        self._scheduler = scheduler
        self._theirs = theirs

    def choose(self, n: int, key: str) -> int:
        return self._told(key, n, self._scheduler.choose(n, key))

    def pick(self, actions: Sequence[Action]) -> int:
        scheduler, n = self._scheduler, len(actions)
        value = scheduler.pick(actions) if scheduler.wants_actions else scheduler.pick_of(n)
        return self._told(None, n, value)

    def pick_of(self, n: int) -> int:
        """Never asked: it wants to see actions."""
        return 0

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        if self._scheduler.wants_actions:
            self._scheduler.ran(action, touched)
        self._theirs.send(Mark.STEP_OVER)

    def _told(self, key: str | None, n: int, value: int) -> int:
        value = min(max(value, 0), n - 1)
        self._theirs.send(Said(key, n, value))
        return value
