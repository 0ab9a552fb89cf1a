from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.compat import Compat
from blkdebug_async.drivers.blkdebug.machine import RuleMachine
from blkdebug_async.drivers.blkdebug.rules import InjectError, Rule, SetState, Suspend
from blkdebug_async.events import Event, IoType

EVENTS = (Event.READ_AIO, Event.WRITE_AIO)
TAGS = ("A", "B")
STATES = st.sampled_from([0, 0, 1, 2])


@dataclass(eq=False)
class Node:
    """Rules as the specification tells of them: lists, with new ones at the head."""

    of_2018: bool
    state: int = 1
    new_state: int = 1
    rules: dict[Event, list[ModelRule]] = field(
        default_factory=lambda: {event: [] for event in EVENTS}
    )
    active: list[ModelRule] = field(default_factory=list)

    def insert(self, rule: Rule) -> None:
        assert rule.event is not None
        self.rules[rule.event].insert(0, ModelRule(rule))

    def remove(self, model: ModelRule) -> None:
        for rules in (*self.rules.values(), self.active):
            if model in rules:
                rules.remove(model)

    def event(self, event: Event) -> Iterator[list[str]]:
        """Go through the list of an event, and stop where the task goes to sleep."""
        local_state = self.new_state = self.state
        has_injected = False
        asleep: list[str] = []
        for model in list(self.rules[event]):
            rule = model.rule
            is_there = model in self.rules[event]
            if not is_there or (rule.state != 0 and rule.state != self.state):
                continue
            if isinstance(rule, InjectError):
                if not has_injected:
                    self.active = []
                has_injected = True
                if model not in self.active:
                    self.active.insert(0, model)
            elif isinstance(rule, SetState):
                local_state = self.new_state = rule.new_state
            else:
                self.remove(model)
                if self.of_2018:
                    yield [rule.tag]
                else:
                    asleep.append(rule.tag)
        self.state = self.new_state if self.of_2018 else local_state
        if asleep:
            yield asleep

    def check(self, iotype: IoType, offset: int, length: int) -> tuple[int, bool] | None:
        for model in self.active:
            rule = model.rule
            assert isinstance(rule, InjectError)
            touched = range(offset, offset + length)
            if iotype not in rule.iotypes:
                continue
            if rule.sector is not None and rule.sector * 512 not in touched:
                continue
            if rule.errno == 0:
                return None
            if rule.once:
                self.remove(model)
            return rule.errno, rule.immediately
        return None

    def remove_breakpoints(self, tag: str) -> int:
        found = [
            model
            for rules in self.rules.values()
            for model in rules
            if isinstance(model.rule, Suspend) and model.rule.tag == tag
        ]
        for model in found:
            self.remove(model)
        return len(found)

    def remove_equal(self, rule: Rule) -> bool:
        assert rule.event is not None
        equal = [model for model in self.rules[rule.event] if model.rule == rule]
        if equal:
            self.remove(equal[0])
        return bool(equal)

    def pick(self, number: int) -> Rule | None:
        there = [model.rule for rules in self.rules.values() for model in rules]
        return there[number % len(there)] if there else None


@dataclass(eq=False)
class ModelRule:
    rule: Rule


@dataclass(frozen=True)
class RemoveOne:
    """One that is there, or was there before the one that is picked was taken away."""

    pick: int


injections = st.builds(
    InjectError,
    st.sampled_from(EVENTS),
    errno=st.sampled_from([0, 1, 5, 28]),
    state=STATES,
    iotypes=st.sampled_from(
        [{IoType.READ}, {IoType.WRITE}, {IoType.READ, IoType.WRITE, IoType.FLUSH}]
    ),
    sector=st.sampled_from([None, None, 0, 1]),
    once=st.booleans(),
    immediately=st.booleans(),
)
state_changes = st.builds(SetState, st.sampled_from(EVENTS), new_state=STATES, state=STATES)
breakpoints = st.builds(Suspend, st.sampled_from(TAGS), event=st.sampled_from(EVENTS))
pieces = st.tuples(
    st.sampled_from([IoType.READ, IoType.WRITE, IoType.BLOCK_STATUS]),
    st.integers(0, 4).map(lambda sector: sector * 256),
    st.sampled_from([0, 1, 512, 1024]),
) | st.just((IoType.FLUSH, 0, 0))
steps = st.lists(
    st.sampled_from(EVENTS)
    | pieces
    | st.sampled_from(EVENTS)
    | pieces
    | breakpoints
    | breakpoints
    | injections
    | state_changes
    | st.sampled_from(TAGS)
    | st.integers(0, 3)
    | st.builds(RemoveOne, st.integers(0, 9)),
    min_size=10,
    max_size=60,
)


Step = Event | Rule | str | int | RemoveOne | tuple[IoType, int, int]


@dataclass
class Pair:
    """A machine and the model of it, told the same things."""

    machine: RuleMachine
    model: Node
    picked: Rule | None = None
    held: list[tuple[Iterator[tuple[str, ...]], Iterator[list[str]]]] = field(default_factory=list)

    def take(self, step: Step) -> None:
        if isinstance(step, Event) and self.machine.only_arms(step):
            against = self.machine.arms_against(step, IoType.WRITE, 0, 512)
            self.machine.arm(step)
            assert not against or self.machine.meets(IoType.WRITE, 0, 512)
            assert next(self.model.event(step), None) is None
        elif isinstance(step, Event):
            machine_side = iter(self.machine.on_event(step))
            self.go_on(machine_side, self.model.event(step))
        elif isinstance(step, tuple):
            met = self.machine.meets(*step)
            verdict = self.machine.verdict(*step)
            assert met or verdict is None
            given_up = None if verdict is None else (verdict.errno, verdict.immediately)
            assert given_up == self.model.check(*step)
        elif isinstance(step, str):
            assert self.machine.remove_breakpoint(step) == self.model.remove_breakpoints(step)
        elif isinstance(step, RemoveOne):
            self.picked = self.model.pick(step.pick) or self.picked
            if self.picked is not None:
                removed = self.model.remove_equal(self.picked)
                assert self.machine.remove_rule(self.picked) == removed
        elif isinstance(step, int):
            if self.held:
                self.go_on(*self.held.pop(step % len(self.held)))
        else:
            self.machine.add_rule(step)
            self.model.insert(step)
        assert self.machine.state == self.model.state
        assert bool(self.machine.armed) == bool(self.model.active)
        assert self.machine.heard == {event for event, rules in self.model.rules.items() if rules}

    def go_on(
        self, machine_side: Iterator[tuple[str, ...]], model_side: Iterator[list[str]]
    ) -> None:
        expected = next(model_side, None)
        assert next(machine_side, None) == (None if expected is None else tuple(expected))
        if expected is not None:
            self.held.append((machine_side, model_side))


@given(st.lists(injections), st.lists(state_changes), steps, st.booleans())
def test_machine_does_what_the_specification_says(
    injected: list[Rule],
    changes: list[Rule],
    taken: list[Step],
    of_2018: bool,
) -> None:
    machine = RuleMachine(injected + changes, Compat(rule_state_of_2018=of_2018))
    pair = Pair(machine, Node(of_2018))
    for rule in injected + changes:
        pair.model.insert(rule)
    for step in taken:
        pair.take(step)
