"""What a seeded bug is: a scenario that fails only sometimes, and its fixed twin.

A scenario is deterministic but for scheduling, faults, cancellations and timers. It raises an
AssertionError or an OSError, or hangs, under some schedules; never where everything happens in the
usual order. The twin, which differs in the line that mends it, never does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Protocol

Scenario = Callable[[], Coroutine[object, object, None]]


class Needs(StrEnum):
    """The one thing without which a bug never shows; most need a schedule besides."""

    #: Tasks take their steps, and so send off their requests, in another order.
    SCHEDULE = "schedule"
    #: Requests in flight complete in another order than they were sent off.
    COMPLETION = "completion"
    #: A request fails, or a write is lost.
    FAULT = "fault"
    #: A task is cancelled at a bad moment.
    CANCEL = "cancel"
    #: A timer fires at a bad moment.
    TIMER = "timer"


class Body(Protocol):
    """A scenario of either kind."""

    def __call__(self, *, fixed: bool) -> Coroutine[object, object, None]:
        """Make a fresh coroutine: of the twin if fixed, else with the bug."""
        ...


@dataclass(frozen=True, slots=True)
class Bug:
    """A seeded bug."""

    #: Unique; begins with the family.
    name: str
    #: Makes a fresh coroutine with the bug.
    scenario: Scenario
    #: Makes a fresh coroutine without it.
    twin: Scenario
    #: What kind of storage part has it.
    kind: str
    needs: Needs
    #: Fewest decisions that must go otherwise, each request in flight and nothing being done
    #: at once; None: not known.
    known_minimum: int | None
    #: What is wrong, in one sentence.
    note: str
    #: Whether it uses a disk. Where it does not, other explorers can run it too.
    io: bool = True


def bug(
    body: Body,
    kind: str,
    needs: Needs,
    known_minimum: int | None,
    note: str,
    *,
    io: bool = True,
) -> Bug:
    """Make a Bug from one function that has both versions; it is named after the function.

    Args:
        body: The function; `lost_write` of kind `read cache` becomes `read-cache/lost-write`.
        kind: As in Bug.
        needs: As in Bug.
        known_minimum: As in Bug.
        note: As in Bug.
        io: As in Bug.
    """
    name = getattr(body, "__name__", "").replace("_", "-")
    return Bug(
        name=f"{kind.replace(' ', '-')}/{name}",
        scenario=partial(body, fixed=False),
        twin=partial(body, fixed=True),
        kind=kind,
        needs=needs,
        known_minimum=known_minimum,
        note=note,
        io=io,
    )
