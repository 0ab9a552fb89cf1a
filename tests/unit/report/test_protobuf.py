from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.report.protobuf import double, fixed64, message, text, varint
from tests.unit.report.wire import fields_of


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # The examples of the format's own description.
        (varint(1, 150), "089601"),
        (varint(1, -2), "08feffffffffffffffff01"),
        (text(2, "testing"), "120774657374696e67"),
        (message(3, varint(1, 150)), "1a03089601"),
        (fixed64(1, 1), "090100000000000000"),
        (varint(16, 0), "800100"),
    ],
)
def test_fields_are_written_as_the_format_says(written: bytes, expected: str) -> None:
    assert written.hex() == expected


@given(st.integers(1, 1 << 28), st.integers(0, (1 << 64) - 1), st.floats(), st.text())
def test_what_is_written_can_be_read(number: int, value: int, real: float, words: str) -> None:
    words = words.encode(errors="replace").decode()
    written = varint(number, value) + fixed64(number, value) + double(number, real)
    assert fields_of(written + text(number, words)) == [
        (number, value),
        (number, value.to_bytes(8, "little")),
        (number, struct.pack("<d", real)),
        (number, words.encode()),
    ]


def test_a_lone_surrogate_becomes_a_question_mark() -> None:
    assert text(1, "a\ud800b") == text(1, "a?b")
