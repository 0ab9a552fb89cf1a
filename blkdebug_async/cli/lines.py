"""Command lines from a pipe or a file, while requests go on."""

from __future__ import annotations

import asyncio
import os
import select
from typing import Final

#: Longest line in bytes, its end included; what is longer counts as several. QEMU: MAXREADLINESZ.
_LONGEST: Final = 1023
_CHUNK: Final = 4096


class InputLines:
    """Lines from a file descriptor.

    Args:
        file_descriptor: Where they come from.
    """

    def __init__(self, file_descriptor: int) -> None:
        self._file_descriptor = file_descriptor
        self._pending = b""
        self._has_ended = False

    async def next_line(self) -> str | None:
        """Wait for a line.

        Returns:
            The line without its end; None: there is no more.
        """
        while not self._has_ended and not _is_complete(self._pending):
            await self._wait_readable()
            data = os.read(self._file_descriptor, _CHUNK)
            self._pending += data
            self._has_ended = not data
        if not self._pending:
            return None
        line, self._pending = take_line(self._pending)
        return line

    async def _wait_readable(self) -> None:
        if select.select([self._file_descriptor], [], [], 0)[0]:
            return
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._file_descriptor, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._file_descriptor)


def _is_complete(data: bytes) -> bool:
    return b"\n" in data or len(data) >= _LONGEST


def take_line(data: bytes) -> tuple[str, bytes]:
    """Cut the first line off, as C's fgets() does.

    Args:
        data: Something, the rest of the input if it has no end of line.

    Returns:
        The line without its end and without what follows a null byte; what remains.
    """
    end = data.find(b"\n", 0, _LONGEST) + 1 or min(len(data), _LONGEST)
    line = data[:end].partition(b"\0")[0]
    return os.fsdecode(line.removesuffix(b"\n")), data[end:]
