"""What does a level cost: 4 KiB reads, one at a time, through chains of drivers over null-co?

The real one is `qemu-img bench` at depth 1 over the same chain, by its own clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from benchmarks.harness import Comparison, Side
from benchmarks.img_bench import NULL, NULL_SIZE, reads
from benchmarks.programs import bench, missing
from benchmarks.workplace import Workplace

NOTHING = {"driver": "null-co", "size": NULL_SIZE}
BLKDEBUG = {"driver": "blkdebug", "image": NOTHING}
CHAINS: Mapping[str, Mapping[str, object]] = {
    "null-co": NOTHING,
    "blkdebug, null-co": BLKDEBUG,
    "raw, blkdebug, null-co": {"driver": "raw", "file": BLKDEBUG},
    "blkdebug, blkdebug, null-co": {"driver": "blkdebug", "image": BLKDEBUG},
    "blkdebug, memory": {"driver": "blkdebug", "image": {"driver": "memory", "size": NULL_SIZE}},
}


def questions(place: Workplace) -> Iterator[Comparison]:
    """Ask the only one."""
    sides = [Side(name, reads(chain, NULL_SIZE), 500) for name, chain in CHAINS.items()]
    if not missing("qemu-img"):
        program = bench(["qemu-img"], "-d", "1", "--image-opts", NULL)
        sides.append(Side("QEMU: blkdebug, null-co", program, 500))
    yield Comparison("layers", "reads through chains of drivers, depth 1", sides)
