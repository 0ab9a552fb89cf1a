from __future__ import annotations

import asyncio
import gc
import platform
from importlib.metadata import version

from blkdebug_async.bench.machine import loop_name, usage, usage_since, versions


def test_collections_of_garbage_are_counted_by_generation() -> None:
    before = usage()
    gc.collect(0)
    gc.collect(2)
    counted = usage_since(before).collections
    assert len(counted) == 3
    assert counted[0] >= 1
    assert counted[2] >= 1


def test_what_was_used_before_does_not_count() -> None:
    before = usage()
    assert usage_since(before).user_ns < before.user_ns


def test_the_loop_is_named() -> None:
    async def name() -> str:
        return loop_name()

    assert asyncio.run(name()) == "asyncio.unix_events._UnixSelectorEventLoop"


def test_versions_are_of_what_figures_depend_on() -> None:
    found = versions()
    assert found[platform.python_implementation()] == platform.python_version()
    assert found["blkdebug_async"] == version("blkdebug_async")
