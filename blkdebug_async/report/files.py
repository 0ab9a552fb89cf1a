"""All about a run in files, one a form."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from blkdebug_async.explore.report import Failure, Replayed
from blkdebug_async.explore.run import Conditions, Scenario
from blkdebug_async.report.html import html_page
from blkdebug_async.report.perfetto import perfetto_trace
from blkdebug_async.report.pytest_case import pytest_case
from blkdebug_async.report.qemu_io import Script, qemu_io_script
from blkdebug_async.report.text import text_report

#: A file name holds so much of a scenario's name.
_NAME_LENGTH: Final = 80


def write_files(
    shown: Failure | Replayed,
    folder: str | os.PathLike[str],
    name: str,
    *,
    again: str,
    scenario: Scenario | None = None,
    conditions: Conditions | None = None,
) -> tuple[Path, ...]:
    """Write files about a failure, or about a run that was made again.

    Args:
        shown: What to tell of.
        folder: Where they go; it is made if need be, and what is there of the same name is lost.
        name: What the scenario is called; files are named after it.
        again: How to run it again, with {token} in it.
        scenario: What a test in pytest would call; None: there is none to be written.
        conditions: What holds for a run.

    Returns:
        What was written.

    Raises:
        OSError: Something cannot be written.
    """
    stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[-_NAME_LENGTH:].strip("-.") or "run"
    Path(folder).mkdir(parents=True, exist_ok=True)
    written = []
    for ending, content in _forms(shown, name, again):
        path = Path(folder) / f"{stem}{ending}"
        path.write_bytes(content)
        written.append(path)
    if isinstance(shown, Failure) and scenario is not None:
        path = Path(folder) / f"test_{re.sub(r'[^A-Za-z0-9]+', '_', stem).strip('_').lower()}.py"
        case = pytest_case(shown, scenario, conditions=conditions)
        path.write_text(case, encoding="utf-8", errors="replace")
        written.append(path)
    return tuple(written)


def _forms(shown: Failure | Replayed, name: str, again: str) -> Iterator[tuple[str, bytes]]:
    """Give how a file's name ends, and what is in it."""
    if isinstance(shown, Failure):
        yield (
            ".txt",
            text_report(shown, full=True, again=again).rstrip("\n").encode(errors="replace")
            + b"\n",
        )
    yield ".html", html_page(shown, title=name, again=again).encode()
    yield ".pftrace", perfetto_trace(shown, title=name)
    script = qemu_io_script(shown)
    if isinstance(script, Script):
        yield ".qemu-io.sh", script.shell().encode(errors="replace")
