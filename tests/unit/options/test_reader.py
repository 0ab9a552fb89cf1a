from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.errors import OptionError
from blkdebug_async.options.reader import (
    ChildOptions,
    Fault,
    Kind,
    OptionReader,
    check_value,
    parse_bool,
    parse_number,
    parse_size,
    scan_number,
    scan_size,
)
from blkdebug_async.options.tree import Empty, Options, Scalar

SIZE_MESSAGE = "Parameter 'align' expects a non-negative number below 2^64"
RULE = {"event": Kind.STR, "errno": Kind.NUMBER}


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def reader(options: Options, *, is_protocol: bool = True) -> OptionReader:
    return OptionReader(options, driver="blkdebug", is_protocol=is_protocol)


def message_of(caught: pytest.ExceptionInfo[OptionError]) -> str:
    return str(caught.value)


@given(st.integers(0, (1 << 64) - 1))
def test_whole_sizes_are_read_as_they_are(size: int) -> None:
    assert scan_size(str(size)) == scan_size(hex(size)) == scan_size(f"{size}B") == size


#: Python refuses to read a decimal number of more than 4300 digits.
MANY = 5000


@pytest.mark.parametrize("scan", [scan_number, scan_size])
def test_a_number_of_any_length_is_too_large(scan: Callable[[str], int | Fault]) -> None:
    assert scan("1" * MANY) is Fault.TOO_LARGE


@pytest.mark.parametrize("scan", [scan_number, scan_size])
def test_zeros_in_front_make_no_number_large(scan: Callable[[str], int | Fault]) -> None:
    assert scan("0" * MANY + "7") == 7


@given(st.integers(0, 15), st.sampled_from("kKmMgGtTpPeE"))
def test_a_letter_is_a_power_of_1024(count: int, letter: str) -> None:
    assert scan_size(f"{count}{letter}") == count << 10 * ("kmgtpe".index(letter.lower()) + 1)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1.5k", 1536),
        ("0.7k", 717),
        ("0.1k", 102),
        ("1.k", 1024),
        ("1.", 1),
        ("1.0B", 1),
        ("1.5e", 3 << 59),
        ("15.99999999999999999999E", 15 << 60),
        ("00010", 10),
        ("0X10", 16),
        (" \t+5", 5),
        ("", Fault.MALFORMED),
        ("k", Fault.MALFORMED),
        (".5k", Fault.MALFORMED),
        ("1.5", Fault.MALFORMED),
        ("1.5B", Fault.MALFORMED),
        ("1e3", Fault.MALFORMED),
        ("1.5e3", Fault.MALFORMED),
        ("1kb", Fault.MALFORMED),
        ("1 ", Fault.MALFORMED),
        ("0x", Fault.MALFORMED),
        ("0x1.8k", Fault.MALFORMED),
        ("-1", Fault.MALFORMED),
        ("-0", Fault.MALFORMED),
        ("-0x10000000000000000", Fault.MALFORMED),
        ("18446744073709551616", Fault.TOO_LARGE),
        ("-18446744073709551616", Fault.TOO_LARGE),
        ("18446744073709551616k", Fault.MALFORMED),
        ("0x10000000000000000", Fault.TOO_LARGE),
        ("16E", Fault.TOO_LARGE),
        ("16EB", Fault.MALFORMED),
    ],
)
def test_sizes_are_read_as_qemu_does(text: str, size: int | Fault) -> None:
    assert scan_size(text) == size


def test_a_hexadecimal_size_with_a_letter_is_warned_of() -> None:
    warnings: list[str] = []
    assert scan_size("0x10k", warn=warnings.append) == 16384
    assert warnings == ["Using a multiplier suffix on hex numbers is deprecated: 0x10k"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("5", 5),
        ("010", 8),
        ("0x1F", 31),
        (" +7", 7),
        ("-1", (1 << 64) - 1),
        ("18446744073709551615", (1 << 64) - 1),
        ("18446744073709551616", Fault.TOO_LARGE),
        ("-18446744073709551616", Fault.TOO_LARGE),
        ("", Fault.MALFORMED),
        ("08", Fault.MALFORMED),
        ("0x", Fault.MALFORMED),
        ("1k", Fault.MALFORMED),
        ("x", Fault.MALFORMED),
    ],
)
def test_numbers_are_read_as_c_does(text: str, number: int | Fault) -> None:
    assert scan_number(text) == number


@pytest.mark.parametrize("text", ["on", "yes", "true", "y"])
def test_words_that_switch_on(text: str) -> None:
    assert parse_bool("once", text) is True


@pytest.mark.parametrize("text", ["off", "no", "false", "n"])
def test_words_that_switch_off(text: str) -> None:
    assert parse_bool("once", text) is False


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Kind.SIZE, "x", SIZE_MESSAGE),
        (Kind.SIZE, "16E", "Value '16E' is out of range for parameter 'align'"),
        (Kind.NUMBER, "x", "Parameter 'align' expects a number"),
        (Kind.NUMBER, "9" * 20, f"Value '{'9' * 20}' is too large for parameter 'align'"),
        (Kind.BOOL, "1", "Parameter 'align' expects 'on' or 'off'"),
        (Kind.BOOL, "On", "Parameter 'align' expects 'on' or 'off'"),
    ],
)
def test_a_text_of_the_wrong_kind_is_refused(kind: Kind, text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        check_value("align", text, kind)
    assert message_of(caught) == message


@pytest.mark.parametrize(
    ("kind", "text"),
    [(Kind.STR, ""), (Kind.SIZE, "1k"), (Kind.NUMBER, "-1"), (Kind.BOOL, "y")],
)
def test_a_text_of_the_right_kind_passes(kind: Kind, text: str) -> None:
    check_value("align", text, kind)


def test_a_wrong_size_comes_with_advice_in_two_lines() -> None:
    with pytest.raises(OptionError) as caught:
        parse_size("align", "x")
    assert caught.value.hint == (
        "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\n"
        "and exabytes, respectively."
    )


def test_numbers_and_sizes_of_an_option_are_given_back() -> None:
    assert parse_size("align", "1k") == 1024
    assert parse_number("errno", "0x10") == 16


@pytest.mark.parametrize(
    ("value", "text"),
    [("42", "42"), (42, "42"), (True, "on"), (1.5, "1.5"), (None, "none"), (Empty.LIST, "none")],
)
def test_typed_values_are_taken_as_text(value: Scalar, text: str) -> None:
    options: Options = {"config": value, "other": 1}
    assert reader(options).take_str("config", "none") == text
    assert options == {"other": 1}


@pytest.mark.parametrize("value", ["4k", 4096, "0x1000", 4096.0])
def test_sizes_may_be_text_or_numbers(value: Scalar) -> None:
    assert reader({"align": value}).take_size("align", None) == 4096


@pytest.mark.parametrize("value", ["on", True])
def test_switches_may_be_text_or_typed(value: Scalar) -> None:
    assert reader({"once": value}).take_bool("once", default=False) is True


def test_a_negative_number_counts_from_above() -> None:
    assert reader({"sector": -1}).take_number("sector", None) == (1 << 64) - 1


@pytest.mark.parametrize("value", [True, "x", 1.5])
def test_a_number_of_another_type_is_refused(value: Scalar) -> None:
    with pytest.raises(OptionError, match="Parameter 'errno' expects a number"):
        reader({"errno": value}).take_number("errno", None)


def test_absent_options_have_their_defaults() -> None:
    empty = reader({"null": None})
    assert empty.take_str("a", None) is None
    assert empty.take_size("a", 1) == 1
    assert empty.take_number("null", 2) == 2
    assert empty.take_bool("a", default=None) is None
    assert empty.take_enum("a", Colour, Colour.RED) is Colour.RED


def test_a_word_is_one_of_those_allowed() -> None:
    assert reader({"colour": "blue"}).take_enum("colour", Colour, None) is Colour.BLUE


@pytest.mark.parametrize("value", ["", "Red", "green"])
def test_another_word_is_refused(value: str) -> None:
    with pytest.raises(OptionError) as caught:
        reader({"colour": value}).take_enum("colour", Colour, None)
    assert message_of(caught) == f"invalid parameter value: {value}"


def test_only_some_members_may_be_allowed() -> None:
    with pytest.raises(OptionError, match="invalid parameter value: blue"):
        reader({"colour": "blue"}).take_enum("colour", (Colour.RED,), None)


def test_questionable_sizes_are_warned_of() -> None:
    warnings: list[str] = []
    options: Options = {"align": "0x1k"}
    OptionReader(options, driver="raw", warn=warnings.append).take_size("align", None)
    assert len(warnings) == 1


def test_of_several_wrong_values_the_first_in_the_order_of_qemu_is_refused() -> None:
    # qemu-io 7.2 names max-transfer in either order.
    kinds = {"align": Kind.SIZE, "max-transfer": Kind.SIZE}
    options: Options = {"align": "x", "max-transfer": "x", "node-name": "x"}
    with pytest.raises(OptionError) as caught:
        reader(options).check(kinds)
    assert message_of(caught).split("'")[1] == "max-transfer"


def test_checking_passes_what_is_absent_null_or_of_the_right_kind() -> None:
    options: Options = {"align": "4k", "config": None, "once": Empty.LIST}
    kinds = {"align": Kind.SIZE, "config": Kind.STR, "errno": Kind.NUMBER, "once": Kind.BOOL}
    reader(options).check(kinds)
    assert len(options) == 3


@pytest.mark.parametrize(
    ("options", "filename", "child"),
    [
        ({"image": "node0"}, None, ChildOptions("image", "node0", None, {})),
        ({}, "img", ChildOptions("image", None, "img", {})),
        (
            {"image.driver": "raw", "image.file.filename": "img"},
            None,
            ChildOptions("image", None, None, {"driver": "raw", "file.filename": "img"}),
        ),
        (
            {"image.driver": "raw", "image": 42},
            "img",
            ChildOptions("image", None, "img", {"driver": "raw"}),
        ),
    ],
)
def test_a_child_is_a_reference_or_a_name_or_options(
    options: Options, filename: str | None, child: ChildOptions
) -> None:
    options["align"] = 512
    assert reader(options).take_child("image", filename=filename) == child
    assert options == {"align": 512}


@pytest.mark.parametrize("options", [{}, {"image": None}, {"image": Empty.DICT}, {"imagex": "y"}])
def test_a_child_that_nothing_describes_is_missed(options: Options) -> None:
    with pytest.raises(OptionError) as caught:
        reader({**options}).take_child("image")
    assert message_of(caught) == 'A block device must be specified for "image"'
    assert reader({**options}).take_optional_child("image") is None


@pytest.mark.parametrize(
    ("options", "filename"),
    [({"image": "n"}, "img"), ({"image": "n", "image.driver": "raw"}, None)],
)
def test_a_reference_stands_alone(options: Options, filename: str | None) -> None:
    with pytest.raises(OptionError) as caught:
        reader(options).take_child("image", filename=filename)
    assert message_of(caught) == (
        "Cannot reference an existing block device with additional options or a new filename"
    )


def take_rules(options: Options, taken_ids: tuple[str, ...] = ()) -> list[dict[str, object]]:
    rules = reader(options).take_rules("rule", RULE, taken_ids=taken_ids)
    return [
        {"event": rule.take_str("event", None), "errno": rule.take_number("errno", None)}
        for rule in rules
    ]


def test_one_rule_needs_no_index() -> None:
    options: Options = {"rule.event": "none", "rule.errno": 5, "rules": 1}
    assert take_rules(options) == [{"event": "none", "errno": 5}]
    assert options == {"rules": 1}


def test_rules_are_taken_in_the_order_of_their_indices() -> None:
    options: Options = {"rule.1.event": "b", "rule.0.event": "a", "rule.0.errno": "0x1"}
    options["rule.2"] = Empty.DICT
    assert take_rules(options) == [
        {"event": "a", "errno": 1},
        {"event": "b", "errno": None},
        {"event": None, "errno": None},
    ]
    assert options == {}


def test_many_rules_are_taken_in_the_order_of_their_indices() -> None:
    many = {f"rule.{index}.count": index for index in range(3000)}

    rules = OptionReader(dict(reversed(many.items())), driver="x").take_rules(
        "rule", {"count": Kind.NUMBER}
    )

    assert [rule.take_number("count", None) for rule in rules] == list(range(3000))


def test_options_are_taken_by_what_they_begin_with() -> None:
    options: Options = {"b.x": 1, "a": 2, "a.y.z": 3, "ab.x": 4}

    taken = OptionReader(options, driver="x").take_all(("a.", "b."))

    assert list(taken.items()) == [("b.x", 1), ("a.y.z", 3)]
    assert options == {"a": 2, "ab.x": 4}


def test_no_rules_are_an_empty_list() -> None:
    assert take_rules({"rule": Empty.LIST}) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule.event": "a", "rule.foo": "1"}, "Unknown option 'foo' for [rule]"),
        ({"rule.event": "a", "rule.0.event": "b"}, "Unknown option '0.event' for [rule]"),
        ({"rule.foo": "1"}, "Unused option 'foo' for [rule]"),
        ({"rule.1.event": "a"}, "Unused option '1.event' for [rule]"),
        ({"rule.01.event": "a"}, "Unused option '01.event' for [rule]"),
        ({"rule.0": "x", "rule.0.event": "a"}, "Unused option '0' for [rule]"),
        ({"rule.0.foo": "1"}, "[rule] section doesn't support the option 'foo'"),
        ({"rule.0": "x"}, "[rule] section (index 0) does not consist of keys"),
        ({"rule.0.errno": "x"}, "Parameter 'errno' expects a number"),
        ({"rule.errno": "x"}, "Parameter 'errno' expects a number"),
    ],
)
def test_odd_rules_are_refused_as_in_qemu(options: Options, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        take_rules(options)
    assert message_of(caught) == message


def test_the_id_of_a_section_is_not_an_index_too() -> None:
    with pytest.raises(OptionError, match=r"Duplicate ID 'rule\.1' for rule"):
        take_rules({"rule.0.event": "a", "rule.1.event": "a"}, taken_ids=("rule.1",))


def test_a_list_of_words_is_taken_in_order() -> None:
    options: Options = {"perms.1": "write", "perms.0": "resize", "perm": 1}
    words = reader(options).take_string_list("perms", ("write", "resize"))
    assert words == ["resize", "write"]
    assert options == {"perm": 1}


def test_an_absent_list_of_words_is_empty() -> None:
    assert reader({}).take_string_list("perms", ("write",)) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"perms.0": "foo"}, "Parameter 'null' does not accept value 'foo'"),
        (
            {"perms.1": "write"},
            "List indices are not contiguous, saw 1 elements but 1 largest index",
        ),
        ({"perms.x": "write"}, "Invalid parameter type for '<anonymous>', expected: array"),
        ({"perms.0": 1}, "Invalid parameter type for '[0]', expected: string"),
        (
            {"perms.0": "write", "perms.1.x": "write"},
            "Invalid parameter type for '[1]', expected: string",
        ),
    ],
)
def test_odd_lists_of_words_are_refused_as_in_qemu(options: Options, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        reader(options).take_string_list("perms", ("write",))
    assert message_of(caught) == message


@pytest.mark.parametrize(
    ("is_protocol", "message"),
    [
        (True, "Block protocol 'blkdebug' doesn't support the option 'zip.x'"),
        (False, "Block format 'blkdebug' does not support the option 'zip.x'"),
    ],
)
def test_what_nobody_took_is_complained_about(is_protocol: bool, message: str) -> None:
    options: Options = {"foo": 1, "bar": Empty.LIST, "zip.x": None}
    left = reader(options, is_protocol=is_protocol)
    assert left.rest() == ["zip.x", "bar", "foo"]
    with pytest.raises(OptionError) as caught:
        left.finish()
    assert message_of(caught) == message


@pytest.mark.parametrize("is_protocol", [True, False])
def test_when_everything_is_taken_there_is_no_complaint(is_protocol: bool) -> None:
    options: Options = {"align": 1}
    taker = reader(options, is_protocol=is_protocol)
    taker.take_size("align", None)
    taker.finish()
    assert taker.rest() == []
