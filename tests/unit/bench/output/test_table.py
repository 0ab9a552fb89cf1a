from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from blkdebug_async.bench.histogram import Histogram
from blkdebug_async.bench.job import Job, Op, Uniform, Zipf
from blkdebug_async.bench.output.summary import job_line
from blkdebug_async.bench.output.table import print_table
from blkdebug_async.bench.result import Damage, RunResult, Verification
from tests.unit.bench.output.results import NS_PER_S, job_result, mixed_run, op_result, run_result


def printed(result: RunResult, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_table(console, result)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def large_run() -> RunResult:
    jobs = [
        job_result(
            Job(name=f"a-job-whose-name-is-long.{number}"),
            op_result(Op.DISCARD, [999_400] * 30_000, length=1 << 20, runtime_ns=NS_PER_S // 50),
            op_result(Op.READ, [123_456] * 3, errors={5: 123_456}),
        )
        for number in range(2)
    ]
    return run_result(*jobs)


@pytest.mark.parametrize("width", [80, 100, 132])
def test_no_number_is_cut_and_no_line_too_long(width: int) -> None:
    text = printed(large_run(), width)
    assert max(len(line) for line in text.splitlines()) <= width
    figures = [line for line in text.splitlines() if re.match(r"a-job.* (discard|read) ", line)]
    assert len(figures) == 12
    assert not any("…" in line.split(maxsplit=1)[1] for line in figures)


def test_names_are_cut_so_that_they_still_differ() -> None:
    names = {line.split()[0] for line in printed(large_run()).splitlines() if " read " in line}
    assert len({name for name in names if "…" in name}) >= 2


def test_figures_stand_next_to_what_they_are_of() -> None:
    text = printed(mixed_run())
    assert re.search(r"^mixed +write +2 +2\.00 +0\.01 +3 +1\.00 s$", text, re.MULTILINE)
    assert re.search(r"^mixed +write +10\.0 ms +10\.0 µs +20\.0 ms ", text, re.MULTILINE)
    assert re.search(r"^all +18 +18\.0 ", text, re.MULTILINE)


def test_errors_are_told_by_errno() -> None:
    assert "mixed, write: 3 x EIO (Input/output error)\n" in printed(mixed_run())


def test_what_was_never_answered_has_no_latency() -> None:
    text = printed(run_result(job_result(Job(), op_result(Op.READ, [], errors={5: 1}))))
    assert "Latency" not in text


def test_what_waited_tells_how_long_it_took_to_submit_it() -> None:
    text = printed(run_result(job_result(Job(), op_result(Op.READ, [50_000] * 9))))
    assert text.count("job  read  50.0 µs  50.0 µs") == 1
    assert re.search(r"^Submission, .*\n.*\n.*\njob +read +5\.00 µs +5\.00 µs", text, re.MULTILINE)


def test_what_was_answered_in_the_call_has_one_latency() -> None:
    found = replace(op_result(Op.READ, [7]), submission=Histogram([7]))
    assert "Submission" not in printed(run_result(job_result(Job(), found)))


def test_only_a_paced_job_tells_completion_apart() -> None:
    found = replace(op_result(Op.READ, [9_000]), completion=Histogram([4_000]))
    text = printed(run_result(job_result(Job(request_rate=100.0), found)))
    assert re.search(r"^Completion, .*\n.*\n.*\njob +read +4\.00 µs +4\.00 µs", text, re.MULTILINE)
    assert "Completion" not in printed(mixed_run())


def test_a_paced_job_counts_latencies_from_when_requests_were_due() -> None:
    paced = run_result(job_result(Job(request_rate=100.0), op_result(Op.READ, [5])))
    assert "from when a request was due" in printed(paced)
    assert "from issuing a request" in printed(mixed_run())


def test_damage_is_told_with_its_place() -> None:
    found = Verification(
        checked_bytes=8192,
        counts={"lost": 12},
        damages=[Damage("lost", 512 * n, 512, f"sector {n} reads as zeroes") for n in range(9)],
        errors={5: 1},
        complete=False,
    )
    text = printed(run_result(job_result(Job(name="v"), verification=found)))
    assert "v: 8.19 kB verified; damage: 12 x lost\n" in text
    assert "  sector 4 reads as zeroes\n  and 7 more\n" in text
    assert "  reading it back: 1 x EIO" in text
    assert "  not everything that was written was read back\n" in text


def test_what_was_verified_and_right_is_told() -> None:
    found = Verification(checked_bytes=8192)
    text = printed(run_result(job_result(Job(name="v"), verification=found)))
    assert "v: 8.19 kB verified, all as written\n" in text


@pytest.mark.parametrize(
    ("job", "line"),
    [
        (Job(), "job: read, sequential, 4 KiB, depth 1, on disk.img"),
        (
            Job(name="m", operations={Op.READ: 7, Op.WRITE: 3}, pattern=Uniform(), depth=8),
            "m: read 70 %, write 30 %, random, 4 KiB, depth 8, on disk.img",
        ),
        (
            Job(pattern=Zipf(1.2), block_sizes={65536: 1, 512: 1}, request_rate=1000, think_s=1e-3),
            "job: read, zipf 1.2, 512 bytes or 64 KiB, depth 1, at most 1,000 per second, "
            "1.00 ms between requests, on disk.img",
        ),
        (
            Job(operations={Op.WRITE: 1}, byte_rate=10**6, flush_every=2),
            "job: write, sequential, 4 KiB, depth 1, at most 1.00 MB/s, a flush every 2, "
            "on disk.img",
        ),
    ],
)
def test_a_line_says_what_a_job_did(job: Job, line: str) -> None:
    assert job_line(job_result(job)) == line
