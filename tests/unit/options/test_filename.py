from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.errors import OptionError
from blkdebug_async.options.filename import (
    Gathered,
    blkdebug_name,
    find_protocol,
    gather,
    json_name,
    parse_blkdebug_name,
    parse_file_name,
    parse_filename,
    parse_json_name,
    parse_null_name,
    protocol_prefix,
)
from blkdebug_async.options.tree import Options

STRONG = ("config", "inject-error.", "align")
PARSERS = {
    "file": parse_file_name,
    "blkdebug": parse_blkdebug_name,
    "null-co": lambda name: parse_null_name(name, "null-co"),
}


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("img", None), ("/a:b", None), ("./a:b", None), ("a:b", "a"), (":b", ""), ("a:b/c:d", "a")],
)
def test_a_prefix_ends_at_a_colon_before_any_slash(name: str, prefix: str | None) -> None:
    assert protocol_prefix(name) == prefix


@pytest.mark.parametrize("name", ["foo:bar", ":bar"])
def test_an_unknown_prefix_is_refused(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_filename(name, PARSERS)
    assert str(caught.value) == f"Unknown protocol '{name[:-4]}'"


def test_a_long_unknown_prefix_is_cut_as_in_qemu() -> None:
    with pytest.raises(OptionError) as caught:
        find_protocol("x" * 200 + ":", ())
    assert str(caught.value) == f"Unknown protocol '{'x' * 127}'"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("img", {"driver": "file", "filename": "img"}),
        ("./a:b", {"driver": "file", "filename": "./a:b"}),
        ("file:img", {"driver": "file", "filename": "img"}),
        ("file:a:b", {"driver": "file", "filename": "./a:b"}),
        ("file:", {"driver": "file", "filename": ""}),
        ("null-co://", {"driver": "null-co"}),
        ("blkdebug::img", {"driver": "blkdebug", "x-image": "img"}),
        ("blkdebug:c:img", {"driver": "blkdebug", "config": "c", "x-image": "img"}),
        ("blkdebug::", {"driver": "blkdebug", "x-image": ""}),
        (
            "blkdebug:a:blkdebug:b:c",
            {"driver": "blkdebug", "config": "a", "x-image": "blkdebug:b:c"},
        ),
        ('json:{"driver": "x", "a": [{"b": 1}]}', {"driver": "x", "a.0.b": 1}),
    ],
)
def test_a_name_becomes_options(name: str, options: Options) -> None:
    assert parse_filename(name, PARSERS) == options


def test_a_blkdebug_name_without_prefix_is_the_image() -> None:
    assert parse_blkdebug_name("nbd:x") == {"x-image": "nbd:x"}


def test_a_blkdebug_name_has_two_parts() -> None:
    with pytest.raises(OptionError, match="blkdebug requires both config file and image path"):
        parse_blkdebug_name("blkdebug:x")


def test_a_null_driver_has_one_name() -> None:
    with pytest.raises(
        OptionError, match="The only allowed filename for this driver is 'null-aio://'"
    ):
        parse_null_name("null-co://", "null-aio")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("json:{", "Could not parse the JSON options: JSON parse error, premature EOI"),
        ("json:", "Could not parse the JSON options: Expecting a JSON value"),
        ("json:[]", "Invalid JSON object given"),
    ],
)
def test_a_json_name_needs_an_object(name: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_json_name(name)
    assert str(caught.value) == message


VALUES = st.text(st.characters(codec="ascii", exclude_characters="\0")) | st.integers(0, 1 << 63)


@given(st.dictionaries(st.sampled_from(["align", "config", "inject-error.0.event"]), VALUES))
def test_a_json_name_reads_back(options: dict[str, str | int]) -> None:
    child = gather("file", {"driver": "file", "filename": "img"}, (), {})
    gathered = gather("blkdebug", {**options}, STRONG, {"image": child})
    assert parse_json_name(json_name(gathered)) == {
        **options,
        "driver": "blkdebug",
        "image.driver": "file",
        "image.filename": "img",
    }


def test_only_strong_options_are_gathered() -> None:
    options: Options = {
        "driver": "blkdebug",
        "x-image": "img",
        "align": "4k",
        "inject-error.0.event": "none",
        "take-child-perms.0": "write",
    }
    gathered = gather("blkdebug", options, STRONG, {})
    assert gathered.options == {
        "driver": "blkdebug",
        "align": "4k",
        "inject-error.0.event": "none",
    }
    assert gathered.is_special


def test_driver_and_file_name_are_not_special() -> None:
    gathered = gather("file", {"driver": "file", "filename": "img", "locking": "on"}, (), {})
    assert gathered == Gathered({"driver": "file", "filename": "img"}, is_special=False)


def test_a_plain_blkdebug_name_is_built() -> None:
    gathered = gather("blkdebug", {"config": "c"}, STRONG, {"image": Gathered({}, False)})
    assert blkdebug_name("c", "img", gathered) == "blkdebug:c:img"
    assert blkdebug_name(None, "img", gathered) == "blkdebug::img"


@pytest.mark.parametrize("image", [None, "", "x" * 4096])
def test_without_a_plain_image_name_there_is_no_blkdebug_name(image: str | None) -> None:
    assert blkdebug_name(None, image, gather("blkdebug", {}, STRONG, {})) is None


def test_rules_and_limits_have_no_plain_name() -> None:
    assert blkdebug_name(None, "img", gather("blkdebug", {"align": 512}, STRONG, {})) is None


def test_a_json_name_is_cut_where_the_buffer_of_qemu_ends() -> None:
    name = json_name(gather("file", {"filename": "x" * 5000}, (), {}))
    assert len(name) == 4095
    assert name.endswith("xxx...")
