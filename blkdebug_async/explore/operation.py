"""A request to a disk, as the history of a run keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from blkdebug_async.events import IoType

#: As many bytes are shown of what is not one byte over and over, nor text.
_SHOWN: Final = 12
_LONGEST_TEXT: Final = 40


@dataclass(slots=True, eq=False)
class Operation:
    """A request that a user made to a disk."""

    #: Name of the disk, of no other in the run. Those opened on the same node have the same.
    disk: str
    op: IoType
    #: First byte.
    offset: int
    #: Bytes.
    length: int
    #: What was written; what a read returned, once it is over; None: neither.
    data: bytes | None = None
    #: Stable name of the task; "" outside of all tasks, or where names are not wanted.
    task: str = ""
    #: How many steps of the run were over when it began; None where nobody counts them.
    step: int | None = None
    #: When it began. Moments are numbers that rise with each beginning and each end in a run.
    began: int = -1
    #: When it ended; None: it never did.
    ended: int | None = None
    #: How many steps of the run were over when it ended.
    last_step: int | None = None
    #: Why it failed, in a word: "EIO", "cancelled"; None: it did not.
    error: str | None = None

    @property
    def end(self) -> int:
        """The byte after the last one."""
        return self.offset + self.length

    def part(self, start: int, end: int) -> bytes | None:
        """Give the data of bytes start to end, all of which it touches; None: it has none."""
        if self.data is None or (start == self.offset and end == self.end):
            return self.data
        return self.data[start - self.offset : end - self.offset]


def describe_bytes(data: bytes) -> str:
    """Say for people what some bytes are, in a few words."""
    if not data:
        return "nothing"
    unit = _unit_of(data)
    if len(unit) == 1:
        return "zeroes" if unit == b"\0" else f"0x{unit[0]:02x} only"
    text = data.rstrip(b"\0")
    if len(text) <= _LONGEST_TEXT and _is_text(text):
        return repr(text.decode("ascii"))
    if len(unit) < len(data):
        return f"{_short(unit)} again and again"
    return _short(text)


def _unit_of(data: bytes) -> bytes:
    """Give the shortest piece of which data is a whole number; all of it if there is none."""
    # Where data is found in itself, moved on, it begins anew.
    return data[: (data + data).find(data, 1)]


def _short(data: bytes) -> str:
    if _is_text(data):
        cut = data[:_LONGEST_TEXT]
        return repr(cut.decode("ascii")) + ("" if cut == data else "...")
    return data[:_SHOWN].hex(" ") + ("" if len(data) <= _SHOWN else " ...")


def _is_text(data: bytes) -> bool:
    return data.isascii() and data.decode("ascii").isprintable()
