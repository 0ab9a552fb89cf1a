from __future__ import annotations

from pathlib import Path

import pytest

from blkdebug_async.explore.record import Recorder
from blkdebug_async.explore.stored import Stored
from blkdebug_async.explore.strategies.replay import Values
from blkdebug_async.explore.token import encode


def token(value: int) -> str:
    recorder = Recorder(Values([value]), traced=True)
    recorder.choose(100, "fault")
    return encode(recorder.recorded())


def test_nothing_is_stored_of_a_scenario_that_never_failed(tmp_path: Path) -> None:
    assert Stored(tmp_path / "missing", "scenario").tokens() == ()


def test_the_newest_token_comes_first_and_none_comes_twice(tmp_path: Path) -> None:
    stored = Stored(tmp_path / "made", "scenario")
    for value in (1, 2, 1):
        stored.keep(token(value))
    assert stored.tokens() == (token(1), token(2))


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    stored = Stored(tmp_path, "scenario")
    for value in range(1, 40):
        stored.keep(token(value))
    assert stored.tokens() == tuple(token(value) for value in range(39, 23, -1))


def test_what_is_no_token_is_left_out(tmp_path: Path) -> None:
    stored = Stored(tmp_path, "scenario")
    stored.keep(token(1))
    assert stored.path is not None
    stored.path.write_text(f"x0.abcd\n{token(2)}\n\nnonsense\n")
    assert stored.tokens() == (token(2),)


def test_a_file_of_bytes_is_as_good_as_none(tmp_path: Path) -> None:
    stored = Stored(tmp_path, "scenario")
    assert stored.path is not None
    stored.path.write_bytes(b"\xff\xfe")
    assert stored.tokens() == ()


def test_names_that_look_alike_in_a_file_name_are_told_apart(tmp_path: Path) -> None:
    assert Stored(tmp_path, "a b").path != Stored(tmp_path, "a/b").path


def test_a_name_stays_in_its_folder(tmp_path: Path) -> None:
    path = Stored(tmp_path, "../../etc/passwd").path
    assert path is not None
    assert path.parent == tmp_path


def test_a_token_that_cannot_be_kept_leaves_nothing_behind(tmp_path: Path) -> None:
    stored = Stored(tmp_path, "scenario")
    assert stored.path is not None
    stored.path.mkdir()
    with pytest.raises(OSError, match="scenario"):
        stored.keep(token(1))
    assert list(tmp_path.iterdir()) == [stored.path]


def test_without_a_folder_nothing_is_kept() -> None:
    stored = Stored(None, "scenario")
    stored.keep(token(1))
    assert stored.tokens() == ()
