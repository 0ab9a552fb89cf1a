"""Where QEMU loses data, hangs or was different once: one switch each, in one table.

The library is safe: every switch is off. The doors named after QEMU's programs ask
for QEMU 7.2 to the letter. docs/qemu-compat.md lists each switch with its reason and the
tests of both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from types import MappingProxyType

from blkdebug_async.errors import OptionError


@dataclass(frozen=True, slots=True)
class Compat:
    """The switches. True means: as that QEMU does it, not as is safe."""

    #: A failed read of a read-modify-write is ignored and its bytes become zero (4.2 to 10.1).
    ignore_rmw_read_errors: bool = False
    #: Emulated FUA flushes before the write counts: the first one never reaches the disk.
    fua_flushes_too_early: bool = False
    #: Close and drain wait for ever on a suspended request; safe: EBUSY, and all are named.
    drain_waits_for_suspended: bool = False
    #: Removing a breakpoint that only had suspended requests resumes them but answers ENOENT.
    remove_of_suspended_is_enoent: bool = False
    #: A rule's errno may be negative (success without I/O) or above 4095; no warning of rules that
    #: never match.
    any_errno: bool = False
    #: Errors in a config file do not say which file and line; safe: FILE:LINE: comes first.
    config_errors_hide_place: bool = False
    #: aio_write -z reports the host's uptime as elapsed time.
    aio_zero_timer_not_started: bool = False
    #: Who makes a disk shorter waits for nobody on what goes, which may come back by that.
    shrinking_waits_for_nobody: bool = False
    #: A file's requests go on in a later turn of the loop, as from a thread, though done at once.
    file_requests_take_a_turn: bool = False
    #: Head and tail are read one after the other, a block that is both only as head (up to 4.1).
    rmw_events_of_2018: bool = False
    #: One node-wide next state, which a concurrent event overwrites; suspends inside the rule loop.
    rule_state_of_2018: bool = False
    #: No event none, no iotype, no permission lists, no NO_FALLBACK on zeroes (up to 4.0).
    blkdebug_of_2018: bool = False


#: What the library and every door but those of QEMU's programs use.
SAFE = Compat()

#: Name, as in open_disk(compat=...) and --compat, to switches.
COMPAT = MappingProxyType(
    {
        "none": SAFE,
        "qemu-7.2": Compat(
            ignore_rmw_read_errors=True,
            fua_flushes_too_early=True,
            drain_waits_for_suspended=True,
            shrinking_waits_for_nobody=True,
            remove_of_suspended_is_enoent=True,
            any_errno=True,
            config_errors_hide_place=True,
            aio_zero_timer_not_started=True,
            file_requests_take_a_turn=True,
        ),
        "seed": Compat(
            fua_flushes_too_early=True,
            drain_waits_for_suspended=True,
            shrinking_waits_for_nobody=True,
            any_errno=True,
            aio_zero_timer_not_started=True,
            file_requests_take_a_turn=True,
            rmw_events_of_2018=True,
            rule_state_of_2018=True,
            blkdebug_of_2018=True,
        ),
    }
)


def compat_named(name: str | None) -> Compat:
    """Look up the switches of a name.

    Args:
        name: A key of COMPAT; None: the same as "none".

    Raises:
        OptionError: EINVAL; there is no such name.
    """
    try:
        return COMPAT[name or "none"]
    except KeyError:
        known = ", ".join(COMPAT)
        raise OptionError(f"Unknown compat mode '{name}'", hint=f"Known are: {known}") from None


def switches() -> tuple[str, ...]:
    """Give the names of all switches, for tables and tests."""
    return tuple(field.name for field in fields(Compat))
