from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
TUTORIAL = DOCS / "tutorial.md"
PAGES = (TUTORIAL, DOCS / "exploring.md", DOCS / "bench.md", DOCS / "cluster.md")
#: What pages type, and what Python is told then.
COMMANDS = {"blkdebug-async": "-m blkdebug_async", "pytest": "-m pytest", "python": ""}
#: What is typed, with what it prints; and files to paste, which print nothing.
BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def console_steps(page: Path) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    for kind, block in BLOCK.findall(page.read_text()):
        steps += [(block, "")] if kind == "sh" else console_block(block)
    assert steps
    return steps


def console_block(block: str) -> list[tuple[str, str]]:
    steps: list[tuple[str, str]] = []
    for line in block.splitlines(keepends=True):
        command, output = steps[-1] if steps else ("", "")
        if line.startswith("$ "):
            steps.append((line[2:], ""))
        elif line.startswith("> "):
            steps[-1] = (command + line[2:], output)
        else:
            steps[-1] = (command, output + line)
    return steps


def _environment() -> dict[str, str]:
    # Where one of these is set, pytest shows long differences in full; readers see them cut.
    return {name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")}


def play_console(page: Path, folder: Path, path: str, change: Callable[[str], str]) -> None:
    for command, expected in console_steps(page):
        done = subprocess.run(
            ["bash", "-c", change(command)],
            cwd=folder,
            env=_environment() | {"PATH": path},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        fits = doctest.OutputChecker().check_output(expected, done.stdout, doctest.ELLIPSIS)
        assert fits, f"$ {command}{done.stdout}--- expected:\n{expected}"


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_types_into_a_shell_prints_what_it_says(page: Path, tmp_path: Path) -> None:
    commands, folder = tmp_path / "bin", tmp_path / "folder"
    commands.mkdir()
    folder.mkdir()
    for name, words in COMMANDS.items():
        command = commands / name
        command.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        command.chmod(0o755)
    play_console(page, folder, f"{commands}{os.pathsep}{os.environ['PATH']}", str)


@pytest.mark.peer
def test_the_real_qemu_io_prints_the_same(
    tmp_path: Path, require_peer: Callable[[str], Path]
) -> None:
    program = str(require_peer("qemu-io"))
    path = os.environ["PATH"]
    play_console(
        TUTORIAL, tmp_path, path, lambda command: command.replace("blkdebug-async io", program)
    )
