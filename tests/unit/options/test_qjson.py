from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.errors import OptionError
from blkdebug_async.options.qjson import format_json, parse_json
from blkdebug_async.options.tree import Empty, Nested

# QEMU refuses code points that are no characters, and has its own way with number zero.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0"))
VALUES: st.SearchStrategy[Nested] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_written_reads_back(value: Nested) -> None:
    assert parse_json(format_json(value)) == value


@given(VALUES)
def test_what_is_written_is_json_to_others(value: Nested) -> None:
    assert json.loads(format_json(value)) == value


@given(VALUES, st.booleans())
def test_what_others_write_is_read(value: Nested, is_ascii: bool) -> None:
    assert parse_json(json.dumps(value, indent=1, ensure_ascii=is_ascii)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'it\"s'", 'it"s'),
        ("'it\\'s'", "it's"),
        ('"it\\\'s"', "it's"),
        ('"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'),
        ("\t{ }\r\n", {}),
        ("[]", []),
        ("-0", 0),
        ("0.5e1", 5.0),
        ("1E+2", 100.0),
        ("18446744073709551615", (1 << 64) - 1),
        ("18446744073709551616", float(1 << 64)),
        ("-9223372036854775809", float(-(1 << 63) - 1)),
        ('"\\ud83d\\ude00"', "\U0001f600"),
        ('"\\u0000"', "\udcc0\udc80"),
        ('"\udcc0\udc80"', "\udcc0\udc80"),
    ],
)
def test_values_are_read_as_qemu_does(text: str, value: Nested) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Expecting a JSON value"),
        (" \n", "Expecting a JSON value"),
        ("{} x", "Expecting at most one JSON value"),
        ("1 ;", "Expecting at most one JSON value"),
        ("{", "JSON parse error, premature EOI"),
        ('{"a"', "JSON parse error, premature EOI"),
        ("[1", "JSON parse error, premature EOI"),
        ("}", "JSON parse error, expecting value"),
        ("{]", "JSON parse error, expecting value"),
        ('{"a":1,}', "JSON parse error, expecting value"),
        ("[1,]", "JSON parse error, expecting value"),
        ("{1:2}", "JSON parse error, key is not a string in object"),
        ('{"a"}', "JSON parse error, missing : in object pair"),
        ('{"a":1,"a":2}', "JSON parse error, duplicate key"),
        ('{"a":1 "b":2}', "JSON parse error, expected separator in dict"),
        ("[1 2]", "JSON parse error, expected separator in list"),
        ("nil", "JSON parse error, invalid keyword 'nil'"),
        ("True", "JSON parse error, stray 'T'"),
        ("{1:2 %}", "JSON parse error, stray '%'"),
        ("01", "JSON parse error, stray '01'"),
        ("-x", "JSON parse error, stray '-x'"),
        ("1.}", "JSON parse error, stray '1.}'"),
        ("1e}", "JSON parse error, stray '1e}'"),
        ("1e+", "JSON parse error, stray '1e+'"),
        ('"ab', "JSON parse error, stray '\"ab'"),
        ("'ab\\", "JSON parse error, stray ''ab\\'"),
        ('"a\nb"', "JSON parse error, stray '\"a\n'"),
        ("é", "JSON parse error, stray '\udcc3'"),
        ('"\\x"', "JSON parse error, invalid escape sequence in string"),
        ('"\\u12"', 'JSON parse error, \\u12" is not a valid Unicode character'),
        ('"\\uffff"', "JSON parse error, \\uffff is not a valid Unicode character"),
        ('"\\ud800"', "JSON parse error, \\ud800 is not a valid Unicode character"),
        ('"\\ud800\\u0041"', "JSON parse error, \\ud800 is not a valid Unicode character"),
        ('"\\ud800\\u1"', "JSON parse error, \\ud800 is not a valid Unicode character"),
        ('"\udc80"', "JSON parse error, invalid UTF-8 sequence in string"),
        ("[" * 2000, "JSON nesting depth limit exceeded"),
    ],
)
def test_mistakes_are_told_as_qemu_does(text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_json(text)
    assert str(caught.value) == message


def test_names_are_written_in_the_order_of_qemu() -> None:
    # As qemu-img 7.2 names a blkdebug node.
    value: Nested = {"driver": "blkdebug", "align": "4k", "image": {"driver": "file"}}
    assert format_json(value) == (
        '{"image": {"driver": "file"}, "driver": "blkdebug", "align": "4k"}'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0.1, "0.10000000000000001"),
        (Empty.LIST, "[]"),
        (Empty.DICT, "{}"),
        ("é\x7f\x01", '"\\u00E9\\u007F\\u0001"'),
        ("\U0001f600", '"\\uD83D\\uDE00"'),
        ("\udcff", '"\\uFFFD"'),
        ("\uffff", '"\\uFFFD"'),
        ("\udcc0\udc80", '"\\u0000"'),
        ('"\\\n', '"\\"\\\\\\n"'),
    ],
)
def test_values_are_written_as_qemu_does(value: Nested, text: str) -> None:
    assert format_json(value) == text


@pytest.mark.parametrize(("sign", "value"), [("", float("inf")), ("-", float("-inf"))])
def test_an_integer_of_any_length_is_read(sign: str, value: float) -> None:
    # Python reads no decimal integer of more than 4300 digits.
    assert parse_json(sign + "1" * 5000) == value


def test_half_a_pair_of_surrogates_is_no_text() -> None:
    with pytest.raises(OptionError, match="invalid UTF-8 sequence in string"):
        parse_json('"\ud800"')
