from __future__ import annotations

from pathlib import Path

from blkdebug_async.bench.job import Job, Op
from blkdebug_async.bench.output.fio_logs import fio_logs
from tests.unit.bench.output.results import NS_PER_S, job_result, mixed_run, op_result, run_result

FIGURES = ("bw", "iops", "lat", "slat", "clat")


def rows(text: str) -> list[list[int]]:
    return [[int(word) for word in line.split(", ")] for line in text.splitlines()]


def test_each_job_has_five_files_with_its_number() -> None:
    names = [str(path) for path, _ in fio_logs("out/x", mixed_run().jobs)]
    assert names == [f"out/x_{figure}.{number}.log" for number in (1, 2) for figure in FIGURES]


def test_a_line_tells_the_end_of_an_interval_its_figure_direction_and_length() -> None:
    found = op_result(Op.WRITE, [3000] * 1000, length=1024, interval_ns=NS_PER_S // 2)
    texts = dict(fio_logs("x", run_result(job_result(_job(1024), found)).jobs))
    assert rows(texts[Path("x_bw.1.log")]) == [[500, 1000, 1, 1024], [1000, 1000, 1, 1024]]
    assert rows(texts[Path("x_iops.1.log")]) == [[500, 1000, 1, 1024], [1000, 1000, 1, 1024]]
    assert rows(texts[Path("x_lat.1.log")]) == [[500, 3000, 1, 1024], [1000, 3000, 1, 1024]]
    assert rows(texts[Path("x_slat.1.log")]) == [[500, 300, 1, 1024], [1000, 300, 1, 1024]]
    assert rows(texts[Path("x_clat.1.log")]) == [[500, 3000, 1, 1024], [1000, 3000, 1, 1024]]


def test_time_goes_on_over_all_kinds_of_requests() -> None:
    (_, text), *_ = fio_logs("x", mixed_run().jobs)
    times = [row[0] for row in rows(text)]
    assert times == sorted(times)
    assert {row[2] for row in rows(text)} == {0, 1}


def test_several_lengths_are_told_as_none() -> None:
    job = Job(block_sizes={512: 1, 1024: 1})
    (_, text), *_ = fio_logs("x", [job_result(job, op_result(Op.DISCARD, [10] * 10))])
    assert {(row[2], row[3]) for row in rows(text)} == {(2, 0)}


def _job(length: int) -> Job:
    return Job(operations={Op.WRITE: 1}, block_sizes={length: 1})
