from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest
from hypothesis import Phase, assume, given, note, settings
from hypothesis import strategies as st

from blkdebug_async.explore import explore, replay
from blkdebug_async.explore.drawn import SameDraws, run_drawn
from blkdebug_async.explore.explorer import STORE
from blkdebug_async.explore.inside import choose

#: How often a law is tried; shrinking is part of what is tested.
drawing = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    print_blob=False,
    phases=[Phase.generate, Phase.shrink],
    report_multiple_bugs=False,
)


def in_order(names: str) -> Callable[[], Coroutine[object, object, None]]:
    """Make a scenario that fails if another task than the first one comes first."""

    async def scenario() -> None:
        order: list[str] = []

        async def write(name: str) -> None:
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(write(name), name=name)
        assert order[:1] == list(names[:1]), names

    return scenario


def test_an_example_is_explored_and_made_simpler_by_hypothesis() -> None:
    @drawing
    @given(st.text("abcdef", max_size=6))
    def law(names: str) -> None:
        assume(len(set(names)) == len(names))
        explore(in_order(names), runs=20).check()

    with pytest.raises(AssertionError, match="1 deviation from what would") as caught:
        law()
    assert "names='ab'" in "".join(caught.value.__notes__)


def test_no_token_is_kept_of_an_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    @drawing
    @given(st.just("ab"))
    def law(names: str) -> None:
        explore(in_order(names)).check()

    with pytest.raises(AssertionError):
        law()
    assert not Path(STORE).exists()


def test_an_assumption_within_a_scenario_is_heard_by_hypothesis() -> None:
    seen: set[int] = set()

    async def even(number: int) -> None:
        async def look() -> None:
            assume(number % 2 == 0)

        async with asyncio.TaskGroup() as group:
            group.create_task(look())
        seen.add(number)

    @drawing
    @given(st.integers(0, 9))
    def law(number: int) -> None:
        explore(lambda: even(number), runs=3).check()

    law()
    assert seen
    assert all(number % 2 == 0 for number in seen)


def test_a_schedule_that_hypothesis_draws_is_made_simpler_with_the_workload() -> None:
    shown: list[str] = []

    @drawing
    @given(st.data(), st.text("abcdef", max_size=6))
    def law(data: st.DataObject, names: str) -> None:
        assume(len(set(names)) == len(names))
        shown.append(names)
        run_drawn(in_order(names), data)

    with pytest.raises(AssertionError) as caught:
        law()
    assert shown[-1] == "ab"
    (line,) = (line for line in caught.value.__notes__ if line.startswith("token: "))
    with pytest.raises(AssertionError):
        replay(in_order("ab"), line.removeprefix("token: ")).check()


def test_what_a_scenario_chooses_is_drawn_too() -> None:
    async def scenario() -> None:
        assert choose(5, "number") < 3

    @drawing
    @given(st.data())
    def law(data: st.DataObject) -> None:
        run_drawn(scenario, data)

    with pytest.raises(AssertionError) as caught:
        law()
    assert "Draw 1 (number): 3" in "".join(caught.value.__notes__)


def test_a_schedule_that_is_drawn_passes_if_nothing_fails() -> None:
    @drawing
    @given(st.data())
    def law(data: st.DataObject) -> None:
        run_drawn(in_order("a"), data)

    law()


def test_draws_are_the_same_in_each_run_of_an_example() -> None:
    seen: list[set[tuple[int, ...]]] = []

    async def scenario(draws: SameDraws) -> None:
        drawn: list[int] = []

        async def draw() -> None:
            drawn.append(draws.draw(st.integers(0, 1000)))
            await asyncio.sleep(0)
            drawn.extend(draws.draw(st.lists(st.integers(), max_size=2)))

        async with asyncio.TaskGroup() as group:
            group.create_task(draw())
            group.create_task(draw())
        seen[-1].add(tuple(drawn[:2]))

    @settings(drawing, max_examples=20)
    @given(st.data())
    def law(data: st.DataObject) -> None:
        draws = SameDraws(data)
        assert repr(draws) == repr(data)
        seen.append(set())
        explore(lambda: scenario(draws), runs=10).check()
        note("explored")

    law()
    assert any(len(values) for values in seen)
    assert all(len({run[0] for run in values}) == 1 for values in seen)


def test_a_value_that_a_run_changes_is_as_drawn_in_the_next() -> None:
    async def scenario(draws: SameDraws) -> None:
        drawn = draws.draw(st.just([1]))
        drawn.append(2)
        assert drawn == [1, 2]

    @settings(drawing, max_examples=2)
    @given(st.data())
    def law(data: st.DataObject) -> None:
        draws = SameDraws(data)
        explore(lambda: scenario(draws), runs=3).check()

    law()
