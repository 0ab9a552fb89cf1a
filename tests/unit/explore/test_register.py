"""Whether some serial order explains what was read of a register."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.explore.register import (
    Access,
    Budget,
    OutOfBudgetError,
    could_return,
    unexplained,
)

PLENTY = 1_000_000


def write(began: int, ended: int | None, value: str | None) -> Access:
    return Access(began, ended, True, None if value is None else value.encode())


def read(began: int, ended: int, value: str) -> Access:
    return Access(began, ended, False, value.encode())


def refused(*accesses: Access, initial: str | None = None) -> int | None:
    content = None if initial is None else initial.encode()
    return unexplained(accesses, content, Budget(PLENTY))


# --- against all orders ---


def orders(accesses: Sequence[Access]) -> Iterator[tuple[Access, ...]]:
    """Give every order that real time allows, with and without writes that need not happen."""
    sure = [access for access in accesses if access.ended is not None]
    unsure = [access for access in accesses if access.ended is None]
    for number in range(len(unsure) + 1):
        for happened in combinations(unsure, number):
            for order in permutations([*sure, *happened]):
                if not any(
                    later.ended is not None and later.ended < earlier.began
                    for place, earlier in enumerate(order)
                    for later in order[place + 1 :]
                ):
                    yield order


def explains(order: Sequence[Access], initial: bytes | None) -> bool:
    value = initial
    for access in order:
        if access.writes or value is None:
            value = access.value
        elif value != access.value:
            return False
    return True


def some_order_explains(accesses: Sequence[Access], initial: bytes | None) -> bool:
    return any(explains(order, initial) for order in orders(accesses))


@st.composite
def histories(draw: st.DrawFn, most: int = 5) -> list[Access]:
    """Give accesses that overlap in any way and have read anything."""
    number = draw(st.integers(1, most))
    moments = draw(st.permutations(range(2 * number)))
    accesses = []
    for index in range(number):
        began, ended = sorted(moments[2 * index : 2 * index + 2])
        value = draw(st.sampled_from([b"a", b"b", b"c"]))
        kind = draw(st.sampled_from(["read", "read", "write", "write", "lost", "discard"]))
        if kind == "read":
            accesses.append(Access(began, ended, False, value))
            continue
        sure = None if kind == "lost" or draw(st.integers(0, 9)) == 9 else ended
        accesses.append(Access(began, sure, True, None if kind == "discard" else value))
    return sorted(accesses)


@given(histories(), st.sampled_from([None, b"a"]))
def test_it_says_the_same_as_all_orders_tried(
    accesses: list[Access], initial: bytes | None
) -> None:
    found = unexplained(accesses, initial, Budget(PLENTY))
    assert (found is None) == some_order_explains(accesses, initial)


@given(histories(4), st.sampled_from([None, b"a"]))
def test_the_read_that_is_refused_is_the_first_one_to_end_that_cannot_be(
    accesses: list[Access], initial: bytes | None
) -> None:
    found = unexplained(accesses, initial, Budget(PLENTY))
    if found is not None:
        end = accesses[found].ended or 0
        earlier = [
            access if access.ended is None or access.ended < end else access._replace(ended=None)
            for access in accesses
            if access.began < end and (access.writes or (access.ended or 0) < end)
        ]
        assert some_order_explains(earlier, initial)


@st.composite
def executions(draw: st.DrawFn) -> list[Access]:
    """Give accesses that a real register has served, each at one moment of its time."""
    number = draw(st.integers(1, 30))
    value = draw(st.sampled_from([b"a", b"b"]))
    last = 100 * number
    accesses = []
    for place in range(number):
        began = 100 * place - draw(st.integers(0, 400))
        ended = 100 * place + draw(st.integers(1, 400))
        # So that no two moments are the same, nor is any the moment at which it happens.
        began, ended = began * number + place + number * last, (ended + last) * number + place
        match draw(st.sampled_from(["read", "read", "write", "lost", "landed", "discard"])):
            case "read":
                accesses.append(Access(began, ended, False, value))
            case "lost":
                accesses.append(Access(began, None, True, b"lost"))
            case kind:
                value = draw(st.sampled_from([b"a", b"b", b"c", b"d"]))
                sure = None if kind == "landed" else ended
                accesses.append(Access(began, sure, True, None if kind == "discard" else value))
    return sorted(accesses)


@given(executions())
def test_what_a_register_has_done_is_always_explained(accesses: list[Access]) -> None:
    assert unexplained(accesses, None, Budget(PLENTY)) is None


# --- single cases ---


def test_a_read_must_return_what_was_written_last() -> None:
    assert refused(write(0, 1, "old"), write(2, 3, "new"), read(4, 5, "old")) == 2


def test_a_read_amid_a_write_may_return_old_or_new() -> None:
    assert refused(write(0, 1, "old"), write(2, 5, "new"), read(3, 4, "old")) is None
    assert refused(write(0, 1, "old"), write(2, 5, "new"), read(3, 4, "new")) is None


def test_what_was_seen_to_be_written_stays_written() -> None:
    accesses = (write(0, 1, "old"), write(2, 7, "new"), read(3, 4, "new"), read(5, 6, "old"))
    assert refused(*accesses) == 3


def test_two_readers_must_agree_on_the_order_of_two_writes() -> None:
    assert (
        refused(
            write(0, 2, "a"),
            write(1, 3, "b"),
            read(4, 5, "a"),
            read(6, 7, "b"),
        )
        == 3
    )


def test_a_write_between_two_reads_may_be_hidden_by_another() -> None:
    assert refused(write(0, 3, "a"), write(1, 2, "b"), read(4, 5, "b")) is None


def test_what_was_there_first_is_not_known_but_stays_the_same() -> None:
    assert refused(read(0, 1, "a"), read(2, 3, "a")) is None
    assert refused(read(0, 1, "a"), read(2, 3, "b")) == 1


def test_reads_at_the_same_time_see_what_was_there_first_once() -> None:
    assert refused(read(0, 2, "a"), read(1, 3, "b")) == 1


def test_what_was_there_first_may_be_known() -> None:
    assert refused(read(0, 1, "a"), initial="b") == 0
    assert refused(read(0, 1, "b"), initial="b") is None


def test_a_write_that_is_not_sure_may_happen_late_or_never_but_not_twice() -> None:
    first, unsure, second = write(0, 1, "a"), write(2, None, "b"), write(3, 4, "c")
    assert refused(first, unsure, second, read(5, 6, "c"), read(7, 8, "b")) is None
    assert refused(first, unsure, second, read(5, 6, "c"), read(7, 8, "c")) is None
    assert refused(first, unsure, read(5, 6, "b"), write(7, 8, "d"), read(9, 10, "b")) == 4


def test_what_is_not_known_may_be_anything_but_stays_so() -> None:
    spoilt = (write(0, 1, "a"), write(2, 3, None))
    assert refused(*spoilt, read(4, 5, "z"), read(6, 7, "z")) is None
    assert refused(*spoilt, read(4, 5, "z"), read(6, 7, "a")) == 3


def test_a_search_that_takes_too_long_is_given_up() -> None:
    writes = [write(number, 100 + number, str(number)) for number in range(20)]
    with pytest.raises(OutOfBudgetError):
        unexplained([*writes, read(50, 99, "never")], None, Budget(100))


def test_no_search_is_needed_where_nothing_happens_at_the_same_time() -> None:
    accesses = [write(0, 1, "a"), read(2, 4, "a"), read(3, 5, "a"), write(6, 7, "b")]
    assert unexplained(accesses, None, Budget(0)) is None


def test_a_read_within_a_read_is_plain_too() -> None:
    assert refused(read(0, 3, "a"), read(1, 2, "a"), write(4, 5, "b"), read(6, 7, "b")) is None


def test_reads_may_see_what_was_there_before_and_after_a_discard() -> None:
    discard = write(0, 7, None)
    assert refused(discard, read(1, 5, "a"), read(2, 6, "b")) is None
    assert refused(discard, read(1, 5, "a"), read(2, 6, "b"), read(3, 4, "c")) == 2


def test_two_discards_that_may_have_failed_let_three_things_be_read() -> None:
    discards = (write(0, None, None), write(1, None, None))
    reads = (read(2, 6, "a"), read(3, 7, "b"), read(4, 8, "c"))
    assert refused(*discards, *reads) is None
    assert refused(*discards, *reads, read(5, 9, "d")) == 5


# --- what a read could have returned ---


def test_a_read_could_have_returned_whatever_some_order_gives() -> None:
    accesses = [
        write(0, 1, "old"),
        write(2, 3, "new"),
        write(4, None, "failed"),
        write(5, 9, "now"),
        read(6, 8, "strange"),
        read(7, 10, "later"),
        write(11, 12, "after"),
    ]
    assert could_return(accesses, 4, None, PLENTY) == [b"new", b"failed", b"now"]


def test_a_read_could_have_returned_what_was_there_in_the_beginning() -> None:
    assert could_return([read(0, 1, "strange")], 0, b"first", PLENTY) == [b"first"]


def test_what_takes_too_long_to_find_out_is_left_out() -> None:
    accesses = [write(0, 3, "a"), write(1, 4, "b"), read(2, 5, "c")]
    assert could_return(accesses, 2, None, 0) == []
