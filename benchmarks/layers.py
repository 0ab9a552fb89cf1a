"""What does a level cost: 4 KiB reads, one at a time, through chains of drivers over null-co?

Each figure is for 20,000 reads, so that 100 ms are 5 us a read. The real one is `qemu-img bench`
at depth 1 over the same chain, by its own clock; only where it is installed.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping

from benchmarks.harness import (
    Alternative,
    ask_rounds,
    print_machine,
    print_table,
    run_in_turn,
)
from blkdebug_async import open_disk

READS = 20_000
LENGTH = 4096
NULL = {"driver": "null-co", "size": 1 << 30}
BLKDEBUG = {"driver": "blkdebug", "image": NULL}
CHAINS: Mapping[str, Mapping[str, object]] = {
    "null-co": NULL,
    "blkdebug, null-co": BLKDEBUG,
    "raw, blkdebug, null-co": {"driver": "raw", "file": BLKDEBUG},
    "blkdebug, blkdebug, null-co": {"driver": "blkdebug", "image": BLKDEBUG},
    "blkdebug, memory": {"driver": "blkdebug", "image": {"driver": "memory", "size": 1 << 20}},
}
QEMU_OPTIONS = "driver=blkdebug,image.driver=null-co,image.size=1G"


def main() -> None:
    """Measure and print."""
    rounds = ask_rounds(7, __doc__)
    print_machine(rounds)
    alternatives = [Alternative(name, ours(chain)) for name, chain in CHAINS.items()]
    qemu_img = shutil.which("qemu-img")
    if qemu_img is not None:
        alternatives.insert(0, Alternative("QEMU: blkdebug, null-co", theirs(qemu_img)))
    run_in_turn(alternatives, rounds)
    print(f"{READS} reads of {LENGTH} bytes, depth 1:")
    print_table(alternatives)


def ours(chain: Mapping[str, object]) -> Callable[[], float]:
    """Give what reads through a chain of our drivers."""

    async def read_all() -> float:
        async with open_disk(chain) as disk:
            buffers = (bytearray(LENGTH),)
            start = time.perf_counter()
            for _ in range(READS):
                await disk.preadv(0, buffers)
            return time.perf_counter() - start

    return lambda: asyncio.run(read_all())


def theirs(qemu_img: str) -> Callable[[], float]:
    """Give what reads through the real blkdebug."""
    command = [qemu_img, "bench", "--image-opts", "-d", "1", "-c", str(READS), QEMU_OPTIONS]

    def run() -> float:
        done = subprocess.run(command, text=True, capture_output=True, check=True)
        match = re.search(r"Run completed in ([0-9.]+) seconds", done.stdout)
        assert match is not None
        return float(match[1])

    return run


if __name__ == "__main__":
    main()
