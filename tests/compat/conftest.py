from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.compat.compare import Comparison
from tests.compat.players import CommandPlayer, ForkedPlayer


@pytest.fixture(scope="session")
def comparison(
    require_peer: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Comparison]:
    real = CommandPlayer(require_peer("qemu-io"))
    ours = ForkedPlayer("qemu-io")
    yield Comparison(real, ours, tmp_path_factory.mktemp("compat"))
    ours.close()
