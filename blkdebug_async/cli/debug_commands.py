"""break, remove_break, resume, wait_break, sleep: who is held where; abort, sigraise: the end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from errno import EINVAL

from blkdebug_async.cli.failures import CommandFailed
from blkdebug_async.cli.file_commands import told
from blkdebug_async.cli.parse import parse_milliseconds, parse_size
from blkdebug_async.cli.session import Session
from blkdebug_async.compat import SAFE

#: Largest number that sigraise passes on.
_MOST_SIGNAL = 65


async def set_breakpoint(session: Session, words: list[str]) -> None:
    """Hold the next request that announces an event."""
    _, event, tag = words
    disk = session.require_disk()
    _attempt("Could not set breakpoint", lambda: disk.breakpoint(event, tag))


async def remove_breakpoint(session: Session, words: list[str]) -> None:
    """Forget breakpoints and resume what they hold."""
    tag = words[1]
    disk = session.require_disk()
    try:
        _attempt(f"Could not remove breakpoint {tag}", lambda: disk.remove_breakpoint(tag))
    finally:
        session.advance()


async def resume(session: Session, words: list[str]) -> None:
    """Let a held request go on, up to its next wait."""
    disk = session.require_disk()
    _attempt("Could not resume request", lambda: disk.resume(words[1]))
    session.advance()


def _attempt(complaint: str, action: Callable[[], None]) -> None:
    try:
        action()
    except OSError as error:
        number = error.errno or EINVAL
        raise CommandFailed(f"{complaint}: {os.strerror(number)}", errno=number) from error


async def wait_for_breakpoint(session: Session, words: list[str]) -> None:
    """Wait until a request is held; without end if none ever is."""
    disk = session.require_disk()
    tag = words[1]
    while not disk.is_suspended(tag):
        try:
            await session.perform(disk.wait_suspended(tag))
        except OSError as error:
            if session.compat == SAFE:
                raise told(error) from error
            # Nothing here can hold a request. QEMU waits all the same.
            await session.perform(asyncio.Event().wait())


async def sleep(session: Session, words: list[str]) -> None:
    """Let time pass, and requests go on."""
    milliseconds = parse_milliseconds(words[1])
    await session.perform(asyncio.sleep(milliseconds / 1000))


async def abort(session: Session, words: list[str]) -> None:
    """Crash; what stdout still owes is lost."""
    os.abort()


async def raise_signal(session: Session, words: list[str]) -> None:
    """Raise a signal; a number that is none does nothing."""
    number = parse_size(words[1], session.warn)
    if number > _MOST_SIGNAL:
        text = f"signal argument '{words[1]}' is too large to be a valid signal"
        raise CommandFailed(text)
    session.output.flush()
    if number == signal.SIGXFSZ:
        # The interpreter ignores this one, C programs do not.
        signal.signal(number, signal.SIG_DFL)
    try:
        signal.raise_signal(number)
    except (OSError, ValueError):
        return


async def leave(session: Session, words: list[str]) -> None:
    """End the session once this command is done."""
    session.is_over = True
