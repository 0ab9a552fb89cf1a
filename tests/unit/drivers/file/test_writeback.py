from __future__ import annotations

from pathlib import Path

import pytest

from blkdebug_async.drivers.file.writeback import GOOD_FOR_S, Writeback

COUNTS = """nr_free_pages 5
nr_dirty {dirty}
nr_writeback {writeback}
nr_writeback_temp 7777
nr_dirtied 88888
nr_dirty_threshold 1000
nr_dirty_background_threshold 500
"""


def told(tmp_path: Path, dirty: int, writeback: int) -> Path:
    path = tmp_path / "vmstat"
    path.write_text(COUNTS.format(dirty=dirty, writeback=writeback))
    return path


@pytest.mark.parametrize(
    ("dirty", "writeback", "expected"),
    [(0, 0, False), (749, 0, False), (750, 0, True), (400, 350, True), (0, 750, True)],
)
def test_writers_are_held_up_half_way_between_the_thresholds(
    tmp_path: Path, dirty: int, writeback: int, expected: bool
) -> None:
    assert Writeback(str(told(tmp_path, dirty, writeback))).holds_up(5.0) is expected


def test_the_kernel_is_asked_again_only_after_a_while(tmp_path: Path) -> None:
    writeback = Writeback(str(told(tmp_path, 0, 0)))
    assert not writeback.holds_up(5.0)
    told(tmp_path, 1000, 0)
    assert not writeback.holds_up(5.0 + 0.9 * GOOD_FOR_S)
    assert writeback.holds_up(5.0 + 1.1 * GOOD_FOR_S)


@pytest.mark.parametrize("text", ["", "nr_free_pages 5\nnr_dirty x\n"])
def test_where_nobody_knows_nobody_is_held_up(tmp_path: Path, text: str) -> None:
    path = tmp_path / "vmstat"
    path.write_text(text)
    assert not Writeback(str(path)).holds_up(5.0)
    assert not Writeback(str(tmp_path / "absent")).holds_up(5.0)
