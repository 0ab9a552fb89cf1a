from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from blkdebug_async.drivers.file.uring import Uring
from tests.unit.drivers.file.opened import SIZE


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(range(250)) * (SIZE // 250))
    return path


@pytest.fixture
def ring() -> Iterator[Uring]:
    try:
        ring = Uring()
    except OSError as error:
        pytest.skip(f"there is no io_uring here: {error}")
    yield ring
    ring.close()
