from __future__ import annotations

from errno import EINVAL, EIO, ENOSPC, EPERM

import pytest

from blkdebug_async.compat import COMPAT
from blkdebug_async.drivers.blkdebug.machine import RuleMachine, Verdict
from blkdebug_async.drivers.blkdebug.rules import (
    InjectError,
    Phase,
    Predicate,
    SetState,
    Suspend,
)
from blkdebug_async.errors import OptionError
from blkdebug_async.events import Event, IoType
from tests.unit.drivers.blkdebug.fakes import FakeRequest

READ, WRITE = Event.READ_AIO, Event.WRITE_AIO


def tags_of(machine: RuleMachine, event: Event, request: FakeRequest | None = None) -> list[str]:
    """Announce an event and flatten the groups, as a driver that resumes all at once does."""
    return [tag for tags in machine.on_event(event, request) for tag in tags]


def errno_of(machine: RuleMachine, iotype: IoType = IoType.READ, offset: int = 0) -> int | None:
    verdict = machine.verdict(iotype, offset, 512)
    return None if verdict is None else verdict.errno


# --- injecting ---


def test_nothing_fails_before_the_event() -> None:
    machine = RuleMachine([InjectError(READ)])
    assert not machine.armed
    assert errno_of(machine) is None


def test_first_of_two_injections_of_an_event_wins() -> None:
    machine = RuleMachine([InjectError(READ, errno=ENOSPC), InjectError(READ, errno=EPERM)])
    machine.on_event(READ)
    assert [errno_of(machine), errno_of(machine)] == [ENOSPC, ENOSPC]


def test_two_injections_for_once_fail_two_requests() -> None:
    machine = RuleMachine(
        [InjectError(READ, errno=ENOSPC, once=True), InjectError(READ, errno=EPERM, once=True)]
    )
    machine.on_event(READ)
    assert [errno_of(machine) for _ in range(3)] == [ENOSPC, EPERM, None]
    assert not machine.armed


def test_injection_for_once_does_not_come_back_with_the_event() -> None:
    machine = RuleMachine([InjectError(READ, once=True)])
    machine.on_event(READ)
    errno_of(machine)
    machine.on_event(READ)
    assert errno_of(machine) is None
    assert READ not in machine.heard


def test_later_injection_gets_what_the_first_one_does_not_match() -> None:
    machine = RuleMachine(
        [InjectError(READ, errno=ENOSPC, sector=8), InjectError(READ, errno=EPERM)]
    )
    machine.on_event(READ)
    assert errno_of(machine, offset=0) == EPERM
    assert errno_of(machine, offset=4096) == ENOSPC


def test_armed_error_stays_for_requests_of_all_kinds() -> None:
    machine = RuleMachine([InjectError(WRITE)])
    machine.on_event(WRITE)
    machine.on_event(READ)
    kinds = (IoType.WRITE, IoType.READ, IoType.FLUSH)
    assert [errno_of(machine, kind) for kind in kinds] == [EIO, EIO, EIO]


def test_armed_error_goes_when_another_event_arms_its_own() -> None:
    machine = RuleMachine(
        [InjectError(WRITE, iotypes={IoType.WRITE}), InjectError(READ, iotypes={IoType.READ})]
    )
    machine.on_event(WRITE)
    machine.on_event(READ)
    assert errno_of(machine, IoType.WRITE) is None
    assert errno_of(machine, IoType.READ) == EIO


def test_event_whose_injections_are_for_another_state_leaves_armed_ones_alone() -> None:
    machine = RuleMachine([InjectError(WRITE, errno=ENOSPC), InjectError(READ, state=7)])
    machine.on_event(WRITE)
    machine.on_event(READ)
    assert errno_of(machine) == ENOSPC


def test_event_that_only_sets_the_state_leaves_armed_errors_alone() -> None:
    machine = RuleMachine([InjectError(WRITE), SetState(READ, new_state=2)])
    machine.on_event(WRITE)
    machine.on_event(READ)
    assert errno_of(machine) == EIO


def test_errno_zero_hides_later_rules_and_is_never_used_up() -> None:
    machine = RuleMachine([InjectError(READ, errno=0, once=True), InjectError(READ, errno=EIO)])
    machine.on_event(READ)
    assert [machine.verdict(IoType.READ, 0, 512) for _ in range(2)] == [None, None]
    assert machine.armed


def test_errno_zero_on_another_event_cancels_the_active_error() -> None:
    machine = RuleMachine([InjectError(WRITE), InjectError(READ, errno=0)])
    machine.on_event(WRITE)
    machine.on_event(READ)
    assert errno_of(machine) is None


def test_verdict_tells_whether_the_loop_turns_first() -> None:
    machine = RuleMachine([InjectError(READ, immediately=True), InjectError(WRITE)])
    machine.on_event(READ)
    assert machine.verdict(IoType.READ, 0, 512) == Verdict(EIO, immediately=True)
    machine.on_event(WRITE)
    assert machine.verdict(IoType.READ, 0, 512) == Verdict(EIO, immediately=False)


@pytest.mark.parametrize("errno", [-5, 5000])
def test_impossible_errno_is_refused_where_qemu_is_not_followed(errno: int) -> None:
    with pytest.raises(OptionError) as caught:
        RuleMachine([InjectError(READ, errno=errno)])
    assert caught.value.errno == EINVAL


@pytest.mark.parametrize("errno", [-5, 5000])
def test_impossible_errno_reaches_the_verdict_where_qemu_is_followed(errno: int) -> None:
    machine = RuleMachine([InjectError(READ, errno=errno)], COMPAT["qemu-7.2"])
    machine.on_event(READ)
    assert errno_of(machine) == errno


# --- states ---


def test_machine_starts_in_state_one() -> None:
    assert RuleMachine().state == 1


def test_first_of_two_state_changes_wins() -> None:
    machine = RuleMachine([SetState(READ, new_state=2), SetState(READ, new_state=3)])
    machine.on_event(READ)
    assert machine.state == 2


def test_state_change_does_not_influence_rules_of_the_same_event() -> None:
    machine = RuleMachine(
        [InjectError(WRITE, state=2, errno=ENOSPC), SetState(WRITE, state=1, new_state=2)]
    )
    machine.on_event(WRITE)
    assert errno_of(machine) is None
    machine.on_event(WRITE)
    assert errno_of(machine) == ENOSPC


def test_injection_and_state_change_of_one_event_fail_for_ever_without_once() -> None:
    machine = RuleMachine([InjectError(WRITE, state=1), SetState(WRITE, new_state=2)])
    machine.on_event(WRITE)
    machine.on_event(WRITE)
    assert [errno_of(machine), errno_of(machine)] == [EIO, EIO]


def test_in_state_zero_only_rules_for_any_state_apply() -> None:
    machine = RuleMachine(
        [
            InjectError(READ, state=1, errno=EPERM),
            InjectError(READ, errno=ENOSPC),
            SetState(WRITE, new_state=0),
        ]
    )
    machine.on_event(WRITE)
    machine.on_event(READ)
    assert machine.state == 0
    assert errno_of(machine) == ENOSPC


# --- breakpoints at events ---


def test_event_without_rules_holds_nobody() -> None:
    machine = RuleMachine([Suspend("A", event=READ)])
    assert machine.on_event(WRITE) == ()


def test_event_without_breakpoints_holds_nobody() -> None:
    assert RuleMachine([InjectError(READ)]).on_event(READ) == ()


def test_breakpoint_holds_one_request() -> None:
    machine = RuleMachine([Suspend("A", event=READ)])
    assert tags_of(machine, READ) == ["A"]
    assert tags_of(machine, READ) == []
    assert READ not in machine.heard


def test_two_breakpoints_on_one_event_hold_a_request_under_both_tags_at_once() -> None:
    machine = RuleMachine()
    machine.add_rule(Suspend("A", event=READ))
    machine.add_rule(Suspend("B", event=READ))
    assert list(machine.on_event(READ)) == [("B", "A")]


def test_all_rules_of_an_event_run_before_the_request_is_held() -> None:
    machine = RuleMachine([InjectError(READ), SetState(READ, new_state=2)])
    machine.add_rule(Suspend("A", event=READ))
    machine.on_event(READ)
    assert machine.state == 2
    assert errno_of(machine) == EIO


def test_breakpoint_in_another_state_waits_for_its_turn() -> None:
    machine = RuleMachine([SetState(READ, new_state=2), Suspend("A", event=READ, state=2)])
    assert tags_of(machine, READ) == []
    assert tags_of(machine, READ) == ["A"]


def test_breakpoint_with_a_count_holds_so_many_requests() -> None:
    machine = RuleMachine([Suspend("A", event=READ, count=2)])
    assert [tags_of(machine, READ) for _ in range(3)] == [["A"], ["A"], []]


def test_breakpoint_without_a_count_stays_until_removed() -> None:
    machine = RuleMachine([Suspend("A", event=READ, count=None)])
    assert [tags_of(machine, READ) for _ in range(3)] == [["A"]] * 3
    assert machine.remove_breakpoint("A") == 1
    assert tags_of(machine, READ) == []


def test_breakpoint_with_a_predicate_holds_only_what_matches() -> None:
    machine = RuleMachine([Suspend("A", event=WRITE, predicate=Predicate(offset=4096))])
    assert tags_of(machine, WRITE, FakeRequest(offset=0)) == []
    assert tags_of(machine, WRITE, FakeRequest(offset=4096)) == ["A"]


def test_breakpoint_for_the_third_match_counts_only_matches_and_is_gone_after_it() -> None:
    predicate = Predicate(ops={IoType.WRITE}, nth=3)
    machine = RuleMachine([Suspend("A", event=WRITE, predicate=predicate, count=None)])
    ops = [IoType.WRITE, IoType.READ, IoType.WRITE, IoType.READ, IoType.WRITE, IoType.WRITE]
    held = [tags_of(machine, WRITE, FakeRequest(op=op)) for op in ops]
    assert held == [[], [], [], [], ["A"], []]
    assert WRITE not in machine.heard


def test_breakpoints_are_removed_by_tag_on_all_events_and_phases() -> None:
    machine = RuleMachine(
        [
            Suspend("A", event=READ),
            Suspend("A", event=WRITE),
            Suspend("B", event=WRITE),
            Suspend("A", phase=Phase.AFTER_DRIVER),
        ]
    )
    assert machine.remove_breakpoint("A") == 3
    assert machine.remove_breakpoint("A") == 0
    assert tags_of(machine, READ) == []
    assert tags_of(machine, WRITE) == ["B"]
    assert not machine.watches_phase(Phase.AFTER_DRIVER)


def test_all_breakpoints_can_be_removed_while_other_rules_stay() -> None:
    machine = RuleMachine(
        [InjectError(READ), Suspend("A", event=READ), Suspend("B", phase=Phase.AFTER_DRIVER)]
    )
    machine.remove_all_breakpoints()
    assert tags_of(machine, READ) == []
    assert not machine.watches_phase(Phase.AFTER_DRIVER)
    assert errno_of(machine) == EIO


def test_breakpoint_added_under_an_old_tag_can_be_removed_again() -> None:
    machine = RuleMachine([Suspend("A", event=READ)])
    tags_of(machine, READ)
    machine.add_rule(Suspend("A", event=READ))
    assert machine.remove_breakpoint("A") == 1


# --- breakpoints at phases ---


def test_breakpoint_at_a_phase_holds_the_matching_request_there_and_nowhere_else() -> None:
    machine = RuleMachine(
        [Suspend("A", phase=Phase.BEFORE_DRIVER, predicate=Predicate(ops={IoType.FLUSH}))]
    )
    flush = FakeRequest(op=IoType.FLUSH, length=0)
    assert machine.on_phase(Phase.AFTER_DRIVER, flush) == ()
    assert machine.on_phase(Phase.BEFORE_DRIVER, FakeRequest()) == ()
    assert machine.on_phase(Phase.BEFORE_DRIVER, flush) == ("A",)
    assert machine.on_phase(Phase.BEFORE_DRIVER, flush) == ()


def test_newest_breakpoint_of_a_phase_comes_first() -> None:
    machine = RuleMachine(
        [Suspend("A", phase=Phase.AFTER_DRIVER), Suspend("B", phase=Phase.AFTER_DRIVER)]
    )
    assert machine.on_phase(Phase.AFTER_DRIVER, FakeRequest()) == ("B", "A")


def test_breakpoint_at_a_phase_may_be_for_a_state() -> None:
    machine = RuleMachine(
        [Suspend("A", phase=Phase.AFTER_DRIVER, state=2), SetState(READ, new_state=2)]
    )
    assert machine.on_phase(Phase.AFTER_DRIVER, FakeRequest()) == ()
    machine.on_event(READ)
    assert machine.on_phase(Phase.AFTER_DRIVER, FakeRequest()) == ("A",)


def test_phase_is_watched_while_there_is_a_breakpoint_for_it() -> None:
    machine = RuleMachine()
    assert not machine.watches_phase(Phase.BEFORE_COMPLETION)
    machine.add_rule(Suspend("A", phase=Phase.BEFORE_COMPLETION))
    assert machine.watches_phase(Phase.BEFORE_COMPLETION)
    machine.on_phase(Phase.BEFORE_COMPLETION, FakeRequest())
    assert not machine.watches_phase(Phase.BEFORE_COMPLETION)


# --- rules come and go ---


def test_heard_is_one_set_that_follows_the_rules() -> None:
    machine = RuleMachine([InjectError(READ), SetState(READ, new_state=2)])
    heard = machine.heard
    machine.add_rule(Suspend("A", event=WRITE))
    machine.add_rule(Suspend("B", phase=Phase.AFTER_DRIVER))
    assert set(heard) == {READ, WRITE}
    machine.remove_rule(InjectError(READ))
    machine.remove_breakpoint("A")
    assert set(heard) == {READ}
    machine.remove_rule(SetState(READ, new_state=2))
    assert set(heard) == set()


def test_removed_injection_is_disarmed() -> None:
    machine = RuleMachine([InjectError(READ)])
    machine.on_event(READ)
    assert machine.remove_rule(InjectError(READ))
    assert not machine.armed
    assert errno_of(machine) is None


def test_removing_takes_one_of_two_equal_rules() -> None:
    machine = RuleMachine([InjectError(READ), InjectError(READ)])
    assert [machine.remove_rule(InjectError(READ)) for _ in range(3)] == [True, True, False]


def test_removing_takes_no_rule_that_differs() -> None:
    machine = RuleMachine([InjectError(READ, errno=ENOSPC)])
    assert not machine.remove_rule(InjectError(READ, errno=EPERM))


def test_rule_whose_predicate_nobody_can_hash_is_removed() -> None:
    class Picky:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, request: object) -> bool:
            return True

    rule = Suspend(tag="A", event=READ, predicate=Predicate(when=Picky()))
    machine = RuleMachine([rule, Suspend(tag="B", event=READ)])
    assert machine.remove_rule(rule)
    assert tags_of(machine, READ, FakeRequest()) == ["B"]


def test_rule_is_removed_after_others_came_and_went() -> None:
    once = Suspend(tag="A", event=READ)
    machine = RuleMachine([once, SetState(READ, new_state=2)])
    assert machine.remove_rule(SetState(READ, new_state=2))
    machine.add_rule(once)
    assert tags_of(machine, READ) == ["A", "A"]
    assert not machine.remove_rule(once)
    machine.add_rule(once)
    assert machine.remove_rule(once)
    assert tags_of(machine, READ) == []


def test_predicate_may_remove_the_breakpoint_that_asks_it_and_later_ones() -> None:
    machine = RuleMachine()

    def remove(_: object) -> bool:
        machine.remove_breakpoint("older")
        return True

    machine.add_rule(Suspend("older", event=WRITE))
    machine.add_rule(Suspend("newer", event=WRITE, predicate=Predicate(when=remove)))
    assert tags_of(machine, WRITE, FakeRequest()) == ["newer"]


# --- reports ---


def test_unused_lists_what_has_done_nothing() -> None:
    unmet = InjectError(READ, sector=9)
    unreached = SetState(WRITE, state=5, new_state=6)
    unhit = Suspend("never", phase=Phase.AFTER_DRIVER)
    machine = RuleMachine(
        [
            unmet,
            InjectError(READ, errno=0),
            unreached,
            SetState(READ, new_state=2),
            unhit,
            Suspend("often", event=READ, count=None),
        ]
    )
    for event in (READ, WRITE):
        machine.on_event(event)
        machine.verdict(IoType.READ, 0, 512)
    assert machine.unused() == [unmet, unreached, unhit]


def test_unused_does_not_list_what_was_used_up_or_removed() -> None:
    machine = RuleMachine([InjectError(READ, once=True), Suspend("A", event=WRITE)])
    machine.on_event(READ)
    machine.verdict(IoType.READ, 0, 512)
    machine.remove_breakpoint("A")
    assert machine.unused() == []


# --- events that only arm ----------------------------------------------------------------------


def test_event_only_arms_while_all_of_its_rules_are_injections() -> None:
    machine = RuleMachine([InjectError(Event.PWRITEV)])
    assert machine.only_arms(Event.PWRITEV)
    assert not machine.only_arms(Event.READ_AIO)

    machine.add_rule(Suspend("A", event=Event.PWRITEV))
    machine.add_rule(InjectError(Event.PWRITEV))
    assert not machine.only_arms(Event.PWRITEV)

    machine.remove_breakpoint("A")
    assert machine.only_arms(Event.PWRITEV)


def test_event_does_more_than_arm_while_any_other_rule_is_left() -> None:
    change = SetState(Event.PWRITEV, new_state=2)
    machine = RuleMachine([InjectError(Event.PWRITEV), change, change])

    machine.remove_rule(change)

    assert not machine.only_arms(Event.PWRITEV)


def test_event_without_rules_left_arms_nothing() -> None:
    rule = InjectError(Event.PWRITEV)
    machine = RuleMachine([rule])

    machine.remove_rule(rule)

    assert not machine.only_arms(Event.PWRITEV)


def test_event_that_only_arms_is_asked_before_whom_it_would_harm() -> None:
    machine = RuleMachine(
        [InjectError(Event.PWRITEV, sector=1), InjectError(Event.PWRITEV, state=2)]
    )

    assert machine.arms_against(Event.PWRITEV, IoType.WRITE, 512, 512)
    assert not machine.arms_against(Event.PWRITEV, IoType.WRITE, 0, 512)
    assert not machine.armed


def test_what_is_armed_meets_what_it_is_for() -> None:
    machine = RuleMachine([InjectError(Event.PWRITEV, errno=ENOSPC, once=True, sector=1)])
    machine.arm(Event.PWRITEV)

    assert not machine.meets(IoType.WRITE, 0, 512)
    assert machine.meets(IoType.WRITE, 0, 1024)
    assert machine.verdict(IoType.WRITE, 0, 1024) == Verdict(ENOSPC, immediately=False)
    assert machine.verdict(IoType.WRITE, 0, 1024) is None


def test_arming_leaves_what_is_armed_where_no_rule_is_for_the_state() -> None:
    machine = RuleMachine([InjectError(Event.PWRITEV), InjectError(Event.PWRITEV_DONE, state=2)])
    machine.arm(Event.PWRITEV)
    machine.arm(Event.PWRITEV_DONE)

    assert machine.meets(IoType.WRITE, 0, 512)
