"""open, close, reopen, truncate, length, info, alloc, map: the image as a whole."""

from __future__ import annotations

import os
from collections.abc import Awaitable
from errno import EIO, ENOTSUP

from blkdebug_async.cli.arguments import Given
from blkdebug_async.cli.failures import CommandFailed, ErrorReport, UsageError
from blkdebug_async.cli.format import size_text
from blkdebug_async.cli.getopt import Getopt
from blkdebug_async.cli.opening import (
    LETTERS,
    OpenRequest,
    OpenSettings,
    cache_mode,
    read_options,
)
from blkdebug_async.cli.parse import parse_size
from blkdebug_async.cli.session import Session
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.null import NullDriver
from blkdebug_async.opening import CacheMode
from blkdebug_async.options.tree import Options
from blkdebug_async.units import SECTOR_SIZE

_PREALLOCATION_MODES = ("off", "metadata", "falloc", "full")


async def attempt(operation: Awaitable[None]) -> None:
    """Wait for something whose failures tell their own story.

    Raises:
        ErrorReport: It failed.
    """
    try:
        await operation
    except OSError as error:
        raise told(error) from error


def told(error: OSError) -> ErrorReport:
    """Turn an error into a report with its message and advice."""
    hint = getattr(error, "hint", "")
    return ErrorReport(str(error), errno=error.errno or EIO, hint=hint if hint else "")


# --- opening and closing ---


async def open_image(session: Session, words: list[str]) -> None:
    """Open an image."""
    settings = OpenSettings()
    options: Options = {}
    given = Getopt(words[0], words[1:], LETTERS + "o:")
    for letter, value in given:
        if letter == "o":
            if session.image_opts:
                raise CommandFailed("--image-opts and 'open -o' are mutually exclusive")
            options |= read_options(value, session.warn)
        else:
            settings.apply(letter, value)
    operands = given.operands
    if session.image_opts and len(operands) == 1:
        options |= read_options(operands.pop(), session.warn)
    if len(operands) > 1:
        raise UsageError
    await open_disk(session, settings, operands[0] if operands else None, options)


async def open_disk(
    session: Session, settings: OpenSettings, filename: str | None, options: Options
) -> None:
    """Make an image the session's disk.

    Raises:
        ErrorReport: One is open already, or this one cannot be opened.
    """
    if session.disk is not None:
        raise ErrorReport("file open already, try 'help close'")
    request = settings.request(filename, options)
    try:
        session.disk = await session.perform(session.open_disk(request, session))
    except OSError as error:
        raise cannot_open(request, error) from error


def cannot_open(request: OpenRequest, error: OSError) -> ErrorReport:
    """Say what could not be opened, and why."""
    name = "" if request.filename is None else f" device {request.filename}"
    report = told(error)
    return ErrorReport(f"can't open{name}: {report}", errno=report.errno, hint=report.hint)


async def close(session: Session, words: list[str]) -> None:
    """Close the image."""
    await attempt(session.close_disk())


async def reopen(session: Session, words: list[str]) -> None:
    """Open the image anew, with other options."""
    disk = session.require_disk()
    wanted = _Reopening(disk)
    given = Getopt(words[0], words[1:], "c:o:rw")
    for letter, value in given:
        wanted.apply(letter, value, session)
    if given.operands:
        raise UsageError
    options = wanted.all_options()
    reopening = disk.reopen(
        options, writethrough=wanted.cache.writethrough, keep_write=not wanted.read_only
    )
    await attempt(session.perform(reopening))


class _Reopening:
    """What reopen is asked for, on top of how things are."""

    def __init__(self, disk: Disk) -> None:
        flags = disk.root.flags
        self.options: Options = {}
        self.read_only = flags.read_only
        self.cache = CacheMode(flags.direct, flags.no_flush, disk.writethrough)
        self._has_mode = False
        self._has_cache = False

    def apply(self, letter: str, value: str, session: Session) -> None:
        match letter:
            case "c":
                self.cache = cache_mode(value)
                self._has_cache = True
            case "o":
                self.options |= read_options(value, session.warn)
            case _:
                if self._has_mode:
                    raise ErrorReport("Only one -r/-w option may be given")
                self._has_mode = True
                self.read_only = letter == "r"

    def all_options(self) -> Options:
        options = dict(self.options)
        if "read-only" not in options:
            options["read-only"] = self.read_only
        elif self._has_mode:
            raise ErrorReport("Cannot set both -r/-w and 'read-only'")
        if "cache.direct" not in options and "cache.no-flush" not in options:
            options["cache.direct"] = self.cache.direct
            options["cache.no-flush"] = self.cache.no_flush
        elif self._has_cache:
            raise ErrorReport("Cannot set both -c and the cache options")
        return options


# --- size and facts ---


async def truncate(session: Session, words: list[str]) -> None:
    """Change the length."""
    given = Given(words, "m:", {"m": _preallocation_index})
    if not given.operands:
        # QEMU 7.2 crashes here.
        raise UsageError
    # What is parsed is the operand; what a complaint shows is the first word, as in QEMU 7.2.
    size = parse_size(given.operands[0], session.warn, shown=given.first_word)
    mode = given.texts.get("m", "off")
    await attempt(session.perform(session.require_disk().truncate(size, preallocation=mode)))


def _preallocation_index(mode: str) -> int:
    if mode not in _PREALLOCATION_MODES:
        raise ErrorReport(f"Invalid preallocation mode '{mode}'")
    return _PREALLOCATION_MODES.index(mode)


async def length(session: Session, words: list[str]) -> None:
    """Show the length."""
    try:
        size = session.require_disk().length
    except OSError as error:
        raise CommandFailed(f"getlength: {_errno_text(error)}", errno=error.errno or EIO) from error
    session.write(f"{size_text(size)}\n")


async def info(session: Session, words: list[str]) -> None:
    """Show facts about the top node."""
    root = session.require_disk().root
    driver = root.driver
    # A protocol driver has two names, which are the same.
    session.write(f"format name: {driver.name}\n" * (2 if driver.is_protocol else 1))
    *_, leaf = root.primary_chain()
    if isinstance(leaf.driver, NullDriver):
        # Each driver asks the one below, and this one has no answer.
        raise CommandFailed(errno=ENOTSUP)
    session.write(f"cluster size: {size_text(driver.cluster_size())}\n")
    session.write(f"vm state offset: {size_text(0)}\n")
    if specific := driver.specific_info():
        session.write(f"Format specific information:\n{specific}")


# --- allocation ---


async def alloc(session: Session, words: list[str]) -> None:
    """Tell how much of a range is allocated."""
    start = parse_size(words[1], session.warn)
    count = parse_size(words[2], session.warn) if len(words) > 2 else SECTOR_SIZE
    disk = session.require_disk()
    allocated, position = 0, start
    while position < start + count:
        try:
            state, run = await session.perform(
                disk.is_allocated(position, start + count - position)
            )
        except OSError as error:
            text = f"is_allocated failed: {_errno_text(error)}"
            raise CommandFailed(text, errno=error.errno or EIO) from error
        if not run:
            count = position - start
        allocated += run if state else 0
        position += run
    session.write(f"{allocated}/{count} bytes allocated at offset {size_text(start)}\n")


async def show_map(session: Session, words: list[str]) -> None:
    """Show which parts are allocated."""
    disk = session.require_disk()
    try:
        end = disk.length
    except OSError as error:
        text = f"Failed to query image length: {_errno_text(error)}"
        raise ErrorReport(text, errno=error.errno or EIO) from error
    position = 0
    while position < end:
        try:
            state, run = await _uniform_run(session, position, end)
        except OSError as error:
            text = f"Failed to get allocation status: {_errno_text(error)}"
            raise ErrorReport(text, errno=error.errno or EIO) from error
        if not run:
            raise ErrorReport("Unexpected end of image", errno=EIO)
        word = "allocated" if state else "not allocated"
        session.write(
            f"{size_text(run)} (0x{run:x}) bytes {word:>13} "
            f"at offset {size_text(position)} (0x{position:x})\n"
        )
        position += run


async def _uniform_run(session: Session, start: int, end: int) -> tuple[bool, int]:
    """Find how far the state at start reaches. An error behind the first answer ends the run."""
    disk = session.require_disk()
    first, run = await session.perform(disk.is_allocated(start, end - start))
    position = start + run
    while run and position < end:
        try:
            state, run = await session.perform(disk.is_allocated(position, end - position))
        except OSError:
            break
        if state != first:
            break
        position += run
    return first, position - start


def _errno_text(error: OSError) -> str:
    return os.strerror(error.errno or EIO)
