"""What could happen next, and who decides: the words that loop, disks and strategies share.

A run goes from one decision to the next. At each, some actions could happen: a ready task takes its
next step, a request in flight completes, a timer fires. The scheduler picks one of them; all that
happens until the next decision is one step. What a step touched is known when it is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from blkdebug_async.explore.footprint import Footprint


class Kind(StrEnum):
    """What an action is."""

    #: A task takes a step, up to its next wait.
    TASK = "task"
    #: A request in flight takes effect and completes.
    REQUEST = "request"
    #: Time goes on to a timer, which fires.
    TIMER = "timer"
    #: What was handed to a thread or an executor is done.
    THREAD = "thread"
    #: asyncio counts one more thing that went well, and wakes somebody after the last.
    COUNT = "count"
    #: Any other callback of the loop.
    CALL = "call"
    #: The main task is over, and so is the run, whatever else could happen.
    END = "end"


class Action(NamedTuple):
    """One thing that could happen next."""

    #: Stable name, of no other action at the same decision; survives edits elsewhere in a scenario.
    key: str
    #: Whose action it is; those of one actor happen in their own order.
    actor: str
    kind: Kind
    #: What it will touch, where that is known before it happens; None: it is not.
    touches: tuple[Footprint, ...] | None = None


class RedundantRunError(Exception):
    """Whatever may still come was seen in earlier runs: leave this one as it is.

    Raised by pick() and ran() only, so it meets the loop and never the code that is explored.
    """


class Scheduler(Protocol):
    """Decides whatever could go otherwise in one run.

    One step is heard of as `pick` where there was more than one action, any number of `choose`,
    and `ran`. With a single action, or one way to go on, there is nothing to ask.
    """

    @property
    def wants_actions(self) -> bool:
        """Whether to be asked by pick() and told by ran(), the same for the whole run.

        False: how many actions there are is enough. Then pick_of() is asked instead and ran() is
        never called, so that nobody need make actions, keys and footprints.
        """
        ...

    def choose(self, n: int, key: str) -> int:
        """Pick one of n ways to go on, as Choices."""
        ...

    def pick(self, actions: Sequence[Action]) -> int:
        """Pick what happens next.

        Args:
            actions: More than one; the first is what would happen anyway. One that is not picked
                is there again the next time, with the same key, unless the step took it away.
                Valid until this returns.

        Returns:
            Its index.

        Raises:
            RedundantRunError: The run is of no use any more.
        """
        ...

    def pick_of(self, n: int) -> int:
        """Pick what happens next, of n > 1 actions that are not shown."""
        ...

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        """Hear that the step is over which began with an action, and what it touched.

        Raises:
            RedundantRunError: The run is of no use any more.
        """
        ...


def wants_touches(scheduler: Scheduler) -> bool:
    """Tell whether a scheduler wants to hear what else steps touch than bytes of disks.

    It does if it wants actions, unless its attribute `wants_touches` says otherwise. Who does not
    need not be told who uses a lock, say, which is seen by putting something into Python's classes.
    """
    return scheduler.wants_actions and bool(getattr(scheduler, "wants_touches", True))
