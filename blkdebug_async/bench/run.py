"""Running jobs on disks, from the first request to the result."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from math import gcd
from typing import Final

from blkdebug_async.bench.buffers import Contents
from blkdebug_async.bench.checking import Checker, CheckingPlace, SharedLedger
from blkdebug_async.bench.issue import Clock, Place, Site
from blkdebug_async.bench.job import Job
from blkdebug_async.bench.load import Load
from blkdebug_async.bench.machine import loop_name, machine, usage, usage_since, versions
from blkdebug_async.bench.result import JobProgress, JobResult, Progress, RunResult, Usage
from blkdebug_async.bench.verify import Ledger
from blkdebug_async.block.driver import NodeSource
from blkdebug_async.disk import Disk
from blkdebug_async.opening import DiskOpening, open_disk

#: How often latencies are taken in, in seconds.
_TICK_S: Final = 0.05
_NS_PER_S: Final = 1_000_000_000


class Bench:
    """One run of jobs. Await run(), once; stop() ends it early.

    Args:
        disks: The disk, or several by the names that jobs use.
        jobs: All of them run at the same time.
        progress: Called once an interval, and at the end, in the loop.
        interval_s: Length of a sample of the time series, in seconds.
        clock: Tells the time in nanoseconds.

    Raises:
        ValueError: A job does not fit its disk, or jobs do not fit together; says why.
    """

    def __init__(
        self,
        disks: Disk | Mapping[str, Disk],
        jobs: Sequence[Job],
        *,
        progress: Callable[[Progress], None] | None = None,
        interval_s: float = 0.5,
        clock: Clock = time.perf_counter_ns,
    ) -> None:
        self._progress = progress
        self._interval_ns = round(interval_s * _NS_PER_S)
        self._clock = clock
        self._began_ns = 0
        self._runs = _prepare(jobs, disks, clock)
        self._stopped = False
        #: One for each job, and for each check at the end.
        self._tasks: list[asyncio.Task[None]] = []
        #: What there is, once run() has ended, in whatever way.
        self.result: RunResult | None = None

    def stop(self) -> None:
        """Cancel what is in flight, and let run() return what there is."""
        self._stopped = True
        for task in self._tasks:
            task.cancel()

    async def run(self) -> RunResult:
        """Run all jobs, then read what verifying ones have written.

        A cancelled run raises CancelledError as anything does; `result` has what there is.
        """
        before, started_at = usage(), time.time()
        self._began_ns = self._clock()
        for run in self._runs:
            run.start(self._began_ns)
        complete, used = False, None
        try:
            async with asyncio.TaskGroup() as group:
                ticker = group.create_task(self._tick())
                try:
                    await self._run_all(_JobRun.issue)
                    used = usage_since(before)
                    await self._run_all(_JobRun.check)
                finally:
                    ticker.cancel()
            complete = not self._stopped
        finally:
            used = usage_since(before) if used is None else used
            self.result = self._conclude(used, started_at, complete)
            self._tell()
        return self.result

    async def _run_all(self, phase: Callable[[_JobRun], Coroutine[object, None, None]]) -> None:
        if self._stopped:
            return
        async with asyncio.TaskGroup() as group:
            self._tasks = [group.create_task(phase(run)) for run in self._runs]

    async def _tick(self) -> None:
        due_ns = self._began_ns + self._interval_ns
        while True:
            await asyncio.sleep(min(_TICK_S, self._interval_ns / _NS_PER_S))
            idle = not any(run.load.in_flight for run in self._runs)
            for run in self._runs:
                run.load.collect(idle)
            now_ns = self._clock()
            if now_ns >= due_ns:
                due_ns = now_ns + self._interval_ns
                for run in self._runs:
                    run.sample(now_ns)
                self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            elapsed_ns = self._clock() - self._began_ns
            self._progress(Progress(elapsed_ns, tuple(run.progress() for run in self._runs)))

    def _conclude(self, used: Usage, started_at: float, complete: bool) -> RunResult:
        return RunResult(
            jobs=tuple(run.result(started_at) for run in self._runs),
            elapsed_ns=max(run.ended_ns for run in self._runs) - self._began_ns,
            started_at=started_at,
            cancelled=not complete,
            usage=used,
            loop=loop_name(),
            versions=versions(),
            machine=machine(),
        )


async def run_jobs(
    disks: Disk | Mapping[str, Disk],
    jobs: Sequence[Job],
    *,
    progress: Callable[[Progress], None] | None = None,
    interval_s: float = 0.5,
    clock: Clock = time.perf_counter_ns,
) -> RunResult:
    """Run jobs on open disks; arguments are those of Bench.

    Raises:
        ValueError: A job does not fit its disk, or jobs do not fit together.
    """
    bench = Bench(disks, jobs, progress=progress, interval_s=interval_s, clock=clock)
    return await bench.run()


def run_bench(
    source: NodeSource | DiskOpening | Mapping[str, DiskOpening],
    jobs: Job | Sequence[Job],
    *,
    progress: Callable[[Progress], None] | None = None,
    interval_s: float = 0.5,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> RunResult:
    """Open a disk, run jobs on it, and close it; for code that is not async.

    The first Ctrl-C ends the run, and what there is until then is returned.

    Args:
        source: What open_disk() takes or has returned; or several of the latter by name.
        jobs: One or several.
        progress: Called once an interval, and at the end.
        interval_s: Length of a sample of the time series, in seconds.
        loop_factory: Makes the event loop, such as uvloop.new_event_loop; None: asyncio's own.

    Raises:
        OSError: A disk cannot be opened or closed.
        ValueError: A job does not fit its disk, or jobs do not fit together.
    """
    openings = _openings(source)
    wanted = [jobs] if isinstance(jobs, Job) else jobs

    async def run() -> RunResult:
        async with AsyncExitStack() as stack:
            disks = {
                name: await stack.enter_async_context(opening) for name, opening in openings.items()
            }
            bench = Bench(disks, wanted, progress=progress, interval_s=interval_s)
            try:
                return await bench.run()
            except asyncio.CancelledError:
                # The runner makes of an interruption a cancellation; this is the outermost task.
                assert bench.result is not None
                return bench.result

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(run())


class _JobRun:
    """One job of a run."""

    def __init__(self, job: Job, disk: Disk, clock: Clock, shared: SharedLedger | None) -> None:
        self.load = Load(job, disk.length)
        #: When its last request was answered.
        self.ended_ns = 0
        self.disk = disk
        self._name, self._length = disk.filename, disk.length
        self._clock = clock
        self._checker = Checker(shared) if shared is not None and job.verify else None
        self._phase: str | None = None

    def start(self, now_ns: int) -> None:
        self.ended_ns = now_ns
        self.load.start(now_ns)

    async def issue(self) -> None:
        site = Site(self.load, self.disk, self._clock, Contents(self.load.job), asyncio.Lock())
        checker = self._checker
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self.load.job.depth):
                    place = Place(site) if checker is None else CheckingPlace(site, checker)
                    group.create_task(place.work())
        except asyncio.CancelledError:
            self.load.stopped = "cancelled"
            raise
        finally:
            self.ended_ns = self._clock()
            self.load.finish(self.ended_ns)
            self._phase = "done"

    async def check(self) -> None:
        if self._checker is not None:
            self._phase = "verifying"
            await self._checker.check_all(self.disk, self.load.workload.range, self.load.job.depth)
            self._phase = "done"

    def sample(self, now_ns: int) -> None:
        if self._phase is None:
            self.load.sample(now_ns)

    def progress(self) -> JobProgress:
        return self.load.progress(self._phase)

    def result(self, started_at: float) -> JobResult:
        operations = self.load.results(self.ended_ns)
        return JobResult(
            job=self.load.job,
            disk=self._name,
            disk_length=self._length,
            runtime_ns=self.ended_ns - self.load.began_ns,
            started_at=started_at,
            operations=operations,
            stopped=self.load.stopped,
            verification=self._checker.verification() if self._checker else None,
        )


def _openings(
    source: NodeSource | DiskOpening | Mapping[str, DiskOpening],
) -> Mapping[str, DiskOpening]:
    if isinstance(source, DiskOpening):
        return {"": source}
    if isinstance(source, Mapping):
        named = {key: each for key, each in source.items() if isinstance(each, DiskOpening)}
        if named and len(named) == len(source):
            return named
    return {"": open_disk(source)}


def _prepare(jobs: Sequence[Job], disks: Disk | Mapping[str, Disk], clock: Clock) -> list[_JobRun]:
    if not jobs:
        raise ValueError("there is no job to run")
    names = [job.name for job in jobs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two jobs are named {name!r}")
    placed = [(job, _disk_of(job, disks)) for job in jobs]
    ledgers = {
        disk: _ledger_of([job for job, where in placed if where is disk]) for _, disk in placed
    }
    runs = [_JobRun(job, disk, clock, ledgers[disk]) for job, disk in placed]
    for disk in ledgers:
        _check_together([run.load for run in runs if run.disk is disk])
    return runs


def _disk_of(job: Job, disks: Disk | Mapping[str, Disk]) -> Disk:
    if isinstance(disks, Disk):
        if job.disk is not None:
            raise ValueError(f"job {job.name!r}: there is one disk, and none named {job.disk!r}")
        return disks
    if job.disk is None and len(disks) == 1:
        return next(iter(disks.values()))
    if job.disk is None or job.disk not in disks:
        known = ", ".join(sorted(disks))
        raise ValueError(f"job {job.name!r}: its disk is {job.disk!r}, which is none of: {known}")
    return disks[job.disk]


def _ledger_of(jobs: Sequence[Job]) -> SharedLedger | None:
    """What verifying jobs on one disk share; None: there is no such job."""
    verifying = [job for job in jobs if job.verify]
    if not verifying:
        return None
    units = {unit for job in verifying for unit in (job.start, job.step, *job.block_sizes)}
    return SharedLedger(Ledger(time.time_ns(), gcd(*units)))


def _check_together(loads: Sequence[Load]) -> None:
    """Refuse to verify what somebody else overwrites."""
    for load in loads:
        for other in loads:
            mine, others = load.workload.range, other.workload.range
            if (
                load.job.verify
                and other.job.writes
                and not other.job.verify
                and mine.start < others.end
                and others.start < mine.end
            ):
                raise ValueError(
                    f"job {load.job.name!r} verifies what job {other.job.name!r} overwrites"
                )
