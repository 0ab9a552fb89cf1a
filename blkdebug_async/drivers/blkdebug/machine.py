"""The rule machine: events and requests go in, verdicts and tags come out.

Each event has its rules. When it is announced they are visited, the newest first. An injection
that applies in the current state joins the armed ones, after the first of an event has thrown
out all that earlier events armed. A state change counts from the next event on. A breakpoint is
used up, and the request is to be held under its tag. As configured rules are added in the order
of the configuration, and visiting and arming each turn the order round, requests meet the armed
rules in the order of the configuration, while of two state changes the first one stays.

Armed rules meet all requests, until another event arms others or their turn is over.

Where a rule that may or may not fire would, choices are asked; if it does not, it is as if it had
not been for this request.

No asyncio in here. Waiting, delaying and raising are the driver's business.

QEMU: block/blkdebug.c, blkdebug_co_debug_event() and rule_check().
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Set
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeVar, assert_never

from blkdebug_async.compat import SAFE, Compat
from blkdebug_async.drivers.blkdebug.rules import (
    ANY_STATE,
    InjectError,
    Phase,
    Rule,
    SetState,
    Suspend,
    check_errno,
)
from blkdebug_async.events import Event, IoType
from blkdebug_async.explore.choices import Choices, Unchanged
from blkdebug_async.trace import RequestView

_Key = TypeVar("_Key")
#: The state of a new machine.
FIRST_STATE: Final = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a request is to end without reaching the node below."""

    #: A positive errno; negative (only with compat.any_errno): succeed without doing anything.
    errno: int
    #: Do it now; otherwise the loop turns once before.
    immediately: bool


class RuleMachine:
    """Rules, and what became of them.

    Args:
        rules: In the order of the configuration, all injections before all state changes.
        compat: Which QEMU to follow where it is surprising.
        choices: Decides about rules that may or may not fire; None: they do not.
        name: What choices are told whose rules these are.

    Raises:
        OptionError: EINVAL; a rule has an impossible errno.
    """

    def __init__(
        self,
        rules: Iterable[Rule] = (),
        compat: Compat = SAFE,
        choices: Choices | None = None,
        name: str = "blkdebug",
    ) -> None:
        self._compat = compat
        self._choices = choices or Unchanged()
        self._name = name
        self._state = FIRST_STATE
        self._next_state = FIRST_STATE
        # Dictionaries used as ordered sets, oldest first; a key without rules is not there.
        self._rules: dict[Event | Phase, dict[_Entry, None]] = {}
        self._heard: set[Event] = set()
        # Those of them that do no more than arm injections.
        self._arming: set[Event] = set()
        self._tagged: dict[str, dict[_Entry, None]] = {}
        # Where a rule was ever removed by its value: each value to the rules that have it.
        self._alike: dict[Event | Phase, dict[Rule, dict[_Entry, None]]] = {}
        # The last one armed is asked first.
        self._armed: dict[_Entry, InjectError] = {}
        for rule in rules:
            self.add_rule(rule)

    @property
    def state(self) -> int:
        """The current state; 1 at first."""
        return self._state

    @property
    def heard(self) -> Set[Event]:
        """The events for which there is any rule: always the same set, which changes with them."""
        return self._heard

    @property
    def armed(self) -> Collection[object]:
        """What verdict() asks: always the same object; while it is empty, verdict() is None."""
        return self._armed

    @property
    def has_breakpoints(self) -> bool:
        """Whether there is any breakpoint."""
        return bool(self._tagged)

    def watches_phase(self, phase: Phase) -> bool:
        """Tell whether any breakpoint is for a phase."""
        return phase in self._rules

    # --- rules come and go ---------------------------------------------------------------------

    def add_rule(self, rule: Rule) -> None:
        """Add a rule. It is visited before all that are there; an equal one stays another one.

        Raises:
            OptionError: EINVAL; its errno is impossible, and compat.any_errno is off.
        """
        if isinstance(rule, InjectError) and not self._compat.any_errno:
            check_errno(rule.errno)
        entry = _Entry(rule)
        place = _place(rule)
        self._rules.setdefault(place, {})[entry] = None
        if place in self._alike:
            self._alike[place].setdefault(rule, {})[entry] = None
        if isinstance(place, Event):
            self._heard.add(place)
            if not isinstance(rule, InjectError):
                self._arming.discard(place)
            elif len(self._rules[place]) == 1:
                self._arming.add(place)
        if isinstance(rule, Suspend):
            self._tagged.setdefault(rule.tag, {})[entry] = None

    def remove_rule(self, rule: Rule) -> bool:
        """Remove the newest rule that equals this one; armed, it is disarmed.

        Returns:
            Whether there was one.
        """
        alike = self._alike_at(_place(rule)).get(rule)
        if alike is None:
            return False
        self._discard(next(reversed(alike)))
        return True

    def _alike_at(self, place: Event | Phase) -> dict[Rule, dict[_Entry, None]]:
        """Find the rules of an event or a phase by their values."""
        if place not in self._rules:
            return {}
        if place not in self._alike:
            alike = self._alike[place] = {}
            for entry in self._rules[place]:
                alike.setdefault(entry.rule, {})[entry] = None
        return self._alike[place]

    def remove_breakpoint(self, tag: str) -> int:
        """Remove all breakpoints with a tag. Requests already held are not the machine's.

        Returns:
            How many there were.
        """
        entries = tuple(self._tagged.get(tag, ()))
        for entry in entries:
            self._discard(entry)
        return len(entries)

    def remove_all_breakpoints(self) -> None:
        """Remove every breakpoint; other rules stay."""
        for tag in tuple(self._tagged):
            self.remove_breakpoint(tag)

    def unused(self) -> list[Rule]:
        """List the rules that have done nothing so far, those of an event in the order given.

        An injection has done something once a request met it, a state change when it applied,
        a breakpoint when it held a request. Rules that were removed are not listed.
        """
        entries = chain.from_iterable(self._rules.values())
        return [entry.rule for entry in entries if not entry.matches]

    # --- events and requests -------------------------------------------------------------------

    def on_event(
        self, event: Event, request: RequestView | None = None
    ) -> Iterable[tuple[str, ...]]:
        """Apply the rules of an event.

        Args:
            event: What is announced.
            request: On whose behalf; None: nobody's.

        Returns:
            Groups of tags, none as a rule: the request is to be held under all tags of a group
            at once, before the next group is asked for. There is one group at most, and all is
            done on return. With compat.rule_state_of_2018 each tag is a group, and the rules
            behind its breakpoint wait with the request.
        """
        entries = self._rules.get(event)
        if entries is None:
            return ()
        tags = self._visit(tuple(reversed(entries)), request)
        if not self._compat.rule_state_of_2018:
            held = tuple(tags)
            return (held,) if held else ()
        first = next(tags, None)
        return () if first is None else ((tag,) for tag in chain((first,), tags))

    def only_arms(self, event: Event) -> bool:
        """Tell whether an event that is heard does nothing but arm injections."""
        return event in self._arming

    def arms_against(self, event: Event, iotype: IoType, offset: int, length: int) -> bool:
        """Tell whether an event that only arms would arm a rule for a piece of a request."""
        return any(
            isinstance(rule := entry.rule, InjectError)
            and self._applies(entry)
            and rule.matches(iotype, offset, length)
            for entry in self._rules[event]
        )

    def arm(self, event: Event) -> None:
        """Apply the rules of an event that only arms: on_event() in short."""
        armed = self._armed
        # As the start of any visit; of 2018, one that is held has its state overwritten by this.
        self._next_state = self._state
        arms = False
        for entry in reversed(self._rules[event]):
            rule = entry.rule
            if isinstance(rule, InjectError) and self._applies(entry):
                if not arms:
                    armed.clear()
                    arms = True
                armed[entry] = rule

    def meets(self, iotype: IoType, offset: int, length: int) -> bool:
        """Tell, without asking for a verdict, whether an armed rule is for a piece of a request."""
        return any(rule.matches(iotype, offset, length) for rule in self._armed.values())

    def on_phase(self, phase: Phase, request: RequestView) -> tuple[str, ...]:
        """Apply the breakpoints of a phase.

        Returns:
            The tags under which the request is to be held, all at once.
        """
        entries = self._rules.get(phase)
        if entries is None:
            return ()
        return tuple(
            rule.tag
            for entry in tuple(reversed(entries))
            if isinstance(rule := entry.rule, Suspend)
            and self._applies(entry)
            and self._holds(entry, rule, request)
        )

    def verdict(self, iotype: IoType, offset: int, length: int) -> Verdict | None:
        """Ask whether a piece of a request, as the driver gets it, is to fail.

        Args:
            iotype: What it does.
            offset: First byte; 0 if there is none.
            length: Bytes; 0 if there are none, as for a flush.

        Returns:
            How it is to end; None: it is to reach the node below.
        """
        for entry, rule in reversed(self._armed.items()):
            if rule.matches(iotype, offset, length) and (
                not rule.maybe or self._happens(entry, iotype)
            ):
                return self._inject(entry, rule)
        return None

    def _inject(self, entry: _Entry, rule: InjectError) -> Verdict | None:
        entry.matches += 1
        # In QEMU 7.2, rule_check(), a rule with errno 0 shields the request from later rules,
        # and is not used up by that even if it is for once.
        if rule.errno == 0:
            return None
        if rule.once:
            self._discard(entry)
        return Verdict(rule.errno, rule.immediately)

    def _visit(self, entries: tuple[_Entry, ...], request: RequestView | None) -> Iterator[str]:
        """Apply rules, giving the tag of each breakpoint that holds the request.

        Run to its end without a pause, this is the event of QEMU 7.2, of which no other sees a
        half. Of 2018 it is with pauses: what other events then do to the state is seen here, and
        what they removed is gone (QEMU went on to read freed memory).
        """
        self._next_state = self._state
        arms = False
        for entry in entries:
            rule = entry.rule
            if not self._applies(entry):
                continue
            match rule:
                case InjectError():
                    if not arms:
                        self._armed.clear()
                        arms = True
                    self._armed[entry] = rule
                case SetState():
                    if not rule.maybe or self._happens(
                        entry, None if request is None else request.op
                    ):
                        entry.matches += 1
                        self._next_state = rule.new_state
                case Suspend():
                    if self._holds(entry, rule, request):
                        yield rule.tag
                case _:
                    assert_never(rule)
        self._state = self._next_state

    def _applies(self, entry: _Entry) -> bool:
        return not entry.gone and entry.rule.state in (ANY_STATE, self._state)

    def _holds(self, entry: _Entry, rule: Suspend, request: RequestView | None) -> bool:
        """Count a visit of a breakpoint, and tell whether it holds the request."""
        nth = None
        if rule.predicate is not None:
            if not rule.predicate.matches(request):
                return False
            nth = rule.predicate.nth
        entry.seen += 1
        if nth is not None and entry.seen < nth:
            return False
        if rule.maybe and not self._happens(entry, None if request is None else request.op):
            if nth is not None:
                self._discard(entry)
            return False
        entry.matches += 1
        if nth is not None or entry.matches == rule.count:
            self._discard(entry)
        return True

    def _happens(self, entry: _Entry, op: IoType | None) -> bool:
        """Ask choices whether a rule fires that may or may not do so."""
        entry.asked += 1
        on = "" if op is None else f" on {op}"
        key = f"{self._name}: {_describe(entry.rule)}{on} #{entry.asked}"
        return self._choices.choose(2, key) == 1

    def _discard(self, entry: _Entry) -> None:
        """Forget a rule everywhere."""
        entry.gone = True
        rule = entry.rule
        place = _place(rule)
        _drop(self._rules, place, entry)
        if place in self._alike:
            _drop(self._alike[place], rule, entry)
            if not self._alike[place]:
                del self._alike[place]
        if isinstance(place, Event):
            self._look_again_at(place, rule)
        self._armed.pop(entry, None)
        if isinstance(rule, Suspend):
            _drop(self._tagged, rule.tag, entry)

    def _look_again_at(self, event: Event, removed: Rule) -> None:
        entries = self._rules.get(event)
        if entries is None:
            self._heard.remove(event)
            self._arming.discard(event)
        elif not isinstance(removed, InjectError) and all(
            isinstance(entry.rule, InjectError) for entry in entries
        ):
            self._arming.add(event)


def _place(rule: Rule) -> Event | Phase:
    """Give the event or phase that a rule waits for."""
    if isinstance(rule, Suspend):
        place = rule.event or rule.phase
        assert place is not None
        return place
    return rule.event


def _describe(rule: Rule) -> str:
    """Name a rule for choices, the same from run to run."""
    match rule:
        case InjectError():
            where = "" if rule.sector is None else f" in sector {rule.sector}"
            return f"inject-error {rule.errno} at {rule.event}{where}"
        case SetState():
            return f"set-state {rule.new_state} at {rule.event}"
        case Suspend():
            return f"break {rule.tag}"
        case _:
            assert_never(rule)


def _drop(table: dict[_Key, dict[_Entry, None]], key: _Key, entry: _Entry) -> None:
    """Take an entry out of an ordered set, and the set out of its table when it is empty."""
    entries = table[key]
    del entries[entry]
    if not entries:
        del table[key]


@dataclass(slots=True, eq=False)
class _Entry:
    """A rule in a machine."""

    rule: Rule
    #: How often it did what it is for.
    matches: int = 0
    #: How many requests a breakpoint has counted towards its nth.
    seen: int = 0
    #: How often choices were asked about it.
    asked: int = 0
    gone: bool = False
