"""Memory of requests: where it begins suits O_DIRECT, and it is made before anything is timed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from mmap import PAGESIZE, mmap
from random import Random
from typing import Final, assert_never

from blkdebug_async.bench.job import Fill, Job
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.units import MIB, align_up

#: Different contents that writes of one length take in turn.
_VARIANTS: Final = 16


def aligned(size: int) -> memoryview:
    """Zeroed memory that begins at a page."""
    return memoryview(mmap(-1, max(size, 1)))[:size]


class Buffers:
    """Where the requests of one place in flight read to.

    Args:
        job: Its block_sizes say which lengths there are.
    """

    def __init__(self, job: Job) -> None:
        #: The whole of it.
        self.memory = aligned(max(job.block_sizes))
        #: By length.
        self.iovs: Mapping[int, Iovec] = {
            length: Iovec.of((self.memory[:length],)) for length in job.block_sizes
        }


class Contents:
    """What the writes of a job contain; nobody changes it, so that all in flight may share it."""

    def __init__(self, job: Job) -> None:
        longest = max(job.block_sizes)
        memory = aligned(align_up(longest, PAGESIZE) + (_VARIANTS - 1) * PAGESIZE)
        _fill(memory, job)
        #: By length: what the next write of it contains, and so on without end.
        self.iovs = {
            length: cycle(
                [
                    Iovec.of((memory[start : start + length],))
                    for start in range(0, _VARIANTS * PAGESIZE, PAGESIZE)
                ]
            )
            for length in job.block_sizes
        }


def _fill(memory: memoryview, job: Job) -> None:
    match job.fill:
        case Fill.RANDOM:
            random = Random(f"{job.seed} {job.name} contents")
            for start in range(0, len(memory), MIB):
                part = memory[start : start + MIB]
                part[:] = random.randbytes(len(part))
        case Fill.PATTERN:
            pattern = job.fill_pattern * (len(memory) // len(job.fill_pattern) + 1)
            memory[:] = pattern[: len(memory)]
        case Fill.ZERO:
            pass
        case _:
            assert_never(job.fill)
