from __future__ import annotations

from pathlib import Path

import pytest

from blkdebug_async.explore import Place
from blkdebug_async.report.source import (
    causes_of,
    lines_around,
    shown_path,
    stack_of,
    traceback_of,
)


def test_a_path_below_is_shown_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(str(tmp_path / "a" / "b.py")) == "a/b.py"


def test_a_path_elsewhere_is_shown_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert shown_path(str(tmp_path / "b.py")) == str(tmp_path / "b.py")


@pytest.mark.parametrize(
    ("line", "expected"), [(1, [1, 2, 3]), (5, [3, 4, 5, 6, 7]), (9, [7, 8, 9]), (40, [])]
)
def test_lines_around_a_place_end_with_the_file(
    tmp_path: Path, line: int, expected: list[int]
) -> None:
    file = tmp_path / "nine.py"
    file.write_text("".join(f"line {number}\n" for number in range(1, 10)))
    lines = lines_around(Place(str(file), line, "f"), 2)
    assert lines == {number: f"line {number}" for number in expected}


def test_a_file_that_is_gone_has_no_lines() -> None:
    assert lines_around(Place("/no/such/file.py", 1, "f"), 3) == {}


def test_a_stack_begins_with_the_outermost_caller() -> None:
    outer = Place("a.py", 1, "outer")
    inner = Place("a.py", 9, "inner", outer)
    assert stack_of(inner) == (outer, inner)
    assert stack_of(None) == ()


def test_behind_an_error_is_what_it_was_raised_from() -> None:
    cause, group = KeyError("k"), ValueError("v")
    group.__cause__ = cause
    wrapped = ExceptionGroup("g", [group, TypeError()])
    assert causes_of(wrapped) == (wrapped, group, cause)


def test_errors_that_are_behind_each_other_are_told_once() -> None:
    one, other = ValueError(), KeyError()
    one.__cause__, other.__cause__ = other, one
    assert causes_of(one) == (one, other)


def test_a_traceback_leaves_out_what_libraries_do() -> None:
    def outer() -> None:
        Path("/no/such/folder").read_text()

    with pytest.raises(OSError, match="folder") as caught:
        outer()
    assert [place.function for place in traceback_of(caught.value)][-1] == "outer"


def test_an_error_that_was_never_raised_has_no_traceback() -> None:
    assert traceback_of(ValueError()) == ()
