from __future__ import annotations

import io

import pytest

from blkdebug_async.cli.explore_live import LiveLine, bar_text, fraction, live_text
from blkdebug_async.explore import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at(
    runs: int = 500, seconds: float = 2.0, *, phase: str = "exploring", most_runs: int = 2000
) -> Progress:
    return Progress(
        phase=phase,
        runs=runs,
        most_runs=most_runs,
        distinct=runs - 9,
        steps=1000 * runs,
        seconds=seconds,
        newness=0.25,
        ways=(30, 1234),
    )


def test_the_line_tells_all_that_is_known() -> None:
    assert live_text(at(), None) == (
        "500 of 2,000 runs  6.00 s left  491 different  250,000 steps/s  25 % new  30 of 1,234 ways"
    )


def test_nobody_knows_at_first_how_long_it_will_take() -> None:
    assert "left" not in live_text(at(20), None)


def test_before_the_first_run_there_is_little_to_tell() -> None:
    assert live_text(at(0), None) == "0 of 2,000 runs  no run is over yet"


def test_the_line_says_that_a_failure_is_made_simpler() -> None:
    line = live_text(at(40, phase="shrinking", most_runs=300), None)
    assert line == "it fails; making it simpler: 40 of 300 runs at most"


@pytest.mark.parametrize(
    ("progress", "seconds", "done"),
    [
        (at(500), None, 0.25),
        (at(500), 100.0, 0.25),
        (at(500), 4.0, 0.5),
        (at(500), 1.0, 1.0),
        (at(500), 0.0, 0.25),
        (at(3000), None, 1.0),
        (at(150, phase="shrinking", most_runs=300), 2.0, 0.5),
    ],
)
def test_whichever_limit_is_nearer_counts(
    progress: Progress, seconds: float | None, done: float
) -> None:
    assert fraction(progress, seconds) == done


def test_a_bar_takes_what_room_there_is() -> None:
    line = live_text(at(), None)
    assert bar_text(at(), None, 200) == f"━━━━━{'─' * 15} {line}"
    assert bar_text(at(), None, len(line) + 10) == f"━━{'─' * 6} {line}"
    assert bar_text(at(), None, len(line) + 1) == line
    assert bar_text(at(), None, 30) == f"{line[:28]}…"


def test_on_a_terminal_the_line_is_drawn_anew_and_taken_away() -> None:
    stream = Terminal()
    with LiveLine(stream, None) as show:
        show(at(1, seconds=0.1))
        show(at(200, seconds=1.0))
        show(at(300, seconds=1.1))
    first, second, third, last = stream.getvalue().split("\r\x1b[K")
    assert (first, last) == ("", "")
    assert "200 of" in second
    assert "300 of" in third


def test_elsewhere_there_is_a_line_now_and_then() -> None:
    stream = io.StringIO()
    with LiveLine(stream, None) as show:
        for second in range(25):
            show(at(100 * second, seconds=float(second)))
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == ["1,000", "2,000"]


def test_a_dumb_terminal_gets_no_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    with LiveLine(stream, None) as show:
        show(at(seconds=20.0))
    assert stream.getvalue() == f"{live_text(at(seconds=20.0), None)}\n"
