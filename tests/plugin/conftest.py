from __future__ import annotations

from textwrap import dedent
from typing import Protocol

import pytest

# What a pytest within this one would import anew, it finds: its classes are to be these.
import blkdebug_async.pytest_plugin.exploring
import blkdebug_async.pytest_plugin.given  # noqa: F401

INI = """
[pytest]
asyncio_mode = {mode}
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""
HEAD = """
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest


async def in_order(*names: str) -> list[str]:
    order: list[str] = []

    async def note(name: str) -> None:
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(note(name), name=name)
    return order
"""
#: Fails if b comes before a.
RACE = """
@pytest.mark.explore
async def test_race():
    assert await in_order(*"ab") == ["a", "b"]
"""


class Run(Protocol):
    def __call__(self, source: str, *options: str, mode: str = "auto") -> pytest.RunResult: ...


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest on a module with some tests."""
    monkeypatch.setenv("COLUMNS", "140")

    def run_pytest(source: str, *options: str, mode: str = "auto") -> pytest.RunResult:
        pytester.makefile(".ini", pytest=INI.format(mode=mode))
        pytester.makepyfile(HEAD + dedent(source))
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)

    return run_pytest
