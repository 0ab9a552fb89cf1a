"""Part 3 of the demo: one session in the real qemu-io and in ours."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.page import Page

#: Commands whose output is shown together: which of the two prints what, time decides.
STEPS = (
    ("write -P 0x11 0 8k",),
    ("break pwritev_rmw_after_head A",),
    ("aio_write -P 0xaa 1k 512",),
    ("wait_break A",),
    ("aio_write -P 0xbb 2k 512",),
    ("resume A", "aio_flush"),
    ("read -P 0xaa 1k 512",),
    ("read -P 0xbb 2k 512",),
    ("read -P 0x11 0 1k",),
)
SIZE = 1 << 20


@dataclass(frozen=True)
class Played:
    """What a program made of the session."""

    status: int
    #: Lines of output of each step, without times and rates.
    steps: list[list[str]]
    image: bytes


def show_real_qemu(page: Page, folder: Path) -> bool:
    """Run the session in both programs, or in ours alone, and compare."""
    page.heading("3. The same race in the real qemu-io")
    page.say("""
        The language is qemu-io's: 'break' sets a breakpoint, 'aio_write' starts a write and does
        not wait, 'read -P' reads and complains unless it finds the pattern. Two writes of
        512 bytes to one block, the first held between its read and its write.
    """)
    ours = play([sys.executable, "-m", "blkdebug_async", "io"], folder / "ours.img")
    program = shutil.which("qemu-io")
    if program is None:
        page.say("""
            qemu-io is not installed here, so only ours is shown; the Debian package qemu-utils
            has it.
        """)
        _show_steps(page, "blkdebug-async io", ours, "", None)
    else:
        theirs = play([program], folder / "theirs.img")
        version = _first_line(program, "--version").removesuffix(")").split(" (")[0]
        _show_steps(page, version, theirs, "blkdebug-async io", ours)
    complaints = [line for step in ours.steps for line in step if "failed" in line]
    kept = ours.status == 0 and not complaints
    if program is None:
        page.verdict(kept, "neither write was lost")
        return kept
    same = (
        ours.steps == theirs.steps and ours.status == theirs.status and ours.image == theirs.image
    )
    page.table(
        [
            ("output, rates aside", "the same" if ours.steps == theirs.steps else "different"),
            ("exit status", f"{theirs.status} and {ours.status}"),
            ("image afterwards", "the same" if ours.image == theirs.image else "different"),
        ]
    )
    page.verdict(same and kept, "neither write was lost, and both programs say the same")
    return same and kept


def play(program: Sequence[str], image: Path) -> Played:
    """Type the session into a program.

    Args:
        program: Its first words.
        image: A file to make.
    """
    with image.open("wb") as file:
        file.truncate(SIZE)
    options = f"driver=blkdebug,align=4096,image.driver=file,image.filename={image}"
    typed = "".join(f"{command}\n" for step in STEPS for command in step)
    done = subprocess.run(
        [*program, "--image-opts", options],
        input=typed,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return Played(done.returncode, _split(done.stdout), image.read_bytes())


def _split(output: str) -> list[list[str]]:
    """Give each step its lines; both programs prompt before they read a command."""
    prompt = output[: output.find("> ") + 2]
    answers = iter(output.split(prompt)[1:])
    steps: list[list[str]] = []
    for step in STEPS:
        text = "".join(next(answers, "") for _ in step)
        steps.append([line.split(";")[0] for line in text.splitlines()])
    return steps


def _show_steps(page: Page, left: str, one: Played, right: str, other: Played | None) -> None:
    print()
    page.side_by_side([left, "-" * len(left)], [right, "-" * len(right)])
    for index, step in enumerate(STEPS):
        for command in step:
            page.command(command)
        page.side_by_side(one.steps[index], other.steps[index] if other else ())


def _first_line(*command: str) -> str:
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    return done.stdout.partition("\n")[0]
