"""read, readv, write, writev, discard, flush: requests that the command waits for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterable
from errno import EINVAL, EISDIR, ENOTSUP

from blkdebug_async.block.flags import WRITE_COMPRESSED
from blkdebug_async.cli.arguments import (
    READ_PREFILL,
    WRITE_PATTERN,
    ReadArguments,
    VectorArguments,
    WriteArguments,
    parse_discard,
    parse_read,
    parse_readv,
    parse_write,
    parse_writev,
)
from blkdebug_async.cli.failures import CommandFailed
from blkdebug_async.cli.format import Report, dump_lines, report_text
from blkdebug_async.cli.session import Session
from blkdebug_async.errors import BlockError

_NS_PER_SECOND = 1_000_000_000
#: How far -m moves a buffer off its alignment, in bytes.
_MISALIGNMENT = 16


def now_ns() -> int:
    """Read the loop's clock, in nanoseconds."""
    return int(asyncio.get_running_loop().time() * _NS_PER_SECOND)


def make_buffer(session: Session, length: int, byte: int) -> memoryview:
    """Make a buffer full of one byte."""
    start = _MISALIGNMENT if session.misalign else 0
    return memoryview(bytearray([byte]) * (start + length))[start:]


def cut(buffer: memoryview, lengths: Iterable[int]) -> list[memoryview]:
    """Cut a buffer into pieces of these lengths."""
    pieces = []
    start = 0
    for length in lengths:
        pieces.append(buffer[start : start + length])
        start += length
    return pieces


def is_filled(buffer: memoryview, byte: int) -> bool:
    """Tell whether a buffer holds nothing but one byte."""
    return bytes(buffer).count(byte) == len(buffer)


def mismatch_text(offset: int, length: int) -> str:
    """Say that a pattern was not found."""
    return f"Pattern verification failed at offset {offset}, {length} bytes\n"


async def attempt(verb: str, operation: Awaitable[None]) -> None:
    """Wait for a request.

    Raises:
        CommandFailed: It failed; the message names the verb and the error.
    """
    try:
        await operation
    except OSError as error:
        raise failure(verb, error) from error


def failure(verb: str, error: OSError) -> CommandFailed:
    """Say that a request failed, as QEMU does: with the errno's own text."""
    number = error.errno or EINVAL
    return CommandFailed(f"{verb} failed: {os.strerror(number)}", errno=number)


async def read(session: Session, words: list[str]) -> None:
    """Read a range, check it, show it."""
    arguments = parse_read(words, session.warn)
    buffer = make_buffer(session, arguments.length, READ_PREFILL)
    disk = session.require_disk()
    start_ns = now_ns()
    operation = _no_vmstate() if arguments.vmstate else disk.preadv(arguments.offset, [buffer])
    await attempt("read", session.perform(operation))
    elapsed_ns = now_ns() - start_ns
    matches = _check_read(session, arguments, buffer)
    if not arguments.quiet:
        if arguments.dump:
            _dump(session, buffer, arguments.offset)
        total = arguments.length
        report = Report("read", arguments.offset, total, total, elapsed_ns)
        session.write(report_text(report, terse=arguments.terse))
    if not matches:
        raise CommandFailed


async def _no_vmstate() -> None:
    # No driver that there is has room for the state of a machine.
    raise BlockError(ENOTSUP, "There is no VM state")


def _check_read(session: Session, arguments: ReadArguments, buffer: memoryview) -> bool:
    if arguments.pattern is None:
        return True
    start, length = arguments.pattern_offset, arguments.pattern_length
    if is_filled(buffer[start : start + length], arguments.pattern):
        return True
    session.write(mismatch_text(arguments.offset + start, length))
    return False


def _dump(session: Session, buffer: memoryview, offset: int) -> None:
    for line in dump_lines(buffer, offset):
        session.write(line)


async def readv(session: Session, words: list[str]) -> None:
    """Read a range into several buffers, check it, show it."""
    arguments = parse_readv(words, session.warn)
    buffer = make_buffer(session, arguments.total, READ_PREFILL)
    pieces = cut(buffer, arguments.lengths)
    start_ns = now_ns()
    operation = session.require_disk().preadv(arguments.offset, pieces)
    await attempt("readv", session.poll(operation))
    text, matches = read_report(arguments, buffer, now_ns() - start_ns)
    session.write(text)
    if not matches:
        raise CommandFailed


def read_report(
    arguments: VectorArguments, buffer: memoryview, elapsed_ns: int
) -> tuple[str, bool]:
    """Say what a vectored read gave, and tell whether it was what was expected."""
    matches = arguments.pattern is None or is_filled(buffer, arguments.pattern)
    total = arguments.total
    text = "" if matches else mismatch_text(arguments.offset, total)
    if arguments.quiet:
        return text, matches
    if arguments.dump:
        text += "".join(dump_lines(buffer, arguments.offset))
    report = Report("read", arguments.offset, total, total, elapsed_ns)
    return text + report_text(report, terse=arguments.terse), matches


async def write(session: Session, words: list[str]) -> None:
    """Write a range: a pattern, a file or zeroes."""
    arguments = parse_write(words, session.warn)
    operation = _write_operation(session, arguments)
    start_ns = now_ns()
    await attempt("write", session.perform(operation))
    if not arguments.quiet:
        total = arguments.length
        report = Report("wrote", arguments.offset, total, total, now_ns() - start_ns)
        session.write(report_text(report, terse=arguments.terse))


def _write_operation(session: Session, arguments: WriteArguments) -> Awaitable[None]:
    disk = session.require_disk()
    if arguments.zeroes:
        return disk.pwrite_zeroes(arguments.offset, arguments.length, arguments.flags)
    buffer = make_buffer(session, arguments.length, arguments.pattern)
    if arguments.source is not None:
        _fill_from_file(session, buffer, arguments.source)
    if arguments.vmstate:
        return _no_vmstate()
    flags = arguments.flags | (WRITE_COMPRESSED if arguments.compressed else 0)
    return disk.pwritev(arguments.offset, [buffer], flags)


def _fill_from_file(session: Session, buffer: memoryview, name: str) -> None:
    """Fill a buffer with the start of a file, over and over.

    Raises:
        CommandFailed: EINVAL; the file cannot be read or is empty. stderr says so.
    """
    try:
        with open(name, "rb") as file:
            content = file.read(len(buffer))
    except OSError as error:
        session.output.write_error(f"{name}: {os.strerror(error.errno or EISDIR)}\n")
        raise CommandFailed from error
    if not content:
        session.output.write_error(f"{name}: file is empty\n")
        raise CommandFailed
    for start in range(0, len(buffer), len(content)):
        piece = buffer[start : start + len(content)]
        piece[:] = content[: len(piece)]


async def writev(session: Session, words: list[str]) -> None:
    """Write a pattern from several buffers."""
    arguments = parse_writev(words, session.warn)
    operation = session.require_disk().pwritev(
        arguments.offset, write_pieces(session, arguments), arguments.flags
    )
    start_ns = now_ns()
    await attempt("writev", session.poll(operation))
    session.write(write_report(arguments, now_ns() - start_ns))


def write_pieces(session: Session, arguments: VectorArguments) -> list[memoryview]:
    """Make the buffers of a vectored write."""
    byte = WRITE_PATTERN if arguments.pattern is None else arguments.pattern
    return cut(make_buffer(session, arguments.total, byte), arguments.lengths)


def write_report(arguments: VectorArguments, elapsed_ns: int) -> str:
    """Say what a vectored write has done."""
    if arguments.quiet:
        return ""
    total = arguments.total
    report = Report("wrote", arguments.offset, total, total, elapsed_ns)
    return report_text(report, terse=arguments.terse)


async def discard(session: Session, words: list[str]) -> None:
    """Discard a range."""
    arguments = parse_discard(words, session.warn)
    start_ns = now_ns()
    operation = session.require_disk().pdiscard(arguments.offset, arguments.length)
    await attempt("discard", session.perform(operation))
    if not arguments.quiet:
        total = arguments.length
        report = Report("discard", arguments.offset, total, total, now_ns() - start_ns)
        session.write(report_text(report, terse=arguments.terse))


async def flush(session: Session, words: list[str]) -> None:
    """Flush; only the exit status tells of a failure."""
    try:
        await session.perform(session.require_disk().flush())
    except OSError as error:
        raise CommandFailed(errno=error.errno or EINVAL) from error
