from __future__ import annotations

import json
from errno import EIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Job, Op
from blkdebug_async.bench.output.fio_json import FioOptions, fio_bins, fio_json
from blkdebug_async.bench.result import RunResult
from tests.unit.bench.output.results import job_result, mixed_run, op_result, run_result

NOTHING_SAID = FioOptions({}, {})
FIO_SECTIONS = {"read": Op.READ, "write": Op.WRITE, "trim": Op.DISCARD}


def laid_out(result: RunResult, options: FioOptions = NOTHING_SAID) -> dict:  # type: ignore[type-arg]
    document = json.loads(json.dumps(fio_json(result, options), allow_nan=False))
    assert isinstance(document, dict)
    return document


def test_sums_agree_with_the_result() -> None:
    result = mixed_run()
    for found, job in zip(laid_out(result)["jobs"], result.jobs, strict=True):
        for name, op in FIO_SECTIONS.items():
            each = job.operations.get(op)
            section = found[name]
            assert section["total_ios"] == (each.requests if each else 0)
            assert section["io_bytes"] == (each.bytes if each else 0)
            for latency in ("slat_ns", "clat_ns", "lat_ns"):
                bins = section[latency].get("bins", {})
                assert sum(bins.values()) == section[latency]["N"] == section["total_ios"]


def test_latencies_are_where_fio_has_them() -> None:
    lat = laid_out(mixed_run())["jobs"][0]["read"]["lat_ns"]
    assert (lat["min"], lat["max"], lat["mean"]) == (1000, 4000, 2500.0)
    assert lat["percentile"]["50.000000"] == 2000
    assert lat["percentile"]["99.990000"] == 4000


def test_flushes_are_syncs() -> None:
    sync = laid_out(mixed_run())["jobs"][0]["sync"]
    assert (sync["total_ios"], sync["lat_ns"]["max"]) == (1, 500)


def test_zeroes_have_a_section_of_their_own() -> None:
    zeroes = job_result(Job(operations={Op.ZERO: 1}), op_result(Op.ZERO, [10, 20]))
    job = laid_out(run_result(zeroes))["jobs"][0]
    assert job["zero"]["total_ios"] == 2
    assert job["write"]["total_ios"] == 0


def test_the_latency_tables_add_up_to_all_requests() -> None:
    job = laid_out(mixed_run())["jobs"][0]
    # 1 to 4 µs: reads; 10 µs and 20 ms: writes. Flushes do not count, as in fio.
    assert job["latency_us"]["2"] == pytest.approx(100 / 6)
    assert job["latency_us"]["4"] == pytest.approx(200 / 6)
    assert job["latency_us"]["10"] == pytest.approx(100 / 6)
    assert job["latency_us"]["20"] == pytest.approx(100 / 6)
    assert job["latency_ms"]["50"] == pytest.approx(100 / 6)
    tables = (job[f"latency_{unit}"] for unit in ("ns", "us", "ms"))
    assert sum(sum(table.values()) for table in tables) == pytest.approx(100)


@pytest.mark.parametrize(
    ("depth", "level"), [(1, "1"), (3, "2"), (4, "4"), (63, "32"), (64, ">=64"), (1000, ">=64")]
)
def test_the_depth_is_in_fios_bin(depth: int, level: str) -> None:
    job = laid_out(run_result(job_result(Job(depth=depth), op_result(Op.READ, [5]))))["jobs"][0]
    assert [name for name, share in job["iodepth_level"].items() if share] == [level]


def test_errors_are_counted_as_where_fio_goes_on() -> None:
    job = laid_out(mixed_run())["jobs"][0]
    assert (job["total_err"], job["first_error"], job["error"]) == (3, EIO, 0)


def test_a_job_that_ends_at_an_error_has_its_errno() -> None:
    stopped = job_result(Job(stop_at_error=True), op_result(Op.READ, [], errors={EIO: 1}))
    job = laid_out(run_result(stopped))["jobs"][0]
    assert job["error"] == EIO
    assert "total_err" not in job


def test_the_processor_is_shared_out_by_requests() -> None:
    mixed, reads = laid_out(mixed_run())["jobs"]
    assert mixed["usr_cpu"] + reads["usr_cpu"] == pytest.approx(25.0)
    assert mixed["usr_cpu"] / reads["usr_cpu"] == pytest.approx(10 / 12)
    assert mixed["ctx"] + reads["ctx"] == 40


def test_options_are_told_as_they_were_typed() -> None:
    options = FioOptions({"bs": "4k"}, {"mixed": {"rw": "randrw"}})
    document = laid_out(mixed_run(), options)
    assert document["global options"] == {"bs": "4k"}
    assert document["jobs"][0]["job options"] == {"name": "mixed", "rw": "randrw"}
    assert document["jobs"][1]["job options"] == {"name": "reads"}


@pytest.mark.parametrize(
    ("value_ns", "middle_ns"),
    # Bins that fio 3.33 wrote.
    [(0, 0), (127, 127), (140_630, 140_288), (1_462_680, 1_466_368), (45_838, 45_824)],
)
def test_bins_are_fios(value_ns: int, middle_ns: int) -> None:
    assert fio_bins(Histogram([value_ns])) == {middle_ns: 1}


@given(st.lists(st.integers(0, 10**10), max_size=50))
def test_bins_lose_no_value_and_stay_close_to_it(values_ns: list[int]) -> None:
    bins = fio_bins(Histogram(values_ns))
    assert sum(bins.values()) == len(values_ns)
    assert list(bins) == sorted(bins)
    for value_ns in values_ns:
        assert any(abs(middle - value_ns) <= value_ns / 64 for middle in bins)
