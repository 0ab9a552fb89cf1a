from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench_bugs import PAGE
from benchmarks.bug_results import KEPT, BugResults, from_json, merged, to_json, too_long, total
from benchmarks.bug_tables import bug_rows, complaints, narrowed, seconds
from benchmarks.bugs.bug import Bug
from benchmarks.bugs.registry import BUGS
from benchmarks.counting import counts
from benchmarks.explorers.explorer import Budget, Search
from benchmarks.explorers.named import explorer_named
from benchmarks.explorers.ours import Ours
from benchmarks.hunting import Hunt, Plan, bug_named
from benchmarks.machine import this_machine

ROOT = Path(__file__).resolve().parent.parent
#: More than any bug takes with this seed, by far.
RUNS = 1000
SHRINK_RUNS = 300
#: Each takes a millisecond or two.
TWIN_RUNS = 60
SEED = 1

each_bug = pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)


@each_bug
def test_auto_finds_each_bug_and_shrinks_it_to_one_deviation_too_many_at_most(bug: Bug) -> None:
    found = Ours("auto").search(bug, SEED, Budget(60, RUNS), twin=False, shrink=True)

    assert found.failed
    assert found.shrink_runs <= SHRINK_RUNS
    assert bug.known_minimum is not None
    assert found.deviations is not None
    assert bug.known_minimum <= found.deviations <= bug.known_minimum + 1


@pytest.mark.parametrize(
    ("name", "strategy", "seed"),
    [
        ("write-back-cache/room-for-one-taken-by-two", "random", 2),
        ("log-structured-store/read-a-strangers-word", "pct:3", 0),
        ("log-structured-store/read-a-strangers-word", "pos", 1),
        ("stripe/fetched-over-the-newer", "pct:3", 1),
    ],
)
def test_shrinking_gets_out_of_where_no_small_cut_helps(
    name: str, strategy: str, seed: int
) -> None:
    bug = bug_named(name)
    found = Ours(strategy).search(bug, seed, Budget(60, RUNS), twin=False, shrink=True)

    assert found.shrink_runs <= SHRINK_RUNS
    assert bug.known_minimum is not None
    assert found.deviations is not None
    assert found.deviations <= bug.known_minimum + 1


@each_bug
def test_no_run_with_fewer_deviations_than_the_known_minimum_fails(bug: Bug) -> None:
    # It makes all runs with one deviation, then all with two, and so on.
    found = Ours("bounded").search(bug, SEED, Budget(60, 5 * RUNS), twin=False, shrink=False)

    assert found.found_deviations == bug.known_minimum


@each_bug
def test_auto_says_of_no_twin_that_it_fails(bug: Bug) -> None:
    found = Ours("auto").search(bug, SEED, Budget(60, TWIN_RUNS), twin=True, shrink=False)

    assert not found.error


def search(error: str = "", runs: int = 3, deviations: int | None = None) -> Search:
    return Search(error, runs, runs / 100, deviations=deviations)


def hunt(*searches: Search, twin: Search | None = None, explorer: str = "auto") -> Hunt:
    return Hunt(explorer, "journal/header-before-record", "", searches, twin)


def results(*hunts: Hunt) -> BugResults:
    names = dict.fromkeys((each.explorer for each in hunts), "")
    return BugResults(this_machine(ROOT), dict.fromkeys(names, Plan()), names, hunts)


def test_a_hunt_tells_medians_of_the_searches_that_found_something() -> None:
    found = hunt(search("E", runs=1), search("E", runs=9), search("E", runs=2), search(runs=99))

    assert found.found
    assert (found.runs, found.seconds) == (2, 0.02)


def test_half_of_the_searches_is_not_enough() -> None:
    assert not hunt(search("E"), search()).found


def test_the_most_deviations_that_a_seed_is_left_with_count() -> None:
    assert not too_long(hunt(search("E", deviations=3), search("E", deviations=2)))
    assert too_long(hunt(search("E", deviations=3), search("E", deviations=4)))


def test_totals_sum_up_what_was_found() -> None:
    summed = total(
        results(
            hunt(search("E", runs=5, deviations=2), twin=search("E")),
            replace(hunt(search()), bug="journal/leader-left-too-early"),
            replace(hunt(), bug="retry/appended-twice", cannot="no clock"),
        ),
        "auto",
    )

    assert (summed.asked, summed.found, summed.small, summed.false_alarms) == (2, 1, 1, 1)
    assert (summed.runs, summed.seconds_p90) == (5, 0.05)


def test_whatever_is_not_as_it_should_be_is_said() -> None:
    said = "\n".join(
        complaints(
            results(
                hunt(search(), twin=search("Oops")),
                hunt(search("E", deviations=4), explorer="pos"),
                hunt(search("E", deviations=1), explorer="pct"),
                hunt(search("E", deviations=9), twin=search("E"), explorer="detangle"),
            )
        )
    )

    assert "auto does not find journal/header-before-record" in said
    assert "auto says of the twin of journal/header-before-record: Oops" in said
    assert "pos leaves up to 4 deviations" in said
    assert "pct needs 1 " in said
    assert "detangle" not in said


def test_results_come_back_from_json_as_they_were() -> None:
    before = results(hunt(search("E", deviations=2), twin=search()), hunt(explorer="frontrun"))

    assert from_json(to_json(before)) == before


def test_explorers_that_are_measured_anew_take_the_place_of_what_was_kept() -> None:
    older = results(hunt(search()), hunt(search("E"), explorer="pos"))
    newer = results(hunt(search("E", runs=7)), hunt(search("E"), explorer="detangle"))

    both = merged(older, newer, ["pos", "auto"])

    assert list(both.explorers) == ["pos", "auto", "detangle"]
    assert [each.explorer for each in both.hunts] == ["pos", "auto", "detangle"]
    assert both.hunt("auto", "journal/header-before-record") == newer.hunts[0]


def test_columns_that_one_can_do_without_go_where_there_is_no_room() -> None:
    rows = bug_rows(results(hunt(search("E", deviations=2)), hunt(search("E"), explorer="pos")))

    assert "best of the others" in rows[0]
    assert list(narrowed(rows, 40)[0]) == ["bug", "auto", "left", "twin"]
    assert [len(row) for row in narrowed(rows, 40)] == [4, 4]


@pytest.mark.parametrize(
    ("value", "text"),
    [(61.2, "61 s"), (1.0, "1.0 s"), (0.25, "250 ms"), (0.0015, "1.5 ms"), (2e-6, "2.0 µs")],
)
def test_times_are_told_with_two_digits_or_so(value: float, text: str) -> None:
    assert seconds(value) == text


def test_dpor_makes_one_run_for_disjoint_writers_and_all_orders_of_overlapping_ones() -> None:
    assert [each for each in counts(4) if each.runs != each.expected] == []


@pytest.mark.slow
def test_the_bench_runs_from_end_to_end(tmp_path: Path) -> None:
    kept = tmp_path / "bugs.json"
    command = [sys.executable, "-m", "benchmarks.bench_bugs", "--no-speed", "--json", str(kept)]
    options = ["--only", "deadlock/two-*", "--strategies", "auto", "bounded", "--jobs", "1"]

    done = subprocess.run(
        [*command, *options, "--seeds", "2", "--twin-runs", "5"],
        cwd=ROOT,
        env=os.environ,
        text=True,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1" in done.stdout
    assert from_json(kept.read_text()).bugs == ["deadlock/two-upgrades"]


def test_the_page_shows_what_was_kept() -> None:
    page = PAGE.read_text()
    for row in bug_rows(from_json(KEPT.read_text())):
        assert f"| {' | '.join(row)} |" in page


def test_detangle_finds_a_bug_that_needs_no_disk() -> None:
    pytest.importorskip("detangle")
    bug = next(bug for bug in BUGS if bug.name == "deadlock/two-upgrades")
    for name in ("detangle", "detangle-helped"):
        explorer = explorer_named(name)
        assert explorer.search(bug, SEED, Budget(20, 500), twin=False, shrink=True).deviations == 3
        assert not explorer.search(bug, SEED, Budget(20, 20), twin=True, shrink=False).failed


def test_detangle_is_helped_to_requests_in_flight_and_to_faults() -> None:
    pytest.importorskip("detangle")
    explorer = explorer_named("detangle-helped")
    for name in ("deadlock/a-buffer-each", "journal/failed-record-counts"):
        bug = next(bug for bug in BUGS if bug.name == name)
        assert explorer.search(bug, SEED, Budget(20, 500), twin=False, shrink=False).failed
        assert not explorer.search(bug, SEED, Budget(20, 20), twin=True, shrink=False).failed
