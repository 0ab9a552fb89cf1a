from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.cli.failures import UsageError
from blkdebug_async.cli.getopt import Getopt, LongOption

LONG = (
    LongOption("cmd", "c", takes_value=True),
    LongOption("cache", "t", takes_value=True),
    LongOption("help", "h"),
    LongOption("help-all", "a"),
)


def scan(words: Sequence[str], letters: str = "vP:q") -> tuple[list[tuple[str, str]], list[str]]:
    options = Getopt("prog", words, letters, LONG)
    return [(option.key, option.value) for option in options], options.operands


def complaint(*words: str, long: Sequence[LongOption] = LONG) -> str:
    with pytest.raises(UsageError) as caught:
        list(Getopt("prog", words, "vP:q", long))
    return str(caught.value)


def test_letters_may_be_clustered() -> None:
    assert scan(["-vq"]) == ([("v", ""), ("q", "")], [])


@pytest.mark.parametrize("words", [["-qP7"], ["-qP", "7"], ["-q", "-P7"], ["-q", "-P", "7"]])
def test_an_argument_is_attached_or_follows(words: list[str]) -> None:
    assert scan(words) == ([("q", ""), ("P", "7")], [])


def test_options_may_follow_operands() -> None:
    assert scan(["0", "-v", "512", "-P", "0"]) == ([("v", ""), ("P", "0")], ["0", "512"])


def test_two_dashes_end_the_options() -> None:
    assert scan(["0", "--", "-v", "--"]) == ([], ["0", "-v", "--"])


def test_a_dash_alone_is_an_operand() -> None:
    assert scan(["-"]) == ([], ["-"])


@pytest.mark.parametrize("words", [["--cmd=x y"], ["--cmd", "x y"], ["--cm=x y"]])
def test_a_long_option_may_be_cut_short(words: list[str]) -> None:
    assert scan(words) == ([("c", "x y")], [])


def test_a_whole_name_is_not_ambiguous() -> None:
    assert scan(["--help"]) == ([("h", "")], [])


def test_taken_words_stand_before_operands_in_their_own_order() -> None:
    options = Getopt("prog", ["1", "-P", "2", "3", "--", "-v"], "vP:")
    list(options)
    assert options.taken == ["-P", "2", "--"]
    assert options.operands == ["1", "3", "-v"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-vZ"], "invalid option -- 'Z'"),
        (["-:"], "invalid option -- ':'"),
        (["-P"], "option requires an argument -- 'P'"),
        (["--cmd"], "option '--cmd' requires an argument"),
        (["--cm"], "option '--cmd' requires an argument"),
        (["--he=1"], "option '--he=1' is ambiguous; possibilities: '--help' '--help-all'"),
        (["--help=1"], "option '--help' doesn't allow an argument"),
        (["--foo=1"], "unrecognized option '--foo=1'"),
    ],
)
def test_a_mistake_is_told_as_the_c_library_tells_it(words: list[str], message: str) -> None:
    assert complaint(*words) == f"prog: {message}"


def test_without_long_options_two_dashes_begin_a_cluster() -> None:
    assert complaint("--vq", long=()) == "prog: invalid option -- '-'"


def test_names_of_the_same_option_are_not_ambiguous() -> None:
    long = (LongOption("colour", "c"), LongOption("color", "c"))
    assert [option.key for option in Getopt("prog", ["--col"], "", long)] == ["c"]


def test_options_before_a_mistake_are_given() -> None:
    options = iter(Getopt("prog", ["-v", "-Z"], "v"))
    assert next(options).key == "v"
    with pytest.raises(UsageError):
        next(options)


Given = st.one_of(
    st.sampled_from("vq").map(lambda letter: ([f"-{letter}"], (letter, ""))),
    st.text("0a-", min_size=1).map(lambda value: (["-P", value], ("P", value))),
    st.text("0a", min_size=1).map(lambda value: ([value], None)),
)


@given(st.lists(Given))
def test_every_word_is_an_option_an_argument_or_an_operand(
    pieces: list[tuple[list[str], tuple[str, str] | None]],
) -> None:
    words = [word for piece, _ in pieces for word in piece]
    expected_options = [option for _, option in pieces if option]
    expected_operands = [piece[0] for piece, option in pieces if not option]
    assert scan(words) == (expected_options, expected_operands)


def test_the_first_operand_may_end_the_options() -> None:
    options = Getopt("prog", ["-q", "-", "-v", "--"], "vq", in_order=True)
    assert [option.key for option in options] == ["q"]
    assert options.operands == ["-", "-v", "--"]
