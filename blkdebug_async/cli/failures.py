"""The ways in which a command fails: what is said, and on which stream."""

from __future__ import annotations

from errno import EINVAL

from blkdebug_async.errors import BlockError


class CommandFailed(BlockError):
    """A command failed; the message goes to stdout as it is. An empty one says nothing."""

    def __init__(self, message: str = "", *, errno: int = EINVAL, hint: str = "") -> None:
        super().__init__(errno, message, hint=hint)


class ErrorReport(CommandFailed):
    """The message goes to stderr, after the name of the program.

    Args:
        message: What is wrong.
        place: `FILE:` or `FILE:LINE:` where it is wrong, without a blank before or after it; or "".
        errno: Why.
        hint: Further lines of advice, or "".
    """

    def __init__(
        self, message: str = "", *, place: str = "", errno: int = EINVAL, hint: str = ""
    ) -> None:
        super().__init__(message, errno=errno, hint=hint)
        self.place = place


class UsageError(CommandFailed):
    """The message, if any, goes to stderr as it is; how the command is used, to stdout."""
