from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.errors import OptionError
from blkdebug_async.options.keyval import Keyval, parse_keyval

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
TREES: st.SearchStrategy[Keyval] = st.recursive(
    st.dictionaries(NAMES, st.text()),
    lambda below: st.dictionaries(NAMES, st.text() | below.filter(bool)),
    max_leaves=8,
)


def spelt(tree: Keyval, above: str = "") -> list[str]:
    words: list[str] = []
    for key, value in tree.items():
        if isinstance(value, str):
            words.append(f"{above}{key}={value.replace(',', ',,')}")
        else:
            words += spelt(value, f"{above}{key}.")
    return words


@given(TREES)
def test_what_was_spelt_is_read(tree: Keyval) -> None:
    assert parse_keyval(",".join(spelt(tree)), "type") == (tree, False)


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", {}),
        ("a", {"type": "a"}),
        ("a%b,", {"type": "a%b"}),
        ("a=1,a=2", {"a": "2"}),
        ("a=1,,b=2,b=3", {"a": "1,b=2", "b": "3"}),
        ("a.0=x,a.1.b=y", {"a": {"0": "x", "1": {"b": "y"}}}),
        ("__org.qemu_a=1", {"__org.qemu_a": "1"}),
    ],
)
def test_words_become_options(text: str, options: Keyval) -> None:
    assert parse_keyval(text, "type") == (options, False)


@pytest.mark.parametrize("text", ["help", "a,?", "help,b=1", "a,b=1,help,"])
def test_help_is_asked_for_anywhere(text: str) -> None:
    assert parse_keyval(text, "type").wants_help


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=a", "Invalid parameter ''"),
        (",a=1", "Invalid parameter ''"),
        ("a..b=1", "Invalid parameter 'a..b'"),
        ("1=1", "Invalid parameter '1'"),
        ("a.1x=1", "Invalid parameter 'a.1x'"),
        ("a,b", "Expected '=' after parameter 'b'"),
        ("a=1,a.b=2", "Parameters 'a.*' used inconsistently"),
        ("a.b.c=1,a.b=2", "Parameters 'a.b.*' used inconsistently"),
        ("a.b=1,a.b.c=2", "Parameters 'a.b.*' used inconsistently"),
        (f"{'x' * 128}=1", f"Parameter '{'x' * 128}' is too long"),
        (f"a.{'x' * 128}=1", f"Parameter fragment '{'x' * 128}' is too long"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_keyval(text, "type")
    assert str(caught.value) == message
