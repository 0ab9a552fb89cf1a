from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.errors import OptionError
from blkdebug_async.options.tree import (
    Empty,
    Nested,
    Options,
    Scalar,
    as_text,
    check_id,
    clone,
    drop_child,
    extract,
    flatten,
    merge,
    nest,
    parse_comma,
    qemu_order,
)

NAMES = st.text("abcxyz-_", min_size=1, max_size=4)
SCALARS: st.SearchStrategy[Scalar] = st.one_of(
    st.text(max_size=4), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False)
)
TREES: st.SearchStrategy[dict[str, Nested]] = st.dictionaries(
    NAMES,
    st.recursive(
        SCALARS,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(TREES)
def test_nesting_undoes_flattening(tree: dict[str, Nested]) -> None:
    assert nest(flatten(tree)) == tree


def test_flattening_gives_nested_values_dotted_keys() -> None:
    tree: dict[str, Nested] = {"image": {"driver": "null-co"}, "rule": [{"once": True}, 7]}
    assert flatten(tree) == {
        "image.driver": "null-co",
        "rule.0.once": True,
        "rule.1": 7,
    }


def test_an_empty_container_stays_an_option() -> None:
    tree: dict[str, Nested] = {"rules": [], "image": {}, "deep": {"a": [[], {}]}}
    assert flatten(tree) == {
        "rules": Empty.LIST,
        "image": Empty.DICT,
        "deep.a.0": Empty.LIST,
        "deep.a.1": Empty.DICT,
    }


def test_a_nested_value_wins_over_a_dotted_key() -> None:
    assert flatten({"a": {"b": 1}, "a.b": 2}) == {"a.b": 1}


@pytest.mark.parametrize("value", [b"bytes", 1j, object()])
def test_a_value_that_no_option_has_is_refused(value: object) -> None:
    with pytest.raises(OptionError, match=r"Option 'a' has a value of unknown type"):
        flatten({"a": value})  # type: ignore[dict-item]
    with pytest.raises(OptionError, match=r"Option 'a\.x' has a value of unknown type"):
        flatten({"a": {"x": value}})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"a": 1, "a.b": 2}, "Cannot mix scalar and non-scalar keys"),
        ({"ab": 1, "ab.c.d": 2}, "Cannot mix scalar and non-scalar keys"),
        ({"a.0": 1, "a.b": 2}, "Cannot mix list and non-list keys"),
        (
            {"a.1": 1},
            "List indices are not contiguous, saw 1 elements but 1 largest index",
        ),
        (
            {"a.0": 1, "a.-1": 1},
            "List indices are not contiguous, saw 2 elements but 0 largest index",
        ),
        (
            {"a.-1": 1},
            "List indices are not contiguous, saw 1 elements but -1 largest index",
        ),
        ({"a.00": 1}, "Missing list index 0"),
        ({"a.0": 1, "a.+1": 2}, "Missing list index 1"),
    ],
)
def test_keys_that_contradict_each_other_do_not_nest(options: Options, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        nest(options)
    assert str(caught.value) == message


def test_two_dots_are_one_in_a_name() -> None:
    assert nest({"a..b.c": 1, "d...e": 2, "f..": 3}) == {
        "a.b": {"c": 1},
        "d.": {"e": 2},
        "f.": 3,
    }


def test_a_number_that_c_cannot_hold_is_no_index() -> None:
    assert nest({f"a.{1 << 64}": 1}) == {"a": {str(1 << 64): 1}}


def test_extracting_moves_what_has_the_prefix() -> None:
    options: Options = {"image.driver": "file", "image.a.b": 1, "imagex": 2, "image": 3}
    assert extract(options, "image.") == {"driver": "file", "a.b": 1}
    assert options == {"imagex": 2, "image": 3}


def test_merging_prefers_what_is_explicit() -> None:
    assert merge({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": 1, "b": 2, "c": 4}


def test_keys_are_walked_in_the_order_of_their_hashes() -> None:
    # As qemu-io 7.2 names them, each taken away in turn.
    assert qemu_order(["foo", "bar", "baz", "zip.x"]) == ["zip.x", "baz", "bar", "foo"]


def test_of_two_keys_with_one_hash_the_latest_comes_first() -> None:
    assert qemu_order(["", "helpno"]) == ["helpno", ""]
    assert qemu_order(clone({"": 1, "helpno": 2})) == ["", "helpno"]


@given(st.lists(st.text(), unique=True, min_size=2, max_size=40), st.integers(2, 40))
def test_keys_have_the_same_order_however_many_others_there_are(keys: list[str], few: int) -> None:
    some = keys[:few]

    assert qemu_order(some) == [key for key in qemu_order(keys) if key in some]


def test_forgetting_a_child_leaves_those_whose_names_begin_alike() -> None:
    options: Options = {"image": "node", "image.driver": "raw", "images": 1, "x.image.y": 2}

    drop_child(options, "image")

    assert options == {"images": 1, "x.image.y": 2}


@given(st.dictionaries(st.text(), SCALARS))
def test_a_clone_has_the_same_options(options: Options) -> None:
    assert clone(options) == options


@given(
    st.dictionaries(
        st.text().filter(lambda key: not set(key) & set("=,") and key != "id"), st.text()
    )
)
def test_comma_text_reads_back(options: dict[str, str]) -> None:
    words = (f"{key}={value.replace(',', ',,')}" for key, value in options.items())
    assert parse_comma(",".join(words)) == options


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("a=b,", {"a": "b"}),
        ("a=b,,c,,,d=", {"a": "b,c,", "d": ""}),
        ("a==b", {"a": "=b"}),
        ("a=1,b=2,a=3", {"a": "3", "b": "2"}),
        ("=x", {"": "x"}),
        ("a=1,id=x,id=y", {"id": "x", "a": "1"}),
    ],
)
def test_comma_text_is_read_as_qemu_does(text: str, options: Options) -> None:
    warnings: list[str] = []
    assert parse_comma(text, warn=warnings.append) == options
    assert warnings == []


@pytest.mark.parametrize(
    ("text", "options", "warning"),
    [
        ("once", {"once": "on"}, "'once' deprecated\nPlease use once=on instead"),
        ("noonce", {"once": "off"}, "'noonce' deprecated\nPlease use once=off instead"),
        ("node-name", {"de-name": "off"}, "'node-name' deprecated\nPlease use de-name=off instead"),
        ("delay", {"delay": "on"}, "'delay' deprecated\nPlease use nodelay=off instead"),
        ("nodelay", {"delay": "off"}, "'nodelay' deprecated\nPlease use nodelay=on instead"),
        ("nohelp", {"help": "off"}, "'nohelp' deprecated\nPlease use help=off instead"),
        (",a=b", {"": "on", "a": "b"}, "'' deprecated\nPlease use =on instead"),
    ],
)
def test_a_key_without_value_is_a_switch_and_warned_of(
    text: str, options: Options, warning: str
) -> None:
    warnings: list[str] = []
    assert parse_comma(text, warn=warnings.append) == options
    assert warnings == [f"short-form boolean option {warning}"]


@pytest.mark.parametrize("word", ["help", "?"])
def test_asking_for_help_is_not_warned_of(word: str) -> None:
    warnings: list[str] = []
    assert parse_comma(word, warn=warnings.append) == {word: "on"}
    assert warnings == []


def test_nobody_need_hear_a_warning() -> None:
    assert parse_comma("a") == {"a": "on"}


def test_an_id_can_be_refused() -> None:
    with pytest.raises(OptionError, match="Invalid parameter 'id'"):
        parse_comma("id=x", allow_id=False)


@pytest.mark.parametrize("text", ["", "1a", "a b", "é", "aé", "_a"])
def test_what_is_no_identifier_is_refused_with_advice(text: str) -> None:
    with pytest.raises(OptionError, match="Parameter 'id' expects an identifier") as caught:
        check_id(text)
    assert caught.value.hint.startswith("Identifiers consist of letters, digits,")


@pytest.mark.parametrize("text", ["a", "Z9", "a-b.c_d"])
def test_an_identifier_is_given_back(text: str) -> None:
    assert check_id(text) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "on"),
        (False, "off"),
        (42, "42"),
        (1.5, "1.5"),
        (0.1, "0.10000000000000001"),
        (None, None),
        (Empty.LIST, None),
    ],
)
def test_values_become_what_one_would_have_typed(value: Scalar, text: str | None) -> None:
    assert as_text(value) == text


def nested(levels: int) -> dict[str, Nested]:
    tree: dict[str, Nested] = {"leaf": 1}
    for _ in range(levels):
        tree = {"a": tree}
    return tree


def test_mappings_may_be_nested_as_deep_as_json() -> None:
    assert flatten(nested(100)) == {"a." * 100 + "leaf": 1}


def test_mappings_nested_without_end_are_refused() -> None:
    endless: dict[str, Nested] = {}
    endless["a"] = [endless]
    with pytest.raises(OptionError, match="nested too deeply"):
        flatten(endless)


@pytest.mark.parametrize("tree", [{5: 6}, {"a": {None: 1}}, {"a": [{b"b": 1}]}])
def test_a_key_that_is_no_text_is_refused(tree: dict[str, Nested]) -> None:
    with pytest.raises(OptionError, match="is no text"):
        flatten(tree)


def test_half_a_pair_of_surrogates_has_its_place_among_keys() -> None:
    assert sorted(qemu_order(["\ud800", "a"])) == ["a", "\ud800"]


def test_an_index_of_any_length_leaves_gaps() -> None:
    with pytest.raises(OptionError):
        nest({"0": "x", "1" * 5000: "y"})
