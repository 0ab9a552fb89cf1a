from __future__ import annotations

import pytest

from blkdebug_async.explore.coverage import Coverage
from blkdebug_async.explore.record import Recorded


def covered(*runs: tuple[tuple[int, int], ...]) -> Coverage:
    """Hear of runs, each a row of (value, ways)."""
    coverage = Coverage()
    for run in runs:
        coverage.add(Recorded(tuple(v for v, _ in run), tuple(n for _, n in run)))
    return coverage


def test_before_the_first_run_everything_is_new() -> None:
    coverage = Coverage()
    assert (coverage.runs, coverage.distinct, coverage.newness) == (0, 0, 1.0)


def test_equal_runs_count_once_as_different() -> None:
    coverage = covered(((0, 2),), ((0, 2),), ((1, 2),))
    assert (coverage.runs, coverage.distinct) == (3, 2)


def test_the_next_run_is_new_as_often_as_runs_were_made_once() -> None:
    coverage = covered(((0, 3),), ((0, 3),), ((0, 3),), ((1, 3),))
    assert coverage.newness == pytest.approx(1 / 4)


def test_ways_are_counted_at_each_decision() -> None:
    coverage = covered(((0, 3),), ((2, 3), (0, 2)))
    assert coverage.ways == (3, 5)
