from __future__ import annotations

import json

from hdrh.histogram import HdrHistogram

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Job, Op, Zipf
from blkdebug_async.bench.output.full_json import full_json
from blkdebug_async.bench.result import Damage, Verification
from tests.unit.bench.output.results import job_result, mixed_run, op_result, run_result


def test_it_is_json_without_anything_that_is_not() -> None:
    assert json.loads(json.dumps(full_json(mixed_run()), allow_nan=False))["format"] == 1


def test_sums_agree_with_the_result() -> None:
    result = mixed_run()
    document = json.loads(json.dumps(full_json(result)))
    for told, job in zip(document["jobs"], result.jobs, strict=True):
        assert (told["requests"], told["bytes"]) == (job.requests, job.bytes)
        for name, each in told["operations"].items():
            found = job.operations[Op(name)]
            assert each["total_ns"]["count"] == each["requests"] == found.requests
            assert sum(sample["requests"] for sample in each["samples"]) == found.requests
            assert sum(sample["bytes"] for sample in each["samples"]) == found.bytes


def test_errors_are_told_by_name() -> None:
    job = json.loads(json.dumps(full_json(mixed_run())))["jobs"][0]
    assert job["errors"] == {"EIO": 3}
    assert job["operations"]["write"]["errors"] == {"EIO": 3}


def test_a_histogram_can_be_read_by_the_library_of_others() -> None:
    latencies_ns = [1_000, 2_000, 3_000_000]
    result = run_result(job_result(Job(), op_result(Op.READ, latencies_ns)))
    document = json.loads(json.dumps(full_json(result)))
    text = document["jobs"][0]["operations"]["read"]["total_ns"]["hdr"]
    decoded = HdrHistogram.decode(text)
    assert decoded.get_total_count() == 3
    assert decoded.get_max_value() >= Histogram(latencies_ns).max


def test_what_was_asked_for_is_told() -> None:
    job = Job(name="z", pattern=Zipf(1.5), block_sizes={512: 60, 4096: 40}, flush_every=3)
    document = json.loads(json.dumps(full_json(run_result(job_result(job)))))
    options = document["jobs"][0]["options"]
    assert options["pattern"] == "zipf:1.5"
    assert options["block_sizes"] == {"512": 60, "4096": 40}
    assert (options["alignment"], options["flush_every"]) == (512, 3)


def test_damage_is_told_and_the_run_has_not_passed() -> None:
    verification = Verification(
        checked_bytes=4096, counts={"lost": 1}, damages=[Damage("lost", 512, 512, "zeroes")]
    )
    result = run_result(job_result(Job(verify=True), verification=verification))
    document = json.loads(json.dumps(full_json(result)))
    assert document["passed"] is False
    (damage,) = document["jobs"][0]["verification"]["damages"]
    assert damage == {"kind": "lost", "offset": 512, "length": 512, "message": "zeroes"}
