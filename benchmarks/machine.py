"""What figures were measured on: the machine, and the versions of all that took part."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("blkdebug_async", "uvloop", "aiofiles")
PEERS = ("qemu-img", "qemu-io")


@dataclass(frozen=True)
class Machine:
    """A machine, on one day."""

    processor: str
    cores: int
    system: str
    #: File system of the folder that the files were in.
    file_system: str
    python: str
    #: Name to version.
    packages: dict[str, str]
    #: Name to what it says of its version.
    peers: dict[str, str]
    day: str


def this_machine(folder: Path) -> Machine:
    """Look at the machine that this runs on."""
    packages = {name: found for name in PACKAGES if (found := _version(name)) is not None}
    commit = _first_line("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
    if commit:
        packages["blkdebug_async"] += f" ({commit})"
    peers = {name: found for name in PEERS if (found := _first_line(name, "--version"))}
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.release()}",
        file_system=file_system_of(folder),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages=packages,
        peers=peers,
        day=datetime.now(UTC).date().isoformat(),
    )


def file_system_of(folder: Path) -> str:
    """Tell the kind of file system that a folder is on, as in mount(8); "" if nobody knows."""
    try:
        lines = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return ""
    target = folder.resolve()
    mounts = [(Path(words[1]), words[2]) for words in map(str.split, lines)]
    # A later mount hides an earlier one at the same place.
    around = [(len(str(at)), kind) for at, kind in mounts if target.is_relative_to(at)]
    return max(reversed(around), key=lambda each: each[0], default=(0, ""))[1]


def stolen_and_total() -> tuple[int, int]:
    """Tell how much processor time others have taken from this machine, and how much there was."""
    try:
        words = Path("/proc/stat").read_text().partition("\n")[0].split()
    except OSError:
        return 0, 0
    ticks = [int(word) for word in words[1:9]]
    return ticks[7], sum(ticks)


def loads() -> tuple[float, ...]:
    """Tell how busy the machine was in the last minutes."""
    return tuple(round(load, 1) for load in os.getloadavg())


def describe(machine: Machine) -> Iterable[str]:
    """Put it in words, a line each."""
    on = f" on {machine.file_system}" if machine.file_system else ""
    yield f"{machine.processor}, {machine.cores} cores; {machine.system}, files{on}"
    yield ", ".join([machine.python, *(f"{k} {v}" for k, v in machine.packages.items())])
    yield "; ".join(machine.peers.values()) or "no QEMU"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


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
    return done.stdout.partition("\n")[0] if done.returncode == 0 else None
