"""What an exploration came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blkdebug_async.explore.record import Decision, Recorded, without_tail
from blkdebug_async.explore.strategies.replay import Divergence
from blkdebug_async.explore.timeline import Timeline
from blkdebug_async.explore.token import encode


class ExplorationError(AssertionError):
    """Some run of a scenario failed; its cause is the error of that run."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The simplest run found that fails."""

    #: Makes the same run again: replay(scenario, token).
    token: str
    #: What it raised.
    error: BaseException
    #: How many runs there were up to the first one that failed.
    runs: int
    #: The decisions that went otherwise than they would have anyway, in their order.
    deviations: tuple[Decision, ...] = field(repr=False)
    #: The same run as a list of integers.
    values: tuple[int, ...] = field(repr=False)
    #: Everything that was decided and done.
    run: Recorded = field(repr=False)
    #: The same for people.
    timeline: Timeline = field(repr=False)
    #: A run that passes and differs in as little as possible; None: none was found.
    passing: Timeline | None = field(repr=False)
    #: The list of the first run that failed, before shrinking.
    found: tuple[int, ...] = field(repr=False)
    #: How many runs shrinking took.
    shrink_runs: int
    #: Whether shrinking came to its end; else, its budget was used up.
    shrunk: bool

    def __str__(self) -> str:
        count = len(self.deviations)
        lines = [f"{type(self.error).__name__}: {self.error}".rstrip(": ")]
        times = "1 deviation" if count == 1 else f"{count} deviations"
        lines.append(f"  in run {self.runs}, with {times} from what would have happened anyway")
        lines += [f"    {describe_decision(each)}" for each in self.deviations]
        lines.append(f"  token: {self.token}")
        return "\n".join(lines)


def describe_decision(decision: Decision) -> str:
    """Say in a line what went otherwise."""
    if decision.actions:
        taken = decision.actions[decision.value].key
        return f"step {decision.step}: {taken}, instead of {decision.key}"
    return f"step {decision.step}: {decision.key} = {decision.value}"


@dataclass(frozen=True, slots=True)
class Report:
    """What an exploration came to."""

    #: The simplest run found that fails; None: none failed.
    failure: Failure | None
    #: How many runs were made, without those for shrinking and checking.
    runs: int
    #: How many steps they took.
    steps: int
    #: How many of the runs differ.
    distinct: int
    #: How long it all took.
    seconds: float
    #: Whether there is no run left that the strategy would make.
    exhausted: bool
    #: What is known not to fail, as it goes on after "no failure in"; None: nothing.
    proof: str | None
    #: Runs that were left because they had become too long.
    cut: int
    #: How likely the next run would have been one not seen yet, 0 to 1.
    newness: float
    #: What sometimes() named: whether it was true in any run.
    reached: Mapping[str, bool] = field(default_factory=dict)
    #: Whether the proof is of all that can happen.
    whole: bool = False

    def check(self) -> None:
        """Raise what was found.

        Raises:
            ExplorationError: There was a failure, something never happened, or no run came to
                an end.
        """
        if self.failure is not None:
            raise ExplorationError(str(self.failure)) from self.failure.error
        if self.never:
            raise ExplorationError(self._never_happened())
        if self.endless:
            raise ExplorationError(self._left())

    @property
    def endless(self) -> bool:
        """Whether there were runs, and all of them were left."""
        return 0 < self.runs == self.cut

    @property
    def never(self) -> tuple[str, ...]:
        """What should sometimes happen, and did in no run."""
        return tuple(name for name, reached in self.reached.items() if not reached)

    @property
    def passed(self) -> bool:
        """Whether there is nothing to complain of."""
        return self.failure is None and not self.never and not self.endless

    def _never_happened(self) -> str:
        runs = "the only run" if self.runs == 1 else f"all {self.runs} runs"
        return f"never happened, in {runs}: {', '.join(map(repr, self.never))}"

    def _left(self) -> str:
        if self.endless:
            return "no run came to an end: they were left because they had become too long"
        return f"{self.cut} of them were left because they had become too long"

    def __str__(self) -> str:
        made = f"{self.runs} run{'' if self.runs == 1 else 's'} ({self.distinct} different)"
        made += f", {self.steps} steps, {self.seconds:.1f} s"
        if self.failure is not None:
            return f"{self.failure}\n{made}"
        lines = [made]
        if self.proof is not None:
            lines.append(f"no failure in {self.proof}")
        else:
            lines.append("no failure found")
        if self.never:
            lines.append(self._never_happened())
        if self.cut:
            lines.append(self._left())
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A run that was made again."""

    #: What it raised; None: it passed.
    error: BaseException | None
    #: Everything that was decided and done.
    run: Recorded = field(repr=False)
    #: The same for people.
    timeline: Timeline = field(repr=False)
    #: Where the token does not fit the scenario any more.
    divergences: tuple[Divergence, ...]

    def failure(self) -> Failure | None:
        """Tell of it as of a failure that was found in its first run; None: it passed."""
        if self.error is None:
            return None
        return Failure(
            token=encode(self.run),
            error=self.error,
            runs=1,
            deviations=tuple(self.run.decisions[at] for at in self.run.deviations),
            values=without_tail(self.run.values),
            run=self.run,
            timeline=self.timeline,
            passing=None,
            found=self.run.values,
            shrink_runs=0,
            shrunk=True,
        )

    def check(self) -> None:
        """Raise what the run raised, with a note on where it diverged.

        Raises:
            BaseException: That of the run.
        """
        if self.error is None:
            return
        for divergence in self.divergences:
            self.error.add_note(f"The replay diverged: {divergence}")
        raise self.error
