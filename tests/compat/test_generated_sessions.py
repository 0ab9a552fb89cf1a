from __future__ import annotations

import pytest

from tests.compat.compare import Comparison
from tests.compat.generate import generate

SEEDS = range(600)
BATCH = 20
SESSIONS = {f"seed-{seed}": generate(seed) for seed in SEEDS}


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize("first", SEEDS[::BATCH])
def test_generated_sessions_are_as_in_qemu_io(first: int, comparison: Comparison) -> None:
    for seed in SEEDS[first : first + BATCH]:
        comparison.check(generate(seed), f"seed {seed}")
