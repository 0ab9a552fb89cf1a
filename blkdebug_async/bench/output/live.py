"""The live line: how far a run is and how fast, on a terminal, gone when the run ends."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from blkdebug_async.bench.output.texts import (
    digits_text,
    latency_text,
    megabytes_text,
    runtime_text,
)
from blkdebug_async.bench.result import Progress

#: Shorter runs have no line.
_SHORTEST_NS: Final = 2_000_000_000
_BAR: Final = 24
_SHORTEST_BAR: Final = 5
_DONE: Final = "done"
_RUNNING: Final = "running"


class LiveLine:
    """Shows the progress of a run. Use it in `with`; nothing draws between two calls.

    Args:
        console: A terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        # No thread that refreshes it: that would take turns from what is measured.
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._is_shown = False
        self._remaining = Remaining()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_shown:
            self._live.stop()

    def __call__(self, progress: Progress) -> None:
        """Show how far the run is, if it will take long enough, or already has."""
        left_ns = self._remaining.estimate_ns(progress)
        if not self._is_shown:
            done = fraction(progress)
            if progress.elapsed_ns < _SHORTEST_NS and not (
                done and progress.elapsed_ns / done > _SHORTEST_NS
            ):
                return
            self._is_shown = True
            self._live.start()
        line = live_text(progress, left_ns, self._console.width)
        text = Text(line, no_wrap=True, overflow="ellipsis")
        if any(job.errors for job in progress.jobs):
            text.highlight_regex(r"[\d,]+ errors?", "bold red")
        self._live.update(text, refresh=True)


def fraction(progress: Progress) -> float:
    """Tell how much of a run is done, 0.0 to 1.0: its slowest job counts."""
    return min((job.fraction for job in progress.jobs), default=0.0)


class Remaining:
    """Estimates how long a run will still take, from how it went on since it was warm."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def estimate_ns(self, progress: Progress) -> int | None:
        """Take in how far it is; None: nobody can tell yet."""
        done = fraction(progress)
        if self._first is None and done:
            self._first = (progress.elapsed_ns, done)
        if self._first is None:
            return None
        first_ns, first_done = self._first
        if done <= first_done:
            return None
        return round((progress.elapsed_ns - first_ns) * (1 - done) / (done - first_done))


def live_text(progress: Progress, left_ns: int | None, width: int) -> str:
    """Give the line.

    Args:
        progress: What it tells.
        left_ns: How long it will still take; None: nobody can tell.
        width: Columns of the terminal; one is left free.
    """
    jobs = progress.jobs
    done = fraction(progress)
    requests_per_s = sum(job.iops for job in jobs)
    total_ns = sum(job.mean_ns * job.iops for job in jobs)
    errors = sum(job.errors for job in jobs)
    parts = [
        f"{100 * done:3.0f} %",
        f"{digits_text(requests_per_s)}/s",
        f"{megabytes_text(sum(job.bandwidth for job in jobs))} MB/s",
        f"mean {latency_text(total_ns / requests_per_s if requests_per_s else 0)}",
        f"{errors:,} {'error' if errors == 1 else 'errors'}",
        f"{sum(job.in_flight for job in jobs):,} in flight",
        _ending(progress, left_ns),
    ]
    rest = "  ".join(parts)
    bar = min(width - 2 - len(rest), _BAR)
    return f"{_bar(done, bar)} {rest}" if bar >= _SHORTEST_BAR else rest


def _bar(done: float, width: int) -> str:
    full = int(done * width)
    return "━" * full + "─" * (width - full)


def _ending(progress: Progress, left_ns: int | None) -> str:
    phases = {job.phase for job in progress.jobs} - {_DONE}
    if len(phases) == 1 and _RUNNING not in phases:
        return phases.pop()
    return _RUNNING if left_ns is None else f"{runtime_text(left_ns)} left"
