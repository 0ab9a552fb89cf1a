from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import GROUPS
from benchmarks.harness import Comparison, Curve, Limit, Side, measure
from benchmarks.page import PAGE, with_figures
from benchmarks.pictures import FOLDER, digest, name_of
from benchmarks.results import (
    LATEST,
    CurveFigures,
    Figures,
    Results,
    Row,
    curve_of,
    from_json,
    row_of,
    to_json,
)
from benchmarks.tables import report

ROOT = Path(__file__).resolve().parent.parent
MOST_BYTES_OF_A_PICTURE = 60_000


def run_benchmarks(folder: Path, *words: str, path: str | None = None) -> str:
    environment = os.environ | ({} if path is None else {"PATH": path})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--folder", folder, *words],
        cwd=ROOT,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def figures(name: str, *rates: float) -> Figures:
    return Figures(name, 1, rates)


def row(*sides: Figures, floor: float | None = 2.0, aim: float | None = 4.0) -> Row:
    return Row("key", "group", "case", "requests", floor, aim, "", sides)


def curve() -> Curve:
    points = {10: side(20.0, 30.0), 1000: side(40.0, 50.0)}
    return Curve("key", "title", "x", "y", {"line": points}, [Limit("more", "line", 1000, 1.5, 10)])


def side(*took: float) -> Side:
    return Side("some", lambda count: 1.0 * count, count=10, took=list(took))


def latest() -> Results:
    return from_json(LATEST.read_text())


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize("group", GROUPS)
def test_each_group_runs_from_end_to_end(tmp_path: Path, group: str) -> None:
    tiny = ("--rounds", "1", "--seconds", "0", "--only", group)

    run_benchmarks(tmp_path, *tiny, "--output", str(tmp_path / "found"))

    found = from_json((tmp_path / "found" / "latest.json").read_text())
    assert found.rows or found.curves
    for each in found.rows:
        assert each.skipped or all(len(side.rates) == 1 for side in each.sides)
    points = [point for each in found.curves for line in each.lines for point in line.points]
    assert all(len(point.values) == 1 for point in points)
    assert {each.name for each in tmp_path.iterdir()} == {"found"}


@pytest.mark.slow
def test_what_needs_a_missing_program_is_skipped_and_says_so(tmp_path: Path) -> None:
    words = ("--rounds", "1", "--seconds", "0", "--only", "img_bench", "breakpoints")
    printed = run_benchmarks(tmp_path, *words, path="")
    assert "Skipped null-co-depth-1: qemu-img not installed.\n" in printed
    assert "Skipped suspend-and-resume: qemu-io not installed.\n" in printed
    assert "| skipped: qemu-io not installed |" in printed


def test_every_target_is_named_once(tmp_path: Path) -> None:
    keys = [line.split()[1] for line in run_benchmarks(tmp_path, "--list").splitlines()]
    assert len(keys) == len(set(keys))


def test_sides_take_turns_and_every_other_round_runs_backwards() -> None:
    turns = []

    def note(name: str) -> Side:
        def run(count: int) -> float:
            turns.append(name)
            return 1.0

        return Side(name, run)

    measure([Comparison("key", "case", [note("theirs"), note("ours")])], rounds=2, seconds=0)

    warm_up = ["theirs", "ours"]
    assert turns == [*warm_up, "ours", "theirs", "theirs", "ours"]


def test_what_is_skipped_is_not_measured() -> None:
    missing = Side("missing", lambda count: pytest.fail("it was measured"))
    measure([Comparison("key", "case", [missing], skipped="not here")], rounds=1, seconds=0)
    assert missing.took == []


def test_a_question_that_fails_is_skipped_and_the_others_go_on() -> None:
    broken = Comparison("broken", "case", [Side("theirs", lambda count: 1 / 0), side()])
    sound = Comparison("sound", "case", [side(), side()])

    errors = measure([broken, sound], rounds=2, seconds=0)

    assert [type(error) for error in errors] == [ZeroDivisionError]
    assert row_of(broken).skipped == "failed, division by zero"
    assert all(len(each.took) == 2 for each in sound.sides)


@pytest.mark.parametrize(("least", "count"), [(1, 500), (300, 600)])
def test_a_turn_lasts_as_long_as_is_wanted(least: int, count: int) -> None:
    side = Side("a millisecond each", lambda count: count / 1000, least)
    side.calibrate(0.5)
    assert side.count == count


@pytest.mark.parametrize(
    ("rate", "verdict"),
    [(1.99, "below the floor"), (2.0, "floor"), (3.99, "floor"), (4.0, "aim")],
)
def test_a_verdict_says_what_is_reached(rate: float, verdict: str) -> None:
    assert row(figures("theirs", 1.0), figures("ours", rate)).verdict == verdict


def test_a_ratio_is_taken_within_each_round() -> None:
    # A slow round slows both sides; the medians of the sides alone would say 3.
    theirs = figures("theirs", 1.0, 10.0, 100.0)
    ours = figures("ours", 2.0, 30.0, 200.0)
    assert row(theirs, ours).ratio().median == 2.0


def test_a_curve_is_bounded_by_what_it_is_elsewhere_in_the_same_round() -> None:
    found = curve_of(curve())
    (bound,) = found.bounds
    assert found.measured(bound).low == pytest.approx(50 / 30 + (2 - 50 / 30) / 4, rel=1e-3)
    assert found.verdict(bound) == "not kept"


def test_results_are_read_back_as_they_were_written() -> None:
    compared = Comparison("key", "case", [side(1.0, 2.0), side(0.5, 0.4)], floor=1.0)
    skipped = Comparison("other", "case", [], floor=1.0, skipped="not here")
    rows = (row_of(compared), row_of(skipped))
    results = replace(latest(), rows=rows, curves=(curve_of(curve()),))
    assert from_json(to_json(results)) == results


def test_results_of_another_format_are_refused() -> None:
    with pytest.raises(ValueError, match="another format"):
        from_json('{"format": 0}')


def test_the_performance_page_shows_the_latest_figures() -> None:
    page = PAGE.read_text()
    assert with_figures(page, latest()) == page
    assert LATEST.with_suffix(".md").read_text() == report(latest())


@pytest.mark.parametrize("curve", latest().curves, ids=lambda curve: str(curve.key))
def test_the_pictures_show_the_latest_figures(curve: CurveFigures) -> None:
    picture = (FOLDER / name_of(curve)).read_text()
    assert digest(curve) in picture
    assert len(picture) < MOST_BYTES_OF_A_PICTURE


def test_the_same_curve_is_always_drawn_alike() -> None:
    pytest.importorskip("matplotlib", reason="pictures need the extra plot")
    drawing = pytest.importorskip("benchmarks.drawing")
    found = curve_of(curve())
    assert drawing.draw(found) == drawing.draw(found)
