"""Options become rules and limits.

A config file and options say the same things; rules of the file come first. Where QEMU says 0 for
"no limit" or -1 for "any sector", rules and limits say None. Nothing is opened in here.

QEMU: block/blkdebug.c, read_config(), add_rule() and blkdebug_open().
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from errno import EIO
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple, assert_never

from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import NAMES
from blkdebug_async.compat import SAFE, Compat
from blkdebug_async.drivers.blkdebug.rules import (
    ANY_STATE,
    DEFAULT_IO_TYPES,
    InjectError,
    Rule,
    SetState,
    Suspend,
    check_errno,
)
from blkdebug_async.errors import OptionError
from blkdebug_async.events import RULE_IO_TYPES, Event
from blkdebug_async.options.ini import ConfigError, Section, parse_ini
from blkdebug_async.options.reader import Kind, OptionReader
from blkdebug_async.options.tree import Options, Scalar
from blkdebug_async.units import INT_MAX, is_aligned, is_power_of_two

_DRIVER: Final = "blkdebug"
_INJECT: Final = "inject-error"
_SET_STATE: Final = "set-state"
#: Options that are limits, in QEMU's order.
LIMIT_OPTIONS: Final = (
    "align",
    "max-transfer",
    "opt-write-zero",
    "max-write-zero",
    "opt-discard",
    "max-discard",
)
#: What options begin with that are not one value.
_PREFIXES_OF_2018: Final = (f"{_INJECT}.", f"{_SET_STATE}.")
_PREFIXES: Final = (*_PREFIXES_OF_2018, "take-child-perms.", "unshare-child-perms.")
#: Up to so many of these options, and bytes of a config file, are remembered.
_FEW: Final = 64
_SHORT: Final = 4096
_NO_LIMITS: Final = (None,) * len(LIMIT_OPTIONS)
#: QEMU's own options of the node, in its order.
_OPTIONS: Final = {
    "config": Kind.STR,
    "x-image": Kind.STR,
    **dict.fromkeys(LIMIT_OPTIONS, Kind.SIZE),
}
_RULE_OPTIONS: Final = {
    _INJECT: {
        "event": Kind.STR,
        "state": Kind.NUMBER,
        "iotype": Kind.STR,
        "errno": Kind.NUMBER,
        "sector": Kind.NUMBER,
        "once": Kind.BOOL,
        "immediately": Kind.BOOL,
    },
    _SET_STATE: {"event": Kind.STR, "state": Kind.NUMBER, "new_state": Kind.NUMBER},
}
#: What rules of both kinds have besides, where nobody wants to be told that QEMU has no such thing.
_OUR_RULE_OPTIONS: Final = {"maybe": Kind.BOOL}
_EVENTS: Final = tuple(Event)
_EVENTS_OF_2018: Final = tuple(
    event for event in Event if event not in (Event.CLUSTER_ALLOC_SPACE, Event.NONE)
)
#: What -1 is in 64 bits.
_ANY_SECTOR: Final = (1 << 64) - 1
#: Sectors in 2^64 bytes; QEMU's arithmetic starts again after them.
_SECTOR_WRAP: Final = 1 << 55


@dataclass(frozen=True, slots=True)
class BlkdebugConfig:
    """All that a blkdebug node is told when it is opened. None: leave it as it is."""

    #: In QEMU's order: injections, then state changes.
    rules: tuple[Rule, ...] = ()
    #: The node's request alignment in bytes, a power of two; may be below the child's.
    align: int | None = None
    #: The largest read or write in bytes, a multiple of both alignments.
    max_transfer: int | None = None
    #: The best alignment for zero writes in bytes, a multiple of both alignments.
    opt_write_zero: int | None = None
    #: The largest zero write in bytes, a multiple of the best alignment.
    max_write_zero: int | None = None
    #: The best alignment for discards in bytes, a multiple of both alignments.
    opt_discard: int | None = None
    #: The largest discard in bytes, a multiple of the best alignment.
    max_discard: int | None = None
    #: Permissions that the node takes on its child besides those it needs.
    take_perms: int = 0
    #: Permissions on its child that it does not share with others.
    unshare_perms: int = 0


def known_events(compat: Compat) -> tuple[Event, ...]:
    """Give the events that rules and breakpoints can name."""
    return _EVENTS_OF_2018 if compat.blkdebug_of_2018 else _EVENTS


def take_config_name(reader: OptionReader) -> str | None:
    """Take the name of the config file, after a first look at all options of the node itself.

    QEMU refuses an ill-formed size before it looks for the file.

    Raises:
        OptionError: EINVAL; an option has a value of the wrong kind.
    """
    reader.check(_OPTIONS)
    return reader.take_str("config", None)


def parse_config(
    reader: OptionReader, ini: bytes | None, ini_name: str, compat: Compat
) -> BlkdebugConfig:
    """Take rules, limits and permissions; not the child.

    Args:
        reader: The node's options, after take_config_name().
        ini: The config file; None: there is none.
        ini_name: Its name, for complaints.
        compat: Which QEMU to follow.

    Raises:
        OptionError: EINVAL; the first thing that QEMU would complain about.
    """
    given = reader.take_all(_PREFIXES_OF_2018 if compat.blkdebug_of_2018 else _PREFIXES)
    if len(given) <= _FEW and (ini is None or len(ini) <= _SHORT):
        typed = tuple([(key, type(value), value) for key, value in given.items()])
        config = _parse_again(typed, ini, ini_name, compat)
    else:
        config = _parse(given, ini, ini_name, compat)
    limits = [reader.take_size(name, 0) or None for name in LIMIT_OPTIONS]
    if not any(limits):
        return config
    align, max_transfer, opt_write_zero, max_write_zero, opt_discard, max_discard = limits
    return replace(
        config,
        align=align,
        max_transfer=max_transfer,
        opt_write_zero=opt_write_zero,
        max_write_zero=max_write_zero,
        opt_discard=opt_discard,
        max_discard=max_discard,
    )


# The same configuration is opened many times over by whoever runs a scenario many times.
@lru_cache(maxsize=128)
def _parse_again(
    typed: tuple[tuple[str, type, Scalar], ...], ini: bytes | None, ini_name: str, compat: Compat
) -> BlkdebugConfig:
    return _parse({key: value for key, _, value in typed}, ini, ini_name, compat)


def _parse(given: Options, ini: bytes | None, ini_name: str, compat: Compat) -> BlkdebugConfig:
    reader = OptionReader(given, driver=_DRIVER)
    rules = _take_rules(reader, ini, ini_name, compat)
    take_perms = unshare_perms = 0
    if not compat.blkdebug_of_2018:
        take_perms = _take_perms(reader, "take-child-perms")
        unshare_perms = _take_perms(reader, "unshare-child-perms")
    return BlkdebugConfig(rules, take_perms=take_perms, unshare_perms=unshare_perms)


def spell_options(config: BlkdebugConfig, rules: Iterable[Rule]) -> Options:
    """Say limits and rules that were put together in code as options: the way back.

    No option can say a breakpoint, nor a rule for some kinds of request that are neither one nor
    QEMU's default. They are left out.

    Args:
        config: Its limits; its rules and permissions are not looked at.
        rules: The rules, in QEMU's order.
    """
    options: Options = {}
    if _has_limits(config):
        told = zip(LIMIT_OPTIONS, _limits_of(config), strict=True)
        options = {name: limit for name, limit in told if limit is not None}
    numbers = {_INJECT: 0, _SET_STATE: 0}
    for rule in rules:
        spelt = _spell_rule(rule)
        if spelt is not None:
            group, fields = spelt
            options |= {f"{group}.{numbers[group]}.{key}": fields[key] for key in fields}
            numbers[group] += 1
    return options


def _spell_rule(rule: Rule) -> tuple[str, Options] | None:
    match rule:
        case SetState():
            fields: Options = {"event": str(rule.event), "new_state": rule.new_state}
            maybe: Options = {"maybe": True} if rule.maybe else {}
            return _SET_STATE, fields | ({"state": rule.state} if rule.state else {}) | maybe
        case InjectError():
            one = len(rule.iotypes) == 1
            if not one and rule.iotypes != DEFAULT_IO_TYPES:
                return None
            given: dict[str, tuple[str | int | None, bool]] = {
                "event": (str(rule.event), True),
                "errno": (rule.errno, rule.errno != EIO),
                "state": (rule.state, rule.state != ANY_STATE),
                "iotype": (str(min(rule.iotypes)), one),
                "sector": (rule.sector, rule.sector is not None),
                "once": (True, rule.once),
                "immediately": (True, rule.immediately),
                "maybe": (True, rule.maybe),
            }
            return _INJECT, {key: value for key, (value, said) in given.items() if said}
        case Suspend():
            return None
        case _:
            assert_never(rule)


def check_limits(config: BlkdebugConfig, child_alignment: int) -> None:
    """Refuse limits that no request could keep.

    Args:
        config: What the node was told.
        child_alignment: The child's request alignment in bytes.

    Raises:
        OptionError: EINVAL; the first limit, in the order of QEMU, that cannot be met.
    """
    if not _has_limits(config):
        return
    align = config.align
    if align is not None and (align >= INT_MAX or not is_power_of_two(align)):
        raise OptionError(f"Cannot meet constraints with align {align}")
    unit = max(align or 0, child_alignment)
    zero_unit = max(config.opt_write_zero or 0, unit)
    discard_unit = max(config.opt_discard or 0, unit)
    _check_limit("max-transfer", config.max_transfer, unit)
    _check_limit("opt-write-zero", config.opt_write_zero, unit)
    _check_limit("max-write-zero", config.max_write_zero, zero_unit)
    _check_limit("opt-discard", config.opt_discard, unit)
    _check_limit("max-discard", config.max_discard, discard_unit)


def apply_limits(config: BlkdebugConfig, limits: Limits) -> Limits:
    """Put what the node was told in the place of what it got from its child.

    QEMU: block/blkdebug.c, blkdebug_refresh_limits().
    """
    if not _has_limits(config):
        return limits
    return replace(
        limits,
        request_alignment=config.align or limits.request_alignment,
        max_transfer=config.max_transfer or limits.max_transfer,
        pwrite_zeroes_alignment=config.opt_write_zero or limits.pwrite_zeroes_alignment,
        max_pwrite_zeroes=config.max_write_zero or limits.max_pwrite_zeroes,
        pdiscard_alignment=config.opt_discard or limits.pdiscard_alignment,
        max_pdiscard=config.max_discard or limits.max_pdiscard,
    )


def _limits_of(config: BlkdebugConfig) -> tuple[int | None, ...]:
    return (
        *(config.align, config.max_transfer, config.opt_write_zero),
        *(config.max_write_zero, config.opt_discard, config.max_discard),
    )


def _has_limits(config: BlkdebugConfig) -> bool:
    return _limits_of(config) != _NO_LIMITS


def _check_limit(name: str, value: int | None, unit: int) -> None:
    if value is not None and (value >= INT_MAX or not is_aligned(value, unit)):
        raise OptionError(f"Cannot meet constraints with {name} {value}")


def _take_perms(reader: OptionReader, name: str) -> int:
    perms = 0
    for word in reader.take_string_list(name, NAMES):
        perms |= NAMES[word]
    return perms


class _Source(NamedTuple):
    """The options of one rule and where they stand."""

    group: str
    reader: OptionReader
    #: `FILE:LINE: ` of the rule, or nothing.
    place: str = ""
    #: `FILE:LINE: ` of what its keys are set to, where that is known.
    places: Mapping[str, str] = MappingProxyType({})

    def place_of(self, key: str) -> str:
        return self.places.get(key, self.place)


def _take_rules(
    reader: OptionReader, ini: bytes | None, ini_name: str, compat: Compat
) -> tuple[Rule, ...]:
    """Read all rules; those of one kind in the order given, the file's first."""
    groups = _rule_options(compat)
    sections: list[Section] = []
    if ini is not None:
        try:
            sections = parse_ini(ini, ini_name, groups)
        except OptionError as error:
            raise _placed(error, "", compat) from None
    sources = [
        _Source(
            section.group,
            OptionReader(section.options, driver=_DRIVER),
            section.place,
            {entry.key: f"{ini_name}:{entry.line}: " for entry in section.entries},
        )
        for section in sections
    ]
    for group, kinds in groups.items():
        ids = {section.id for section in sections if section.group == group and section.id}
        inline = reader.take_rules(group, kinds, taken_ids=ids)
        sources.extend(_Source(group, rule) for rule in inline)
    return tuple(
        _parse_rule(source, compat)
        for group in groups
        for source in sources
        if source.group == group
    )


def _rule_options(compat: Compat) -> Mapping[str, Mapping[str, Kind]]:
    if compat == SAFE:
        return {group: {**kinds, **_OUR_RULE_OPTIONS} for group, kinds in _RULE_OPTIONS.items()}
    if not compat.blkdebug_of_2018:
        return _RULE_OPTIONS
    return {
        group: {key: kind for key, kind in kinds.items() if key != "iotype"}
        for group, kinds in _RULE_OPTIONS.items()
    }


def _parse_rule(source: _Source, compat: Compat) -> Rule:
    reader = source.reader
    is_injection = source.group == _INJECT
    iotype, errno = None, EIO
    key = "event"
    try:
        event = reader.take_enum("event", known_events(compat), None)
        if event is None:
            raise OptionError("Missing event name for rule")
        if is_injection:
            key = "iotype"
            iotype = reader.take_enum("iotype", RULE_IO_TYPES, None)
            key = "errno"
            errno = reader.take_number("errno", EIO)
            if not compat.any_errno:
                check_errno(_as_signed(errno, 64))
    except OptionError as error:
        raise _placed(error, source.place_of(key), compat) from None
    state = _as_int32(reader.take_number("state", ANY_STATE))
    maybe = reader.take_bool("maybe", False)
    if not is_injection:
        new_state = _as_int32(reader.take_number("new_state", 0))
        return SetState(event, new_state, state, maybe)
    sector = reader.take_number("sector", _ANY_SECTOR)
    return InjectError(
        event,
        errno=_as_int32(errno),
        state=state,
        iotypes=DEFAULT_IO_TYPES if iotype is None else frozenset({iotype}),
        # In QEMU 7.2, add_rule(), the byte offset of the sector has 64 bits and no more.
        sector=None if sector == _ANY_SECTOR else sector % _SECTOR_WRAP,
        once=reader.take_bool("once", False),
        immediately=reader.take_bool("immediately", False),
        maybe=maybe,
    )


def _as_int32(number: int) -> int:
    """Keep what fits an int in QEMU: 2^32 is 0, which may be no state or any."""
    return _as_signed(number % (1 << 32), 32)


def _as_signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >= 1 << (bits - 1) else number


def _placed(error: OptionError, place: str, compat: Compat) -> OptionError:
    """Say in which file and line a complaint arose, unless QEMU is to be followed."""
    if isinstance(error, ConfigError):
        return error if compat.config_errors_hide_place else error.placed()
    where = "" if compat.config_errors_hide_place else place
    return OptionError(where + error.strerror, errno=error.errno, hint=error.hint)
