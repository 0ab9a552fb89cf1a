from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from functools import cache, partial

import pytest

from blkdebug_async.explore import replay
from blkdebug_async.report.text import text_report
from tests.unit.report import failures
from tests.unit.report.failures import found


@cache
def report(
    scenario: Callable[[], Coroutine[object, object, None]], width: int = 100, full: bool = False
) -> str:
    return text_report(found(scenario), width=width, full=full)


LONG_RACE = partial(failures.racing_writes, steps=80)


def section(text: str, title: str) -> list[str]:
    """The lines below a title."""
    below = text.partition(f"\n{title}\n")[2]
    return below.partition("\n\n")[0].splitlines()


def test_the_error_comes_first_with_its_line_and_who_raised_it() -> None:
    first, line, facts = report(failures.racing_writes).splitlines()[:3]
    assert first == "AssertionError: the second write was lost"
    assert re.match(
        r'  .*failures\.py:\d+: assert \(await disk\.pread\(0, 6\)\) == b"second"', line
    )
    assert re.fullmatch(r"  by main in step \d+ of \d+ steps; found in run \d+", facts)


def test_the_token_and_how_to_run_it_again_come_last() -> None:
    failure = found(failures.racing_writes)
    last = text_report(failure).splitlines()[-2:]
    assert last == [
        f"token: {failure.token}",
        f'again: replay(scenario, "{failure.token}").check()',
    ]


def test_how_to_run_it_again_can_be_said_otherwise() -> None:
    failure = found(failures.unlucky_choice)
    text = text_report(failure, again="run this {token}")
    assert text.endswith(f"again: run this {failure.token}")


def test_a_deviation_tells_who_was_held_back_and_who_went_first_with_both_lines() -> None:
    title = "What went otherwise than it would have anyway"
    told = section(report(LONG_RACE), title)
    assert re.fullmatch(r"  held back until step \d+: one's write 0\+512", told[0])
    assert "await disk.pwrite(0, word.ljust" in told[1]
    assert re.search(r'called in .*: await write\(disk, b"first"\)', told[2])
    assert re.fullmatch(r"  step \d+: two's write 0\+512 completes before it", told[3])
    assert re.search(r'called in .*: await write\(disk, b"second"\)', told[5])


def test_steps_in_a_row_by_which_one_is_held_back_are_told_together() -> None:
    told = section(report(failures.crossed_locks), "What went otherwise than it would have anyway")
    assert any(
        re.match(r"  steps? [\d ,to]+: (main|down|up) (goes on|begins)", line) for line in told
    )


def test_a_choice_tells_what_happened_and_where() -> None:
    told = section(report(failures.unlucky_choice), "What went otherwise than it would have anyway")
    assert told[0] == "  step 0: the lamp breaks"
    assert told[1].endswith("async def unlucky_choice() -> None:")


def test_steps_tell_what_was_written_and_read_and_how_it_ended() -> None:
    told = "\n".join(section(report(failures.racing_writes), "The run"))
    assert re.search(r"\d+ .*two +begins, writes 'second' to 0\+512", told)
    assert re.search(r"\d+ .*○.* one +write 0\+512 completes", told)
    assert re.search(r"\d+ .*main +got 'first' from 0\+6", told)
    assert re.search(r"\d+ .*main +raises AssertionError", told)


def test_each_who_acts_has_a_lane_from_beginning_to_end() -> None:
    told = section(report(LONG_RACE), "The run")
    lanes = [line[6:16] for line in told]
    # The first write is in flight from its sending off to its completion.
    begins = next(at for at, line in enumerate(told) if "writes 'first'" in line)
    lands = next(at for at, line in enumerate(told) if "one   write 0+512 completes" in line)
    column = lanes[begins].index("╷")
    assert {lane[column] for lane in lanes[begins + 1 : lands]} == {"┆"}
    assert lanes[lands][column] == "○"


def test_where_nothing_happens_steps_are_folded() -> None:
    told = section(report(LONG_RACE), "The run")
    assert any(re.search(r"⋮ .* \d\d steps of two$", line) for line in told)
    assert len(report(LONG_RACE).splitlines()) <= 60


def test_in_full_no_step_of_a_task_or_request_is_left_out() -> None:
    told = section(report(LONG_RACE, full=True), "The run")
    assert len([line for line in told if " two " in line]) >= 80
    assert not any("⋮" in line for line in told)


def test_the_nearest_run_that_passes_stands_beside() -> None:
    told = section(report(LONG_RACE), "This run, and beside it the nearest one that passes")
    assert re.fullmatch(r"    = \d+ steps the same +│", told[0])
    ends = [line.partition("│") for line in told]
    assert any("got 'first'" in left and "got 'second'" in right for left, _, right in ends)


def test_a_deadlock_tells_who_waits_for_what() -> None:
    text = report(failures.crossed_locks, width=300)
    told = section(text, "Who waits for what")
    assert re.match(r"  down +lock main, held by up, .*: async with locks\[second\]:", told[0])
    assert re.match(r"  up +lock main#1, held by down, ", told[1])
    assert re.match(r"  main +its task group, ", told[2])
    assert text.startswith("DeadlockError: Deadlock: no task can go on")


def test_of_a_group_of_errors_the_one_inside_is_told_too() -> None:
    lines = report(failures.failing_group).splitlines()
    assert lines[0].startswith("ExceptionGroup: ")
    assert lines[1] == "AssertionError: it is dark"
    assert "by unlucky in step 1" in lines[3]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_no_line_but_the_last_two_is_longer_than_asked_for(width: int) -> None:
    for scenario in (LONG_RACE, failures.crossed_locks, failures.failing_group):
        assert max(map(len, report(scenario, width).splitlines()[:-2])) <= width


def test_colours_change_nothing_else() -> None:
    failure = found(failures.racing_writes)
    coloured = text_report(failure, colour=True)
    assert "\x1b[1;31mAssertionError" in coloured
    bare = re.sub(r"\x1b\[[\d;]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == text_report(failure).splitlines()


def test_a_run_made_again_is_told_likewise() -> None:
    failure = found(failures.racing_writes)
    told, again = text_report(failure), text_report(replay(failures.racing_writes, failure.token))
    for title in ("What went otherwise than it would have anyway", "The run"):
        assert section(again, title) == section(told, title)
    assert again.splitlines()[:2] == told.splitlines()[:2]
    assert again.splitlines()[-2:] == told.splitlines()[-2:]


def test_a_run_that_passes_says_so() -> None:
    told = text_report(replay(failures.unlucky_choice, ()))
    assert told.startswith("The run passed\n  2 steps\n")


def test_a_run_made_again_says_where_it_diverged() -> None:
    failure = found(failures.racing_writes)
    told = text_report(replay(failures.unlucky_choice, failure.token))
    assert "\n  The replay diverged: " in told


def test_where_lanes_do_not_fit_only_deviations_are_marked() -> None:
    async def crowd() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(30):
                group.create_task(asyncio.sleep(0), name=f"task{number}")

    told = section(text_report(replay(crowd, [0, 1])), "The run")
    rows = [line for line in told if "begins" in line]
    assert [line[6:8] for line in rows[:3]] == ["  ", "  ", "◆ "]
