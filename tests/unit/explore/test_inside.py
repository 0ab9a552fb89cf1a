"""What a scenario asks of the run that it is part of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from blkdebug_async.explore.inside import always, cancel_sometime, choose, fails, sometimes
from blkdebug_async.explore.run import run_once
from blkdebug_async.explore.strategies.named import strategy_named
from blkdebug_async.explore.strategies.strategy import Ending
from tests.unit.explore.loop_schedulers import Listed
from tests.unit.explore.test_loop_flight import run

# --- choices ---


def test_a_choice_is_the_explorers() -> None:
    async def scenario() -> tuple[int, bool, bool]:
        return choose(5, "which"), fails("write"), fails("read")

    assert run(scenario(), Listed([3, 1, 0])) == (3, True, False)


def test_where_there_is_one_way_nobody_is_asked() -> None:
    async def scenario() -> tuple[int, int]:
        return choose(1, "which"), choose(2, "other")

    assert run(scenario(), Listed([1])) == (0, 1)


async def test_outside_of_explorations_nothing_goes_otherwise() -> None:
    assert (choose(5, "which"), fails("write")) == (0, False)


def test_outside_of_loops_nothing_goes_otherwise() -> None:
    assert (choose(5, "which"), fails("write")) == (0, False)


def test_there_must_be_something_to_choose() -> None:
    with pytest.raises(ValueError, match="not 0 ways"):
        choose(0, "which")


# --- always ---


class Balance:
    """Two numbers that should be the same whenever somebody else can look."""

    def __init__(self) -> None:
        self.left = self.right = 0

    def is_even(self) -> bool:
        return self.left == self.right

    def compare(self) -> None:
        assert self.left == self.right, f"{self.left} and {self.right}"


async def shift(balance: Balance) -> None:
    balance.left += 1
    await asyncio.sleep(0)
    balance.right += 1


@pytest.mark.parametrize("named", [False, True])
def test_a_demand_is_looked_at_after_each_step(named: bool) -> None:
    balance = Balance()

    async def scenario() -> None:
        always(balance.is_even)
        await asyncio.sleep(0)
        await shift(balance)

    with pytest.raises(AssertionError, match=r"^always\(Balance.is_even\) does not hold$"):
        run(scenario(), Listed(wants_actions=named))
    assert (balance.left, balance.right) == (1, 0)


def test_what_a_check_says_is_told() -> None:
    balance = Balance()

    async def scenario() -> None:
        always(balance.compare, "sums")
        await shift(balance)

    with pytest.raises(AssertionError, match=r"^always\(sums\) does not hold: 1 and 0"):
        run(scenario())


def test_what_a_check_says_without_words_is_told_by_its_type() -> None:
    def check() -> None:
        raise KeyError

    with pytest.raises(AssertionError, match="does not hold: KeyError"):
        always(check)


def test_a_check_without_a_name_is_told_by_its_line() -> None:
    with pytest.raises(AssertionError, match=r"^always\(test_inside.py:\d+\) does not hold$"):
        always(lambda: False)


def test_what_is_broken_between_two_awaits_is_not_seen() -> None:
    balance = Balance()

    async def scenario() -> None:
        always(balance.is_even)
        balance.left += 1
        balance.right += 1
        await asyncio.sleep(0)

    run(scenario())
    assert (balance.left, balance.right) == (1, 1)


def test_a_demand_ends_with_its_block() -> None:
    balance = Balance()

    async def scenario() -> None:
        with always(balance.is_even):
            await asyncio.sleep(0)
        await shift(balance)

    run(scenario())
    assert (balance.left, balance.right) == (1, 1)


def test_other_demands_go_on_when_one_ends() -> None:
    balance = Balance()

    async def scenario() -> None:
        always(balance.is_even, "outer")
        with always(balance.is_even, "inner"):
            await asyncio.sleep(0)
        await shift(balance)

    with pytest.raises(AssertionError, match="outer"):
        run(scenario())


async def test_outside_of_explorations_it_looks_at_the_end_of_the_block() -> None:
    balance = Balance()
    demand = always(balance.is_even)
    with demand:
        await shift(balance)
    balance.left += 1
    with pytest.raises(AssertionError, match="is_even"), demand:
        pass


async def test_outside_of_explorations_it_does_not_look_amid_the_block() -> None:
    balance = Balance()
    with always(balance.is_even) as demand:
        await shift(balance)
        demand.end()
        await shift(balance)
    assert balance.right == 2


def test_it_looks_at_once() -> None:
    balance = Balance()
    balance.left = 1
    with pytest.raises(AssertionError, match="is_even"):
        always(balance.is_even)


def test_an_error_in_the_block_is_not_hidden_by_what_it_has_broken() -> None:
    balance = Balance()

    def break_it() -> None:
        with always(balance.is_even):
            balance.left = 1
            raise OSError("disk is gone")

    with pytest.raises(OSError, match="disk"):
        break_it()


def test_a_check_that_would_have_to_be_awaited_is_refused() -> None:
    async def check() -> bool:
        return True

    with pytest.raises(TypeError, match="check is to be awaited"):
        always(check)


# --- sometimes ---


def reached_by(scenario: Callable[[], object]) -> dict[str, bool]:
    async def body() -> dict[str, bool]:
        scenario()
        return dict(asyncio.get_running_loop().exploration.reached)  # type: ignore[attr-defined]

    return run(body())


def test_a_run_knows_what_it_has_reached() -> None:
    def scenario() -> None:
        sometimes("here")
        sometimes("never", [])
        sometimes("once", 0)
        sometimes("once", 1)
        sometimes("once", 0)

    assert reached_by(scenario) == {"here": True, "never": False, "once": True}


async def test_outside_of_explorations_nothing_need_happen() -> None:
    sometimes("never", False)


# --- cancellations ---


class Doomed:
    """A task that may be cancelled, and how far it came."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def work(self) -> None:
        try:
            for number in range(3):
                self.told.append(f"step {number}")
                await asyncio.sleep(0)
        except asyncio.CancelledError as error:
            self.told.append(f"cancelled {error}")
            raise

    async def scenario(self) -> None:
        async with asyncio.TaskGroup() as group:
            cancel_sometime(group.create_task(self.work(), name="doomed"), "so it goes")


WHOLE = ["step 0", "step 1", "step 2"]


@pytest.mark.parametrize("named", [False, True])
def test_a_task_is_not_cancelled_unless_the_explorer_says_so(named: bool) -> None:
    doomed = Doomed()
    run(doomed.scenario(), Listed(wants_actions=named))
    assert doomed.told == WHOLE


async def test_outside_of_explorations_nothing_is_cancelled() -> None:
    doomed = Doomed()
    await doomed.scenario()
    assert doomed.told == WHOLE


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1, 1], []),
        ([1, 0, 1], ["step 0", "cancelled so it goes"]),
        ([1, 0, 0, 1], ["step 0", "step 1", "cancelled so it goes"]),
        ([1, 0, 0, 0, 1], [*WHOLE, "cancelled so it goes"]),
        ([1], WHOLE),
    ],
)
def test_the_explorer_says_when_it_is_cancelled(values: list[int], told: list[str]) -> None:
    doomed = Doomed()
    scheduler = Listed(values)
    run(doomed.scenario(), scheduler)
    assert doomed.told == told


def test_every_place_of_a_cancellation_is_found() -> None:
    found: set[tuple[str, ...]] = set()
    strategy = strategy_named("dpor")
    while not strategy.exhausted:
        doomed = Doomed()
        made = run_once(doomed.scenario, strategy.scheduler(0))
        strategy.heard(made.run, made.ending)
        found.add(tuple(doomed.told))
    said = "cancelled so it goes"
    assert found == {tuple(WHOLE), *((*WHOLE[:steps], said) for steps in (1, 2, 3)), ()}


def test_a_task_that_is_done_is_not_cancelled_any_more() -> None:
    async def scenario() -> bool:
        task = asyncio.get_running_loop().create_task(asyncio.sleep(0))
        await task
        cancel_sometime(task)
        await asyncio.sleep(0)
        return task.cancelled()

    assert run(scenario(), Listed([1, 1, 1])) is False


def test_nobody_waits_for_a_cancellation_that_does_not_come() -> None:
    async def scenario() -> None:
        task = asyncio.get_running_loop().create_task(asyncio.sleep(1), name="doomed")
        cancel_sometime(task)
        await asyncio.sleep(0)
        task.cancel()

    assert run_once(scenario, Listed([1], wants_actions=False)).ending is Ending.PASSED
