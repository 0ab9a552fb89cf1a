"""QEMU's config files: groups in brackets, `key = "value"` below them.

QEMU reads them with scanf(), whose habits are part of the format: a value that is not quoted counts
as empty, lines end after 1023 bytes, and what stands behind a closing bracket or quote is ignored.
Nothing is opened in here; bytes come in, sections go out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from blkdebug_async.errors import OptionError
from blkdebug_async.options.reader import Kind, check_value
from blkdebug_async.options.tree import Options, check_id, qemu_order

#: Group to the keys that it may have.
Groups: TypeAlias = Mapping[str, Mapping[str, Kind]]

_LINE_MAX: Final = 1023
# Patterns are compiled when they are used first: few runs read a config file.
_WHOLE_LINE: Final = rb"[^\n]*\n|[^\n]+"
_BLANK: Final = rb"[ \t\n\v\f\r]*+"
#: A word as scanf() takes it: as much as there is, never less to make the rest fit.
_WORD: Final = rb"[^ \t\n\v\f\r]{1,63}+"
_SECTION_WORD: Final = rb"\[" + _BLANK + rb"(" + _WORD + rb")"
_SECTION_ID: Final = _BLANK + rb'"([^"]{1,63}+)'
_SECTION: Final = rb"\[([^]]{1,63}+)"
_KEY: Final = _BLANK + rb"(" + _WORD + rb")"
_VALUE: Final = _BLANK + rb"=" + _BLANK + rb'"([^"]{1,1023}+)'


class ConfigError(OptionError):
    """A config file makes no sense.

    Args:
        message: What QEMU says, which is not where.
        place: `FILE:LINE: `, to be put in front where that is wanted.
        hint: Further lines of advice, or "".
    """

    def __init__(self, message: str, *, place: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.place = place

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (self.strerror, self.place, self.hint))

    def placed(self) -> OptionError:
        """Give the same error with its place in the message."""
        return OptionError(self.place + self.strerror, errno=self.errno, hint=self.hint)


def _rebuild(message: str, place: str, hint: str) -> ConfigError:
    return ConfigError(message, place=place, hint=hint)


class Entry(NamedTuple):
    """One assignment."""

    key: str
    value: str
    #: Of the file, from 1.
    line: int


class Section(NamedTuple):
    """A group's name in brackets and what is assigned below it."""

    group: str
    #: Unique within the group, or None.
    id: str | None
    #: Of the file, from 1.
    line: int
    entries: tuple[Entry, ...]
    #: `FILE:LINE: ` of the bracket.
    place: str = ""

    @property
    def options(self) -> Options:
        """What is assigned; of a repeated key the last value."""
        return {entry.key: entry.value for entry in self.entries}


@dataclass(slots=True)
class _Draft:
    group: str
    id: str | None
    line: int
    entries: list[Entry] = field(default_factory=list)

    def assign(self, entry: Entry) -> None:
        if entry.key == "id":
            self.id = entry.value
        else:
            self.entries.append(entry)


def parse_ini(data: bytes, file: str, groups: Groups) -> list[Section]:
    """Read a config file.

    Args:
        data: The whole file.
        file: Its name, for the place of an error.
        groups: What may be in it.

    Raises:
        ConfigError: EINVAL; the first mistake, where a section is looked at when it ends.

    QEMU: util/qemu-config.c, qemu_config_parse().
    """
    checker = _Checker(file, groups)
    draft: _Draft | None = None
    last_word = b""
    for number, line in enumerate(_lines(data), start=1):
        if line[:1] in (b"\n", b"#"):
            continue
        if line[:1] == b"[":
            word = re.match(_SECTION_WORD, line)
            started = _start_section(line, number, word)
            if started is not None:
                if draft is not None:
                    checker.finish(draft)
                draft, last_word = started, b""
                continue
            last_word = word[1] if word is not None else last_word
        place = f"{file}:{number}: "
        entry = _assignment(line, number)
        if entry is None:
            raise ConfigError("parse error", place=place)
        if draft is None:
            raise ConfigError("no group defined", place=place)
        draft.assign(entry)
    if draft is not None:
        # A line that starts like a section but is none renames the last one: QEMU 7.2 has one
        # buffer for both.
        draft.group = _text(last_word) or draft.group
        checker.finish(draft)
    return checker.sections


def _lines(data: bytes) -> Iterator[bytes]:
    # What fgets() returns, up to the first NUL, where a C string ends.
    for whole in re.findall(_WHOLE_LINE, data):
        for start in range(0, len(whole), _LINE_MAX):
            yield whole[start : start + _LINE_MAX].partition(b"\0")[0]


def _start_section(line: bytes, number: int, word: re.Match[bytes] | None) -> _Draft | None:
    if word is not None and (name := re.compile(_SECTION_ID).match(line, word.end())) is not None:
        return _Draft(_text(word[1]), _text(name[1]), number)
    group = re.match(_SECTION, line)
    return None if group is None else _Draft(_text(group[1]), None, number)


def _assignment(line: bytes, number: int) -> Entry | None:
    key = re.match(_KEY, line)
    if key is None:
        return None
    value = re.compile(_VALUE).match(line, key.end())
    # What does not look like an assignment sets its first word to nothing.
    return Entry(_text(key[1]), "" if value is None else _text(value[1]), number)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


class _Checker:
    """Looks at each section when it is complete, and keeps it."""

    def __init__(self, file: str, groups: Groups) -> None:
        self._file = file
        self._groups = groups
        self.sections: list[Section] = []

    def finish(self, draft: _Draft) -> None:
        place = f"{self._file}:{draft.line}: "
        if draft.group not in self._groups:
            raise ConfigError(f"There is no option group '{draft.group}'", place=place)
        if draft.id is not None:
            self._check_id(draft.group, draft.id, place)
        latest = {entry.key: entry for entry in draft.entries}
        for key in qemu_order(latest):
            self._check_entry(latest[key], self._groups[draft.group])
        section = Section(draft.group, draft.id, draft.line, tuple(draft.entries), place)
        self.sections.append(section)

    def _check_id(self, group: str, name: str, place: str) -> None:
        try:
            check_id(name)
        except OptionError as error:
            raise ConfigError(error.strerror, place=place, hint=error.hint) from None
        if any(section.group == group and section.id == name for section in self.sections):
            raise ConfigError(f"Duplicate ID '{name}' for {group}", place=place)

    def _check_entry(self, entry: Entry, kinds: Mapping[str, Kind]) -> None:
        place = f"{self._file}:{entry.line}: "
        if entry.key not in kinds:
            raise ConfigError(f"Invalid parameter '{entry.key}'", place=place)
        try:
            check_value(entry.key, entry.value, kinds[entry.key])
        except OptionError as error:
            raise ConfigError(error.strerror, place=place, hint=error.hint) from None
