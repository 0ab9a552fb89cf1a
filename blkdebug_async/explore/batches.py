"""Runs that are made elsewhere: what is sent there, what comes back, and how they are made there.

Everything is sent as bytes that are pickled here, so that it does not matter who carries them, and
so that what a worker cannot load is told by the worker, not by whoever carries it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from time import perf_counter
from traceback import format_exception_only
from typing import Final, NamedTuple
from uuid import uuid4

from blkdebug_async.explore.actions import Scheduler
from blkdebug_async.explore.collecting import collecting_between_runs, tidy
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.run import Conditions, Outcome, Scenario, chance_kept, run_once
from blkdebug_async.explore.strategies.strategy import Ending

#: This process, among those of all machines, if taken together with its number.
_MARK: Final = uuid4().hex
#: Held while runs are made: a process makes one at a time, whatever its threads are asked for.
_MAKING: Final = Lock()


class NotPortableError(ValueError):
    """A scenario cannot be sent to other processes."""


class JobsError(RuntimeError):
    """Nobody else can make runs."""


class MadeElsewhereError(Exception):
    """Stands for the error of a run that was made in another process."""


class Told(NamedTuple):
    """What a worker tells of a run."""

    ending: Ending
    values: tuple[int, ...]
    ways: tuple[int, ...]
    steps: int
    reached: dict[str, bool]
    #: Why it failed, in words; "": it did not.
    error: str

    def outcome(self) -> Outcome:
        """Give it as if it had been made here, but for its error."""
        error = MadeElsewhereError(self.error) if self.error else None
        run = Recorded(self.values, self.ways)
        return Outcome(self.ending, run, self.steps, error, reached=self.reached)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a batch."""

    #: Its runs from the first on, up to one that failed.
    told: tuple[Told, ...]
    #: How long they took to make.
    seconds: float
    #: Whether the run after these raised what is no failure, but is passed on.
    raised: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """A worker cannot make any run."""

    #: Why not.
    why: str


def pack(scenario: Scenario, conditions: Conditions) -> bytes:
    """Give what workers are to explore, as bytes.

    Raises:
        NotPortableError: The scenario, or a class among the conditions, is not known by a name.
    """
    try:
        return pickle.dumps((scenario, conditions, (_MARK, os.getpid())))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise NotPortableError(
            f"{scenario!r} cannot be sent to other processes: {error}. Make it a function at the "
            "top of a module, put its arguments into functools.partial, or give its name as "
            "'module:function'; jobs=1 takes any function"
        ) from error


def pack_schedulers(schedulers: Sequence[Scheduler]) -> bytes:
    """Give schedulers that have decided nothing yet as bytes."""
    return pickle.dumps(schedulers, pickle.HIGHEST_PROTOCOL)


def unpack_schedulers(batch: bytes) -> Sequence[Scheduler]:
    """Give back what was packed."""
    schedulers: Sequence[Scheduler] = pickle.loads(batch)
    return schedulers


class Unpacked(NamedTuple):
    """What a worker is to explore."""

    scenario: Scenario
    conditions: Conditions
    #: The process that wants to know.
    home: tuple[str, int]


def unpack(packed: bytes) -> Unpacked | Trouble:
    """Load what is to be explored, or say why that is not possible in this process."""
    try:
        unpacked = Unpacked(*pickle.loads(packed))
    # Modules are imported, and may raise anything.
    except Exception as error:
        return Trouble(
            f"a worker cannot load the scenario: {type(error).__name__}: {error}. Its module must "
            "be importable there"
        )
    if unpacked.home == (_MARK, os.getpid()):
        return Trouble(
            "the executor makes runs in this very process, where they would disturb each other; "
            "it has to be one of processes"
        )
    return unpacked


# --- in the worker ---


def introduce(packed: bytes) -> Trouble | None:
    """Say why this process cannot make runs; None: it can."""
    unpacked = unpack(packed)
    return unpacked if isinstance(unpacked, Trouble) else None


def make_batch(packed: bytes, batch: bytes) -> Answer | Trouble:
    """Make runs one after the other, for an executor."""
    unpacked = unpack(packed)
    if isinstance(unpacked, Trouble):
        return unpacked
    return make_runs(unpacked, unpack_schedulers(batch))


def make_runs(unpacked: Unpacked, schedulers: Sequence[Scheduler]) -> Answer:
    """Make runs one after the other, and stop when one fails: nobody wants those behind it."""
    told: list[Told] = []
    raised = False
    with _MAKING, collecting_between_runs(), chance_kept():
        began = perf_counter()
        try:
            for each in each_told(unpacked, schedulers):
                told.append(each)  # noqa: PERF402  those before an error are kept
        # What is passed on to whoever explores; it is raised there, by making the run once more.
        except BaseException:
            raised = True
        return Answer(tuple(told), perf_counter() - began, raised)


def each_told(unpacked: Unpacked, schedulers: Sequence[Scheduler]) -> Iterator[Told]:
    """Make runs, up to one that fails, and tell of each."""
    for scheduler in schedulers:
        tidy()
        outcome = run_once(unpacked.scenario, scheduler, unpacked.conditions)
        yield _told(outcome)
        if outcome.ending is Ending.FAILED:
            return


def _told(outcome: Outcome) -> Told:
    run, error = outcome.run, outcome.error
    # Safe where an error cannot say what it is.
    words = "" if error is None else format_exception_only(error)[-1].strip()
    return Told(outcome.ending, run.values, run.ways, outcome.steps, outcome.reached, words)
