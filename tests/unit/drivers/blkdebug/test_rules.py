from __future__ import annotations

from collections.abc import Callable
from errno import EINVAL

import pytest

from blkdebug_async.drivers.blkdebug.rules import (
    InjectError,
    Phase,
    Predicate,
    SetState,
    Suspend,
    check_errno,
    event_named,
)
from blkdebug_async.errors import OptionError
from blkdebug_async.events import Event, IoType
from tests.unit.drivers.blkdebug.fakes import FakeRequest

# --- injections ---


def test_injection_applies_to_all_but_block_status_by_default() -> None:
    rule = InjectError(Event.READ_AIO)
    hit = {kind for kind in IoType if rule.matches(kind, 0, 512)}
    assert hit == {
        IoType.READ,
        IoType.WRITE,
        IoType.WRITE_ZEROES,
        IoType.DISCARD,
        IoType.FLUSH,
    }


@pytest.mark.parametrize(
    ("offset", "length", "hit"),
    [
        (1024, 1, True),
        (1023, 2, True),
        (512, 512, False),
        (1025, 511, False),
        (0, 4096, True),
        (1024, 0, False),
        (0, 0, False),
    ],
)
def test_injection_into_a_sector_hits_what_contains_its_first_byte(
    offset: int, length: int, hit: bool
) -> None:
    rule = InjectError(Event.READ_AIO, sector=2)
    assert rule.matches(IoType.READ, offset, length) is hit


def test_injection_without_a_sector_hits_requests_without_bytes() -> None:
    assert InjectError(Event.READ_AIO).matches(IoType.FLUSH, 0, 0)


def test_equal_rules_are_equal_however_their_sets_were_given() -> None:
    plain = InjectError(Event.READ_AIO, iotypes={IoType.READ})
    frozen = InjectError(Event.READ_AIO, iotypes=frozenset({IoType.READ}))
    assert plain == frozen
    assert hash(plain) == hash(frozen)


# --- predicates ---


def test_predicate_that_asks_nothing_matches_an_event_without_request() -> None:
    assert Predicate().matches(None)
    assert Predicate(nth=2).matches(None)


@pytest.mark.parametrize(
    "predicate",
    [
        Predicate(ops={IoType.FLUSH}),
        Predicate(offset=1),
        Predicate(length=1),
        Predicate(node="disk"),
        Predicate(task="writer"),
        Predicate(when=lambda _: True),
    ],
)
def test_predicate_that_asks_anything_does_not_match_an_event_without_request(
    predicate: Predicate,
) -> None:
    assert not predicate.matches(None)


def test_predicate_on_ops() -> None:
    predicate = Predicate(ops={IoType.READ, IoType.FLUSH})
    assert predicate.matches(FakeRequest(op=IoType.READ))
    assert not predicate.matches(FakeRequest(op=IoType.WRITE))


@pytest.mark.parametrize(
    ("offset", "length", "hit"),
    [
        (0, 4096, False),
        (0, 4097, True),
        (4096, 1, True),
        (8191, 1, True),
        (8192, 1, False),
        (0, 1 << 20, True),
        (5000, 0, False),
    ],
)
def test_predicate_on_a_byte_range_matches_what_overlaps_it(
    offset: int, length: int, hit: bool
) -> None:
    predicate = Predicate(offset=4096, length=4096)
    assert predicate.matches(FakeRequest(offset=offset, length=length)) is hit


def test_predicate_on_a_range_without_length_reaches_to_the_end() -> None:
    predicate = Predicate(offset=4096)
    assert predicate.matches(FakeRequest(offset=1 << 60, length=1))
    assert not predicate.matches(FakeRequest(offset=0, length=4096))


def test_predicate_on_a_node_matches_requests_that_serve_one_on_it() -> None:
    top = FakeRequest(node="top")
    below = FakeRequest(node="below", parent=FakeRequest(node="middle", parent=top))
    assert Predicate(node="top").matches(below)
    assert Predicate(node="middle").matches(below)
    assert Predicate(node="below").matches(below)
    assert not Predicate(node="below").matches(top)


def test_predicate_on_a_task_compares_its_name() -> None:
    assert Predicate(task="writer").matches(FakeRequest(task_name="writer"))
    assert not Predicate(task="writer").matches(FakeRequest(task_name="reader"))
    assert not Predicate(task="writer").matches(FakeRequest(task_name=None))


def test_predicate_with_a_function_calls_it_only_if_all_else_holds() -> None:
    seen: list[int] = []

    def is_even(request: object) -> bool:
        assert isinstance(request, FakeRequest)
        seen.append(request.id)
        return request.id % 2 == 0

    predicate = Predicate(ops={IoType.WRITE}, when=is_even)
    assert predicate.matches(FakeRequest(id=2))
    assert not predicate.matches(FakeRequest(id=3))
    assert not predicate.matches(FakeRequest(id=4, op=IoType.READ))
    assert seen == [2, 3]


# --- what is refused ---


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InjectError(Event.NONE, sector=-1), "sector must not be negative, but is -1"),
        (lambda: InjectError(Event.NONE, iotypes=set()), "At least one kind of request is needed"),
        (
            lambda: InjectError(Event.NONE, iotypes={IoType.TRUNCATE}),
            "No rule can name requests of kind 'truncate'",
        ),
        (lambda: Predicate(ops=set()), "At least one kind of request is needed"),
        (lambda: Predicate(offset=-5), "offset must not be negative, but is -5"),
        (lambda: Predicate(length=0), "length must be positive, but is 0"),
        (lambda: Predicate(nth=0), "nth counts from 1, but is 0"),
        (
            lambda: Suspend("A", event=Event.NONE, count=0),
            "count must be positive, but is 0",
        ),
        (lambda: Suspend("A"), "Breakpoint 'A' needs either an event or a phase"),
        (
            lambda: Suspend("A", event=Event.NONE, phase=Phase.BEFORE_DRIVER),
            "Breakpoint 'A' needs either an event or a phase",
        ),
    ],
)
def test_rules_that_make_no_sense_are_refused_with_what_is_wrong(
    make: Callable[[], object], message: str
) -> None:
    with pytest.raises(OptionError) as caught:
        make()
    assert str(caught.value) == message
    assert caught.value.errno == EINVAL


@pytest.mark.parametrize(
    "make",
    [
        lambda name: InjectError(name),
        lambda name: InjectError(Event.NONE, iotypes={name}),
        lambda name: SetState(name, new_state=2),
        lambda name: Suspend("A", event=name),
        lambda name: Suspend("A", phase=name),
        lambda name: Predicate(ops={name}),
        event_named,
    ],
)
def test_unknown_words_are_refused_as_in_qemu(make: Callable[[str], object]) -> None:
    with pytest.raises(OptionError, match=r"^invalid parameter value: l3_load$"):
        make("l3_load")


@pytest.mark.parametrize(
    "make",
    [
        lambda name: InjectError(name).event,
        lambda name: SetState(name, new_state=2).event,
        lambda name: Suspend("A", event=name).event,
    ],
)
def test_events_may_be_given_by_name(make: Callable[[str], object]) -> None:
    assert make("l2_load") is Event.L2_LOAD


def test_phases_may_be_given_by_name() -> None:
    by_name: Callable[..., Suspend] = Suspend
    assert by_name("A", phase="after-driver").phase is Phase.AFTER_DRIVER


@pytest.mark.parametrize("errno", [0, 1, 4095])
def test_errno_in_the_kernels_range_is_accepted(errno: int) -> None:
    check_errno(errno)


@pytest.mark.parametrize("errno", [-1, 4096])
def test_errno_beyond_the_kernels_range_is_refused(errno: int) -> None:
    with pytest.raises(
        OptionError, match=f"^errno must be between 0 and 4095, but is {errno}$"
    ) as caught:
        check_errno(errno)
    assert caught.value.errno == EINVAL
