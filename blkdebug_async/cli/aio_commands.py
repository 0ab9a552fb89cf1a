"""aio_read, aio_write, aio_flush: requests that nobody waits for.

A request that fails says so when it ends; the command that submitted it has long succeeded.
"""

from __future__ import annotations

from blkdebug_async.cli.arguments import (
    READ_PREFILL,
    VectorArguments,
    parse_aio_read,
    parse_aio_write,
)
from blkdebug_async.cli.failures import CommandFailed, ErrorReport
from blkdebug_async.cli.io_commands import (
    cut,
    failure,
    make_buffer,
    now_ns,
    read_report,
    write_pieces,
    write_report,
)
from blkdebug_async.cli.session import Session
from blkdebug_async.disk import Disk
from blkdebug_async.errors import SuspendedError


async def aio_read(session: Session, words: list[str]) -> None:
    """Submit a read."""
    arguments = parse_aio_read(words, session.warn)
    if arguments.invalid:
        session.write("injecting invalid read request\n")
        return
    buffer = make_buffer(session, arguments.total, READ_PREFILL)
    session.submit(_read(session.require_disk(), arguments, buffer))


async def _read(disk: Disk, arguments: VectorArguments, buffer: memoryview) -> str:
    start_ns = now_ns()
    try:
        await disk.preadv(arguments.offset, cut(buffer, arguments.lengths))
    except OSError as error:
        # The word is QEMU's.
        return f"{failure('readv', error)}\n"
    text, _ = read_report(arguments, buffer, now_ns() - start_ns)
    return text


async def aio_write(session: Session, words: list[str]) -> None:
    """Submit a write or a zero write."""
    arguments = parse_aio_write(words, session.warn)
    if arguments.invalid:
        session.write("injecting invalid write request\n")
        return
    disk = session.require_disk()
    if arguments.zeroes:
        starts_clock = not session.compat.aio_zero_timer_not_started
        session.submit(_write_zeroes(disk, arguments, starts_clock=starts_clock))
    else:
        session.submit(_write(disk, arguments, write_pieces(session, arguments)))


async def _write(disk: Disk, arguments: VectorArguments, pieces: list[memoryview]) -> str:
    start_ns = now_ns()
    try:
        await disk.pwritev(arguments.offset, pieces, arguments.flags)
    except OSError as error:
        return f"{failure('aio_write', error)}\n"
    return write_report(arguments, now_ns() - start_ns)


async def _write_zeroes(disk: Disk, arguments: VectorArguments, *, starts_clock: bool) -> str:
    start_ns = now_ns() if starts_clock else 0
    try:
        await disk.pwrite_zeroes(arguments.offset, arguments.total, arguments.flags)
    except OSError as error:
        return f"{failure('aio_write', error)}\n"
    return write_report(arguments, now_ns() - start_ns)


async def aio_flush(session: Session, words: list[str]) -> None:
    """Wait until no request is in flight; nothing is flushed."""
    try:
        await session.drain()
    except SuspendedError as error:
        raise ErrorReport(str(error), errno=error.errno, hint=error.hint) from error
    except OSError as error:
        raise CommandFailed(errno=error.errno or 0) from error
