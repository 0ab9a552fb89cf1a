from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.dpor import Dpor
from tests.unit.explore.real_programs import BLOCKS, WORDS, Explored, Op, Program, explore

#: So many runs there may be, if they are all to be made.
MOST_RUNS = 700

#: A program for each thing that tasks share; each has more than one outcome.
PROGRAMS: dict[str, Program] = {
    "the disk": [[("write", 0), ("read", 1)], [("write", 1), ("read", 0)]],
    "a lock": [[("with lock", 0, [("write", 0)])], [("with lock", 0, [("read", 0)])]],
    "a semaphore": [
        [("with semaphore", 0, [("write", 0)])],
        [("with semaphore", 0, [("read", 0)])],
    ],
    "an event": [[("set event", 0), ("pause", 0), ("clear event", 0)], [("look at event", 0)]],
    "an event that is waited for": [[("wait for event", 0)], [("set event", 0), ("cancel", 0)]],
    "a queue": [[("put", 0), ("try get", 0)], [("try get", 0), ("put", 0)]],
    "a queue that is full": [[("put", 0), ("put", 0)], [("get", 0)], [("try get", 0)]],
    "a condition": [[("await condition", 0)], [("notify", 0), ("notify", 0)]],
    "a future": [[("complete", 1)], [("complete", 2)], [("await future", 0)]],
    "a future that is looked at": [[("complete", 1)], [("look at future", 0)]],
    "a request": [[("look at flight", 0), ("cancel flight", 0)], [("await flight", 0)]],
    "a request that is cancelled": [[("cancelled write", 0)], [("read", 0)]],
    "a task": [[("cancel", 1), ("cancel", 1)], [("pause", 0), ("pause", 0)]],
    "a task that is waited for": [[("await task", 1)], [("write", 0)]],
    "the first task": [[("await first", 0)], [], []],
    "time": [[("sleep", 0), ("look at clock", 0)], [("look at clock", 0), ("sleep", 1)]],
    "a timeout": [[("with timeout", 1, [("write", 0)])], [("read", 0)]],
    "a timeout that is too short": [[("with timeout", 1, [("sleep", 0)])], [("sleep", 1)]],
    "callbacks": [[("soon", 0)], [("soon look", 0)]],
    "callbacks and steps": [[("soon", 0), ("pause", 0)], [("look at event", 0), ("pause", 0)]],
    "callbacks of a future": [
        [("callback", 0), ("pause", 0), ("look at event", 0)],
        [("complete", 0)],
    ],
    "timers": [[("later", 1)], [("sleep", 0), ("look at event", 0)]],
    "threads": [[("thread", 0), ("set event", 0)], [("look at event", 0)]],
    "choices": [[("choose", 0), ("write", 0)], [("choose", 0), ("read", 0)]],
    "a task group": [[("in group", 0, [("write", 0), ("read", 0)]), ("read", 0)]],
    "a task group that fails": [[("in group", 0, [("fail", 0), ("pause", 0)])], [("pause", 0)]],
    "what is gathered": [[("gathered", 2, [("fail", 0), ("fail", 0)])], [("cancel", 0)]],
    "gathering that fails": [[("gathered", 0, [("fail", 0), ("fail", 0)])], [("cancel", 0)]],
    "a cancellation that is caught": [[("caught", 0, [("write", 0)])], [("cancel", 0)]],
    "anyio's lock": [
        [("with anyio lock", 0, [("write", 0)])],
        [("anyio try lock", 0), ("read", 0)],
    ],
    "anyio's event": [[("anyio set", 0)], [("anyio look", 0)], [("anyio wait", 0)]],
    "anyio's limiter": [
        [("with limiter", 0, [("write", 0)])],
        [("with limiter", 0, [("read", 0)])],
    ],
    "anyio's streams": [[("anyio send", 0)], [("anyio send", 0)], [("anyio receive", 0)]],
    "anyio's task group": [[("in anyio group", 0, [("write", 0), ("read", 0)])]],
    "anyio's timeout": [[("with anyio timeout", 1, [("write", 0)])], [("read", 0)]],
}


def both(program: Program, *, share: bool, most: int) -> tuple[Explored, Explored]:
    """Make every run, and one of each class."""
    every = explore(program, Bounded(), share=share, most=most)
    strategy = Dpor(Assume.NOTHING if share else Assume.DISK_ONLY)
    if not every.exhausted:
        return every, Explored()
    found = explore(program, strategy, share=share, most=3 * most)
    assert strategy.exhausted
    assert not strategy.diverged
    assert strategy.proof is not None
    return every, found


@pytest.mark.parametrize("share", [False, True], ids=["disk only", "nothing"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_few_runs_come_to_every_outcome(name: str, share: bool) -> None:
    every, found = both(PROGRAMS[name], share=share, most=5_000)
    assert every.exhausted
    assert found.outcomes == every.outcomes
    assert len(found.runs) < len(every.runs)
    assert len(every.outcomes) > 1


@st.composite
def programs(draw: st.DrawFn) -> list[list[Op]]:
    words = draw(st.lists(st.sampled_from(sorted(WORDS)), min_size=1, max_size=4))
    blocks = draw(st.lists(st.sampled_from(sorted(BLOCKS)), max_size=2))
    simple = st.tuples(st.sampled_from(words), st.integers(0, 2))

    def around(inner: st.SearchStrategy[Op]) -> st.SearchStrategy[Op]:
        within = st.lists(inner, min_size=1, max_size=2)
        return st.tuples(st.sampled_from(blocks), st.integers(0, 2), within)

    ops = st.recursive(simple, around, max_leaves=3) if blocks else simple
    tasks = st.lists(st.lists(ops, min_size=1, max_size=2), min_size=1, max_size=2)
    return draw(tasks)


@settings(max_examples=60)
@given(programs(), st.booleans())
def test_made_up_programs_come_to_the_same_outcomes_as_by_brute_force(
    program: Program, share: bool
) -> None:
    every, found = both(program, share=share, most=MOST_RUNS)
    assume(every.exhausted)
    assert found.outcomes == every.outcomes


GATHERINGS = ["in group", "gathered", "in anyio group"]


def requests_in_order(runs: Sequence[Recorded]) -> set[object]:
    """Give the classes of runs: in which order those requests complete that do not commute."""
    return {
        tuple(
            tuple(
                step.action.key
                for step in run.steps
                if step.action.kind is Kind.REQUEST and f" {sector}" in step.action.key
            )
            for sector in range(2)
        )
        for run in runs
    }


@pytest.mark.parametrize("around", GATHERINGS)
@pytest.mark.parametrize("times", [1, 2, 3])
def test_writers_on_sectors_of_their_own_take_a_single_run(around: str, times: int) -> None:
    writers: list[Op] = [("caught", 0, [("write", sector)] * times) for sector in range(2)]
    found = explore([[(around, 0, writers)]], Dpor(Assume.DISK_ONLY))
    assert (found.exhausted, len(found.runs), found.redundant) == (True, 1, 0)


@pytest.mark.parametrize("around", GATHERINGS)
@pytest.mark.parametrize(("writers", "times"), [(2, 1), (3, 1), (4, 1), (2, 2), (2, 3), (3, 2)])
def test_writers_on_one_sector_take_a_run_for_each_order(
    around: str, writers: int, times: int
) -> None:
    ops: list[Op] = [("caught", 0, [("write", 0)] * times) for _ in range(writers)]
    found = explore([[(around, 0, ops)]], Dpor(Assume.DISK_ONLY))
    orders = math.factorial(writers * times) // math.factorial(times) ** writers
    assert (found.exhausted, len(found.runs), found.redundant) == (True, orders, 0)


@pytest.mark.parametrize("around", GATHERINGS)
@pytest.mark.parametrize("one", [[0], [0, 1], [0, 0]])
@pytest.mark.parametrize("other", [[0], [1]])
def test_there_are_as_many_runs_as_brute_force_counts_classes(
    around: str, one: list[int], other: list[int]
) -> None:
    writers: list[Op] = [
        ("caught", 0, [("write", sector) for sector in sectors]) for sectors in (one, other)
    ]
    program: Program = [[(around, 0, writers)]]
    every = explore(program, Bounded(), most=5_000, traced=True)
    found = explore(program, Dpor(Assume.DISK_ONLY), traced=True)
    assert every.exhausted
    assert requests_in_order(found.runs) == requests_in_order(every.runs)
    assert len(found.runs) == len(requests_in_order(every.runs))


def test_requests_of_their_own_sectors_commute_whatever_tasks_share() -> None:
    apart: Program = [[("write", 0)], [("write", 1)]]
    together: Program = [[("write", 0)], [("write", 0)]]
    one = explore(apart, Dpor(Assume.NOTHING), share=True)
    other = explore(together, Dpor(Assume.NOTHING), share=True)
    assert len(one.runs) < len(other.runs)
