"""A run told to people: who took which step, when, where in the source, and instead of whom."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.deadlock import describe_wait
from blkdebug_async.explore.footprint import Footprint
from blkdebug_async.explore.operation import Operation
from blkdebug_async.explore.places import Place, first_place, waiting_place
from blkdebug_async.explore.record import Decision, Recorded


@dataclass(frozen=True, slots=True)
class Moment:
    """One step of a run."""

    #: From 0 on; as Decision.step counts.
    number: int
    #: What it began with.
    action: Action
    #: Virtual time, in seconds.
    time: float
    #: Where its task waited before, or begins; None: it is no task's.
    before: Place | None
    #: Where its task waits now; None: it is over, or it is no task's.
    after: Place | None
    #: What its task waits for now, in words; "": it waits for nothing.
    waits_for: str
    #: What it touched.
    touched: tuple[Footprint, ...]
    #: Keys of the requests, and of the work for threads, that it sent off.
    launched: tuple[str, ...]
    #: Why it was this one; None: nothing else was possible.
    decision: Decision | None
    #: What else was decided in it.
    choices: tuple[Decision, ...]
    #: What its task ended with, as "AssertionError: words"; "": it went on, or just returned.
    raised: str = ""

    @property
    def deviates(self) -> bool:
        """Whether something went otherwise than it would have anyway."""
        picked = self.decision is not None and self.decision.value != 0
        return picked or any(choice.value for choice in self.choices)


@dataclass(frozen=True, slots=True)
class Lane:
    """Somebody who acts: a task, or a request."""

    name: str
    kind: Kind
    #: Number of the step that sent it off, for what goes into flight; else of its first step.
    begins: int
    #: Number of its last step; None: it never came to it.
    ends: int | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """One run, from its first step to its last."""

    moments: tuple[Moment, ...]
    #: What was asked of disks, in the order in which it began.
    operations: tuple[Operation, ...] = ()

    def lanes(self) -> tuple[Lane, ...]:
        """List who acts, in the order in which they begin."""
        begins: dict[str, tuple[Kind, int]] = {}
        ends: dict[str, int] = {}
        for moment in self.moments:
            actor = moment.action.actor
            begins.setdefault(actor, (moment.action.kind, moment.number))
            ends[actor] = moment.number
            for key in moment.launched:
                begins.setdefault(key, (Kind.REQUEST, moment.number))
        return tuple(
            Lane(name, kind, begin, ends.get(name)) for name, (kind, begin) in begins.items()
        )


@dataclass(slots=True)
class _Seen:
    """What was seen of a step when it was over."""

    action: Action
    time: float
    before: Place | None
    after: Place | None
    waits_for: str
    touched: tuple[Footprint, ...]
    launched: tuple[str, ...]
    raised: str


@dataclass(slots=True)
class Watching:
    """Watches a run and makes its timeline.

    Args:
        loop: The loop of the run.
    """

    loop: asyncio.AbstractEventLoop
    _seen: list[_Seen] = field(default_factory=list)
    _launched: list[str] = field(default_factory=list)
    _places: dict[str, Place | None] = field(default_factory=dict)

    def launched(self, action: Action) -> None:
        """Hear that something goes into flight."""
        self._launched.append(action.key)

    def stepped(
        self,
        action: Action,
        task: asyncio.Task[object] | None,
        touched: tuple[Footprint, ...],
    ) -> None:
        """Hear that a step is over."""
        before = after = None
        waits_for = raised = ""
        if task is not None:
            coroutine = task.get_coro()
            before = self._places.get(action.actor) or _beginning(coroutine)
            if task.done():
                raised = _end_of(task)
            else:
                after = waiting_place(coroutine)
                waits_for = describe_wait(task).what
            self._places[action.actor] = after
        launched, self._launched = tuple(self._launched), []
        # Not asked by time(): that would be a touch.
        now: float = getattr(self.loop, "_now", 0.0)
        self._seen.append(_Seen(action, now, before, after, waits_for, touched, launched, raised))

    def timeline(self, run: Recorded, operations: Iterable[Operation] = ()) -> Timeline:
        """Put together what was seen, and what was decided.

        Args:
            run: The same run, traced.
            operations: What was asked of disks in it.
        """
        decided: defaultdict[int, list[Decision]] = defaultdict(list)
        for decision in run.decisions:
            decided[decision.step].append(decision)
        return Timeline(
            tuple(_moment(number, seen, decided[number]) for number, seen in enumerate(self._seen)),
            tuple(operations),
        )


def _moment(number: int, seen: _Seen, decided: Sequence[Decision]) -> Moment:
    picked = next((each for each in decided if each.actions), None)
    return Moment(
        number=number,
        action=seen.action,
        time=seen.time,
        before=seen.before,
        after=seen.after,
        waits_for=seen.waits_for,
        touched=seen.touched,
        launched=seen.launched,
        decision=picked,
        choices=tuple(each for each in decided if not each.actions),
        raised=seen.raised,
    )


def _beginning(coroutine: object) -> Place | None:
    code = getattr(coroutine, "cr_code", None) or getattr(coroutine, "gi_code", None)
    return None if code is None else first_place(code)


def _end_of(task: asyncio.Task[object]) -> str:
    if task.cancelled():
        return "CancelledError"
    # Not asked by exception(): then nobody would hear of an error that nobody asks for.
    error: BaseException | None = getattr(task, "_exception", None)
    return "" if error is None else f"{type(error).__name__}: {error}".removesuffix(": ")
