"""How far an exploration is: one line, drawn anew on a terminal, added now and then elsewhere."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Final, Self, TextIO

from blkdebug_async.bench.output.texts import digits_text, runtime_text
from blkdebug_async.explore.search import Progress

#: Seconds between two lines where there is no terminal.
_PLAIN_SECONDS: Final = 10.0
#: Shorter explorations have no line.
_SHORTEST_SECONDS: Final = 0.5
_BAR: Final = 20
_SHORTEST_BAR: Final = 5
_EXPLORING: Final = "exploring"
#: These tell nothing of how long others will take.
_FEW_RUNS: Final = 20
#: Back to the first column, and everything from there on away.
_ERASE: Final = "\r\x1b[K"
_NS_PER_S: Final = 1e9


class LiveLine:
    """Shows how far an exploration is. Use it in `with`, and call it.

    Args:
        stream: Where to.
        seconds: Most seconds that it may take; None: any time.
    """

    def __init__(self, stream: TextIO, seconds: float | None) -> None:
        self._stream = stream
        self._seconds = seconds
        self._is_terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._is_shown = False
        self._next = _SHORTEST_SECONDS if self._is_terminal else _PLAIN_SECONDS

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._is_shown:
            self._write(_ERASE)

    def __call__(self, progress: Progress) -> None:
        """Show how far it is, if it is time to."""
        if progress.seconds < self._next:
            return
        if not self._is_terminal:
            self._next = progress.seconds + _PLAIN_SECONDS
            self._write(f"{live_text(progress, self._seconds)}\n")
            return
        # Asked each time: windows grow and shrink.
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            width = 80
        self._is_shown = True
        self._write(f"{_ERASE}{bar_text(progress, self._seconds, width)}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def bar_text(progress: Progress, seconds: float | None, width: int) -> str:
    """Give the line for a terminal, with a bar if there is room.

    Args:
        progress: What it tells.
        seconds: Most seconds that it may take; None: any time.
        width: Columns of the terminal, > 1; one is left free.
    """
    rest = live_text(progress, seconds)
    bar = min(width - 2 - len(rest), _BAR)
    if bar < _SHORTEST_BAR:
        return rest if len(rest) < width else f"{rest[: width - 2]}…"
    full = int(fraction(progress, seconds) * bar)
    return f"{'━' * full}{'─' * (bar - full)} {rest}"


def live_text(progress: Progress, seconds: float | None) -> str:
    """Give the line without a bar.

    Args:
        progress: What it tells.
        seconds: Most seconds that it may take; None: any time.
    """
    runs = f"{progress.runs:,} of {progress.most_runs:,} runs"
    if progress.phase != _EXPLORING:
        return f"it fails; making it simpler: {runs} at most"
    if not progress.runs:
        return f"{runs}  no run is over yet"
    steps_per_s = progress.steps / progress.seconds if progress.seconds else 0.0
    taken, known = progress.ways
    done = fraction(progress, seconds)
    left_s = progress.seconds * (1 - done) / done if done else 0.0
    # What matters least comes last, where it may not fit.
    parts = [
        runs,
        f"{runtime_text(left_s * _NS_PER_S)} left" if progress.runs > _FEW_RUNS else "",
        f"{progress.distinct:,} different",
        f"{digits_text(steps_per_s)} steps/s",
        f"{100 * progress.newness:.0f} % new",
        f"{taken:,} of {known:,} ways",
    ]
    return "  ".join(part for part in parts if part)


def fraction(progress: Progress, seconds: float | None) -> float:
    """Tell how much of an exploration is done, 0 to 1, if nothing fails.

    Args:
        progress: How far it is.
        seconds: Most seconds that it may take; None: any time.
    """
    by_runs = progress.runs / progress.most_runs
    by_time = progress.seconds / seconds if seconds and progress.phase == _EXPLORING else 0.0
    return min(max(by_runs, by_time), 1.0)
