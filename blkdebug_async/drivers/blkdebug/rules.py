"""What a rule says.

Plain values, checked when they are made. What rules do is the machine's business. A rule with
nothing but the fields that QEMU knows is a rule of QEMU; the rest is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field
from enum import StrEnum
from errno import EIO
from typing import Final, TypeVar

from blkdebug_async.errors import OptionError
from blkdebug_async.events import RULE_IO_TYPES, Event, IoType
from blkdebug_async.trace import RequestView
from blkdebug_async.units import SECTOR_SIZE

_Word = TypeVar("_Word", bound=StrEnum)

#: The state of a rule that applies in every state.
ANY_STATE: Final = 0
#: What an injection applies to unless told otherwise: everything but block status.
DEFAULT_IO_TYPES: Final = frozenset(RULE_IO_TYPES) - {IoType.BLOCK_STATUS}
#: Largest number that the kernel uses as an errno.
MAX_ERRNO: Final = 4095


class Phase(StrEnum):
    """A moment in the life of a request, whether or not an event is announced there.

    A truncation has the last one only: QEMU's blkdebug leaves it to the node below.
    """

    BEFORE_DRIVER = "before-driver"
    AFTER_DRIVER = "after-driver"
    BEFORE_COMPLETION = "before-completion"


@dataclass(frozen=True, slots=True)
class InjectError:
    """From an event on, fail requests."""

    event: Event
    #: 0: let the request pass, and hide later rules from it. See check_errno().
    errno: int = EIO
    #: The machine's state in which the event arms this rule; 0: any.
    state: int = ANY_STATE
    #: The kinds of request that fail.
    iotypes: Set[IoType] = DEFAULT_IO_TYPES
    #: Only requests fail that contain the first byte of this sector of 512 bytes; None: all.
    sector: int | None = None
    #: Gone for good after the first failure.
    once: bool = False
    #: Fail at once; otherwise the loop turns once before the request fails.
    immediately: bool = False
    #: Ours: only where the choices of open_disk() say so, each time that a request would fail.
    #: Left alone, none does; an exploration tries both.
    maybe: bool = False

    def __post_init__(self) -> None:
        _set(self, "event", event_named(self.event))
        _set(self, "iotypes", _io_types(self.iotypes))
        if IoType.TRUNCATE in self.iotypes:
            raise OptionError(f"No rule can name requests of kind '{IoType.TRUNCATE}'")
        if self.sector is not None and self.sector < 0:
            raise OptionError(f"sector must not be negative, but is {self.sector}")

    def matches(self, iotype: IoType, offset: int, length: int) -> bool:
        """Tell whether a piece of a request, as the driver gets it, is to fail.

        A piece without bytes (a flush) is in no sector.
        """
        if iotype not in self.iotypes:
            return False
        return self.sector is None or offset <= self.sector * SECTOR_SIZE < offset + length


@dataclass(frozen=True, slots=True)
class SetState:
    """At an event, change the state of the machine, from the next event on."""

    event: Event
    #: 0: no state at all, in which only rules for any state apply.
    new_state: int
    #: The state in which the event does so; 0: any.
    state: int = ANY_STATE
    #: Ours: only where choices say so, as in InjectError.
    maybe: bool = False

    def __post_init__(self) -> None:
        _set(self, "event", event_named(self.event))


@dataclass(frozen=True, slots=True)
class Predicate:
    """Which requests a breakpoint is for. All that is given must hold; nothing given: all.

    Where anything is asked of the request, an event that no request announced does not match.
    """

    #: The kinds of request; None: any.
    ops: Set[IoType] | None = None
    #: First byte of the range that the request, as its parent asked for it, must overlap.
    offset: int = 0
    #: Bytes in that range, > 0; None: to the end.
    length: int | None = None
    #: A node on which the request runs, or one of the requests on whose behalf it runs.
    node: str | None = None
    #: Name of the asyncio task that the request runs in.
    task: str | None = None
    #: Anything else; called only if all of the above hold, and must not change anything.
    when: Callable[[RequestView], bool] | None = field(default=None, hash=False)
    #: Of all that match, only this one, counted from 1; None: each.
    nth: int | None = None

    def __post_init__(self) -> None:
        if self.ops is not None:
            _set(self, "ops", _io_types(self.ops))
        if self.offset < 0:
            raise OptionError(f"offset must not be negative, but is {self.offset}")
        if self.length is not None and self.length <= 0:
            raise OptionError(f"length must be positive, but is {self.length}")
        if self.nth is not None and self.nth <= 0:
            raise OptionError(f"nth counts from 1, but is {self.nth}")

    def matches(self, request: RequestView | None) -> bool:
        """Tell whether a request is one of these, the count (nth) left aside."""
        if request is None:
            return not self._asks
        return (
            (self.ops is None or request.op in self.ops)
            and (self.task is None or request.task_name == self.task)
            and self._overlaps(request)
            and (self.node is None or _runs_on(request, self.node))
            and (self.when is None or self.when(request))
        )

    @property
    def _asks(self) -> bool:
        given = (self.ops, self.length, self.node, self.task, self.when)
        return self.offset > 0 or any(part is not None for part in given)

    def _overlaps(self, request: RequestView) -> bool:
        if self.offset == 0 and self.length is None:
            return True
        start = max(self.offset, request.offset)
        end = request.offset + request.length
        return start < end and (self.length is None or start < self.offset + self.length)


@dataclass(frozen=True, slots=True)
class Suspend:
    """Hold requests: a breakpoint, either at an event or at a phase."""

    #: Its name, by which it is removed and its requests are resumed.
    tag: str
    event: Event | None = None
    phase: Phase | None = None
    #: The state of the machine in which it holds requests; 0: any.
    state: int = ANY_STATE
    #: The requests that it holds; None: any, and events that no request announced too.
    predicate: Predicate | None = None
    #: It is gone after holding so many requests; None: it stays until removed. QEMU: 1.
    count: int | None = 1
    #: Only where choices say so, as in InjectError.
    maybe: bool = False

    def __post_init__(self) -> None:
        if (self.event is None) == (self.phase is None):
            raise OptionError(f"Breakpoint '{self.tag}' needs either an event or a phase")
        if self.event is not None:
            _set(self, "event", event_named(self.event))
        if self.phase is not None:
            _set(self, "phase", _named(Phase, self.phase))
        if self.count is not None and self.count <= 0:
            raise OptionError(f"count must be positive, but is {self.count}")


#: Everything that the machine can be told.
Rule = InjectError | SetState | Suspend


def event_named(name: str) -> Event:
    """Look up an event by its name in QAPI.

    Raises:
        OptionError: EINVAL; there is no such event.
    """
    return _named(Event, name)


def check_errno(errno: int) -> None:
    """Refuse an errno that no failing request could have.

    QEMU takes any number: a negative one makes a request succeed that did nothing.

    Raises:
        OptionError: EINVAL; errno is negative or above 4095.
    """
    if not 0 <= errno <= MAX_ERRNO:
        raise OptionError(f"errno must be between 0 and {MAX_ERRNO}, but is {errno}")


def _io_types(iotypes: Set[IoType]) -> frozenset[IoType]:
    """Freeze kinds of request, so that rules can be compared and hashed."""
    if iotypes is DEFAULT_IO_TYPES:
        return DEFAULT_IO_TYPES
    if not iotypes:
        raise OptionError("At least one kind of request is needed")
    return frozenset(_named(IoType, name) for name in iotypes)


def _named(words: type[_Word], name: str) -> _Word:
    if isinstance(name, words):
        return name
    try:
        return words(name)
    except ValueError:
        raise OptionError(f"invalid parameter value: {name}") from None


def _runs_on(request: RequestView, node: str) -> bool:
    """Tell whether a request or one that it serves runs on a node."""
    level: RequestView | None = request
    while level is not None:
        if level.node == node:
            return True
        level = level.parent
    return False


def _set(rule: object, name: str, value: object) -> None:
    """Give a field of a frozen value its checked form."""
    object.__setattr__(rule, name, value)
