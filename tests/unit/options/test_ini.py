from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator, Mapping

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from blkdebug_async.errors import OptionError
from blkdebug_async.options.ini import ConfigError, Entry, Section, parse_ini
from blkdebug_async.options.reader import Kind
from blkdebug_async.options.tree import Options
from tests.unit.options.scanf_model import read_config

GROUPS = {
    "inject-error": {
        "event": Kind.STR,
        "errno": Kind.NUMBER,
        "once": Kind.BOOL,
        "size": Kind.SIZE,
    },
    "set-state": {"event": Kind.STR},
}


class AnyKey(Mapping[str, Kind]):
    def __getitem__(self, key: str) -> Kind:
        return Kind.STR

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class AnyGroup(Mapping[str, AnyKey]):
    def __getitem__(self, key: str) -> AnyKey:
        return AnyKey()

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


PIECES = st.sampled_from(
    [*'[]"= \t\v\n\r#\0g', "key", "[g]\n", '[g "a', 'k = "v"\n', "k" * 63, "x" * 1020]
)


@given(st.lists(PIECES, max_size=12).map("".join))
@example('[g]\n[]\nk = "v"')
@example("[g]\n[ ]\n[]\n[\n")
@example("[" + "g" * 70 + "]")
@example("[g]\n" + "k" * 63 + '= "v"')
@example('[g]\nk = "' + "x" * 1100 + '"')
def test_files_are_read_as_scanf_would(text: str) -> None:
    result = outcome(text)
    # Which ids are good is not in the grammar.
    assume("id" not in str(result).lower())
    assert result == read_config(text)


def outcome(text: str) -> list[tuple[str, str | None, Options]] | str:
    try:
        sections = parse_ini(text.encode(), "file", AnyGroup())
    except ConfigError as error:
        return str(error)
    return [(section.group, section.id, section.options) for section in sections]


def test_sections_keep_what_is_assigned_and_where() -> None:
    data = b'# rules\n\n[inject-error "a"]\nevent = "none"\n  errno\t=\t"5" # EIO\n[set-state]\n'
    assert parse_ini(data, "dir/cfg", GROUPS) == [
        Section(
            "inject-error",
            "a",
            3,
            (Entry("event", "none", 4), Entry("errno", "5", 5)),
            "dir/cfg:3: ",
        ),
        Section("set-state", None, 6, (), "dir/cfg:6: "),
    ]


def test_the_last_of_several_values_counts() -> None:
    (section,) = parse_ini(b'[set-state]\nevent = "a"\nevent = "b"\n', "f", GROUPS)
    assert section.options == {"event": "b"}


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# only this", b"[set-state]"])
def test_a_file_may_have_nothing_to_say(data: bytes) -> None:
    assert [section.options for section in parse_ini(data, "f", GROUPS)] in ([], [{}])


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b'event="none"', {'event="none"': ""}),
        (b"event = none", {"event": ""}),
        (b'event = "none', {"event": "none"}),
        (b'event = "none\n', {"event": "none\n"}),
        (b'event ="none" = "x"', {"event": "none"}),
        (b'event = ""', {"event": ""}),
        (b"  # word", {"#": ""}),
        (b'event = "\xff"', {"event": "\udcff"}),
        (b'event = "none"\0 junk', {"event": "none"}),
        (b"k" * 63 + b'="x"', {"k" * 63: "x"}),
        (b"k" * 64 + b' = "x"', {"k" * 63: ""}),
    ],
)
def test_assignments_follow_the_habits_of_scanf(data: bytes, options: dict[str, str]) -> None:
    (section,) = parse_ini(b"[g]\n" + data, "f", AnyGroup())
    assert section.options == options


@pytest.mark.parametrize("line", ["id", 'id = "a"', 'event = "x"\nid = "a"'])
def test_an_assigned_id_is_the_id_of_the_section(line: str) -> None:
    if line == "id":
        line = 'id = "b"\nid = "a"'
    (section,) = parse_ini(f"[set-state]\n{line}".encode(), "f", GROUPS)
    assert section.id == "a"
    assert "id" not in section.options


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ('event = "x"\n[set-state]', "1", "no group defined"),
        (" # x", "1", "no group defined"),
        ("[]", "1", "no group defined"),
        ("[set-state]\n\n  \n", "3", "parse error"),
        ("\r\n", "1", "parse error"),
        ("\n[foo]\n", "2", "There is no option group 'foo'"),
        ("[ set-state ]\n", "1", "There is no option group ' set-state '"),
        ("[set-state]\n[]\n", "1", "There is no option group ']'"),
        ('[set-state]\nbar = "1"', "2", "Invalid parameter 'bar'"),
        ('[set-state "a"]\n\n[set-state "a"]', "3", "Duplicate ID 'a' for set-state"),
        ('[set-state "1"]', "1", "Parameter 'id' expects an identifier"),
        ('[inject-error]\nerrno = "x"', "2", "Parameter 'errno' expects a number"),
        ('[inject-error]\nonce = "1"', "2", "Parameter 'once' expects 'on' or 'off'"),
        (
            '[inject-error]\nsize = "-1"',
            "2",
            "Parameter 'size' expects a non-negative number below 2^64",
        ),
        # A section is looked at when it ends, so what follows it may be found first.
        ('[foo]\n"\n \n', "3", "parse error"),
        ("[foo]\n[set-state]\n \n", "1", "There is no option group 'foo'"),
        # Of several wrong keys the first in the order of QEMU's dictionary is named.
        ('[set-state]\nfoo = "1"\nbar = "2"', "3", "Invalid parameter 'bar'"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_ini(text.encode(), "dir/cfg", GROUPS)
    assert str(caught.value) == message
    assert caught.value.place == f"dir/cfg:{place}: "


def test_one_id_may_be_used_in_two_groups() -> None:
    sections = parse_ini(b'[set-state "a"]\n[inject-error "a"]\n[set-state "b"]', "f", GROUPS)
    assert [section.id for section in sections] == ["a", "a", "b"]


def test_an_error_can_be_given_with_its_place_in_front() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_ini(b'[set-state "1"]', "cfg", GROUPS)
    placed = caught.value.placed()
    assert type(placed) is OptionError
    assert str(placed) == "cfg:1: Parameter 'id' expects an identifier"
    assert placed.hint == caught.value.hint != ""


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_keeps_its_place_when_copied(copied: type[ConfigError]) -> None:
    error = ConfigError("wrong", place="cfg:1: ", hint="do it right")
    twin = copied(error)  # type: ignore[arg-type]
    assert (str(twin), twin.place, twin.hint) == ("wrong", "cfg:1: ", "do it right")
