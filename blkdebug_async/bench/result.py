"""What a run found out: per job and kind of request, over time, and of the machine.

No asyncio in here. Values only: run.py fills them in, output/ shows them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Job, Op

_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """What was answered during one interval of a run."""

    #: The interval, in nanoseconds since measuring began.
    start_ns: int
    end_ns: int
    #: Requests answered without an error, and their bytes.
    requests: int
    bytes: int
    #: Their total latency; 0 where there were none, as the others.
    mean_ns: float
    max_ns: int
    #: Means of the parts of it that OpResult tells apart.
    submission_mean_ns: float
    completion_mean_ns: float

    @property
    def duration_ns(self) -> int:
        """Length of the interval."""
        return self.end_ns - self.start_ns

    @property
    def iops(self) -> float:
        """Requests per second."""
        return per_second(self.requests, self.duration_ns)

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        return per_second(self.bytes, self.duration_ns)


@dataclass(frozen=True, slots=True)
class OpResult:
    """One kind of request of one job, warm-up not counted."""

    op: Op
    #: Requests that were issued: each was answered, failed, or was cancelled by the end of the run.
    issued: int
    #: Answered without an error. Histograms and bytes are of these.
    requests: int
    bytes: int
    #: errno to how many requests failed with it.
    errors: Mapping[int, int]
    #: Cancelled, because the run was.
    cancelled: int
    #: How long it was measured.
    runtime_ns: int
    #: The call that issues a request: until it returns, answered or waiting. Nanoseconds, as all.
    submission: Histogram
    #: From issuing a request until it is answered, so submission is a part of it.
    completion: Histogram
    #: From when a request was due until it is answered: differs from completion only where a rate
    #: is asked for.
    total: Histogram
    samples: Sequence[Sample] = ()

    @property
    def failed(self) -> int:
        """Requests that failed."""
        return sum(self.errors.values())

    @property
    def iops(self) -> float:
        """Requests per second."""
        return per_second(self.requests, self.runtime_ns)

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        return per_second(self.bytes, self.runtime_ns)


@dataclass(frozen=True, slots=True)
class Damage:
    """A range that does not read as what was written last."""

    #: lost, stale, torn, misplaced or corrupt; Kind of verify.py.
    kind: str
    offset: int
    length: int
    #: What was expected and what was found, for people.
    message: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What checking came to."""

    #: Sectors' bytes that were checked, while running and in the end.
    checked_bytes: int = 0
    #: Bytes read that could not be checked: never written, discarded, or being written.
    unchecked_bytes: int = 0
    #: All damage, by kind.
    counts: Mapping[str, int] = field(default_factory=dict)
    #: The first few.
    damages: Sequence[Damage] = ()
    #: Reads of the last phase that failed, by errno.
    errors: Mapping[int, int] = field(default_factory=dict)
    #: Whether everything written was read in the end.
    complete: bool = True

    @property
    def passed(self) -> bool:
        """Whether everything written was read and found right."""
        return self.complete and not self.counts and not self.errors


@dataclass(frozen=True, slots=True)
class JobResult:
    """One job."""

    job: Job
    #: File name of the disk, as Disk.filename has it, and its length in bytes.
    disk: str
    disk_length: int
    #: How long it was measured, from the end of warm-up until the last answer.
    runtime_ns: int
    #: Seconds since 1970 when it was started.
    started_at: float
    #: The kinds that the job asks for, flushes among them.
    operations: Mapping[Op, OpResult]
    #: Why it ended before its limits: cancelled, or an error; None: it did not.
    stopped: str | None = None
    #: None: it was not asked for.
    verification: Verification | None = None

    @property
    def requests(self) -> int:
        """Requests answered without an error, flushes aside."""
        return sum(each.requests for op, each in self.operations.items() if op is not Op.FLUSH)

    @property
    def bytes(self) -> int:
        """Bytes that these moved, zeroed or discarded."""
        return sum(each.bytes for each in self.operations.values())

    @property
    def iops(self) -> float:
        """Requests per second, of all kinds but flushes."""
        return per_second(self.requests, self.runtime_ns)

    @property
    def bandwidth(self) -> float:
        """Bytes per second, of all kinds."""
        return per_second(self.bytes, self.runtime_ns)

    @property
    def errors(self) -> Mapping[int, int]:
        """Errno to how many requests of any kind failed with it."""
        merged: dict[int, int] = {}
        for each in self.operations.values():
            for errno, count in each.errors.items():
                merged[errno] = merged.get(errno, 0) + count
        return merged


@dataclass(frozen=True, slots=True)
class Usage:
    """What the process used in elapsed_ns of a run, by getrusage(); all its threads together."""

    user_ns: int
    system_ns: int
    #: Context switches: it waited; somebody else's turn.
    voluntary: int
    involuntary: int
    major_faults: int
    minor_faults: int
    #: Collections of garbage by generation; each holds up whatever is in flight.
    collections: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """A whole run."""

    jobs: Sequence[JobResult]
    #: From the first request until the last answer, with warm-up and without verifying.
    elapsed_ns: int
    #: Seconds since 1970.
    started_at: float
    #: It was cancelled; the result is what there was until then.
    cancelled: bool
    usage: Usage
    #: Module and class of the event loop.
    loop: str
    #: python, blkdebug_async, uvloop (if installed), kernel: to version.
    versions: Mapping[str, str]
    machine: str

    @property
    def passed(self) -> bool:
        """Whether nothing failed: no error, no damage, not cancelled."""
        return not self.cancelled and all(
            not job.errors and (job.verification is None or job.verification.passed)
            for job in self.jobs
        )


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is; counts are since it was started, warm-up and all."""

    name: str
    #: warm-up, running, verifying, done
    phase: str
    requests: int
    bytes: int
    errors: int
    in_flight: int
    #: Of the last interval: requests and bytes per second, mean and longest total latency.
    iops: float
    bandwidth: float
    mean_ns: float
    max_ns: int
    #: How much is done, 0.0 to 1.0.
    fraction: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What a live line shows; one an interval."""

    elapsed_ns: int
    jobs: Sequence[JobProgress]


def per_second(count: int, duration_ns: int) -> float:
    """Rate of a count over a time; 0 if there was no time."""
    return count * _NS_PER_S / duration_ns if duration_ns else 0.0
