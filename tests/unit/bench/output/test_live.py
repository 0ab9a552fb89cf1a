from __future__ import annotations

import io

import pytest
from rich.console import Console

from blkdebug_async.bench.output.live import LiveLine, Remaining, live_text
from blkdebug_async.bench.result import JobProgress, Progress
from tests.unit.bench.output.results import NS_PER_S


def job(
    *, phase: str = "running", done: float = 0.5, errors: int = 0, iops: float = 1000.0
) -> JobProgress:
    return JobProgress("job", phase, 5000, 10**7, errors, 4, iops, iops * 4096, 2000.0, 9000, done)


def at(elapsed_s: float, *jobs: JobProgress) -> Progress:
    return Progress(round(elapsed_s * NS_PER_S), jobs)


def test_the_line_sums_all_jobs_up_and_waits_for_the_slowest() -> None:
    text = live_text(at(5, job(done=0.5, errors=1), job(done=0.9)), 5 * NS_PER_S, 80)
    assert text == " 50 %  2,000/s  8.19 MB/s  mean 2.00 µs  1 error  8 in flight  5.00 s left"


def test_a_wide_terminal_gets_a_bar() -> None:
    text = live_text(at(5, job(done=0.5)), None, 120)
    assert text.startswith("━" * 12 + "─" * 12 + "  50 %")
    assert text.endswith("running")


@pytest.mark.parametrize("width", [100, 120, 200])
def test_the_line_with_its_bar_fits_the_terminal(width: int) -> None:
    assert len(live_text(at(5, job()), 10**12, width)) < width


@pytest.mark.parametrize("phase", ["warm-up", "verifying"])
def test_a_phase_that_is_not_measured_is_named(phase: str) -> None:
    assert live_text(at(5, job(phase=phase), job(phase="done")), 10**9, 80).endswith(phase)


def test_no_rate_is_no_latency() -> None:
    assert "mean 0 ns" in live_text(at(1, job(iops=0.0)), None, 80)


def test_the_rest_is_estimated_from_when_it_was_warm() -> None:
    remaining = Remaining()
    assert remaining.estimate_ns(at(10, job(phase="warm-up", done=0.0))) is None
    assert remaining.estimate_ns(at(11, job(done=0.1))) is None
    assert remaining.estimate_ns(at(13, job(done=0.5))) == pytest.approx(2.5 * NS_PER_S)


def shown(*steps: Progress) -> str:
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with LiveLine(console) as line:
        for step in steps:
            line(step)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_short_run_shows_nothing() -> None:
    assert shown(at(0.5, job(done=0.4)), at(1, job(done=1.0))) == ""


def test_a_run_that_will_take_long_is_shown_from_the_start() -> None:
    assert "1,000/s" in shown(at(0.5, job(done=0.1)))


def test_a_run_that_already_took_long_is_shown() -> None:
    assert "1,000/s" in shown(at(2.5, job(done=0.0)))


def test_the_line_is_gone_in_the_end() -> None:
    erase_line, show_cursor = "\x1b[2K", "\x1b[?25h"
    text = shown(at(5, job()))
    assert text.rindex(erase_line) > text.rindex("in flight")
    assert show_cursor in text
