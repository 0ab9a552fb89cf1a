from __future__ import annotations

import importlib
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from blkdebug_async import compat

PAGE = Path(__file__).resolve().parents[2] / "docs" / "qemu-compat.md"
REFERENCES = sorted(set(re.findall(r"`(test_\w+)\.py::([^`]+)`", PAGE.read_text())))
MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_*sessions*.py"))


def sessions(module: str) -> list[str]:
    names: dict[str, object] = importlib.import_module(f"tests.compat.{module}").SESSIONS
    return list(names)


@pytest.mark.parametrize(("module", "pattern"), REFERENCES)
def test_a_session_that_the_table_names_exists(module: str, pattern: str) -> None:
    assert [name for name in sessions(module) if fnmatchcase(name, pattern)]


@pytest.mark.parametrize("module", MODULES)
def test_the_table_names_each_file_of_sessions(module: str) -> None:
    assert module in {referenced for referenced, _ in REFERENCES}


@pytest.mark.parametrize("switch", compat.switches())
def test_the_table_of_switches_has_each_switch(switch: str) -> None:
    assert f"| `{switch}` |" in PAGE.read_text()
