"""A result in fio's JSON layout (its json+, with the bins of histograms), for fio's own tools.

No asyncio in here. What has another meaning than in fio, as docs/bench.md tells: clat_ns counts
from issuing a request, so that slat_ns is a part of it, as with fio's synchronous engines; lat_ns
counts from when it was due. All requests come from one thread, so that its use of the processor is
shared out by how many requests a job made. Zeroes have a section of their own, after fio's.

fio: stat.c, show_thread_status_json(), add_ddir_status_json(); stat.h, plat_idx_to_val().
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Final

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Op
from blkdebug_async.bench.output.intervals import comparable
from blkdebug_async.bench.result import JobResult, OpResult, RunResult, Sample
from blkdebug_async.units import KIB

Json = Mapping[str, "Json"] | Sequence["Json"] | str | float | None
_Section = dict[str, Json]

#: Whose layout this is.
LAYOUT: Final = "fio-3.33"
_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_NS_PER_US: Final = 1_000
_PERCENTILES: Final = (
    *(1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0),
    *(95.0, 99.0, 99.5, 99.9, 99.95, 99.99),
)
#: fio's sections and what is told there; a section for zeroes comes after them.
_SECTIONS: Final = {"read": Op.READ, "write": Op.WRITE, "trim": Op.DISCARD}
_DEPTHS: Final = (1, 2, 4, 8, 16, 32, 64)
_BATCHES: Final = ("0", "4", "8", "16", "32", "64", ">=64")
#: Below which latencies are counted together, in the unit of the table.
_BELOW: Final = (2, 4, 10, 20, 50, 100, 250, 500, 750, 1000)
#: Values of so many bits have their own bin; longer ones share one with those that begin alike.
_EXACT_BITS: Final = 7


def fio_json(result: RunResult, options: FioOptions) -> _Section:
    """Lay out a result as fio does.

    Args:
        result: What a run found out.
        options: What the command line said.
    """
    totals = {op: sum(_bandwidths(result.jobs, op)) for op in Op}
    issued = sum(_issued(job) for job in result.jobs)
    document: _Section = {
        "fio version": LAYOUT,
        "timestamp": int(result.started_at + result.elapsed_ns / _NS_PER_S),
        "timestamp_ms": int(result.started_at * 1000 + result.elapsed_ns / _NS_PER_MS),
        "time": time.ctime(result.started_at + result.elapsed_ns / _NS_PER_S),
        "written by": f"blkdebug_async {result.versions.get('blkdebug_async', '')}".strip(),
        "global options": dict(options.shared),
    }
    jobs: list[Json] = []
    for job in result.jobs:
        share = _issued(job) / issued if issued else 0.0
        jobs.append(_job(job, result, share, totals, options.of_job(job.job.name)))
    document["jobs"] = jobs
    return document


@dataclass(frozen=True, slots=True)
class FioOptions:
    """What the command line said, name to value, for those who read the result."""

    #: Of all jobs.
    shared: Mapping[str, str]
    #: By the name of the job: what is its own.
    own: Mapping[str, Mapping[str, str]]

    def of_job(self, name: str) -> Mapping[str, str]:
        """What the options of one job say; its name at least."""
        return {"name": name, **self.own.get(name, {})}


def _bandwidths(jobs: Iterable[JobResult], op: Op) -> Iterable[float]:
    return (job.operations[op].bandwidth for job in jobs if op in job.operations)


def _issued(job: JobResult) -> int:
    return sum(each.issued for each in job.operations.values())


def _job(
    job: JobResult,
    result: RunResult,
    share: float,
    totals: Mapping[Op, float],
    options: Mapping[str, str],
) -> _Section:
    sections = dict(_SECTIONS)
    if Op.ZERO in job.operations:
        sections["zero"] = Op.ZERO
    directions: _Section = {
        name: _direction(job.operations.get(op), totals[op]) for name, op in sections.items()
    }
    zeroes = directions.pop("zero", None)
    return {
        "jobname": job.job.name,
        "groupid": 0,
        "error": next(iter(job.errors), 0) if job.job.stop_at_error else 0,
        "eta": 0,
        "elapsed": -(-result.elapsed_ns // _NS_PER_S),
        "job options": dict(options),
        **directions,
        "sync": _sync(job.operations.get(Op.FLUSH)),
        **({} if zeroes is None else {"zero": zeroes}),
        "job_runtime": job.runtime_ns // _NS_PER_MS,
        **_usage(result, share),
        "iodepth_level": _at_depth(job.job.depth),
        "iodepth_submit": _one_by_one(),
        "iodepth_complete": _one_by_one(),
        **_latency_tables([each for op, each in job.operations.items() if op is not Op.FLUSH]),
        **_error_counts(job),
        "latency_depth": job.job.depth,
        "latency_target": 0,
        "latency_percentile": 100.0,
        "latency_window": 0,
    }


def _usage(result: RunResult, share: float) -> _Section:
    usage = result.usage
    elapsed_ns = result.elapsed_ns or 1
    return {
        "usr_cpu": 100 * share * usage.user_ns / elapsed_ns,
        "sys_cpu": 100 * share * usage.system_ns / elapsed_ns,
        "ctx": round(share * (usage.voluntary + usage.involuntary)),
        "majf": round(share * usage.major_faults),
        "minf": round(share * usage.minor_faults),
    }


def _error_counts(job: JobResult) -> _Section:
    """Fio has these only where a job goes on after an error."""
    if job.job.stop_at_error:
        return {}
    return {"total_err": sum(job.errors.values()), "first_error": next(iter(job.errors), 0)}


def _direction(found: OpResult | None, total: float) -> _Section:
    if found is None:
        empty = Histogram()
        found = OpResult(Op.READ, 0, 0, 0, {}, 0, 0, empty, empty, empty)
    return {
        "io_bytes": found.bytes,
        "io_kbytes": found.bytes // KIB,
        "bw_bytes": int(found.bandwidth),
        "bw": int(found.bandwidth / KIB),
        "iops": found.iops,
        "runtime": found.runtime_ns // _NS_PER_MS,
        "total_ios": found.requests,
        "short_ios": 0,
        "drop_ios": 0,
        "slat_ns": _latency(found.submission),
        "clat_ns": _latency(found.completion),
        "lat_ns": _latency(found.total),
        **_spread(comparable(found.samples), total),
    }


def _sync(found: OpResult | None) -> _Section:
    histogram = Histogram() if found is None else found.total
    return {"total_ios": histogram.count, "lat_ns": _latency(histogram)}


def _latency(histogram: Histogram) -> _Section:
    section: _Section = {
        "min": histogram.min,
        "max": histogram.max,
        "mean": histogram.mean,
        "stddev": histogram.stddev,
        "N": histogram.count,
    }
    if histogram.count:
        found = histogram.percentiles(_PERCENTILES)
        section["percentile"] = {f"{each:.6f}": found[each] for each in _PERCENTILES}
        section["bins"] = {str(value): count for value, count in fio_bins(histogram).items()}
    return section


def fio_bins(histogram: Histogram) -> dict[int, int]:
    """Count values in fio's bins, each named after the value in its middle, in rising order."""
    bins: dict[int, int] = {}
    for value, count in histogram.buckets():
        middle = _bin_middle(min(value, histogram.max))
        bins[middle] = bins.get(middle, 0) + count
    return bins


def _bin_middle(value: int) -> int:
    shared_bits = value.bit_length() - _EXACT_BITS
    if shared_bits <= 0:
        return value
    return (value >> shared_bits << shared_bits) + (1 << shared_bits >> 1)


def _spread(samples: Sequence[Sample], total: float) -> _Section:
    """How much rates varied between intervals; bandwidths in KiB/s."""
    rates = [sample.bandwidth / KIB for sample in samples]
    iops = [sample.iops for sample in samples]
    mean = fmean(rates) if rates else 0.0
    return {
        "bw_min": int(min(rates, default=0)),
        "bw_max": int(max(rates, default=0)),
        "bw_agg": min(100.0, 100 * mean * KIB / total) if total else 0.0,
        "bw_mean": mean,
        "bw_dev": stdev(rates) if len(rates) > 1 else 0.0,
        "bw_samples": len(rates),
        "iops_min": int(min(iops, default=0)),
        "iops_max": int(max(iops, default=0)),
        "iops_mean": fmean(iops) if iops else 0.0,
        "iops_stddev": stdev(iops) if len(iops) > 1 else 0.0,
        "iops_samples": len(iops),
    }


def _at_depth(depth: int) -> _Section:
    """All requests under the largest depth that is not above theirs."""
    index = bisect_right(_DEPTHS, depth) - 1
    names = [*(str(each) for each in _DEPTHS[:-1]), f">={_DEPTHS[-1]}"]
    return {name: 100.0 if i == index else 0.0 for i, name in enumerate(names)}


def _one_by_one() -> _Section:
    """Requests go in, and come back, one by one: "4" is 1 to 4 in fio."""
    return {name: 100.0 if name == "4" else 0.0 for name in _BATCHES}


def _latency_tables(found: Sequence[OpResult]) -> _Section:
    counts = {unit: [0] * (len(_BELOW) + 2) for unit in ("ns", "us", "ms")}
    total = 0
    for each in found:
        for value, count in each.total.buckets():
            total += count
            if value < _NS_PER_US:
                counts["ns"][bisect_right(_BELOW, value)] += count
            elif value < _NS_PER_MS:
                counts["us"][bisect_right(_BELOW, value // _NS_PER_US)] += count
            else:
                counts["ms"][bisect_right((*_BELOW, 2000), value // _NS_PER_MS)] += count
    per_cent = 100 / total if total else 0.0
    names = [str(limit) for limit in _BELOW]
    return {
        f"latency_{unit}": dict(zip(columns, (n * per_cent for n in counts[unit]), strict=False))
        for unit, columns in (("ns", names), ("us", names), ("ms", [*names, "2000", ">=2000"]))
    }
