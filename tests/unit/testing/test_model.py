from __future__ import annotations

import pytest

from blkdebug_async.testing import ByteModel


def test_writes_are_read_back_and_make_the_disk_longer() -> None:
    model = ByteModel(b"abcdef")
    model.pwrite(4, b"XYZ")
    assert model.pread(0, 10) == b"abcdXYZ"
    assert model.length == 7


def test_a_write_behind_the_end_leaves_zeros_between() -> None:
    model = ByteModel.zeros(2)
    model.pwrite(4, b"x")
    assert model.pread(0, 5) == b"\0\0\0\0x"


def test_discarded_bytes_may_be_anything_until_written() -> None:
    model = ByteModel(b"abcd")
    model.pdiscard(1, 2)
    assert model.mismatch(0, b"a\x99\x17d") is None
    model.pwrite(1, b"Q")
    assert model.mismatch(0, b"a\x99\x17d") == 1


def test_each_byte_of_a_failed_write_is_old_or_new() -> None:
    model = ByteModel(b"aaaa")
    model.perhaps_pwrite(1, b"bb")
    assert model.mismatch(0, b"abaa") is None
    assert model.mismatch(0, b"aaba") is None
    assert model.mismatch(0, b"aaca") == 2


def test_what_was_read_of_an_uncertain_byte_stays() -> None:
    model = ByteModel(b"aa")
    model.perhaps_pwrite(0, b"bb")
    model.learn(0, b"ba")
    assert model.mismatch(0, b"ba") is None
    assert model.mismatch(0, b"bb") == 1


def test_racing_writes_may_leave_any_of_their_values() -> None:
    model = ByteModel(b"a")
    model.perhaps_pwrite(0, b"b")
    model.perhaps_pwrite(0, b"c")
    assert model.possible(0) == set(b"abc")


def test_truncate_forgets_what_is_cut_off() -> None:
    model = ByteModel(b"abcd")
    model.pdiscard(0, 4)
    model.truncate(1)
    model.truncate(3)
    assert model.mismatch(1, b"\0\0") is None
    assert model.mismatch(1, b"\0x") == 2


def test_complaint_names_the_byte_and_all_its_values() -> None:
    model = ByteModel(b"aa")
    model.perhaps_pwrite(1, b"b")
    with pytest.raises(AssertionError, match="my read: byte 1 is 0x78, expected 0x61 or 0x62"):
        model.check(0, b"ax", "my read")


def test_bytes_past_the_end_are_never_right() -> None:
    with pytest.raises(AssertionError, match="byte 2 is past the end"):
        ByteModel(b"aa").check(1, b"ab")
