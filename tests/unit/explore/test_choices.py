from __future__ import annotations

import pytest

from blkdebug_async.explore.choices import Unchanged


@pytest.mark.parametrize("ways", [1, 2, 100])
def test_unchanged_lets_happen_what_would_happen_anyway(ways: int) -> None:
    assert Unchanged().choose(ways, "wake a waiter") == 0
