"""Requests to disks as a history keeps them, and what is said of their data."""

from __future__ import annotations

import pytest

from blkdebug_async.events import IoType
from blkdebug_async.explore.operation import Operation, describe_bytes


def test_the_data_of_a_part_is_cut_out() -> None:
    operation = Operation("disk", IoType.WRITE, 100, 6, b"abcdef")
    assert (operation.part(102, 104), operation.part(100, 106)) == (b"cd", b"abcdef")


def test_a_part_of_what_has_no_data_has_none() -> None:
    assert Operation("disk", IoType.DISCARD, 100, 6).part(102, 104) is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes(512), "zeroes"),
        (b"\xab" * 512, "0xab only"),
        (b"a", "0x61 only"),
        (b"old\0\0\0", "'old'"),
        (b"old", "'old'"),
        (b"it's", '"it\'s"'),
        (bytes(range(12)), "00 01 02 03 04 05 06 07 08 09 0a 0b"),
        (bytes(range(200)), "00 01 02 03 04 05 06 07 08 09 0a 0b ..."),
        (
            b"a text that is longer than anybody would want to read",
            "'a text that is longer than anybody would'...",
        ),
        (b"old!" * 128, "'old!' again and again"),
        (b"\x01\x02" * 256, "01 02 again and again"),
        (b"", "nothing"),
    ],
)
def test_data_is_described_in_few_words(data: bytes, words: str) -> None:
    assert describe_bytes(data) == words
