"""The words for what happens in a run: who acts, what a step does, where in the source.

Names are cut down to what tells them apart: tasks without the main task that made them all,
requests without their node if there is only one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from blkdebug_async.events import IoType
from blkdebug_async.explore.actions import Action, Kind
from blkdebug_async.explore.operation import Operation, describe_bytes
from blkdebug_async.explore.places import Place
from blkdebug_async.explore.record import Decision
from blkdebug_async.explore.timeline import Moment, Timeline
from blkdebug_async.report.source import causes_of, shown_path, stack_of

_MAIN: Final = "main"
#: What an exploration calls a request in flight; "#1" tells it from one before.
_REQUEST: Final = re.compile(r"(?P<owner>.*?): (?P<what>.+?)( on (?P<node>.+?))?")
_ORDINAL: Final = re.compile(r"#\d+$")
#: Kinds of actions that mean something in a scenario; the rest is how asyncio works.
_MEANT: Final = frozenset({Kind.TASK, Kind.REQUEST, Kind.TIMER, Kind.THREAD})


@dataclass(frozen=True, slots=True)
class Doer:
    """Whoever acts, taken from the name of an action."""

    #: Stable name of a task, or of the one that sent off, set or scheduled it; "": nobody.
    owner: str
    #: What it sent off, set or scheduled; "": it is the task itself.
    thing: str = ""
    #: On which node; "": on none.
    node: str = ""


def doer(name: str, kind: Kind) -> Doer:
    """Take apart the name of an actor.

    Args:
        name: Action.actor, or one of Moment.launched.
        kind: What it is.
    """
    if kind is Kind.TASK:
        return Doer(name)
    if kind is Kind.REQUEST and (match := _REQUEST.fullmatch(_ORDINAL.sub("", name))):
        return Doer(match["owner"], match["what"], match["node"] or "")
    owner, mark, thing = _ORDINAL.sub("", name).partition(">")
    return Doer(owner, thing) if mark else Doer("", owner)


def tells(moment: Moment) -> bool:
    """Tell whether a step says anything to people: most callbacks of the loop do not."""
    return moment.action.kind in _MEANT or moment.deviates


class Words:
    """Words for the steps of a run.

    Args:
        timeline: The run.
        others: Runs that it is compared to, which use the same words.
    """

    def __init__(self, timeline: Timeline, *others: Timeline) -> None:
        lanes = [lane for each in (timeline, *others) for lane in each.lanes()]
        doers = [doer(lane.name, lane.kind) for lane in lanes]
        self._nodes = {each.node for each in doers if each.node}
        self._paths = {each.owner for each in doers}
        self._began: defaultdict[int, list[Operation]] = defaultdict(list)
        self._ended: defaultdict[int, list[Operation]] = defaultdict(list)
        every = (timeline, *others)
        self._one_disk = len({each.disk for run in every for each in run.operations}) < 2
        self._disks = {} if self._one_disk else _disks(every)
        for operation in timeline.operations:
            if operation.step is not None:
                self._began[operation.step].append(operation)
            if operation.last_step is not None:
                self._ended[operation.last_step].append(operation)

    # --- who ---

    def task(self, path: str) -> str:
        """Name a task."""
        short = path.removeprefix(f"{_MAIN}/")
        return path if short in self._paths else short

    def noun(self, name: str, kind: Kind) -> str:
        """Name whoever acts, as in "reader's read 0+512"."""
        it = doer(name, kind)
        if not it.thing:
            return self.task(it.owner)
        thing = self.thing(name, kind)
        return f"{self.task(it.owner)}'s {thing}" if it.owner else thing

    def owner_of(self, moment: Moment) -> str:
        """Name the task whose step it is, or that sent off or set what happens in it."""
        it = doer(moment.action.actor, moment.action.kind)
        return self.task(it.owner) if it.owner else "-"

    def thing(self, name: str, kind: Kind) -> str:
        """Name what is in flight, set or scheduled, where it is known by whom."""
        it = doer(name, kind)
        match kind:
            case Kind.THREAD:
                return f"{it.thing.removeprefix('thread ')} in a thread"
            case Kind.TIMER:
                return it.thing.removeprefix("timer ").replace("Timeout._on_timeout", "timeout")
            case Kind.REQUEST:
                # Disks have the names that their operations have, too.
                where = self._disks.get(name) or (it.node if len(self._nodes) > 1 else "")
                return f"{it.thing} on {where}" if where else it.thing
            case _:
                return f"callback {it.thing}"

    # --- what ---

    def verb(self, action: Action) -> str:
        """Say what an action is, after the noun: "completes"."""
        match action.kind:
            case Kind.TASK:
                return "begins" if action.key == f"{action.actor}:0" else "goes on"
            case Kind.REQUEST:
                return "completes"
            case Kind.TIMER:
                return "is over" if doer(action.actor, action.kind).thing == "sleep" else "fires"
            case Kind.THREAD:
                return "is done"
            case _:
                return "runs"

    def sentence(self, action: Action) -> str:
        """Say what an action is: "reader's read 0+512 completes"."""
        return f"{self.noun(action.actor, action.kind)} {self.verb(action)}"

    def choice(self, decision: Decision) -> str:
        """Say what was chosen."""
        taken = "" if decision.n == 2 else f" = {decision.value} of 0 to {decision.n - 1}"
        return self.people(decision.key) + taken

    def happening(self, moment: Moment) -> str:
        """Say what happened in a step, without whose it was."""
        action = moment.action
        parts = [self.choice(each) for each in moment.choices if each.value]
        if action.kind is not Kind.TASK:
            return ", ".join(
                [*parts, f"{self.thing(action.actor, action.kind)} {self.verb(action)}"]
            )
        parts += self._requests(moment)
        if moment.raised:
            parts.append(self._end(moment))
        elif moment.after is None:
            parts.append("is over")
        elif not self._began[moment.number] and not moment.launched:
            parts += self._waits(moment)
        verb = self.verb(action)
        if not parts or verb == "begins":
            parts.insert(0, verb)
        return ", ".join(parts)

    def _waits(self, moment: Moment) -> list[str]:
        # Of a future, and of one's own, nothing is known but that.
        if moment.waits_for in ("", "a future"):
            return []
        if moment.waits_for.partition("#")[0] == f"future {moment.action.actor}":
            return ["waits"]
        return [f"waits for {self.people(moment.waits_for)}"]

    def is_quiet(self, moment: Moment) -> bool:
        """Tell whether there is nothing to say of a step but that it was taken."""
        return self.happening(moment) == self.verb(moment.action) == "goes on"

    def _end(self, moment: Moment) -> str:
        name = moment.raised.partition(":")[0]
        return "is over" if name == "CancelledError" else f"raises {name}"

    def people(self, text: str) -> str:
        """Shorten the names of tasks in a text that somebody else wrote."""
        text = text.replace("the tasks of its task group", "its task group")
        return re.sub(rf"\b{_MAIN}/[^\s,:]+", lambda found: self.task(found[0]), text)

    def _requests(self, moment: Moment) -> Iterator[str]:
        began, ended = self._began[moment.number], self._ended[moment.number]
        for operation in ended:
            yield self._result(operation, at_once=operation in began)
        for operation in began:
            if operation not in ended:
                yield self._question(operation)
        if not began:
            for name in moment.launched:
                kind = Kind.THREAD if ">thread " in name else Kind.REQUEST
                yield f"sends off {self.thing(name, kind)}"

    def _question(self, operation: Operation) -> str:
        data = ""
        if operation.op is IoType.WRITE and operation.data is not None:
            data = f" {describe_bytes(operation.data)} to"
        verb = _VERBS[operation.op][0]
        return f"{verb}{data}{self._range(operation)}"

    def _result(self, operation: Operation, *, at_once: bool) -> str:
        where = self._range(operation)
        noun = str(operation.op).replace("-", " ")
        if operation.error == "cancelled":
            return f"{noun}{where} was cancelled"
        if operation.error is not None:
            return f"{noun}{where} failed: {operation.error}"
        if operation.op is IoType.READ and operation.data is not None:
            return f"got {describe_bytes(operation.data)} from{where}"
        return self._question(operation) if at_once else f"{_VERBS[operation.op][1]}{where}"

    def _range(self, operation: Operation) -> str:
        if operation.op is IoType.FLUSH:
            return ""
        where = f" {operation.offset}+{operation.length}"
        if operation.op is IoType.TRUNCATE:
            where = f" at {operation.offset}"
        return where if self._one_disk else f"{where} on {operation.disk}"


#: What a task does with a request, and what it has done when the request is over.
_VERBS: Final = {
    IoType.READ: ("reads", "read"),
    IoType.WRITE: ("writes", "wrote"),
    IoType.WRITE_ZEROES: ("zeroes", "zeroed"),
    IoType.DISCARD: ("discards", "discarded"),
    IoType.FLUSH: ("flushes", "flushed"),
    IoType.BLOCK_STATUS: ("asks for", "knows"),
    IoType.TRUNCATE: ("truncates", "truncated"),
}


def _disks(timelines: Iterable[Timeline]) -> dict[str, str]:
    """Find of which disk the requests in flight are that tasks sent off in their operations."""
    found: dict[str, str] = {}
    for timeline in timelines:
        begun: defaultdict[str, list[Operation]] = defaultdict(list)
        for operation in timeline.operations:
            begun[operation.task].append(operation)
        for moment in timeline.moments:
            for key in moment.launched:
                # The last one that its task has begun by then.
                mine = begun[doer(key, Kind.REQUEST).owner]
                at = bisect_right(mine, moment.number, key=lambda each: each.step or 0)
                if at:
                    found[key] = mine[at - 1].disk
    return found


# --- where ---


def story_place(place: Place) -> Place:
    """Give the line that tells people most: in the file of the task's own function, not a helper's.

    Args:
        place: Where a task is.
    """
    stack = stack_of(place)
    return next(each for each in reversed(stack) if each.file == stack[0].file)


def line_of(place: Place) -> str:
    """Write a place as "file:line: code", the file as seen from the working directory."""
    return f"{shown_path(place.file)}:{place.line}: {place.text}".removesuffix(": ")


def whose_error(timeline: Timeline, error: BaseException) -> Moment | None:
    """Find the step in which the error of a run was raised; None: in none that is known."""
    texts = {f"{type(each).__name__}: {each}".removesuffix(": ") for each in causes_of(error)}
    return next((each for each in timeline.moments if each.raised in texts), None)
