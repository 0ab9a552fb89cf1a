from __future__ import annotations

from errno import EINVAL, ERANGE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.cli.parse import (
    argument_count_error,
    parse_lengths,
    parse_milliseconds,
    parse_pattern,
    parse_size,
    split_line,
)
from blkdebug_async.errors import OptionError
from blkdebug_async.options.tree import ignore_warning
from blkdebug_async.units import INT64_MAX, MAX_REQUEST

SHIFTS = {"": 0, "b": 0, "k": 10, "M": 20, "g": 30, "T": 40, "p": 50, "E": 60}


@given(st.lists(st.text(st.characters(exclude_characters=" "), min_size=1)))
def test_words_are_what_stands_between_blanks(words: list[str]) -> None:
    assert split_line(" ".join(words)) == words
    assert split_line("  " + "   ".join(words) + " ") == words


def test_only_blanks_separate_words() -> None:
    assert split_line("read\t0 'a b'") == ["read\t0", "'a", "b'"]


@given(st.integers(0, INT64_MAX), st.sampled_from(sorted(SHIFTS)))
def test_a_suffix_is_a_power_of_1024(number: int, suffix: str) -> None:
    size = number << SHIFTS[suffix]
    if size <= INT64_MAX:
        assert parse_size(f"{number}{suffix}", ignore_warning) == size
    else:
        with pytest.raises(OptionError, match="argument too large -- ") as caught:
            parse_size(f"{number}{suffix}", ignore_warning)
        assert caught.value.errno == ERANGE


@given(st.integers(0, INT64_MAX))
def test_a_size_may_be_hexadecimal(number: int) -> None:
    assert parse_size(hex(number), ignore_warning) == number


@pytest.mark.parametrize(
    "text", ["", "x", ".5k", "1e3", "1kb", "1KiB", "inf", "0b1", "0x", "-1", "1.5", "1_0", "1 "]
)
def test_what_is_no_size_is_shown(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_size(text, ignore_warning)
    assert caught.value.errno == EINVAL
    assert str(caught.value) == (
        f"Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- {text}"
    )


def test_the_warning_about_a_hexadecimal_suffix_is_passed_on() -> None:
    warnings: list[str] = []
    assert parse_size("0x10k", warnings.append) == 16 * 1024
    assert warnings == ["Using a multiplier suffix on hex numbers is deprecated: 0x10k"]


@pytest.mark.parametrize("text", ["x", "9E"])
def test_another_word_may_be_shown_instead(text: str) -> None:
    with pytest.raises(OptionError, match=r" -- -m$"):
        parse_size(text, ignore_warning, shown="-m")


@given(st.integers(0, 255))
def test_a_pattern_may_be_decimal_hexadecimal_or_octal(byte: int) -> None:
    assert parse_pattern(str(byte)) == byte
    assert parse_pattern(hex(byte)) == byte
    assert parse_pattern(f"0{byte:o}") == byte


@pytest.mark.parametrize(
    "text", ["256", "-1", "5a", "08", "0x", "x", "9" * 30, "-18446744073709551611"]
)
def test_what_is_no_byte_is_no_pattern(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_pattern(text)
    assert str(caught.value) == f"{text} is not a valid pattern byte"


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("-0", 0), ("010", 8), ("0x10", 16)])
def test_milliseconds_are_a_c_number(text: str, expected: int) -> None:
    assert parse_milliseconds(text) == expected


def test_more_milliseconds_than_fit_are_as_many_as_fit() -> None:
    assert parse_milliseconds("9" * 30) == INT64_MAX


@pytest.mark.parametrize("text", ["-1", "1.5", "1s", "x", "-" + "9" * 30])
def test_what_is_no_number_of_milliseconds_is_shown(text: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_milliseconds(text)
    assert str(caught.value) == f"{text} is not a valid number"


@given(st.lists(st.integers(0, MAX_REQUEST // 8), max_size=8))
def test_lengths_that_fit_together_are_taken(lengths: list[int]) -> None:
    assert parse_lengths([str(length) for length in lengths], ignore_warning) == lengths


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["1", "x"], "Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- x"),
        (["8E"], "Parsing error: argument too large -- 8E"),
        (["2G"], "Argument '2G' exceeds maximum size 2147483136"),
        (["1G", "1G"], "The total number of bytes exceed the maximum size 2147483136"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_lengths(words, ignore_warning)
    assert str(caught.value) == message
    assert caught.value.errno == EINVAL


@pytest.mark.parametrize(
    ("count", "least", "most", "expected"),
    [
        (1, 2, None, "at least 2"),
        (1, 0, 0, "0"),
        (3, 1, 2, "between 1 and 2"),
        (0, 1, 1, "1"),
    ],
)
def test_a_wrong_number_of_words_is_complained_about(
    count: int, least: int, most: int | None, expected: str
) -> None:
    complaint = argument_count_error("r", count, least, most)
    assert complaint == f"bad argument count {count} to r, expected {expected} arguments"


@pytest.mark.parametrize(("count", "least", "most"), [(2, 2, None), (9, 2, None), (0, 0, 0)])
def test_a_fitting_number_of_words_is_fine(count: int, least: int, most: int | None) -> None:
    assert argument_count_error("r", count, least, most) is None
