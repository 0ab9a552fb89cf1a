from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench_bugs import PAGE
from benchmarks.bug_results import KEPT, BugResults, from_json, to_json, too_long, total
from benchmarks.bug_tables import bug_rows, complaints, narrowed, seconds
from benchmarks.bugs.bug import Bug
from benchmarks.bugs.registry import BUGS
from benchmarks.counting import counts
from benchmarks.explorers.explorer import Budget, Search
from benchmarks.explorers.ours import Ours
from benchmarks.hunting import Hunt, Plan
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


@each_bug
def test_auto_says_of_no_twin_that_it_fails(bug: Bug) -> None:
    found = Ours("auto").search(bug, SEED, Budget(60, TWIN_RUNS), twin=True, shrink=False)

    assert not found.error
