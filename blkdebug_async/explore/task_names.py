"""Stable names for what acts in an explored run: tasks by who made them, callbacks by who asked.

A name survives edits elsewhere in a scenario: it holds the maker's name, what the thing is called
in the source, and a number only where one maker made several of the same name. `Task-17`, which
counts all tasks of the process, is never one.
"""

from __future__ import annotations

import asyncio
import functools
from contextvars import Context
from typing import Final

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.footprint import Footprint, Touch, sync_footprint

#: Where a task keeps its Actor: no table would know when the task is gone.
_ATTRIBUTE: Final = "_explored_as"


class Actor:
    """Somebody who acts, and how often it has done so."""

    __slots__ = ("_changed", "_counts", "_label", "_looked", "_maker", "action", "path", "steps")

    def __init__(self, path: str, maker: Actor | None = None, label: str = "") -> None:
        #: Stable name; empty for what is outside of all tasks.
        self.path = path
        #: How many steps it has begun.
        self.steps = 0
        #: Its next step, once somebody has asked for it.
        self.action: Action | None = None
        self._counts: dict[str, int] = {}
        # Who made it, and what that one called it before it was numbered.
        self._maker = maker
        self._label = label
        self._looked: Footprint | None = None
        self._changed: Footprint | None = None

    @property
    def looked(self) -> Footprint:
        """Footprint of looking whether it is done; a step of it has that too."""
        if self._looked is None:
            self._looked = sync_footprint(f"task {self.path}", Touch.READ)
        return self._looked

    @property
    def changed(self) -> Footprint:
        """Footprint of waking it, cancelling it, or of its end."""
        if self._changed is None:
            self._changed = sync_footprint(f"task {self.path}")
        return self._changed

    def number(self, label: str) -> str:
        """Tell apart things of one name that this actor made: `name`, `name#1`, `name#2`."""
        count = self._counts.get(label, 0)
        self._counts[label] = count + 1
        return f"{label}#{count}" if count else label

    def make(self, label: str) -> Actor:
        """Name a task that this actor has made."""
        return Actor(self._below(self.number(label)), self, label)

    def _below(self, label: str) -> str:
        return f"{self.path}/{label}" if self.path else label

    def rename(self, label: str) -> None:
        """Take another name, as long as nobody can have asked for the first one."""
        maker = self._maker
        if maker is not None and not self.steps and self.action is None:
            maker._counts[self._label] -= 1
            self._label = label
            self.path = maker._below(maker.number(label))
            self._looked = self._changed = None

    def own(self, what: str) -> str:
        """Name a thing of another sort that this actor made, such as a callback."""
        return self.number(f"{self.path}>{what}" if self.path else what)


def actor_of(task: asyncio.Task[object]) -> Actor | None:
    """Look up who a task is; None: nobody has named it."""
    actor: Actor | None = getattr(task, _ATTRIBUTE, None)
    return actor


def name_task(task: asyncio.Task[object], actor: Actor) -> None:
    """Let a task be known as an actor."""
    setattr(task, _ATTRIBUTE, actor)


def path_of(task: asyncio.Task[object]) -> str:
    """Name a task for people, also one that nobody has named."""
    actor = actor_of(task)
    return short_name(task.get_coro()) if actor is None else actor.path


def short_name(thing: object) -> str:
    """Tell what a function, coroutine or other thing is called where it is defined."""
    while isinstance(thing, functools.partial):
        # asyncio.to_thread() runs what it was given in a copy of the context.
        in_context = isinstance(getattr(thing.func, "__self__", None), Context) and thing.args
        thing = thing.args[0] if in_context else thing.func
    name = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    return str(name).rpartition("<locals>.")[2]
