"""Runs made several at a time, in other processes, and heard of as if they had been made in turn.

Schedulers are asked for ahead, as far as the strategy knows them, and sent away in batches. What
comes back is put in order. So the runs, and the first of them that fails, are those that would
have been made one after the other.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import replace
from math import ceil
from queue import Empty
from typing import Final, assert_never

from blkdebug_async.explore.batches import (
    Answer,
    JobsError,
    MadeElsewhereError,
    Trouble,
    pack,
)
from blkdebug_async.explore.careful import make_with_care
from blkdebug_async.explore.collecting import tidy
from blkdebug_async.explore.control import control_exceptions
from blkdebug_async.explore.dask import answering
from blkdebug_async.explore.hired import Hired
from blkdebug_async.explore.run import Conditions, Outcome, Scenario, run_once
from blkdebug_async.explore.strategies.replay import Values
from blkdebug_async.explore.strategies.strategy import Ending, Strategy
from blkdebug_async.explore.team import Batch, Begun, Broken, Lost, Reply, Team
from blkdebug_async.explore.workers import Workers

#: A batch should take about so many seconds, and not less than this if there is little to do.
_BATCH_SECONDS: Final = 0.2
_SMALL_BATCH_SECONDS: Final = 0.01
#: Most runs of a batch.
_MOST_RUNS: Final = 1024
#: A batch whose workers ended so often is made with care.
_MOST_LOSSES: Final = 2
#: While one run is waited for, so many times what is under way may be done ahead of it.
_AHEAD: Final = 4
#: Seconds between two looks at whether it is over.
_LOOK_SECONDS: Final = 0.1


class Jobs:
    """Makes the runs of a strategy by several processes.

    Args:
        scenario: Makes the coroutine; known by a name.
        conditions: What holds for every run.
        jobs: How many processes of our own; or an executor of processes.

    Raises:
        NotPortableError: The scenario cannot be sent to other processes.
        JobsError: The executor cannot make runs.
    """

    def __init__(self, scenario: Scenario, conditions: Conditions, jobs: int | Executor) -> None:
        self._scenario = scenario
        self._conditions = conditions
        self._packed = pack(scenario, conditions)
        self._team: Team
        if isinstance(jobs, int):
            self._team = Workers(jobs, self._packed)
        else:
            self._team = Hired(answering(jobs), self._packed)
        # Begun and not heard of, in their order; those at the end were not sent yet.
        self._begun: deque[Begun] = deque()
        self._unsent: list[Begun] = []
        self._under_way: set[Batch] = set()
        self._number = 0
        # No runs are begun from this number on.
        self._end = 0
        self._size = 1
        # How long a run takes, about.
        self._seconds = 0.0

    def outcomes(
        self, strategy: Strategy, most_runs: int, is_over: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Make runs; the strategy is told of each by whoever takes it, before the next one.

        Args:
            strategy: Which runs to make.
            most_runs: Begin no more of them.
            is_over: Asked now and then while one is waited for: True ends it.

        Raises:
            BaseException: What a run raised that is passed on.
        """
        self._end = most_runs
        try:
            while not strategy.exhausted:
                tidy()
                self._begin(strategy)
                if not self._begun:
                    return
                while not self._begun[0].over:
                    if not self._hears() and is_over():
                        return
                yield self._ended(self._begun.popleft())
        finally:
            self._team.close()

    # --- before a run ---

    def _begin(self, strategy: Strategy) -> None:
        """Begin as many runs as there is somebody for."""
        while self._number < self._end and self._has_room() and not strategy.blocked:
            serial = strategy.serial
            run = Begun(self._number, strategy.scheduler(self._number))
            self._number += 1
            self._begun.append(run)
            if serial:
                # The others have something to do meanwhile.
                self._send_all()
                self._make_here(run)
                continue
            self._unsent.append(run)
            share = max(ceil((self._end - self._number) / self._team.wanted), 1)
            if len(self._unsent) >= min(self._size, share):
                self._send(self._unsent)
                self._unsent = []
        if self._begun and not self._begun[0].over and self._somebody_is_free():
            # No more is known for now, or to be begun.
            self._send_all()

    def _somebody_is_free(self) -> bool:
        return len(self._under_way) < self._team.wanted

    def _has_room(self) -> bool:
        most = _AHEAD * self._team.wanted * self._size
        return self._somebody_is_free() and len(self._begun) <= most

    def _send_all(self) -> None:
        """Send what was not sent yet, to as many as are free and have something to do then."""
        runs, self._unsent = self._unsent, []
        free = max(self._team.wanted - len(self._under_way), 1)
        pieces = min(free, max(ceil(len(runs) * self._seconds / _SMALL_BATCH_SECONDS), 1))
        size = max(ceil(len(runs) / pieces), 1)
        for first in range(0, len(runs), size):
            self._send(runs[first : first + size])

    def _send(self, runs: list[Begun]) -> None:
        batch = Batch(runs)
        self._under_way.add(batch)
        self._team.send(batch)

    def _make_here(self, run: Begun) -> None:
        try:
            self._set(run, run_once(self._scenario, run.scheduler, self._conditions))
        except BaseException as error:
            passed_on = (*self._conditions.passed_on, *control_exceptions())
            if not isinstance(error, (SystemExit, *passed_on)):
                raise
            # Not before it is its turn.
            run.error = error
            self._raised(run)

    # --- after a run ---

    def _hears(self) -> bool:
        """Wait a while for an answer, and take it; tell whether there was one."""
        try:
            batch, reply = self._team.answers.get(timeout=_LOOK_SECONDS)
        except Empty:
            return False
        self._hear(batch, reply)
        return True

    def _hear(self, batch: Batch, reply: Reply) -> None:
        match reply:
            case Answer():
                self._under_way.remove(batch)
                self._take(batch, reply)
            case Lost():
                batch.losses += 1
                if batch.losses < _MOST_LOSSES:
                    self._team.send(batch)
                else:
                    self._under_way.remove(batch)
                    self._make_with_care(batch)
            case Broken():
                self._go_on_alone(reply.why)
            case Trouble():
                raise JobsError(reply.why)
            case _:
                assert_never(reply)

    def _take(self, batch: Batch, answer: Answer) -> None:
        for run, told in zip(batch.runs, answer.told, strict=False):
            self._set(run, told.outcome())
        if answer.raised:
            self._raised(batch.runs[len(answer.told)])
        if answer.told:
            seconds = answer.seconds / len(answer.told)
            self._seconds = (self._seconds + seconds) / 2 if self._seconds else seconds
            fitting = int(_BATCH_SECONDS / max(self._seconds, _BATCH_SECONDS / _MOST_RUNS))
            # No faster than what is known of them.
            self._size = max(1, min(fitting, 2 * max(self._size, len(answer.told))))

    def _set(self, run: Begun, outcome: Outcome) -> None:
        run.outcome = outcome
        if outcome.ending is Ending.FAILED:
            # Nobody will want those behind it.
            self._end = min(self._end, run.number + 1)

    def _raised(self, run: Begun) -> None:
        run.raised = True
        self._end = min(self._end, run.number + 1)

    def _make_with_care(self, batch: Batch) -> None:
        """Find out in which run of a batch its workers ended."""
        outcomes = make_with_care(self._packed, batch.packed, self._scenario, self._conditions)
        for run, outcome in zip(batch.runs, outcomes, strict=False):
            if outcome is None:
                self._raised(run)
            else:
                self._set(run, outcome)

    def _go_on_alone(self, why: str) -> None:
        """Put a process of our own in the place of an executor that is gone."""
        warnings.warn(
            f"the executor is of no use any more: {why}. The exploration goes on in one process",
            RuntimeWarning,
            stacklevel=2,
        )
        self._team.close()
        self._team = Workers(1, self._packed)
        for batch in self._under_way:
            self._team.send(batch)

    def _ended(self, run: Begun) -> Outcome:
        """Give the outcome of a run; if it failed elsewhere, as it fails here.

        Raises:
            BaseException: What it raised that is passed on.
        """
        outcome = run.outcome
        if outcome is not None:
            if outcome.ending is not Ending.FAILED:
                return outcome
            self._team.close()
            if not isinstance(outcome.error, MadeElsewhereError):
                return outcome
        if run.error is not None:
            raise run.error
        scheduler = run.scheduler if outcome is None else Values(outcome.run.values)
        again = run_once(self._scenario, scheduler, self._conditions)
        if outcome is None:
            return again
        # Steps are counted a little otherwise where a scheduler is shown them.
        same = again.ending is Ending.FAILED
        return replace(again, steps=outcome.steps) if same else outcome
