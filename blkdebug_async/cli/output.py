"""Where a session writes: stdout in blocks or lines, stderr at once."""

from __future__ import annotations

import os
from typing import Final, Protocol

#: What C's stdio collects before it writes to a pipe or a file, in bytes.
_BLOCK: Final = 4096


class ByteSink(Protocol):
    """Takes bytes; any binary stream is one."""

    def write(self, data: bytes, /) -> object:
        """Take some."""
        ...

    def flush(self) -> object:
        """Pass on what was taken."""
        ...


class Output:
    """Both streams of a session.

    Whoever reads neither stream any more does not stop the session, as in QEMU: what cannot be
    written is dropped.

    Args:
        stdout: Takes what commands answer.
        stderr: Takes complaints, unbuffered.
        is_interactive: Whether each line shall be seen at once.
    """

    def __init__(self, stdout: ByteSink, stderr: ByteSink, *, is_interactive: bool = False) -> None:
        self._stdout = stdout
        self._stderr = stderr
        self._is_interactive = is_interactive
        self._pending = bytearray()

    def write(self, text: str) -> None:
        """Write to stdout, sooner or later."""
        self._pending += os.fsencode(text)
        if self._is_interactive:
            self._emit(self._pending.rfind(b"\n") + 1)
        elif len(self._pending) > _BLOCK:
            # A crash loses what C would not have written either: the last, unfilled block.
            self._emit((len(self._pending) - 1) // _BLOCK * _BLOCK)

    def write_error(self, text: str) -> None:
        """Write to stderr, now."""
        _write(self._stderr, os.fsencode(text))

    def complain(self, program: str, message: str, hint: str = "", place: str = "") -> None:
        """Report an error on stderr, with advice if there is any.

        Args:
            program: Comes first.
            message: What is wrong.
            hint: Further lines, or "".
            place: `FILE:` or `FILE:LINE:`, right after the program's colon as in QEMU; or "".
        """
        self.write_error(f"{program}:{place} {message}\n" + (f"{hint}\n" if hint else ""))

    def flush(self) -> None:
        """Write what stdout still owes."""
        self._emit(len(self._pending))

    def _emit(self, length: int) -> None:
        if length:
            _write(self._stdout, bytes(self._pending[:length]))
            del self._pending[:length]


def _write(stream: ByteSink, data: bytes) -> None:
    try:
        stream.write(data)
        stream.flush()
    except OSError:
        # See the class: a closed pipe or a full disk under our words is no failure of the disk.
        return
