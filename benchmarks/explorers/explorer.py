"""What every explorer is asked for here: look for a failure, and tell what that took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from benchmarks.bugs.bug import Bug

#: A run with more steps counts as endless.
MOST_STEPS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Budget:
    """Where an explorer has to stop, whichever comes first."""

    #: Seconds of one core.
    seconds: float
    runs: int


@dataclass(frozen=True, slots=True)
class Search:
    """What became of looking for a failure."""

    #: What failed, in one line; "": nothing did.
    error: str
    #: Runs that were made, the failing one included.
    runs: int
    #: Seconds of one core up to there, without shrinking.
    seconds: float
    #: Whether there were no more runs to make.
    exhausted: bool = False
    #: What that proves, in words; "": nothing.
    proof: str = ""
    #: Deviations of the failure when it was found, and when it was shrunk; None: not known.
    found_deviations: int | None = None
    deviations: int | None = None
    #: Runs that shrinking took.
    shrink_runs: int = 0

    @property
    def failed(self) -> bool:
        """Whether a failure was found."""
        return bool(self.error)


class UnfitError(Exception):
    """A scenario turns out to be one that an explorer cannot run."""


class Explorer(Protocol):
    """Looks for failures in scenarios."""

    #: As it is called in tables and options.
    name: str
    #: Whether another seed makes other runs.
    by_chance: bool

    def cannot(self, bug: Bug) -> str:
        """Say why it cannot run a scenario; "": it can."""
        ...

    def search(self, bug: Bug, seed: int, budget: Budget, *, twin: bool, shrink: bool) -> Search:
        """Run a scenario, or its twin, until it fails or the budget is used up.

        Raises:
            UnfitError: It cannot run it after all.
        """
        ...


def in_a_line(error: BaseException) -> str:
    """Tell of a failure in one line."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}"[:100]
