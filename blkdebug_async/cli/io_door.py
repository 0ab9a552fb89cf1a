"""The io door: runs the io language on images, as qemu-io does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Protocol

from blkdebug_async.cli.commands import run_line
from blkdebug_async.cli.failures import ErrorReport, UsageError
from blkdebug_async.cli.file_commands import open_disk
from blkdebug_async.cli.image import ImageOpener
from blkdebug_async.cli.io_options import QEMU_IO, Caller, IoOptions, parse_io_options, usage_text
from blkdebug_async.cli.lines import InputLines
from blkdebug_async.cli.opening import read_options
from blkdebug_async.cli.output import Output
from blkdebug_async.cli.session import Opener, Session
from blkdebug_async.options.tree import Options


class Lines(Protocol):
    """Where command lines come from."""

    async def next_line(self) -> str | None:
        """Wait for a line; None: there is no more."""
        ...


def main(program: str, typed: str, words: Sequence[str]) -> int:
    """Run the door.

    Args:
        program: Name in front of messages.
        typed: Name as it was typed.
        words: What follows it on the command line.

    Returns:
        The exit status: 1 if any command failed.
    """
    caller = Caller(program, typed, is_qemu=program == QEMU_IO)
    # As in a C program: an interrupt ends it, whatever it waits for.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    output = Output(sys.stdout.buffer, sys.stderr.buffer, is_interactive=sys.stdout.isatty())
    try:
        options = understand(caller, words, output)
        if isinstance(options, int):
            return options
        if options.commands or not (sys.stdin.isatty() and sys.stdout.isatty()):
            return _run(caller, options, output, None)
        # The one import of this module; it says why it is not made above.
        terminal = import_module("blkdebug_async.cli.prompt")
        output = Output(terminal.TerminalStream(), sys.stderr.buffer, is_interactive=True)
        return _run(caller, options, output, terminal.TerminalLines(prompt_text(caller)))
    finally:
        output.flush()


def prompt_text(caller: Caller) -> str:
    """Give what stands in front of a line."""
    return f"{caller.program}> "


def understand(caller: Caller, words: Sequence[str], output: Output) -> IoOptions | int:
    """Understand the command line, or say what is wrong with it, or answer it.

    Returns:
        The options; an exit status: all is said.
    """

    def warn(message: str, place: str = "") -> None:
        output.complain(caller.program, f"warning: {message}", place=place)

    try:
        options = parse_io_options(caller, words, warn)
    except UsageError as error:
        if error.strerror:
            output.write_error(f"{error}\n")
        output.write(usage_text(caller))
        return 1
    except ErrorReport as error:
        output.complain(caller.program, str(error), error.hint, error.place)
        return 1
    if options.wants_version:
        # Not a QEMU: whoever asks for the version shall know.
        version = import_module("blkdebug_async.cli.version").VERSION
        output.write(f"{caller.program} version 7.2 (blkdebug_async {version})\n")
        return 0
    if options.farewell is not None:
        output.write(options.farewell)
        return 0
    return options


def _run(caller: Caller, options: IoOptions, output: Output, terminal: Lines | None) -> int:
    with ExitStack() as stack:
        trace: Callable[[str], object] = output.write_error
        if options.trace_file is not None:
            try:
                file = stack.enter_context(open(options.trace_file, "w", buffering=1))
            except OSError as error:
                text = f"Error opening logfile {options.trace_file}: {error.strerror}"
                output.complain(caller.program, text)
                return 1
            trace = file.write
        opener = ImageOpener(options.traces, trace)
        return asyncio.run(converse(caller, options, output, opener, terminal))


async def converse(
    caller: Caller,
    options: IoOptions,
    output: Output,
    opener: Opener,
    terminal: Lines | None = None,
) -> int:
    """Open the image, run all commands, and end.

    Args:
        caller: By what name we were called.
        options: The command line.
        output: Where answers go.
        opener: Opens images.
        terminal: A person's lines; None: they come from stdin.

    Returns:
        The exit status.
    """
    session = Session(caller.program, output, options.compat, opener)
    session.image_opts = options.image_opts
    session.misalign = options.misalign
    if options.image is not None:
        try:
            await _open_first(session, options, options.image)
        except ErrorReport as error:
            session.complain(str(error), error.hint)
            return 1
    if options.commands:
        went_well = await _run_commands(session, options.commands)
    elif terminal is not None:
        went_well = await _run_lines(session, terminal, "")
    else:
        lines = InputLines(sys.stdin.fileno())
        went_well = await _run_lines(session, lines, prompt_text(caller))
    went_well &= await session.finish()
    return 0 if went_well else 1


async def _open_first(session: Session, options: IoOptions, image: str) -> None:
    filename: str | None = None
    given: Options = {}
    if options.image_opts:
        given = read_options(image, session.warn, allow_id=True)
    else:
        filename = image
        if options.format is not None:
            given["driver"] = options.format
    await open_disk(session, options.settings, filename, given)


async def _run_commands(session: Session, commands: Sequence[str]) -> bool:
    went_well = True
    for line in commands:
        went_well &= await run_line(session, line)
        if session.is_over:
            break
    return went_well


async def _run_lines(session: Session, lines: Lines, prompt: str) -> bool:
    went_well = True
    while not session.is_over:
        session.write(prompt)
        session.output.flush()
        await session.turn()
        line = await lines.next_line()
        if line is None:
            break
        went_well &= await run_line(session, line)
    return went_well
