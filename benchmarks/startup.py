"""How long does it take to start: the interpreter, the import, the command, the real qemu-io?

Whole processes, from fork to exit. The image is 1 MiB in a temporary directory; what reads it is
raw over file. Goals: importing the package 60 ms, the command 120 ms, both beyond the
interpreter's own start. Nothing fails if they are missed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.harness import (
    Alternative,
    ask_rounds,
    print_machine,
    print_table,
    run_in_turn,
)


def main() -> None:
    """Measure and print."""
    rounds = ask_rounds(21, __doc__)
    print_machine(rounds)
    with tempfile.TemporaryDirectory(prefix="blkdebug-async-") as folder:
        alternatives = alternatives_in(Path(folder))
        run_in_turn(alternatives, rounds)
    print_table(alternatives)


def alternatives_in(folder: Path) -> list[Alternative]:
    """List what is measured; the interpreter's own start comes first."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(1 << 20)
    read = ("-f", "raw", "-c", "read 0 4k", str(image))
    python = sys.executable
    command = Path(python).with_name("blkdebug-async")
    ours = [str(command)] if command.exists() else [python, "-m", "blkdebug_async"]
    imports = {
        "python": ("pass", None),
        "import asyncio": ("import asyncio", None),
        "import blkdebug_async": ("import blkdebug_async", 60.0),
        "... open_disk": ("from blkdebug_async import open_disk", None),
        "... open_disk_sync": ("from blkdebug_async import open_disk_sync", None),
    }
    found = [
        Alternative(name, process(folder, python, "-c", code), goal_ms)
        for name, (code, goal_ms) in imports.items()
    ]
    found.append(Alternative("blkdebug-async io", process(folder, *ours, "io", *read), 120.0))
    qemu_io = shutil.which("qemu-io")
    if qemu_io is not None:
        found.append(Alternative("qemu-io", process(folder, qemu_io, *read)))
    return found


def process(folder: Path, *command: str) -> Callable[[], float]:
    """Give what runs a command and tells how long it took, in seconds.

    Compiled modules are kept in folder, whatever this environment says of them: an installed
    package has them too, and they halve the time.
    """
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def run() -> float:
        start = time.perf_counter()
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    return run


if __name__ == "__main__":
    main()
