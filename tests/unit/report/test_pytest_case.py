from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from enum import IntEnum
from functools import cache, partial
from pathlib import Path

import pytest

from blkdebug_async.explore import Conditions, Failure
from blkdebug_async.report.pytest_case import pytest_case
from tests.unit.report import failures
from tests.unit.report.failures import racing_writes, unlucky_choice

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = Path(sys.executable).parent


@cache
def found(scenario: Callable[[], Coroutine[object, object, None]]) -> Failure:
    return failures.found(scenario)


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    alone = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        env={**os.environ, **alone},
        cwd=ROOT,
        check=False,
    )


class Callable_:
    """Makes coroutines, and has no name."""

    def __call__(self) -> Coroutine[object, object, None]:
        return unlucky_choice()


class Steps(IntEnum):
    ONE = 1


SCENARIOS = {
    "function": racing_writes,
    "partial": partial(racing_writes, steps=1),
    "partial-of-a-partial": partial(partial(racing_writes, steps=1), fixed=False),
    "lambda": lambda: unlucky_choice(),
    "callable": Callable_(),
    "unsayable": partial(racing_writes, steps=Steps.ONE),
    "module": "tests.unit.report.failures:racing_writes",
}


def test_it_fails_as_long_as_the_bug_is_there(tmp_path: Path) -> None:
    failure = found(racing_writes)
    buggy, mended = tmp_path / "test_buggy.py", tmp_path / "test_mended.py"
    buggy.write_text(pytest_case(failure, racing_writes))
    mended.write_text(pytest_case(failure, partial(racing_writes, fixed=True)))
    pytest_command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
    done = run(*pytest_command, "--rootdir", tmp_path, tmp_path)
    assert "1 failed, 1 passed" in done.stdout, done.stdout
    assert "test_buggy.py::test_racing_writes_in_the_order_that_failed" in done.stdout
    assert "the second write was lost" in done.stdout


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_linters_have_nothing_to_say(scenario: object, tmp_path: Path) -> None:
    failure = replace(found(racing_writes), token="x1." + 300 * "A")
    for token in (failure.token, "x1." + 60 * "A", "x1.AAAA"):
        text = pytest_case(replace(failure, token=token), scenario)  # type: ignore[arg-type]
        path = tmp_path / f"test_case{len(token)}.py"
        path.write_text(text)
        assert token in "".join(
            node.value
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
    config = ROOT / "pyproject.toml"
    check = run(SCRIPTS / "ruff", "check", "--config", config, "--extend-ignore=D", tmp_path)
    assert check.returncode == 0, check.stdout
    formatted = run(SCRIPTS / "ruff", "format", "--config", config, "--diff", tmp_path)
    assert formatted.returncode == 0, formatted.stdout


def test_it_says_what_fails_and_what_went_otherwise() -> None:
    text = pytest_case(found(racing_writes), racing_writes)
    assert "    # AssertionError: the second write was lost\n" in text
    assert re.search(r"#   at \S*failures\.py:\d+: assert ", text)
    assert "    #   held back until step " in text


def test_what_cannot_be_imported_is_to_be_filled_in() -> None:
    text = pytest_case(found(unlucky_choice), SCENARIOS["lambda"])  # type: ignore[arg-type]
    assert "# To be filled in: what was explored cannot be imported. It was\n" in text
    assert "tests.unit.report.test_pytest_case.<lambda>" in text
    assert "replay(scenario, " in text


def test_a_scenario_may_be_named() -> None:
    text = pytest_case(found(unlucky_choice), "pack.mod:Class.race")
    assert "\nfrom pack.mod import Class\n" in text
    assert "def test_race_in_the_order_that_failed() -> None:" in text
    assert "replay(Class.race, " in text


@pytest.mark.parametrize("name", ["", "module", "module:", ":function", "a b:c", "module:<lambda>"])
def test_what_names_no_scenario_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is named as module:function, not as"):
        pytest_case(found(unlucky_choice), name)


def test_conditions_are_said_where_they_differ_from_the_usual_ones() -> None:
    conditions = Conditions(may_leave=True, passed_on=(KeyError,))
    text = pytest_case(found(unlucky_choice), unlucky_choice, conditions=conditions)
    assert "from blkdebug_async.explore import Conditions, replay\n" in text
    assert ", conditions=Conditions(may_leave=True)).check()" in text
    usual = pytest_case(found(unlucky_choice), unlucky_choice, conditions=Conditions())
    assert "Conditions" not in usual
