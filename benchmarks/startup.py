"""How long does it take to start: the interpreter, the import, the command, the real qemu-io?

Whole processes, from fork to exit. The image is 1 MiB; what reads it is raw over file. Hoped for:
importing the package takes 60 ms, the command 120 ms, both beyond the interpreter's own start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.harness import Comparison, Side
from benchmarks.programs import missing, our_command, processes
from benchmarks.workplace import Workplace

IMPORTS = {
    "python": "pass",
    "import asyncio": "import asyncio",
    "import blkdebug_async": "import blkdebug_async",
    "... open_disk": "from blkdebug_async import open_disk",
    "... open_disk_sync": "from blkdebug_async import open_disk_sync",
}


def questions(place: Workplace) -> Iterator[Comparison]:
    """Ask the only one; the interpreter's own start comes first."""
    read = ("-f", "raw", "-c", "read 0 4k", str(place.small))
    commands: dict[str, tuple[str, ...]] = {
        name: (sys.executable, "-c", code) for name, code in IMPORTS.items()
    }
    commands["blkdebug-async io"] = (*our_command(), "io", *read)
    if not missing("qemu-io"):
        commands["qemu-io"] = ("qemu-io", *read)
    sides = [Side(name, processes(*words, cache=place.folder)) for name, words in commands.items()]
    yield Comparison("startup", "starting, and reading 4 KiB", sides, things="starts")
