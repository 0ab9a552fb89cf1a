from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from blkdebug_async.explore import Failure, Replayed, replay
from blkdebug_async.report.page_data import page_data
from tests.unit.report.failures import (
    crossed_locks,
    failing_group,
    found,
    racing_writes,
    unlucky_choice,
)


def told(shown: Failure | Replayed) -> dict[str, Any]:
    # As the browser gets it.
    data: dict[str, Any] = json.loads(json.dumps(page_data(shown, "again {token}")))
    return data


def steps(scenario: Callable[[], Coroutine[object, object, None]]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = told(replay(scenario, []))["steps"]
    return listed


def test_every_step_of_the_run_is_told_in_its_order() -> None:
    failure = found(racing_writes)
    data = told(failure)
    keys = [data["names"][step["key"]] for step in data["steps"]]
    assert keys == [moment.action.key for moment in failure.timeline.moments]


def test_a_deviation_says_what_was_possible_and_what_was_taken() -> None:
    failure = found(racing_writes)
    data = told(failure)
    decision = failure.deviations[0]
    step = data["steps"][decision.step]
    names = [data["names"][key] for key, _ in step["options"]]
    assert names == [action.key for action in decision.actions]
    assert step["picked"] == decision.value != 0
    assert data["rows"][step["instead"]]["kind"] == decision.actions[0].kind


def test_a_choice_says_what_about_and_which() -> None:
    data = told(found(unlucky_choice))
    (choices,) = (step["choices"] for step in data["steps"] if "choices" in step)
    assert choices == [["the lamp breaks", 2, 1]]


def test_a_touch_of_bytes_has_a_range_and_that_of_an_object_a_name() -> None:
    touches = told(replay(racing_writes, []))["touches"]
    ranges = [touch[2:] for touch in touches if len(touch) > 2 and touch[0] == "write"]
    assert [0, 512] in ranges
    assert all(not name.startswith("sync:") for touch in touches for name in touch[1:2])
    assert ["read", "task main"] in touches


def test_places_have_their_lines_and_those_around() -> None:
    data = told(found(racing_writes))
    for file, line, _ in data["places"]:
        assert str(line) in data["files"][file]["lines"]
    lines = {text.strip() for file in data["files"] for text in file["lines"].values()}
    assert "async with asyncio.TaskGroup() as group:" in lines


def test_a_helper_stands_below_the_line_that_called_it() -> None:
    data = told(replay(racing_writes, []))
    stacks = [[data["places"][place][2] for place in step["after"]] for step in data["steps"]]
    assert ["first", "write"] in stacks


def test_what_a_request_was_sent_off_by_and_what_it_completes_is_known() -> None:
    data = told(replay(racing_writes, []))
    (sending,) = (step for step in data["steps"] if "sent" in step and step["what"].count("first"))
    (key,) = sending["sent"]
    (completing,) = (step for step in data["steps"] if step["key"] == key)
    assert data["rows"][completing["sender"]]["name"] == "one"


def test_an_error_in_a_group_is_told_with_the_group() -> None:
    errors = told(found(failing_group))["errors"]
    assert [error["type"] for error in errors] == ["ExceptionGroup", "AssertionError"]
    assert errors[1]["message"] == "it is dark"


def test_notes_of_an_error_are_told() -> None:
    async def scenario() -> None:
        error = ValueError("bad")
        error.add_note("worse than it looks")
        raise error

    (error,) = told(replay(scenario, []))["errors"]
    assert error["message"] == "bad\nworse than it looks"


def test_a_deadlock_was_raised_at_no_line_of_the_scenario() -> None:
    (error,) = told(found(crossed_locks))["errors"]
    assert error["type"] == "DeadlockError"
    assert error["stack"] == []


def test_the_comparison_names_steps_of_both_runs() -> None:
    failure = found(racing_writes)
    assert failure.passing is not None
    data = told(failure)
    ours = sorted(n for kind, mine, _, _ in data["changes"] for n in mine)
    theirs = sorted(n for kind, _, other, _ in data["changes"] for n in other)
    assert ours == list(range(len(failure.timeline.moments)))
    assert theirs == list(range(len(failure.passing.moments)))
    assert len(data["passing"]) == len(failure.passing.moments)


def test_without_a_passing_run_there_is_no_comparison() -> None:
    async def always_fails() -> None:
        raise AssertionError

    data = told(found(always_fails))
    assert data["passing"] is None
    assert data["changes"] == []


def test_a_run_made_again_has_a_token_of_its_own() -> None:
    failure = found(racing_writes)
    data = told(replay(racing_writes, failure.values))
    assert data["token"] == failure.token
    assert data["again"] == f"again {failure.token}"
    assert "made again" in data["facts"]


def test_where_a_token_does_not_fit_is_told() -> None:
    token = found(racing_writes).token
    facts = told(replay(crossed_locks, token))["facts"]
    assert any(fact.startswith("the token does not fit: ") for fact in facts)


@pytest.mark.parametrize(("seconds", "expected"), [(0.0, 0.0), (2.5, 2.5)])
def test_steps_have_their_virtual_time(seconds: float, expected: float) -> None:
    async def scenario() -> None:
        await asyncio.sleep(seconds)

    assert steps(scenario)[-1]["time"] == expected
