from __future__ import annotations

import random
import re
import struct
from pathlib import Path
from xml.etree import ElementTree

import pytest

from blkdebug_async.bench.job import Job, Op
from blkdebug_async.bench.output.curves import curves
from blkdebug_async.bench.output.picture import draw
from blkdebug_async.bench.result import RunResult
from tests.unit.bench.output.results import NS_PER_S, job_result, mixed_run, op_result, run_result

pytestmark = pytest.mark.slow


def texts(result: RunResult, folder: Path) -> list[str]:
    # matplotlib draws letters as paths, and says in a comment what they are.
    path = folder / "picture.svg"
    draw(path, curves(result), "some title")
    text = path.read_text()
    ElementTree.fromstring(text)
    return [each.strip() for each in re.findall(r"<!--(.*?)-->", text, re.DOTALL)]


def latencies(count: int) -> list[int]:
    rng = random.Random(count)
    return [round(rng.lognormvariate(10, 1)) for _ in range(count)]


def test_it_names_what_it_shows_with_units(tmp_path: Path) -> None:
    found = texts(mixed_run(), tmp_path)
    assert "some title" in found
    assert {"Latency distribution", "seconds"} <= set(found)
    assert any(each.startswith("Throughput over time, ") for each in found)
    assert any(each.startswith("Requests over time, ") for each in found)
    assert any(each.startswith("mixed, write: ") and "3 failed" in each for each in found)
    assert any(each.startswith("mixed, flush: ") for each in found)


@pytest.mark.parametrize("count", [1, 2, 10, 1000, 100_000])
def test_any_number_of_requests_can_be_drawn(count: int, tmp_path: Path) -> None:
    result = run_result(job_result(Job(), op_result(Op.READ, latencies(count))))
    ticks = [each for each in texts(result, tmp_path) if re.fullmatch(r"[\d.]+ (ns|µs|ms|s)", each)]
    assert len(ticks) >= 2


@pytest.mark.parametrize("jobs", [1, 8, 20])
def test_each_job_has_its_line_in_the_legend(jobs: int, tmp_path: Path) -> None:
    result = run_result(
        *(
            job_result(Job(name=f"job.{number}"), op_result(Op.READ, latencies(50)))
            for number in range(jobs)
        )
    )
    found = texts(result, tmp_path)
    labels = [each for each in found if re.match(r"job\.\d+, read: ", each)]
    assert len(labels) == jobs


def test_without_any_answer_it_says_so(tmp_path: Path) -> None:
    result = run_result(job_result(Job(), op_result(Op.READ, [], errors={5: 2})))
    found = texts(result, tmp_path)
    assert found.count("no request was answered") == 3
    assert "job, read: none answered, 2 failed" in found


def test_rates_far_apart_are_both_legible(tmp_path: Path) -> None:
    result = run_result(
        job_result(Job(name="fast"), op_result(Op.READ, [1000] * 10_000)),
        job_result(Job(name="slow"), op_result(Op.READ, [1000] * 10)),
    )
    assert {"10", "100", "1 k", "10 k"} <= set(texts(result, tmp_path))


def test_the_same_result_makes_the_same_file(tmp_path: Path) -> None:
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"
    draw(one, curves(mixed_run()), "title")
    draw(other, curves(mixed_run()), "title")
    assert one.read_bytes() == other.read_bytes()


def test_a_png_is_large_enough_to_read(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    long_run = op_result(Op.READ, latencies(500), runtime_ns=60 * NS_PER_S)
    draw(path, curves(run_result(job_result(Job(), long_run))), "title")
    data = path.read_bytes()
    assert data.startswith(b"\x89PNG\r\n")
    width, height = struct.unpack(">II", data[16:24])
    assert width >= 1200
    assert height >= 800
