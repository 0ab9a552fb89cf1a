"""What a load is: which requests, where, how many at once, how fast, and until when.

No asyncio in here. Values only: workload.py turns a job into requests, run.py issues them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf, isfinite
from types import MappingProxyType
from typing import Final

from blkdebug_async.units import MAX_REQUEST, SECTOR_SIZE, is_aligned


class Op(StrEnum):
    """What a request does; fio's words where it has them."""

    READ = "read"
    WRITE = "write"
    ZERO = "zero"
    DISCARD = "discard"
    FLUSH = "flush"

    @property
    def changes(self) -> bool:
        """Whether it changes what the disk reads as."""
        return self in _CHANGING


_CHANGING: Final = frozenset({Op.WRITE, Op.ZERO, Op.DISCARD})


@dataclass(frozen=True, slots=True)
class Sequential:
    """One block after the other, and at the end of the range from its start again."""


@dataclass(frozen=True, slots=True)
class Uniform:
    """Any block as likely as any other, each time anew."""


@dataclass(frozen=True, slots=True)
class Zipf:
    """Few blocks are wanted often: the k-th most popular with a weight of 1 / k**theta.

    The popular ones are scattered over the range.
    """

    #: How uneven, > 0; 1.2 is common.
    theta: float = 1.2


Pattern = Sequential | Uniform | Zipf


class Fill(StrEnum):
    """What writes contain."""

    RANDOM = "random"
    PATTERN = "pattern"
    ZERO = "zero"


_READS: Final[Mapping[Op, float]] = MappingProxyType({Op.READ: 1.0})
_PAGES: Final[Mapping[int, float]] = MappingProxyType({4096: 1.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One load. Without runtime_s, max_requests and max_bytes it covers its range once.

    Raises:
        ValueError: Something makes no sense; says what and why.
    """

    #: Name in results; no two jobs of a run share one.
    name: str = "job"
    #: Which disk, when a run has several; None: the only one.
    disk: str | None = None
    #: What requests do, each with its weight (> 0), e.g. {Op.READ: 70, Op.WRITE: 30}. No flushes.
    operations: Mapping[Op, float] = field(default_factory=lambda: _READS)
    pattern: Pattern = Sequential()
    #: First byte of the range, a multiple of alignment.
    start: int = 0
    #: Bytes in the range; None: up to the end of the disk.
    size: int | None = None
    #: Lengths of requests in bytes, up to MAX_REQUEST, each with its weight (> 0), as fio's
    #: bssplit.
    block_sizes: Mapping[int, float] = field(default_factory=lambda: _PAGES)
    #: Offsets are start plus a multiple of this; None: the smallest of block_sizes.
    alignment: int | None = None
    #: Most requests in flight, >= 1.
    depth: int = 1
    #: Requests per second; None: as fast as they are answered. Requests are then due at fixed
    #: times, and `total` is counted from there, so that a slow answer also shows in those that
    #: had to wait for it (no coordinated omission).
    request_rate: float | None = None
    #: Bytes per second, in the same way; with both, the slower one holds.
    byte_rate: float | None = None
    #: Seconds that pass between an answer and the next request in its place.
    think_s: float = 0.0
    #: Seconds that are measured; None: no limit. Of several limits the first one ends the job.
    runtime_s: float | None = None
    #: Requests that are measured, flushes aside; None: no limit.
    max_requests: int | None = None
    #: Bytes that are asked for; None: no limit. The last request may go beyond it.
    max_bytes: int | None = None
    #: Seconds before measuring begins.
    warmup_s: float = 0.0
    #: Requests before measuring begins; with both, the later one holds.
    warmup_requests: int = 0
    #: A flush after this many writes, zeroes and discards; None: none.
    flush_every: int | None = None
    #: Mark each sector that is written, check what is read, and read all of it in the end.
    #: Everything is a multiple of 512 then.
    verify: bool = False
    #: What writes contain, unless verify is set.
    fill: Fill = Fill.RANDOM
    #: The bytes that Fill.PATTERN repeats.
    fill_pattern: bytes = b"\xa5"
    #: The first error ends the job; otherwise errors are counted.
    stop_at_error: bool = False
    #: Chance begins here: the same seed makes the same requests.
    seed: int = 0

    def __post_init__(self) -> None:
        for complaint in _complaints(self):
            raise ValueError(f"job {self.name!r}: {complaint}")

    @property
    def step(self) -> int:
        """The alignment that holds: offsets are start plus a multiple of it."""
        return min(self.block_sizes) if self.alignment is None else self.alignment

    @property
    def writes(self) -> bool:
        """Whether any request changes the disk."""
        return any(op.changes for op in self.operations)

    @property
    def is_paced(self) -> bool:
        """Whether requests are due at fixed times."""
        return self.request_rate is not None or self.byte_rate is not None


def _complaints(job: Job) -> Iterator[str]:
    yield from _complaints_of_weights(job)
    yield from _complaints_of_numbers(job)
    if job.start < 0:
        yield f"the start must not be negative: {job.start}"
    if isinstance(job.pattern, Zipf) and not 0 < job.pattern.theta < inf:
        yield f"zipf needs a theta above 0, not {job.pattern.theta}"
    if job.fill is Fill.PATTERN and not job.fill_pattern:
        yield "the pattern to write is empty"
    if job.block_sizes and job.size is not None and job.size < max(job.block_sizes):
        yield f"a range of {job.size} bytes has no room for {max(job.block_sizes)}"
    if job.verify and job.block_sizes:
        yield from _complaints_of_verifying(job)


def _complaints_of_weights(job: Job) -> Iterator[str]:
    for name, weights in (("operations", job.operations), ("block_sizes", job.block_sizes)):
        if not weights:
            yield f"{name} is empty"
        for key, weight in weights.items():
            if not (weight > 0 and isfinite(weight)):
                yield f"the weight of {key} must be above 0, not {weight}"
    if Op.FLUSH in job.operations:
        yield "flushes are asked for with flush_every"
    for length in job.block_sizes:
        if length < 1:
            yield f"a block must have at least 1 byte, not {length}"
        if length > MAX_REQUEST:
            yield f"a block must have at most {MAX_REQUEST} bytes, not {length}"


def _complaints_of_numbers(job: Job) -> Iterator[str]:
    for name in _AT_LEAST_ONE:
        value = getattr(job, name)
        if value is not None and value < 1:
            yield f"{name} must be at least 1, not {value}"
    for name in _ABOVE_ZERO:
        value = getattr(job, name)
        if value is not None and not 0 < value < inf:
            yield f"{name} must be above 0, not {value}"
    for name in _NOT_NEGATIVE:
        if not 0 <= getattr(job, name) < inf:
            yield f"{name} must not be negative or endless: {getattr(job, name)}"


def _complaints_of_verifying(job: Job) -> Iterator[str]:
    for what, value in (
        ("start", job.start),
        ("alignment", job.step),
        *(("block size", length) for length in job.block_sizes),
    ):
        if not is_aligned(value, SECTOR_SIZE):
            yield f"to verify, the {what} must be a multiple of {SECTOR_SIZE}, not {value}"


_AT_LEAST_ONE: Final = ("alignment", "depth", "max_requests", "max_bytes", "flush_every")
_ABOVE_ZERO: Final = ("request_rate", "byte_rate", "runtime_s")
_NOT_NEGATIVE: Final = ("think_s", "warmup_s", "warmup_requests")
