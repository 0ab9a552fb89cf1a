from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import blkdebug_async

DOORS = (
    "blkdebug_async",
    "blkdebug_async.bench",
    "blkdebug_async.block",
    "blkdebug_async.explore",
)


def stub_of(door: str) -> ast.Module:
    path = importlib.import_module(door).__file__
    assert path is not None
    return ast.parse(Path(path).with_suffix(".pyi").read_text())


def typed_names(door: str) -> dict[str, str]:
    return {
        alias.name: node.module or ""
        for node in stub_of(door).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("door", DOORS)
def test_every_public_name_has_a_type_and_no_other(door: str) -> None:
    assert sorted(typed_names(door)) == importlib.import_module(door).__all__


@pytest.mark.parametrize("door", DOORS)
def test_type_checkers_are_told_of_every_public_name(door: str) -> None:
    (listed,) = (node.value for node in stub_of(door).body if isinstance(node, ast.Assign))
    assert sorted(ast.literal_eval(listed)) == importlib.import_module(door).__all__


@pytest.mark.parametrize("door", DOORS)
def test_a_public_name_is_what_its_type_says(door: str) -> None:
    module = importlib.import_module(door)
    for name, home in typed_names(door).items():
        assert getattr(module, name) is getattr(importlib.import_module(home), name)


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
