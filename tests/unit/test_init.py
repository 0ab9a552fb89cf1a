from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import blkdebug_async

STUB = ast.parse(Path(blkdebug_async.__file__).with_suffix(".pyi").read_text())


def typed_names() -> dict[str, str]:
    return {
        alias.name: node.module or ""
        for node in STUB.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_every_public_name_has_a_type_and_no_other() -> None:
    assert sorted(typed_names()) == blkdebug_async.__all__


def test_type_checkers_are_told_of_every_public_name() -> None:
    (listed,) = (node.value for node in STUB.body if isinstance(node, ast.Assign))
    assert sorted(ast.literal_eval(listed)) == blkdebug_async.__all__


@pytest.mark.parametrize("name", blkdebug_async.__all__)
def test_a_public_name_is_what_its_type_says(name: str) -> None:
    home = importlib.import_module(typed_names()[name])
    assert getattr(blkdebug_async, name) is getattr(home, name)


def test_names_that_are_not_there_are_refused_as_usual() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        blkdebug_async.no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_public_names_are_listed_before_they_are_loaded() -> None:
    assert set(blkdebug_async.__all__) <= set(dir(blkdebug_async))


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import blkdebug_async", "asyncio"),
        ("from blkdebug_async import Event", "asyncio"),
        ("from blkdebug_async import open_disk", "anyio"),
    ],
)
def test_what_is_not_used_is_not_imported(statement: str, absent: str) -> None:
    code = f"import sys; {statement}; sys.exit({absent!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == 0
