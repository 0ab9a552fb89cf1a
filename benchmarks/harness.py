"""What all benchmarks share: alternatives run in turn, medians, ratios, machine and versions.

Machines drift: they get warm, and others work on them. So the alternatives of one question take
turns, one each a round, and what is compared was measured within the same seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path


@dataclass
class Alternative:
    """One way to do something, and how long it took."""

    name: str
    #: Does it once; gives how long it took in seconds.
    run: Callable[[], float]
    #: What its median is hoped to be below, in ms beyond the first alternative; for the table only.
    goal_ms: float | None = None
    #: One for each round.
    times_s: list[float] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        """Median of all rounds."""
        return statistics.median(self.times_s) * 1e3


def ask_rounds(default: int, about: str | None) -> int:
    """Read the number of rounds from the command line."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--rounds", type=int, default=default, help=f"default: {default}")
    rounds: int = parser.parse_args().rounds
    return max(2, rounds)


def run_in_turn(alternatives: Sequence[Alternative], rounds: int) -> None:
    """Run all alternatives once a round; a first round, to warm up, does not count."""
    for number in range(rounds + 1):
        for alternative in alternatives:
            took_s = alternative.run()
            if number:
                alternative.times_s.append(took_s)


def print_table(alternatives: Sequence[Alternative]) -> None:
    """Print the times of all, and compare them with the first one's."""
    base = alternatives[0]
    width = max(len(each.name) for each in alternatives)
    print(f"{'':{width}}   median      quartiles   beyond first   ratio   goal")
    for each in alternatives:
        low, _, high = (1e3 * cut for cut in statistics.quantiles(each.times_s, n=4))
        row = f"{each.name:{width}} {each.median_ms:5.1f} ms  {low:6.1f} - {high:5.1f}"
        if each is not base:
            # Of each round by itself, as both were then measured within the same seconds.
            beyond = [mine - its for mine, its in zip(each.times_s, base.times_s, strict=True)]
            row += f"  {statistics.median(beyond) * 1e3:10.1f} ms"
            row += f"  {each.median_ms / base.median_ms:6.2f}"
        if each.goal_ms is not None:
            row += f"   < {each.goal_ms:.0f} ms beyond"
        print(row)


def print_machine(rounds: int) -> None:
    """Print what the figures were measured on."""
    print(f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}")
    qemu = _first_line("qemu-io", "--version")
    print(
        f"Python {platform.python_version()}, blkdebug_async {version('blkdebug_async')}, "
        f"{qemu or 'no qemu-io'}"
    )
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"{rounds} rounds, the alternatives in turn; load before: {load}\n")
    sys.stdout.flush()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(": ")[2] for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _first_line(*command: str) -> str | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    return done.stdout.partition("\n")[0]
