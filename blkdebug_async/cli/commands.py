"""The commands of the io language: their table, and running one line.

The table's words are those of QEMU 7.2.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from blkdebug_async.block.permissions import RESIZE, WRITE
from blkdebug_async.cli import aio_commands, debug_commands, file_commands, io_commands
from blkdebug_async.cli.failures import CommandFailed, ErrorReport, UsageError
from blkdebug_async.cli.help import LONG_HELP
from blkdebug_async.cli.parse import argument_count_error, split_line
from blkdebug_async.cli.session import Session
from blkdebug_async.errors import OptionError


class Command(NamedTuple):
    """A command and what has to hold before it runs."""

    name: str
    #: Does it; words[0] is the command as it was typed. Raises CommandFailed or OptionError.
    run: Callable[[Session, list[str]], Awaitable[None]]
    #: One line of help.
    oneline: str
    #: Its arguments in help; None: not even a blank for them.
    arguments: str | None = None
    alias: str = ""
    #: Fewest and most words that may follow; None: any number.
    least: int = 0
    most: int | None = 0
    needs_disk: bool = True
    #: What it takes from the disk before anything else.
    permissions: int = 0

    def help_line(self, name: str) -> str:
        """Give the line that help shows.

        Args:
            name: The command as it was typed.
        """
        arguments = "" if self.arguments is None else f"{self.arguments} "
        return f"{name} {arguments}-- {self.oneline}\n"


async def run_line(session: Session, line: str) -> bool:
    """Run one line.

    Returns:
        Whether it went well; an empty line does.
    """
    words = split_line(line)
    if not words:
        return True
    command = find_command(words[0])
    if command is None:
        session.output.write_error(f'command "{words[0]}" not found\n')
        return False
    try:
        await _run(session, command, words)
    except UsageError as error:
        if error.strerror:
            session.output.write_error(f"{error}\n")
        session.write(command.help_line(command.name))
    except ErrorReport as error:
        session.complain(str(error), error.hint)
    except (CommandFailed, OptionError) as error:
        if error.strerror:
            session.write(f"{error}\n")
    else:
        return True
    return False


async def _run(session: Session, command: Command, words: list[str]) -> None:
    complaint = None
    if command.needs_disk and session.disk is None:
        complaint = "no file open, try 'help open'"
    else:
        complaint = argument_count_error(words[0], len(words) - 1, command.least, command.most)
    if complaint is not None:
        session.output.write_error(f"{complaint}\n")
        raise CommandFailed
    if command.permissions:
        try:
            session.require_disk().acquire(command.permissions)
        except OSError as error:
            raise file_commands.told(error) from error
    await command.run(session, words)


def find_command(name: str) -> Command | None:
    """Look up a command by its name or alias."""
    for command in COMMANDS:
        if name in (command.name, command.alias) and name:
            return command
    return None


async def show_help(session: Session, words: list[str]) -> None:
    """Show one line for each command, or all about one."""
    if len(words) < 2:
        for command in COMMANDS:
            session.write(command.help_line(command.name))
        session.write("\nUse 'help commandname' for extended help.\n")
        return
    found = find_command(words[1])
    if found is None:
        raise CommandFailed(f"command {words[1]} not found")
    session.write(found.help_line(words[1]))
    session.write(LONG_HELP.get(found.name, ""))


_VECTOR: Final = "[-P pattern] off len [len..]"

#: Sorted by name.
COMMANDS: Final = (
    Command(
        "abort",
        debug_commands.abort,
        "simulate a program crash using abort(3)",
        needs_disk=False,
    ),
    Command("aio_flush", aio_commands.aio_flush, "completes all outstanding aio requests"),
    Command(
        "aio_read",
        aio_commands.aio_read,
        "asynchronously reads a number of bytes",
        f"[-Ciqv] {_VECTOR}",
        least=2,
        most=None,
    ),
    Command(
        "aio_write",
        aio_commands.aio_write,
        "asynchronously writes a number of bytes",
        f"[-Cfiquz] {_VECTOR}",
        least=2,
        most=None,
        permissions=WRITE,
    ),
    Command(
        "alloc",
        file_commands.alloc,
        "checks if offset is allocated in the file",
        "offset [count]",
        alias="a",
        least=1,
        most=2,
    ),
    Command(
        "break",
        debug_commands.set_breakpoint,
        "sets a breakpoint on event and tags the stopped request as tag",
        "event tag",
        least=2,
        most=2,
    ),
    Command("close", file_commands.close, "close the current open file", alias="c"),
    Command(
        "discard",
        io_commands.discard,
        "discards a number of bytes at a specified offset",
        "[-Cq] off len",
        alias="d",
        least=2,
        most=None,
        permissions=WRITE,
    ),
    Command("flush", io_commands.flush, "flush all in-core file state to disk", alias="f"),
    Command(
        "help",
        show_help,
        "help for one or all commands",
        "[command]",
        alias="?",
        most=1,
        needs_disk=False,
    ),
    Command("info", file_commands.info, "prints information about the current file", alias="i"),
    Command("length", file_commands.length, "gets the length of the current file", alias="l"),
    Command("map", file_commands.show_map, "prints the allocated areas of a file", ""),
    Command(
        "open",
        file_commands.open_image,
        "open the file specified by path",
        "[-rsCnkU] [-t cache] [-d discard] [-o options] [path]",
        alias="o",
        least=1,
        most=None,
        needs_disk=False,
    ),
    Command(
        "quit", debug_commands.leave, "exit the program", alias="q", most=None, needs_disk=False
    ),
    Command(
        "read",
        io_commands.read,
        "reads a number of bytes at a specified offset",
        "[-abCqv] [-P pattern [-s off] [-l len]] off len",
        alias="r",
        least=2,
        most=None,
    ),
    Command(
        "readv",
        io_commands.readv,
        "reads a number of bytes at a specified offset",
        f"[-Cqv] {_VECTOR}",
        least=2,
        most=None,
    ),
    Command(
        "remove_break",
        debug_commands.remove_breakpoint,
        "remove a breakpoint by tag",
        "tag",
        least=1,
        most=1,
    ),
    Command(
        "reopen",
        file_commands.reopen,
        "reopens an image with new options",
        "[(-r|-w)] [-c cache] [-o options]",
        most=None,
    ),
    Command(
        "resume", debug_commands.resume, "resumes the request tagged as tag", "tag", least=1, most=1
    ),
    Command(
        "sigraise",
        debug_commands.raise_signal,
        "raises a signal",
        "signal",
        least=1,
        most=1,
        needs_disk=False,
    ),
    Command(
        "sleep",
        debug_commands.sleep,
        "waits for the given value in milliseconds",
        least=1,
        most=1,
        needs_disk=False,
    ),
    Command(
        "truncate",
        file_commands.truncate,
        "truncates the current file at the given offset",
        "[-m prealloc_mode] off",
        alias="t",
        least=1,
        most=3,
        permissions=WRITE | RESIZE,
    ),
    Command(
        "wait_break",
        debug_commands.wait_for_breakpoint,
        "waits for the suspension of a request",
        "tag",
        least=1,
        most=1,
    ),
    Command(
        "write",
        io_commands.write,
        "writes a number of bytes at a specified offset",
        "[-bcCfnquz] [-P pattern | -s source_file] off len",
        alias="w",
        least=2,
        most=None,
        permissions=WRITE,
    ),
    Command(
        "writev",
        io_commands.writev,
        "writes a number of bytes at a specified offset",
        f"[-Cfq] {_VECTOR}",
        least=2,
        most=None,
        permissions=WRITE,
    ),
)
