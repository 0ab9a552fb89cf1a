"""Running programs and reading their clocks: QEMU's, and ours as a command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

#: What `bench` says at the end, to the millisecond.
CLOCK = re.compile(r"Run completed in ([0-9.]+) seconds")
#: Nothing is said to be faster than half a tick of that clock.
HALF_TICK_S = 0.0005


def missing(*peers: str) -> str:
    """Tell which programs are not installed; "" if all are."""
    absent = [peer for peer in peers if shutil.which(peer) is None]
    return f"{' and '.join(absent)} not installed" if absent else ""


def our_command() -> tuple[str, ...]:
    """Give the words that start our command."""
    python = sys.executable
    command = Path(python).with_name("blkdebug-async")
    return (str(command),) if command.exists() else (python, "-m", "blkdebug_async")


def has_img_bench() -> bool:
    """Tell whether our command has `img bench`."""
    return find_spec("blkdebug_async.cli.img_bench") is not None


def has_uvloop() -> bool:
    """Tell whether uvloop is installed."""
    return find_spec("uvloop") is not None


def bench(program: Sequence[str], *options: str) -> Callable[[int], float]:
    """Give what runs `PROGRAM bench -c COUNT OPTIONS` and believes the program's own clock."""

    def run(count: int) -> float:
        command = [*program, "bench", "-c", str(count), *options]
        done = subprocess.run(
            command, text=True, capture_output=True, check=False, env=environment()
        )
        found = CLOCK.search(done.stdout)
        if done.returncode or found is None:
            raise failure(command, done.returncode, done.stderr)
        return max(HALF_TICK_S, float(found[1]))

    return run


def processes(*command: str, cache: Path, status: int = 0) -> Callable[[int], float]:
    """Give what runs a command so many times, one after the other, from fork to exit.

    Args:
        command: The program and its words.
        cache: A folder for compiled modules.
        status: What it is to end with.
    """

    def run(count: int) -> float:
        start = time.perf_counter()
        for _ in range(count):
            done = subprocess.run(
                command, env=environment(cache), stdout=subprocess.DEVNULL, check=False
            )
            if done.returncode != status:
                raise failure(command, done.returncode)
        return time.perf_counter() - start

    return run


def typed(*command: str, lines: str) -> Callable[[int], float]:
    """Give what types lines into a program so often, from its first prompt to its end."""

    def run(count: int) -> float:
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment(),
        ) as process:
            assert process.stdout is not None
            # A prompt is shown when everything is open.
            os.read(process.stdout.fileno(), 1)
            start = time.perf_counter()
            process.communicate((lines * count).encode())
            took_s = time.perf_counter() - start
        if process.returncode:
            raise failure(command, process.returncode)
        return took_s

    return run


def failure(command: Sequence[str], status: int, said: str = "") -> RuntimeError:
    """Make an error for a program that ended as it should not have."""
    error = RuntimeError(f"{Path(command[0]).name} ended with {status}")
    error.add_note(f"It was: {' '.join(command)}\n{said}")
    return error


def environment(cache: Path | None = None) -> Mapping[str, str]:
    """Give this process's environment, but with compiled modules kept.

    An installed package has them, whatever this environment says of them, and they halve the time
    that a start takes.
    """
    found = dict(os.environ)
    if found.pop("PYTHONDONTWRITEBYTECODE", None) and cache is not None:
        found["PYTHONPYCACHEPREFIX"] = str(cache / "compiled")
    return found
