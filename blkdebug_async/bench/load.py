"""A job under way: how far it is, whether it goes on, when requests are due, where figures go.

No asyncio in here. Times are nanoseconds of whatever clock the caller has.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from blkdebug_async.bench.job import Job, Op
from blkdebug_async.bench.recorder import Recorder
from blkdebug_async.bench.result import JobProgress, OpResult, Sample, per_second
from blkdebug_async.bench.workload import Pacer, Step, Workload
from blkdebug_async.units import align_down

_NS_PER_S: Final = 1_000_000_000
#: More requests than anybody waits for, and few enough to be an islice() bound.
_NO_LIMIT: Final = 1 << 60
# Looking a member up in its class takes longer than what is done with it here.
_FLUSH: Final = Op.FLUSH


class Load:
    """A job that is going to be run, once start() is called.

    Args:
        job: What to do.
        disk_length: Bytes.

    Raises:
        ValueError: There is no room on the disk.
    """

    def __init__(self, job: Job, disk_length: int) -> None:
        self.job = job
        self.workload = Workload(job, disk_length)
        #: The requests to come, flushes among them.
        self.steps: Iterator[Step] = iter(self.workload)
        self.recorders: dict[Op, Recorder] = {}
        #: Requests that were issued and not answered yet.
        self.in_flight = 0
        #: Why it ended before its limits; None: it did not.
        self.stopped: str | None = None
        #: When this phase, warm-up or measuring, began.
        self.began_ns = 0
        #: When nothing more is issued.
        self.end_ns = _NO_LIMIT
        self._phase = "warm-up"
        self._warm_ns = 0
        self._pacer: Pacer | None = None
        self._most_requests = job.max_requests or _NO_LIMIT
        self._most_bytes = job.max_bytes or _NO_LIMIT
        if job.runtime_s is None and job.max_requests is None and job.max_bytes is None:
            # One request at least, which may go beyond it.
            self._most_bytes = max(align_down(self.workload.range.size, job.step), 1)
        #: Issued in this phase, flushes aside.
        self._requests = self._bytes = 0
        #: What progress() tells.
        self._told = JobProgress(job.name, self._phase, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0, 0.0)
        self._errors_before = 0

    def start(self, now_ns: int) -> None:
        """Begin warming up, or measuring if there is no warm-up."""
        job = self.job
        self._warm_ns = now_ns + round(job.warmup_s * _NS_PER_S)
        if job.is_paced:
            self._pacer = Pacer(now_ns, job.request_rate, job.byte_rate)
        self._begin(now_ns)
        self.goes_on(now_ns)

    # --- how long ---

    @property
    def is_warm(self) -> bool:
        """Whether what is issued now counts."""
        return self._phase != "warm-up"

    def goes_on(self, now_ns: int) -> bool:
        """Whether one more request may be issued; begins measuring when it is time."""
        if self.stopped is not None:
            return False
        if self._phase == "warm-up":
            if now_ns < self._warm_ns or self._requests < self.job.warmup_requests:
                return True
            self._phase = "running"
            self._begin(now_ns)
            if self.job.runtime_s is not None:
                self.end_ns = now_ns + round(self.job.runtime_s * _NS_PER_S)
        return (
            now_ns < self.end_ns
            and self._requests < self._most_requests
            and self._bytes < self._most_bytes
        )

    def ask_again_at(self, now_ns: int, later_ns: int) -> int:
        """When goes_on() has to be asked again, later_ns at the latest."""
        if self.is_warm:
            return min(self.end_ns, later_ns)
        return min(self._warm_ns, later_ns) if now_ns < self._warm_ns else later_ns

    def budget(self) -> int:
        """So many requests may be issued, at least 1, before goes_on() has to be asked again."""
        if not self.is_warm:
            return max(self.job.warmup_requests - self._requests, 0) or _NO_LIMIT
        room = self._most_bytes - self._bytes
        return min(self._most_requests - self._requests, -(-room // max(self.job.block_sizes)))

    def count(self, requests: int, moved: int) -> None:
        """So many requests of so many bytes together were issued."""
        self._requests += requests
        self._bytes += moved

    def take(self) -> Step:
        """The next request, which is issued for certain."""
        step = next(self.steps)
        if step[0] is not _FLUSH:
            self._requests += 1
            self._bytes += step[2]
        return step

    def count_step(self, step: Step) -> None:
        """A request from steps was issued for certain."""
        if step[0] is not _FLUSH:
            self.count(1, step[2])

    def due(self, step: Step) -> int | None:
        """When the next request is due; None: as soon as there is room for it."""
        if self._pacer is None or step[0] is Op.FLUSH:
            return None
        return self._pacer.take(step[2])

    # --- what comes of it ---

    def fail(self, recorder: Recorder, error: OSError) -> None:
        """Note a request that failed."""
        recorder.errors[error.errno or 0] += 1
        if self.job.stop_at_error and self.stopped is None:
            self.stopped = f"{recorder.op}: {error}"

    def collect(self, idle: bool) -> None:
        """Take in the latencies noted since the last time."""
        for recorder in self.recorders.values():
            recorder.collect(idle and self._pacer is None)

    def sample(self, now_ns: int) -> None:
        """End an interval of all time series; after collect()."""
        samples = [recorder.sample(now_ns) for recorder in self.recorders.values()]
        self._told = self._add_up(samples, now_ns)

    def progress(self, phase: str | None = None) -> JobProgress:
        """How far it was at the last sample.

        Args:
            phase: What to call it when it issues nothing more; None: warm-up or running.
        """
        return replace(self._told, phase=phase or self._phase, in_flight=self.in_flight)

    def finish(self, now_ns: int) -> None:
        """The last request was answered: end the last interval."""
        self.collect(idle=False)
        self.sample(now_ns)

    def results(self, now_ns: int) -> dict[Op, OpResult]:
        """What was measured until now: nothing if it never became warm."""
        if not self.is_warm:
            self._begin(now_ns)
        return {op: recorder.result(now_ns) for op, recorder in self.recorders.items()}

    def _begin(self, now_ns: int) -> None:
        self._errors_before += self._errors()
        if self.recorders:
            self.collect(idle=False)
            self.sample(now_ns)
        ops = [*self.job.operations, *([Op.FLUSH] if self.job.flush_every else [])]
        self.recorders = {op: Recorder(op, now_ns) for op in ops}
        self.began_ns = now_ns
        self._requests = self._bytes = 0

    def _errors(self) -> int:
        return sum(recorder.errors.total() for recorder in self.recorders.values())

    def _add_up(self, samples: list[Sample], now_ns: int) -> JobProgress:
        requests = sum(sample.requests for sample in samples)
        moved = sum(sample.bytes for sample in samples)
        latency_ns = sum(sample.mean_ns * sample.requests for sample in samples)
        duration_ns = max(sample.duration_ns for sample in samples)
        return JobProgress(
            self.job.name,
            self._phase,
            self._told.requests + requests,
            self._told.bytes + moved,
            self._errors_before + self._errors(),
            self.in_flight,
            per_second(requests, duration_ns),
            per_second(moved, duration_ns),
            latency_ns / requests if requests else 0.0,
            max(sample.max_ns for sample in samples),
            self._fraction(now_ns),
        )

    def _fraction(self, now_ns: int) -> float:
        if not self.is_warm:
            return 0.0
        done = max(self._requests / self._most_requests, self._bytes / self._most_bytes)
        if self.job.runtime_s is not None:
            done = max(done, (now_ns - self.began_ns) / (self.job.runtime_s * _NS_PER_S))
        return min(done, 1.0)
