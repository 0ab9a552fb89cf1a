"""The ways in which a command fails: what is said, and on which stream."""

from __future__ import annotations

from errno import EINVAL

from blkdebug_async.errors import BlockError


class CommandFailed(BlockError):
    """A command failed; the message goes to stdout as it is. An empty one says nothing."""

    def __init__(self, message: str = "", *, errno: int = EINVAL, hint: str = "") -> None:
        super().__init__(errno, message, hint=hint)


class ErrorReport(CommandFailed):
    """The message goes to stderr, after the name of the program."""


class UsageError(CommandFailed):
    """The message, if any, goes to stderr as it is; how the command is used, to stdout."""
