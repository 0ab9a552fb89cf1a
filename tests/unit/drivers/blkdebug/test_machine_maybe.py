from __future__ import annotations

from dataclasses import dataclass, field
from errno import EIO, ENOSPC

from blkdebug_async.drivers.blkdebug.machine import FIRST_STATE, RuleMachine
from blkdebug_async.drivers.blkdebug.rules import (
    InjectError,
    Phase,
    Predicate,
    Rule,
    SetState,
    Suspend,
)
from blkdebug_async.events import Event, IoType
from tests.unit.drivers.blkdebug.fakes import FakeRequest

READ, WRITE = Event.READ_AIO, Event.WRITE_AIO


@dataclass
class Answers:
    """Choices that were made beforehand; 0 when there are no more."""

    answers: list[int]
    keys: list[str] = field(default_factory=list)

    def choose(self, n: int, key: str) -> int:
        assert n == 2
        self.keys.append(key)
        return self.answers.pop(0) if self.answers else 0


def machine_of(rule: Rule, *others: Rule, answers: list[int]) -> tuple[RuleMachine, Answers]:
    choices = Answers(answers)
    return RuleMachine((rule, *others), choices=choices, name="disk"), choices


def errnos(machine: RuleMachine, times: int) -> list[int | None]:
    verdicts = [machine.verdict(IoType.READ, 0, 512) for _ in range(times)]
    return [None if verdict is None else verdict.errno for verdict in verdicts]


def test_an_injection_that_may_fire_does_so_where_choices_say_so() -> None:
    machine, choices = machine_of(InjectError(READ, maybe=True), answers=[0, 1, 0, 1])
    machine.on_event(READ)
    assert errnos(machine, 5) == [None, EIO, None, EIO, None]
    assert choices.keys[:2] == [
        "disk: inject-error 5 at read_aio on read #1",
        "disk: inject-error 5 at read_aio on read #2",
    ]


def test_it_never_fires_where_nobody_chooses() -> None:
    machine = RuleMachine([InjectError(READ, maybe=True)])
    machine.on_event(READ)
    assert errnos(machine, 2) == [None, None]


def test_nobody_is_asked_about_a_request_that_a_rule_is_not_for() -> None:
    machine, choices = machine_of(InjectError(READ, sector=8, maybe=True), answers=[1])
    machine.on_event(READ)
    assert errnos(machine, 1) == [None]
    assert machine.verdict(IoType.READ, 8 * 512, 512) is not None
    assert choices.keys == ["disk: inject-error 5 at read_aio in sector 8 on read #1"]


def test_once_counts_from_when_it_fires() -> None:
    machine, _ = machine_of(InjectError(READ, once=True, maybe=True), answers=[0, 1, 1])
    machine.on_event(READ)
    assert errnos(machine, 3) == [None, EIO, None]


def test_where_it_does_not_fire_the_next_rule_may() -> None:
    second = InjectError(READ, errno=ENOSPC)
    machine, _ = machine_of(InjectError(READ, maybe=True), second, answers=[0, 1])
    machine.on_event(READ)
    assert errnos(machine, 2) == [ENOSPC, EIO]


def test_whoever_only_asks_whether_a_rule_is_for_a_request_decides_nothing() -> None:
    machine, choices = machine_of(InjectError(READ, maybe=True), answers=[1])
    machine.arm(READ)
    assert machine.meets(IoType.READ, 0, 512)
    assert choices.keys == []


def test_a_state_changes_where_choices_say_so() -> None:
    machine, choices = machine_of(SetState(WRITE, 2, maybe=True), answers=[0, 1])
    machine.on_event(WRITE)
    assert (machine.state, len(machine.unused())) == (FIRST_STATE, 1)
    machine.on_event(WRITE, FakeRequest())
    assert (machine.state, machine.unused()) == (2, [])
    assert choices.keys == [
        "disk: set-state 2 at write_aio #1",
        "disk: set-state 2 at write_aio on write #2",
    ]


def test_a_breakpoint_holds_requests_where_choices_say_so() -> None:
    machine, choices = machine_of(Suspend(tag="a", event=WRITE, maybe=True), answers=[0, 1])
    assert machine.on_event(WRITE, FakeRequest()) == ()
    assert machine.on_event(WRITE, FakeRequest()) == (("a",),)
    assert machine.on_event(WRITE, FakeRequest()) == ()
    assert choices.keys == ["disk: break a on write #1", "disk: break a on write #2"]


def test_a_breakpoint_at_a_phase_may_hold_too() -> None:
    rule = Suspend(tag="a", phase=Phase.BEFORE_DRIVER, count=None, maybe=True)
    machine, _ = machine_of(rule, answers=[0, 1])
    assert machine.on_phase(Phase.BEFORE_DRIVER, FakeRequest()) == ()
    assert machine.on_phase(Phase.BEFORE_DRIVER, FakeRequest()) == ("a",)


def test_a_breakpoint_for_one_request_is_gone_if_it_did_not_hold_that_one() -> None:
    rule = Suspend(tag="a", event=WRITE, predicate=Predicate(nth=2), maybe=True)
    machine, choices = machine_of(rule, answers=[0, 1])
    for _ in range(3):
        assert machine.on_event(WRITE, FakeRequest()) == ()
    assert len(choices.keys) == 1
    assert not machine.has_breakpoints
