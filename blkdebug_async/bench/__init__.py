"""Load for any tree of nodes, and the figures that come of it."""

from __future__ import annotations

from blkdebug_async.lazy import lazy_names

#: Defining module to the names that it gives.
_HOMES = {
    "blkdebug_async.bench.histogram": "Histogram",
    "blkdebug_async.bench.job": "Fill Job Op Pattern Sequential Uniform Zipf",
    "blkdebug_async.bench.result": (
        "Damage JobProgress JobResult OpResult Progress RunResult Sample Usage Verification"
    ),
    "blkdebug_async.bench.run": "Bench run_bench run_jobs",
}

__all__, __getattr__, __dir__ = lazy_names(globals(), _HOMES)
