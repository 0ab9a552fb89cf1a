"""blkdebug: fails, delays and suspends requests by rule.

Asks the rule machine, waits, raises, passes on. What a rule means is in rules.py, what becomes of
it in machine.py, how it is written in config.py, and where requests wait in breakpoints.py.

QEMU: block/blkdebug.c.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from errno import EFBIG, EINVAL, EISDIR, ENOENT, ENOTSUP
from functools import partial
from typing import ClassVar, Final, Self, TypeVar

from blkdebug_async.block.driver import Driver, FilterDriver, NodeSource, Opener
from blkdebug_async.block.flags import FUA, MAY_UNMAP, NO_FALLBACK, WRITE_UNCHANGED, OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import UNLIMITED, Limits
from blkdebug_async.block.permissions import FILTERED_CHILD, Permissions
from blkdebug_async.block.target import BlockStatus
from blkdebug_async.block.tracked import Request
from blkdebug_async.compat import SAFE, Compat
from blkdebug_async.drivers.blkdebug.breakpoints import Breakpoints, Parked
from blkdebug_async.drivers.blkdebug.config import (
    LIMIT_OPTIONS,
    BlkdebugConfig,
    apply_limits,
    check_limits,
    known_events,
    parse_config,
    spell_options,
    take_config_name,
)
from blkdebug_async.drivers.blkdebug.machine import RuleMachine, Verdict
from blkdebug_async.drivers.blkdebug.rules import Phase, Rule, Suspend
from blkdebug_async.errors import BlockError, InjectedError, OptionError
from blkdebug_async.events import Event, IoType
from blkdebug_async.options.filename import (
    FilenameParser,
    Gathered,
    blkdebug_name,
    parse_blkdebug_name,
)
from blkdebug_async.options.reader import OptionReader
from blkdebug_async.options.tree import Options
from blkdebug_async.trace import RequestView
from blkdebug_async.units import MIB

#: Longest config file in bytes; one without an end, such as /dev/zero, must not fill the memory.
_CONFIG_MAX: Final = 4 * MIB
#: Events that QEMU has a word for, but no driver of it ever announces.
_SILENT: Final = frozenset({Event.REFBLOCK_UPDATE})
# Looking up a member of an Enum costs more than what is done with it here.
_READ: Final = IoType.READ
_WRITE: Final = IoType.WRITE

_PLAIN: Final = BlkdebugConfig()

T = TypeVar("T")


class BlkdebugDriver(FilterDriver):
    """Passes requests to its image unless a rule says otherwise.

    Args:
        image: What lies below.
        rules: Errors to inject, states to set, breakpoints; in the order of a config file.
        config: Limits and permissions; its rules come before the others.
    """

    name: ClassVar[str] = "blkdebug"
    is_protocol: ClassVar[bool] = True
    parse_filename: ClassVar[FilenameParser | None] = parse_blkdebug_name
    strong_options: ClassVar[tuple[str, ...]] = (
        "config",
        "inject-error.",
        "set-state.",
        *LIMIT_OPTIONS,
    )

    def __init__(
        self, image: NodeSource, rules: Iterable[Rule] = (), *, config: BlkdebugConfig | None = None
    ) -> None:
        super().__init__()
        self._image = image
        self._config = config or _PLAIN
        self._rules = (*self._config.rules, *rules)
        if self._rules or config is not None:
            self.options |= spell_options(self._config, self._rules)
        self._reader: OptionReader | None = None
        self._config_name: str | None = None
        self._limits = UNLIMITED
        self._compat: Compat = SAFE
        self._use(RuleMachine())
        self.breakpoints = Breakpoints(self._parked, self._released)

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        driver = cls("")
        # The switches that decide what is a legal rule are known only in open().
        driver._reader = reader
        return driver

    @classmethod
    def explored(cls) -> type[Driver]:
        # Whoever explores nothing need not load it.
        module = importlib.import_module("blkdebug_async.drivers.blkdebug.explored")
        kind: type[Driver] = module.explored_kind(cls)
        return kind

    # --- life ---

    async def open(self, opener: Opener) -> None:
        self._compat = opener.compat
        if self._reader is not None:
            self._read_options(self._reader, opener.compat)
        if not opener.compat.any_errno:
            self._warn_of_silent_events(opener)
        _refuse_to_hold_opening(self._rules)
        self._use(RuleMachine(self._rules, opener.compat, opener.choices, opener.node_name))
        self.file = await opener.open_child("image", self._image, FILTERED_CHILD)
        natural = FUA | MAY_UNMAP | (0 if opener.compat.blkdebug_of_2018 else NO_FALLBACK)
        self.write_flags = WRITE_UNCHANGED | (FUA & self.file.write_flags)
        self.zero_flags = WRITE_UNCHANGED | (natural & self.file.zero_flags)
        check_limits(self._config, self.file.limits.request_alignment)
        if Event.NONE in self.heard and not opener.compat.blkdebug_of_2018:
            await self.fire(Event.NONE, None)

    def _read_options(self, reader: OptionReader, compat: Compat) -> None:
        name = self._config_name = take_config_name(reader)
        text = None if name is None else _read_config_file(name)
        self._config = parse_config(reader, text, name or "", compat)
        self._rules = self._config.rules
        self._image = reader.take_child("image", filename=reader.take_str("x-image", None))

    def _warn_of_silent_events(self, opener: Opener) -> None:
        for rule in self._rules:
            if rule.event in _SILENT:
                opener.warn(f"Nothing announces event '{rule.event}': its rule will never match")

    async def close(self) -> None:
        self._use(RuleMachine())
        self.breakpoints.close()

    async def reopen(self, flags: OpenFlags, options: Options) -> None:
        """Accept any change of flags and none of options."""

    def _use(self, machine: RuleMachine) -> None:
        self.machine = machine
        self.heard = machine.heard
        self._armed = machine.armed
        self._watch_phases()

    def _watch_phases(self) -> None:
        machine = self.machine
        if not machine.has_breakpoints:
            self.holds_completion = self._holds_driver = False
            return
        self.holds_completion = machine.watches_phase(Phase.BEFORE_COMPLETION)
        self._holds_driver = machine.watches_phase(Phase.BEFORE_DRIVER) or machine.watches_phase(
            Phase.AFTER_DRIVER
        )

    # --- facts ---

    def refresh_limits(self, limits: Limits) -> Limits:
        self._limits = apply_limits(self._config, limits)
        return self._limits

    def child_permissions(self, default: Permissions) -> Permissions:
        config = self._config
        if not config.take_perms and not config.unshare_perms:
            return default
        return Permissions(
            default.taken | config.take_perms, default.shared & ~config.unshare_perms
        )

    def plain_filename(self, told: Gathered) -> str | None:
        return blkdebug_name(self._config_name, self.file.plain_filename, told)

    def suspended(self) -> Sequence[tuple[str, RequestView | None]]:
        return [(parked.tag, parked.request) for parked in self.breakpoints.parked()]

    def release_suspended(self) -> None:
        if self.machine.has_breakpoints:
            self.machine.remove_all_breakpoints()
            self._watch_phases()
        self.breakpoints.resume_everything()

    # --- requests ---

    # Without anything to obey these give the coroutine of the node below, and none of their own.

    def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> Coroutine[object, None, None]:
        if self._armed or self._holds_driver:
            work = partial(self.file.preadv, offset, length, iov, flags, request)
            return self._obey(_READ, offset, length, work, request)
        return self.file.preadv(offset, length, iov, flags, request)

    def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> Coroutine[object, None, None]:
        if self._armed or self._holds_driver:
            work = partial(self.file.pwritev, offset, length, iov, flags, request)
            return self._obey(_WRITE, offset, length, work, request)
        return self.file.pwritev(offset, length, iov, flags, request)

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        if self._holds_driver:
            return False
        if self._armed and self.machine.meets(IoType.READ, offset, length):
            return False
        return self.file.preadv_nowait(offset, length, iov)

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        if self._holds_driver:
            return False
        if self._armed and self.machine.meets(IoType.WRITE, offset, length):
            return False
        return self.file.pwritev_nowait(offset, length, iov, flags)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        limits = self._limits
        if length < max(limits.pwrite_zeroes_alignment or 1, limits.request_alignment):
            # Before any rule is asked: it becomes a write, and rules are asked about that.
            raise BlockError(ENOTSUP, f"zero write of {length} bytes is below the alignment")
        work = partial(self.file.pwrite_zeroes, offset, length, flags, request)
        await self._obey(IoType.WRITE_ZEROES, offset, length, work, request)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        if length < self._limits.request_alignment:
            raise BlockError(ENOTSUP, f"discard of {length} bytes is below the alignment")
        work = partial(self.file.pdiscard, offset, length, request)
        await self._obey(IoType.DISCARD, offset, length, work, request)

    async def flush_to_disk(self, request: Request) -> None:
        await self._obey(IoType.FLUSH, 0, 0, partial(self.file.flush, request), request)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        if self._armed:
            await self._fails(IoType.BLOCK_STATUS, offset, length)
        work = partial(super().block_status, offset, length, want_zero, request)
        return await (self._between(work, request) if self._holds_driver else work())

    async def _obey(
        self,
        iotype: IoType,
        offset: int,
        length: int,
        work: Callable[[], Awaitable[None]],
        request: Request,
    ) -> None:
        """Do the work of a request, unless a rule forbids it; be held before and after it."""
        if self._armed and await self._fails(iotype, offset, length):
            return
        await (self._between(work, request) if self._holds_driver else work())

    async def _fails(self, iotype: IoType, offset: int, length: int) -> bool:
        """Ask the rules about a piece of a request.

        Returns:
            True if it is to count as done without being done; False if it is to be done.

        Raises:
            InjectedError: With the errno that a rule asks for.
        """
        verdict = self.machine.verdict(iotype, offset, length)
        if verdict is None:
            return False
        if not verdict.immediately:
            await asyncio.sleep(0)
        if verdict.errno < 0:
            return True
        raise _injected(verdict, iotype, offset, length)

    # --- events and breakpoints ---

    def fire(self, event: Event, request: Request | None) -> Coroutine[object, None, None]:
        groups = self.machine.on_event(event, request)
        if isinstance(groups, tuple):
            return self.breakpoints.park_all(groups[0] if groups else (), request)
        return self._park_in_turn(groups, request)

    async def _park_in_turn(
        self, groups: Iterable[tuple[str, ...]], request: Request | None
    ) -> None:
        for tags in groups:
            await self.breakpoints.park_all(tags, request)

    def fires_nowait(self, event: Event) -> bool:
        return self.machine.only_arms(event)

    def lets_write(self, event: Event, offset: int, length: int) -> bool:
        return not self.machine.arms_against(event, IoType.WRITE, offset, length)

    def fire_nowait(self, event: Event) -> None:
        self.machine.arm(event)

    async def before_completion(self, request: Request) -> None:
        await self._hold(Phase.BEFORE_COMPLETION, request)

    async def _between(self, work: Callable[[], Awaitable[T]], request: Request) -> T:
        await self._hold(Phase.BEFORE_DRIVER, request)
        try:
            answer = await work()
        except OSError:
            await self._hold(Phase.AFTER_DRIVER, request)
            raise
        await self._hold(Phase.AFTER_DRIVER, request)
        return answer

    async def _hold(self, phase: Phase, request: Request) -> None:
        tags = self.machine.on_phase(phase, request)
        if tags:
            self._watch_phases()
            await self.breakpoints.park_all(tags, request)

    def add_rule(self, rule: Rule) -> None:
        """Add a rule; it is visited before all that are there.

        Raises:
            OptionError: EINVAL; its errno is out of range.
        """
        self.machine.add_rule(rule)
        self._watch_phases()

    def remove_rule(self, rule: Rule) -> bool:
        """Remove the newest rule equal to this one; False if there is none."""
        removed = self.machine.remove_rule(rule)
        self._watch_phases()
        return removed

    def add_breakpoint(self, event: str, tag: str) -> None:
        """Add QEMU's kind of breakpoint: at an event, for one request.

        Raises:
            OptionError: ENOENT; there is no such event.
        """
        if event not in known_events(self._compat):
            raise OptionError(f"There is no event '{event}'", errno=ENOENT)
        self.add_rule(Suspend(tag=tag, event=Event(event)))

    def remove_breakpoint(self, tag: str) -> None:
        """Remove all breakpoints with a tag and resume all requests that they hold.

        Raises:
            BlockError: ENOENT; there is neither.
        """
        removed = self.machine.remove_breakpoint(tag)
        self._watch_phases()
        resumed = self.breakpoints.resume_all(tag)
        if not removed and (not resumed or self._compat.remove_of_suspended_is_enoent):
            raise BlockError(ENOENT, f"There is no breakpoint '{tag}'")

    def resume(self, tag: str) -> None:
        """Let the request go on that was suspended last under a tag.

        Raises:
            BlockError: ENOENT; there is none.
        """
        if not self.breakpoints.resume(tag):
            raise BlockError(ENOENT, f"No request is suspended at '{tag}'")

    def _parked(self, parked: Parked) -> None:
        if self.on_suspend is not None:
            self.on_suspend(parked.tag, parked.request)

    def _released(self, parked: Parked) -> None:
        if self.on_resume is not None:
            self.on_resume(parked.tag, parked.request)


def _refuse_to_hold_opening(rules: Iterable[Rule]) -> None:
    for rule in rules:
        if isinstance(rule, Suspend) and rule.event is Event.NONE:
            raise OptionError(
                f"Breakpoint '{rule.tag}' at event 'none' would hold the opening for ever"
            )


def _injected(verdict: Verdict, iotype: IoType, offset: int, length: int) -> InjectedError:
    where = "" if iotype is IoType.FLUSH else f" of {length} bytes at offset {offset}"
    return InjectedError(
        verdict.errno, f"{os.strerror(verdict.errno)} (injected into {iotype}{where})"
    )


def _read_config_file(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            data = file.read(_CONFIG_MAX + 1)
    except ValueError:
        # A name that the system cannot have: with a zero byte, for instance.
        raise BlockError(
            EINVAL, f"Could not read blkdebug config file: {name!r} is no file name"
        ) from None
    except OSError as error:
        number = error.errno or 0
        # QEMU can open a folder, but not read it.
        what = "Cannot read" if number == EISDIR else "Could not read blkdebug"
        raise BlockError(number, f"{what} config file: {os.strerror(number)}") from error
    if len(data) > _CONFIG_MAX:
        raise BlockError(EFBIG, f"Could not read blkdebug config file: {os.strerror(EFBIG)}")
    return data
