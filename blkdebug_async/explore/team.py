"""Those who make runs elsewhere: what is asked of them, and what they answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Protocol, TypeAlias

from blkdebug_async.explore.actions import Scheduler
from blkdebug_async.explore.batches import Answer, Trouble, pack_schedulers
from blkdebug_async.explore.run import Outcome


@dataclass(slots=True, eq=False)
class Begun:
    """A run that was begun, and that the strategy has not heard of."""

    #: How many runs were begun before.
    number: int
    scheduler: Scheduler
    #: How it ended; None: nobody knows yet.
    outcome: Outcome | None = None
    #: Whether it raised what is passed on.
    raised: bool = False
    #: What that was, if it was made in this process.
    error: BaseException | None = None

    @property
    def over(self) -> bool:
        """Whether it was made."""
        return self.raised or self.outcome is not None


@dataclass(slots=True, eq=False)
class Batch:
    """Some runs that are made one after the other by one worker."""

    runs: Sequence[Begun]
    #: Their schedulers, packed before anything is decided.
    packed: bytes = field(init=False)
    #: How many workers have ended without an answer.
    losses: int = 0

    def __post_init__(self) -> None:
        self.packed = pack_schedulers([run.scheduler for run in self.runs])


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker ended before it could answer."""

    #: "it was killed by SIGSEGV", say.
    how: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The whole team is gone."""

    why: str


Reply: TypeAlias = Answer | Lost | Broken | Trouble


class Team(Protocol):
    """Makes batches of runs, several at a time."""

    @property
    def answers(self) -> SimpleQueue[tuple[Batch, Reply]]:
        """Where answers come in, in any order, one for each batch."""
        ...

    @property
    def wanted(self) -> int:
        """How many batches to have under way, >= 1, so that nobody waits for work."""
        ...

    def send(self, batch: Batch) -> None:
        """Have a batch made."""
        ...

    def close(self) -> None:
        """Drop what is under way, and see that nothing of it is left."""
        ...
