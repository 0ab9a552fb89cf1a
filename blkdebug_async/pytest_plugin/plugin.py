"""The pytest plugin's door: its options, its marker, and what is said at the end.

Every pytest run where the package is installed loads this, before anything else, so nothing more is
imported here: exploring.py is once there is a test to explore.
"""

from __future__ import annotations

from importlib import import_module
from typing import Final

import pytest

_SUMMARY: Final = "blkdebug_async.pytest_plugin.summary"
_EXPLORING: Final = "blkdebug_async.pytest_plugin.exploring"
_MARKER: Final = (
    "explore(runs=, seconds=, seed=, strategy=, assume=, never=, ...): run this async test under "
    "many schedules, and report the simplest one that fails; never='why': leave it to --explore"
    " as it is."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which options there are."""
    group = parser.getgroup("explore", "exploring schedules (blkdebug_async)")
    group.addoption(
        "--explore",
        action="store_true",
        help="run each async test under many schedules, marked or not",
    )
    group.addoption("--explore-runs", type=int, metavar="N", help="most runs of each test (2000)")
    group.addoption(
        "--explore-seconds",
        type=float,
        metavar="S",
        help="most seconds for each test, without shrinking; 0: any time (5, and at most a third "
        "of pytest-timeout's limit)",
    )
    group.addoption("--explore-seed", type=int, metavar="N", help="another seed, other runs (0)")
    group.addoption(
        "--explore-strategy",
        metavar="NAME",
        help="which runs to make: auto, random, pct, pos, bounded, dpor, ... (auto)",
    )
    group.addoption(
        "--explore-token", metavar="TOKEN", help="make one run of the selected test again"
    )
    group.addoption(
        "--explore-report",
        metavar="DIR",
        help="write files about each failure into DIR",
    )
    group.addoption(
        "--explore-store",
        metavar="DIR",
        help="where tokens of failures are kept, to be tried first (.explore in the root folder)",
    )
    group.addoption(
        "--no-explore-store",
        action="store_true",
        help="neither keep tokens of failures nor try those that are kept",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Say which marker there is, and listen to what comes of it."""
    config.addinivalue_line("markers", _MARKER)
    summary = import_module(_SUMMARY).Summary(config)
    config.pluginmanager.register(summary, "explore-summary")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Load what explores, if a test wants it."""
    config = session.config
    wanted = config.getoption("explore") or config.getoption("explore_token") is not None
    if wanted or any(item.get_closest_marker("explore") for item in session.items):
        exploring = import_module(_EXPLORING).Exploring(config)
        exploring.check(session)
        config.pluginmanager.register(exploring, "explore-exploring")
