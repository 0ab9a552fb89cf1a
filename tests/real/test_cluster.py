from __future__ import annotations

import logging
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from blkdebug_async.explore import Progress, Report, explore
from blkdebug_async.explore.batches import JobsError
from blkdebug_async.explore.careful import RunDiedError
from tests.unit.explore import portable

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
dask = pytest.importorskip("dask", reason="the extra `cluster` is not installed")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two worker processes on this machine, which are started anew when they end."""
    options = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def facts(report: Report) -> tuple[object, ...]:
    failure = report.failure
    found = failure and (failure.token, failure.runs, failure.found)
    return (found, report.runs, report.steps, report.distinct, report.proof)


@pytest.mark.parametrize("strategy", ["auto", "random"])
def test_a_cluster_finds_what_one_process_finds(client: Any, strategy: str) -> None:
    reports = [
        explore(portable.failing, store=None, strategy=strategy, seed=3, jobs=jobs)
        for jobs in (1, client.get_executor())
    ]
    assert reports[0].failure is not None
    assert facts(reports[0]) == facts(reports[1])


def test_a_worker_that_is_killed_costs_no_run(client: Any) -> None:
    killed: list[int] = []

    def kill_one(progress: Progress) -> None:
        if not killed and progress.runs > 100:
            killed.append(next(iter(client.run(os.getpid).values())))
            os.kill(killed[0], signal.SIGKILL)

    wanted = explore(portable.steady, store=None, strategy="random", runs=2500)
    report = explore(
        portable.steady,
        store=None,
        strategy="random",
        runs=2500,
        jobs=client.get_executor(),
        progress=kill_one,
    )
    assert killed
    assert facts(report) == facts(wanted)


def test_a_run_that_ends_its_worker_is_found(client: Any) -> None:
    failure = explore(
        portable.exiting, store=None, strategy="random", jobs=client.get_executor()
    ).failure
    assert failure is not None
    assert isinstance(failure.error, RunDiedError)
    assert "it ended with status 3" in str(failure.error)


def test_a_cluster_of_threads_is_refused() -> None:
    options = {"dashboard_address": ":0", "silence_logs": logging.CRITICAL}
    with (
        distributed.LocalCluster(n_workers=1, processes=False, **options) as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(JobsError, match="in this very process"),
    ):
        explore(portable.steady, store=None, jobs=client.get_executor())
