from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from blkdebug_async.block.nowait import NowaitPath
from tests import peers

#: Tests that are run twice, the second time without requests that are answered at once; a name
#: that ends in "/" stands for a folder.
TWICE = (
    "unit/block/test_copying.py",
    "unit/block/test_dispatch.py",
    "unit/block/test_flush.py",
    "unit/block/test_node.py",
    "unit/block/test_path.py",
    "unit/drivers/",
    "unit/test_disk.py",
    "unit/test_disk_breakpoints.py",
    "unit/test_lifetime.py",
    "unit/test_reopening.py",
    "unit/test_reopening_undone.py",
    "unit/test_sync.py",
)
#: What of these asks whether requests are answered at once, or sends none.
ONCE = (
    "unit/drivers/file/test_at_once.py",
    "unit/drivers/blkdebug/test_machine",
    "unit/drivers/in_flight/",
    "unit/drivers/file/test_explored.py",
    "unit/drivers/file/test_shadow.py",
)

# Machines that run tests are shared, so how long an example takes says nothing. In CI the
# examples are the same each time: a change is not to blame for what chance finds on its day.
settings.register_profile("dev", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, database=None)
settings.register_profile(
    "thorough",
    settings.get_profile("dev"),
    max_examples=2000,
    suppress_health_check=[HealthCheck.too_slow],
)
_default = "ci" if os.environ.get("CI") == "true" else "dev"
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", _default))


@pytest.fixture(scope="session")
def require_peer() -> Callable[[str], Path]:
    return peers.require_peer


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = metafunc.definition.path.relative_to(Path(__file__).parent).as_posix()
    if path.startswith(TWICE) and not path.startswith(ONCE):
        metafunc.fixturenames.append("shortcut")
        metafunc.parametrize("shortcut", ["at once", "later"], indirect=True)


@pytest.fixture(scope="module")
def shortcut(request: pytest.FixtureRequest) -> Iterator[str]:
    way: str = request.param
    with pytest.MonkeyPatch.context() as patch:
        if way == "later":
            patch.setattr(NowaitPath, "preadv", lambda *_request: False)
            patch.setattr(NowaitPath, "pwritev", lambda *_request: False)
        yield way
