"""An exploration under way: runs are made until one fails, then its simplest form is looked for."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Final

from blkdebug_async.explore.actions import Scheduler
from blkdebug_async.explore.careful import RunDiedError
from blkdebug_async.explore.collecting import collecting_between_runs, tidy
from blkdebug_async.explore.coverage import Coverage
from blkdebug_async.explore.jobs import Jobs
from blkdebug_async.explore.record import Recorded, without_tail
from blkdebug_async.explore.report import Failure, Report
from blkdebug_async.explore.run import (
    Conditions,
    Outcome,
    Scenario,
    chance_kept,
    kind_of,
    run_once,
)
from blkdebug_async.explore.simplest import Make, simplest
from blkdebug_async.explore.strategies.replay import Values
from blkdebug_async.explore.strategies.strategy import Ending, Strategy
from blkdebug_async.explore.timeline import Timeline
from blkdebug_async.explore.token import encode

#: Seconds between two looks at how far it is.
_PROGRESS_SECONDS: Final = 0.1


class NotDeterministicError(RuntimeError):
    """The same decisions did not make the same run."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an exploration is."""

    #: "exploring" or "shrinking".
    phase: str
    #: Runs made so far, in this phase.
    runs: int
    #: Most runs that it may make.
    most_runs: int
    #: Different runs.
    distinct: int
    #: Steps of all runs.
    steps: int
    #: Since it began.
    seconds: float
    #: How likely the next run is a new one, 0 to 1.
    newness: float
    #: Ways that were taken at least once, and all that are known, over all decisions.
    ways: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Effort:
    """How long an exploration may take."""

    #: Most runs, without those for shrinking.
    runs: int
    #: Most seconds; None: any time. No run is broken off.
    seconds: float | None
    #: Most runs for shrinking.
    shrink_runs: int
    #: In how many processes, or by which executor, to make runs.
    jobs: int | Executor = 1
    #: Asked between runs: True, they are to end. None: they never are.
    stop: Callable[[], bool] | None = None

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ValueError: A number makes no sense.
        """
        if self.runs < 1:
            raise ValueError(f"runs is how many runs to make, at least 1, and not {self.runs}")
        if isinstance(self.jobs, int) and self.jobs < 1:
            raise ValueError(
                f"jobs is how many processes make runs, at least 1, and not {self.jobs}"
            )


class Search:
    """An exploration under way."""

    def __init__(
        self,
        scenario: Scenario,
        strategy: Strategy,
        conditions: Conditions,
        effort: Effort,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._scenario = scenario
        self._strategy = strategy
        self._conditions = conditions
        self._effort = effort
        self._progress = progress
        self._coverage = Coverage()
        self._steps = 0
        self._cut = 0
        self._reached: dict[str, bool] = {}
        self._began = perf_counter()
        self._told = self._began
        if effort.runs < 1:
            raise ValueError(f"runs is how many runs to make, at least 1, and not {effort.runs}")
        jobs = effort.jobs
        self._jobs = None if jobs == 1 else Jobs(scenario, conditions, jobs)

    def report(self, sometimes: Sequence[str] = ()) -> Report:
        """Explore, and say what it came to.

        Args:
            sometimes: What must happen in some run, besides what the scenario names.
        """
        self._reached.update(dict.fromkeys(sometimes, False))
        with collecting_between_runs(), chance_kept():
            return self._report()

    def _report(self) -> Report:
        failed = self._first_failure()
        failure = None if failed is None else self._failure(failed)
        proof = None if failure else self._strategy.proof
        return Report(
            failure=failure,
            runs=self._coverage.runs,
            steps=self._steps,
            distinct=self._coverage.distinct,
            seconds=perf_counter() - self._began,
            exhausted=self._strategy.exhausted,
            proof=proof.claim if proof else None,
            whole=proof is not None and proof.whole,
            cut=self._cut,
            newness=self._coverage.newness,
            reached=self._reached,
        )

    # --- looking for a failure ---

    def _first_failure(self) -> Outcome | None:
        """Make runs until one fails, all are made, or time is up."""
        with closing(self._outcomes()) as outcomes:
            for outcome in outcomes:
                self._hear(outcome)
                if self._coverage.runs == 1 and (error := self._unlike(outcome)):
                    return replace(outcome, ending=Ending.FAILED, error=error)
                if outcome.ending is Ending.FAILED:
                    return outcome
                if self._is_over():
                    break
        return None

    def _hear(self, outcome: Outcome) -> None:
        self._coverage.add(outcome.run)
        self._steps += outcome.steps
        self._cut += outcome.ending is Ending.CUT
        for name, reached in outcome.reached.items():
            self._reached[name] = self._reached.get(name, False) or reached
        self._strategy.heard(outcome.run, outcome.ending)

    def _outcomes(self) -> Generator[Outcome, None, None]:
        """Make the strategy's runs, and give each before the strategy is asked for more."""
        if self._jobs is not None:
            yield from self._jobs.outcomes(self._strategy, self._effort.runs, self._is_over)
            return
        number = 0
        while not self._strategy.exhausted:
            tidy()
            scheduler = self._strategy.scheduler(number)
            yield run_once(self._scenario, scheduler, self._conditions)
            number += 1

    def _is_over(self) -> bool:
        now = perf_counter()
        if now - self._told >= _PROGRESS_SECONDS:
            self._told = now
            self._tell("exploring", self._coverage.runs, self._effort.runs)
        seconds = self._effort.seconds
        runs = self._coverage.runs
        late = seconds is not None and now - self._began >= seconds and runs > 0
        return late or runs >= self._effort.runs or self._stopped()

    def _stopped(self) -> bool:
        return self._effort.stop is not None and self._effort.stop()

    def _tell(self, phase: str, runs: int, most_runs: int) -> None:
        if self._progress is not None:
            self._progress(
                Progress(
                    phase=phase,
                    runs=runs,
                    most_runs=most_runs,
                    distinct=self._coverage.distinct,
                    steps=self._steps,
                    seconds=perf_counter() - self._began,
                    newness=self._coverage.newness,
                    ways=self._coverage.ways,
                )
            )

    # --- the same run again ---

    def _again(self, values: Sequence[int], *, traced: bool = False) -> Outcome:
        tidy()
        return run_once(self._scenario, Values(values), self._conditions, traced=traced)

    def _unlike(self, first: Outcome) -> NotDeterministicError | None:
        """Make a run twice more, and say where the two differ."""
        if isinstance(first.error, RunDiedError):
            return None
        runs = [self._again(first.run.values, traced=True) for _ in range(2)]
        return _difference(first.run, runs[0].run) or _difference(runs[0].run, runs[1].run)

    # --- the simplest failure ---

    def _failure(self, failed: Outcome) -> Failure:
        """Shrink a failure, and find out all about it."""
        found, error = failed.run.values, failed.error
        assert error is not None
        if isinstance(error, RunDiedError):
            # Made here, this process would end too.
            return self._failure_of(failed, error, found)
        kind = kind_of(error)
        values, runs, shrunk = found, 0, False
        budget = self._effort.shrink_runs
        if budget and not isinstance(error, NotDeterministicError):
            best = simplest(found, self._maker(kind), budget=budget)
            values, runs = best.values, best.runs
            shrunk = best.finished and not self._stopped()
            if not best.again:
                error = _not_again(error)
        last = self._again(values, traced=True)
        if last.error is not None and kind_of(last.error) == kind:
            error = last.error
        told = self._failure_of(last, error, found)
        passing = self._nearest_passing(values) if budget and not self._stopped() else None
        return replace(told, values=values, passing=passing, shrink_runs=runs, shrunk=shrunk)

    def _failure_of(self, last: Outcome, error: BaseException, found: tuple[int, ...]) -> Failure:
        """Put together what one run tells of a failure; it was traced."""
        assert last.timeline is not None
        return Failure(
            token=encode(last.run),
            error=error,
            runs=self._coverage.runs,
            deviations=tuple(last.run.decisions[at] for at in last.run.deviations),
            values=without_tail(last.run.values),
            run=last.run,
            timeline=last.timeline,
            passing=None,
            found=found,
            shrink_runs=0,
            shrunk=False,
        )

    def _maker(self, kind: tuple[str, ...]) -> Make:
        """Make what makes runs, and says whether they failed in some way."""
        runs = 0

        def make(scheduler: Scheduler, traced: bool) -> tuple[Recorded, bool]:
            nonlocal runs
            runs += 1
            self._tell("shrinking", runs, self._effort.shrink_runs)
            if runs > 1 and self._stopped():
                return Recorded((), ()), False
            tidy()
            outcome = run_once(self._scenario, scheduler, self._conditions, traced=traced)
            return outcome.run, outcome.error is not None and kind_of(outcome.error) == kind

        return make

    def _nearest_passing(self, values: Sequence[int]) -> Timeline | None:
        """Leave out one deviation after the other, the last one first, until the run passes."""
        deviations = [at for at, value in enumerate(values) if value]
        for at in reversed(deviations):
            outcome = self._again([*values[:at], 0, *values[at + 1 :]], traced=True)
            if outcome.ending is Ending.PASSED:
                return outcome.timeline
        return None


def _difference(one: Recorded, other: Recorded) -> NotDeterministicError | None:
    """Say where two runs differ that should be the same; None: nowhere."""
    if one.traced and other.traced:
        keys = [step.action.key for step in one.steps]
        others = [step.action.key for step in other.steps]
        for number, (key, another) in enumerate(zip(keys, others, strict=False)):
            if key != another:
                return _not_the_same(f"step {number} was {key!r}, then {another!r}")
    if one.ways == other.ways:
        return None
    pairs = zip(one.ways, other.ways, strict=False)
    place = next((at for at, (n, m) in enumerate(pairs) if n != m), None)
    if place is None:
        return _not_the_same(f"there were {len(one.ways)} decisions, then {len(other.ways)}")
    ways = f"{one.ways[place]} ways to go on, then {other.ways[place]}"
    return _not_the_same(f"decision {place} had {ways}")


def _not_the_same(what: str) -> NotDeterministicError:
    return NotDeterministicError(
        f"the scenario is not deterministic: made twice with the same decisions, {what}. It may "
        "use the time of day, os.urandom(), uuid, id(), the order of a set of objects, or "
        "something that an earlier run left"
    )


def _not_again(error: BaseException) -> NotDeterministicError:
    lost = _not_the_same(f"it failed with {error!r}, then it did not")
    lost.__cause__ = error
    return lost
