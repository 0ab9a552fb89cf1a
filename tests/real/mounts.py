"""File systems and devices that only root can make; who is not root skips, and is told why."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534


def need_root(why: str) -> None:
    if os.geteuid() != 0:
        pytest.skip(f"needs root: {why}")


def try_as_root(why: str, *command: str | Path) -> str:
    """Run a command; skip where a sandbox does not let even root do this."""
    need_root(why)
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"needs {command[0]}: {why}")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot be done here: {why}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def tmpfs(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of a few bytes."""
    folder.mkdir(exist_ok=True)
    options = f"size={size},mode=755"
    try_as_root("mount a small tmpfs", "mount", "-t", "tmpfs", "-o", options, "tmpfs", folder)
    try:
        yield folder
    finally:
        # Fails while anything on it is open, so nothing is left open.
        subprocess.run(["umount", folder], check=True)


def make_read_only(folder: Path) -> None:
    try_as_root("mount a tmpfs read-only", "mount", "-o", "remount,ro", folder)


@contextmanager
def loop_device(file: Path) -> Iterator[Path]:
    """Make a block device of a file."""
    name = try_as_root("make a loop device", "losetup", "--find", "--show", file)
    try:
        yield Path(name)
    finally:
        subprocess.run(["losetup", "--detach", name], check=True)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be a user without privileges. What is imported later may be out of reach."""
    need_root("become somebody without privileges")
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
