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
    """Decides which runs are made, and in which order.

    Whoever makes them one after the other asks for a scheduler(), then tells what was heard() of
    its run, until the strategy is exhausted. Runs may also be made ahead, several at a time: as
    long as the strategy is not blocked, there may be schedulers of more runs, and these are heard
    of in the same order in which their schedulers were made. The runs are the same then, one by
    one; but once the strategy is exhausted, those that were not heard of yet are too many: one
    after the other they would not have been made. They are thrown away, and not told.
    """

    @property
    def exhausted(self) -> bool:
        """Whether there is no run left to make, after those that were heard of."""
        ...

    @property
    def blocked(self) -> bool:
        """Whether no further run is known as long as nothing more is heard.

        Never when all runs were heard of and the strategy is not exhausted.
        """
        ...

    @property
    def serial(self) -> bool:
        """Whether the next run must be made in this process.

        Its scheduler shares state with the strategy then. All others can be pickled, as long as
        they have decided nothing.
        """
        ...

    @property
    def proof(self) -> Proof | None:
        """What the runs that were heard of prove; None: nothing."""
        ...

    def scheduler(self, number: int) -> Scheduler:
        """Make the scheduler of the next run; never when exhausted or blocked.

        Args:
            number: How many runs there were before, heard of or not. All that chance decides hangs
                on this number and a seed, so that runs may be shared out among machines.
        """
        ...

    def heard(self, run: Recorded, ending: Ending) -> None:
        """Hear of a run: of all those not heard of yet, the one whose scheduler was made first.

        Args:
            run: It need not be traced.
            ending: How it ended.
        """
        ...


class Endless:
    """What strategies share that prove nothing and never have made all their runs."""

    exhausted = False
    blocked = False
    serial = False
    proof: Proof | None = None

    def heard(self, run: Recorded, ending: Ending) -> None:
        """Learn nothing."""
