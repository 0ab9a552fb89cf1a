"""What a strategy is: it decides which runs are made, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from blkdebug_async.explore.actions import Scheduler
from blkdebug_async.explore.record import Recorded


class Ending(StrEnum):
    """How a run ended."""

    PASSED = "passed"
    FAILED = "failed"
    #: It was left because it had become too long.
    CUT = "cut"
    #: The scheduler left it, by RedundantRunError.
    REDUNDANT = "redundant"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was run without exception, so that it is known not to fail if no run did."""

    #: As it goes on after "no failure in": "every run with at most 2 deviations".
    claim: str
    #: Whether that is all there is.
    whole: bool = False


class Strategy(Protocol):
    """Decides which runs are made.

    The runs are made one after the other: scheduler() for the next, then heard() of it.
    """

    @property
    def exhausted(self) -> bool:
        """Whether there is no run left to make."""
        ...

    @property
    def proof(self) -> Proof | None:
        """What the runs that were heard of prove; None: nothing."""
        ...

    def scheduler(self, number: int) -> Scheduler:
        """Make the scheduler of the next run; never when exhausted.

        Args:
            number: How many runs there were before. All that chance decides hangs on this number
                and a seed, so that runs may be shared out among machines.
        """
        ...

    def heard(self, run: Recorded, ending: Ending) -> None:
        """Hear of the run whose scheduler was made last.

        Args:
            run: It need not be traced.
            ending: How it ended.
        """
        ...


class Endless:
    """What strategies share that prove nothing and never have made all their runs."""

    exhausted = False
    proof: Proof | None = None

    def heard(self, run: Recorded, ending: Ending) -> None:
        """Learn nothing."""
