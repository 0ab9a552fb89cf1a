from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.overlap import RangeIndex

TIB = 1 << 40


@dataclass(eq=False)
class Thing:
    id: int
    start: int
    end: int

    def meets(self, start: int, end: int) -> bool:
        return self.start < end and start < self.end


def index_of(*ranges: tuple[int, int]) -> tuple[RangeIndex[Thing], list[Thing]]:
    index: RangeIndex[Thing] = RangeIndex()
    things = [Thing(number, *bounds) for number, bounds in enumerate(ranges)]
    for thing in things:
        index.add(thing)
    return index, things


def test_newest_of_those_that_meet_is_found() -> None:
    index, things = index_of((0, 10), (5, 15), (20, 30))
    assert index.newest(8, 12) is things[1]
    assert index.newest(0, 5) is things[0]
    assert index.newest(15, 20) is None


def test_newest_is_by_number_whatever_was_added_last() -> None:
    index: RangeIndex[Thing] = RangeIndex()
    old, new, newest = Thing(1, 0, 8), Thing(2, 0, 8), Thing(3, 0, 8)
    for thing in (newest, old, new):
        index.add(thing)
    assert index.newest(0, 1) is newest
    index.discard(newest)
    assert index.newest(0, 1) is new
    assert index.newest(0, 1, besides=new) is old


def test_thing_is_found_where_it_was_when_it_was_added() -> None:
    index, (thing,) = index_of((0, 10))
    thing.start, thing.end = 100, 110
    assert index.newest(0, 1) is thing
    index.discard(thing)
    index.add(thing)
    assert index.newest(0, 1) is None
    assert index.newest(105, 106) is thing


def test_what_was_discarded_leaves_nothing_behind() -> None:
    index, things = index_of((0, 10), (0, 10), (3, TIB))
    for thing in [*things, *things]:
        index.discard(thing)
    assert index.buckets == 0
    assert index.newest(0, TIB) is None


def test_range_of_a_tebibyte_is_in_two_buckets_at_most() -> None:
    index, (huge, small) = index_of((512, TIB), (4096, 8192))
    assert index.buckets <= 4
    assert index.newest(TIB - 1, TIB) is huge
    assert index.newest(0, TIB) is small


# --- against looking at everything ---------------------------------------------------------------

lengths = st.one_of(
    st.integers(0, 9), st.sampled_from([512, 4096, 5000, 65536, TIB]), st.integers(0, 1 << 41)
)
starts = st.one_of(
    st.integers(0, 40), st.integers(0, 40).map(lambda n: n * 512), st.integers(0, TIB)
)
ranges = st.tuples(starts, lengths).map(lambda pair: (pair[0], sum(pair)))
moves = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "discard", "ask", "ask besides"]), ranges, st.integers(0)
    ),
    max_size=60,
)


@given(moves)
def test_index_answers_as_if_it_looked_at_everything(
    session: list[tuple[str, tuple[int, int], int]],
) -> None:
    index: RangeIndex[Thing] = RangeIndex()
    there: list[Thing] = []
    numbers = [(number * 7919) % 997 for number in range(len(session))]
    for number, (what, (start, end), pick) in zip(numbers, session, strict=True):
        chosen = there[pick % len(there)] if there else None
        if what == "add":
            there.append(Thing(number, start, end))
            index.add(there[-1])
        elif what == "discard" and chosen is not None:
            there.remove(chosen)
            index.discard(chosen)
        else:
            besides = chosen if what == "ask besides" else None
            meeting = [thing for thing in there if thing.meets(start, end) and thing is not besides]
            expected = max(meeting, key=lambda thing: thing.id, default=None)
            assert index.newest(start, end, besides) is expected
    for thing in there:
        assert thing in index
        index.discard(thing)
    assert index.buckets == 0


def test_who_asks_does_not_meet_itself() -> None:
    index, (thing, other) = index_of((0, 10), (5, 15))
    assert index.newest(0, 3, besides=thing) is None
    assert index.newest(0, 10, besides=thing) is other


def test_many_ranges_of_one_bucket_are_told_apart() -> None:
    index, things = index_of((0, 8), (1, 9), (2, 10), (3, 11))
    assert index.newest(0, 1) is things[0]
    assert index.newest(8, 9) is things[3]
    index.discard(things[3])
    assert index.newest(8, 9) is things[2]
