"""What can go wrong, as exceptions.

The errno is the contract; the class and the message are for people. Every error is an OSError, so
code that knows nothing of this package still gets the number it expects.
"""

from __future__ import annotations

from errno import EINVAL, EIO, EPROTO


class BlockError(OSError):
    """An operation failed.

    Args:
        errno: A positive errno.
        message: One line for people that shows the offending value.
        hint: Further lines of advice, or "".
    """

    errno: int
    strerror: str

    def __init__(self, errno: int, message: str, *, hint: str = "") -> None:
        super().__init__(errno, message)
        self.hint = hint

    def __str__(self) -> str:
        return self.strerror

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.errno, self.strerror, self.hint))


class InjectedError(BlockError):
    """An operation failed because a rule asked for it."""


class SuspendedError(BlockError):
    """Requests are still held at breakpoints where nothing may be in flight."""


class CorruptImageError(BlockError):
    """An image contradicts itself."""

    def __init__(self, message: str, *, errno: int = EIO, hint: str = "") -> None:
        super().__init__(errno, message, hint=hint)


class OptionError(BlockError):
    """An option makes no sense."""

    def __init__(self, message: str, *, errno: int = EINVAL, hint: str = "") -> None:
        super().__init__(errno, message, hint=hint)


class WireError(BlockError):
    """A peer broke the protocol."""

    def __init__(self, message: str, *, errno: int = EPROTO, hint: str = "") -> None:
        super().__init__(errno, message, hint=hint)


def _rebuild(kind: type[BlockError], errno: int, message: str, hint: str) -> BlockError:
    error = kind.__new__(kind, errno, message)
    BlockError.__init__(error, errno, message, hint=hint)
    return error
