from __future__ import annotations

from errno import ENOSPC

import pytest

from blkdebug_async.compat import Compat
from blkdebug_async.drivers.blkdebug.machine import RuleMachine
from blkdebug_async.drivers.blkdebug.rules import InjectError, Phase, Rule, SetState, Suspend
from blkdebug_async.events import Event, IoType
from tests.unit.drivers.blkdebug.fakes import FakeRequest

READ, WRITE = Event.READ_AIO, Event.WRITE_AIO
ERA_2018 = Compat(rule_state_of_2018=True)


@pytest.mark.parametrize("rules", [[], [InjectError(READ), SetState(READ, new_state=2)]])
def test_of_2018_event_without_breakpoints_is_done_on_return(rules: list[Rule]) -> None:
    machine = RuleMachine(rules, ERA_2018)
    assert machine.on_event(READ) == ()
    assert bool(machine.armed) is bool(rules)


def test_of_2018_request_is_held_at_the_newest_breakpoint_first_and_then_at_the_next() -> None:
    machine = RuleMachine([Suspend("A", event=READ), Suspend("B", event=READ)], ERA_2018)
    assert list(machine.on_event(READ)) == [("B",), ("A",)]


def test_of_2018_rules_behind_a_breakpoint_wait_with_the_request() -> None:
    machine = RuleMachine([InjectError(READ), SetState(READ, new_state=2)], ERA_2018)
    machine.add_rule(Suspend("A", event=READ))
    held = iter(machine.on_event(READ))
    assert next(held) == ("A",)
    assert (machine.state, bool(machine.armed)) == (1, False)
    assert list(held) == []
    assert (machine.state, bool(machine.armed)) == (2, True)


def test_of_2018_event_meanwhile_overwrites_a_pending_state_change() -> None:
    # The change is visited before the breakpoint, because it was added later.
    machine = RuleMachine(compat=ERA_2018)
    machine.add_rule(Suspend("A", event=READ))
    machine.add_rule(SetState(READ, new_state=2))
    machine.add_rule(InjectError(WRITE))
    held = iter(machine.on_event(READ))
    next(held)
    machine.on_event(WRITE)
    assert list(held) == []
    assert machine.state == 1


def test_of_7_2_event_meanwhile_leaves_the_state_change_alone() -> None:
    machine = RuleMachine()
    machine.add_rule(Suspend("A", event=READ))
    machine.add_rule(SetState(READ, new_state=2))
    machine.add_rule(InjectError(WRITE))
    held = iter(machine.on_event(READ))
    next(held)
    machine.on_event(WRITE)
    assert list(held) == []
    assert machine.state == 2


def test_of_2018_state_set_meanwhile_counts_for_the_rules_that_waited() -> None:
    machine = RuleMachine(
        [InjectError(READ, state=2, errno=ENOSPC), SetState(WRITE, new_state=2)], ERA_2018
    )
    machine.add_rule(Suspend("A", event=READ))
    held = iter(machine.on_event(READ))
    next(held)
    machine.on_event(WRITE)
    assert list(held) == []
    verdict = machine.verdict(IoType.READ, 0, 512)
    assert verdict is not None
    assert verdict.errno == ENOSPC


def test_of_2018_rules_removed_meanwhile_are_not_applied() -> None:
    machine = RuleMachine([Suspend("A", event=READ), Suspend("B", event=READ)], ERA_2018)
    held = iter(machine.on_event(READ))
    assert next(held) == ("B",)
    assert machine.remove_breakpoint("A") == 1
    assert list(held) == []


def test_of_2018_phase_meanwhile_leaves_a_pending_state_change_alone() -> None:
    machine = RuleMachine([Suspend("P", phase=Phase.AFTER_DRIVER)], ERA_2018)
    machine.add_rule(Suspend("A", event=READ))
    machine.add_rule(SetState(READ, new_state=2))
    held = iter(machine.on_event(READ))
    next(held)
    assert machine.on_phase(Phase.AFTER_DRIVER, FakeRequest()) == ("P",)
    assert list(held) == []
    assert machine.state == 2
