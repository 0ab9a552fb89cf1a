"""What all nodes of one tree share: request numbers, the observer, choices, compat switches."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Final

from blkdebug_async.compat import SAFE, Compat
from blkdebug_async.explore.choices import Choices, Unchanged
from blkdebug_async.trace import Observer

#: The choices of whoever was given none.
UNCHANGED: Final = Unchanged()


class Context:
    """Shared by the nodes of one tree; one per tree, handed to each node."""

    __slots__ = ("choices", "compat", "drains", "next_id", "observer")

    def __init__(
        self,
        *,
        compat: Compat = SAFE,
        choices: Choices | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.compat = compat
        self.choices = choices or UNCHANGED
        #: Hears of every request; None costs one test per trace point.
        self.observer = observer
        #: One event per drain that waits, oldest first; the values mean nothing. See nudge().
        self.drains: dict[asyncio.Event, None] = {}
        #: Gives the number of the next request.
        self.next_id = count(1).__next__

    def wake_one(self, waiters: list[asyncio.Event], key: str) -> None:
        """Wake one waiter and take it out: the oldest, unless choices say otherwise.

        Args:
            waiters: At least one, oldest first.
            key: A stable name of what they wait for.
        """
        waiters.pop(self.pick(len(waiters), key)).set()

    def pick(self, count: int, key: str) -> int:
        """Let choices pick one of so many, which only they need to be asked about from two on."""
        return self.choices.choose(count, key) if count > 1 else 0

    def nudge(self) -> None:
        """Let waiting drains look again: a node has become idle or a request was suspended."""
        for event in self.drains:
            event.set()
