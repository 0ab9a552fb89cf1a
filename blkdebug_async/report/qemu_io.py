"""The requests of a run to one disk as a script for qemu-io: the same in flight, in the same order.

A request that is in flight while others come or go is begun by aio_read or aio_write, with a
breakpoint that holds it before it has touched any data, and resumed when it took effect in the run.
The others are plain commands. A second breakpoint says when a write is done; of a read nothing says
so, hence the sleep where a later write would change what it finds.

A write has one byte in qemu-io, over and over. If that is what it wrote in the run it stays so,
else it gets a byte of its own. Reads check for the bytes that they must find.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from blkdebug_async.events import IoType
from blkdebug_async.explore.operation import Operation, describe_bytes
from blkdebug_async.explore.report import Failure, Replayed
from blkdebug_async.report.content import Content
from blkdebug_async.report.requests import (
    Point,
    Request,
    Told,
    UnsayableError,
    describe,
    requests_to,
)
from blkdebug_async.units import SECTOR_SIZE, align_up

#: What raw calls out before it hands a request on to the blkdebug node below.
_EVENTS: Final = {
    IoType.READ: "read_aio",
    IoType.WRITE: "write_aio",
    IoType.WRITE_ZEROES: "pwritev_zero",
}
#: What stands in tags, and in the notes about them.
_LETTERS: Final = {IoType.READ: "r", IoType.WRITE: "w", IoType.WRITE_ZEROES: "z"}
#: Long enough for a read of a file.
_READ_MS: Final = 50


@dataclass(frozen=True, slots=True)
class Script:
    """What to type into qemu-io."""

    #: The commands, one a line; qemu-io knows no comments.
    lines: tuple[str, ...]
    #: What else to know of them, for people.
    notes: tuple[str, ...]
    #: The image, as the first line names it: raw, with zeroes only.
    image: str
    #: Bytes of it.
    size: int
    #: What was written in the run, and the byte that stands for it.
    stands_for: Mapping[bytes, int]

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def shell(self) -> str:
        """Give a shell script that makes the image, unless there is one, and runs the commands."""
        notes = "".join(f"# {note}\n" for note in self.notes)
        image = shlex.quote(self.image)
        make = f"test ! -e {image} && truncate -s {self.size} {image} || exit\n"
        return f"#!/bin/sh\n{notes}{make}qemu-io <<'END'\n{self}END\n"


@dataclass(frozen=True, slots=True)
class NoScript:
    """A run that cannot be said to qemu-io."""

    #: Why not.
    reason: str


def qemu_io_script(
    shown: Failure | Replayed, *, image: str = "scratch.img", disk: str | None = None
) -> Script | NoScript:
    """Say what a run did to a disk as a script for qemu-io.

    Args:
        shown: The run.
        image: Name of a scratch file, without blanks.
        disk: Name of the disk, as in the history of the run; None: the only one that there is.

    Raises:
        ValueError: The name of the image cannot be said in qemu-io.
    """
    if not image or any(each.isspace() or each in "\"'\\" for each in image):
        raise ValueError(f"qemu-io takes no file name with blanks or quotes: {image!r}")
    try:
        told = requests_to(shown.timeline, disk)
        return _Writing(told, image).script()
    except UnsayableError as error:
        return NoScript(str(error))


@dataclass(slots=True)
class _Writing:
    """A script in the making.

    Args:
        told: What it is to say.
        image: Name of the file.
    """

    told: Told
    image: str
    _lines: list[str] = field(default_factory=list)
    _notes: list[str] = field(default_factory=list)
    _bytes: dict[bytes, int] = field(default_factory=dict)
    #: What is on the disk in the end.
    _content: Content = field(default_factory=Content)
    #: By identity of the operation, what a read finds, if that is one byte.
    _finds: dict[int, int] = field(default_factory=dict)
    #: Tags of what is held, by identity of the request.
    _held: dict[int, str] = field(default_factory=dict)
    #: How many were held so far.
    _sent: int = 0

    def script(self) -> Script:
        """Give the script.

        Raises:
            UnsayableError: There is none.
        """
        points = self.told.points
        self._choose_bytes()
        self._find_out()
        name = self.image.replace(",", ",,")
        self._lines.append(
            "open -t writeback -o driver=raw,file.driver=blkdebug,file.image.driver=file,"
            f"file.image.filename={name}"
        )
        for at, point in enumerate(points):
            self._tell(point, points[at + 1 :])
        ends = (each.request.operation.end for each in points if each.request.size is None)
        size = align_up(max(max(ends, default=0), 1), SECTOR_SIZE)
        self._finish(size)
        self._note_left_out()
        return Script(tuple(self._lines), tuple(self._notes), self.image, size, self._bytes)

    # --- bytes ---

    def _choose_bytes(self) -> None:
        """Choose the byte of each write: the same for the same data."""
        written = dict.fromkeys(
            each.request.operation.data or b""
            for each in self.told.points
            if each.sent and each.request.operation.op is IoType.WRITE
        )
        self._bytes = {data: data[0] for data in written if not data.strip(data[:1])}
        free = iter(sorted(set(range(1, 256)) - set(self._bytes.values())))
        for data in written:
            if data not in self._bytes:
                byte = next(free, None)
                if byte is None:
                    raise UnsayableError("there are more different writes than bytes to tell them")
                self._bytes[data] = byte
                self._notes.append(f"0x{byte:02x} stands for {describe_bytes(data)}")

    def _find_out(self) -> None:
        """Go through the run, and keep what reads find."""
        strange = 0
        for point in self.told.points:
            operation = point.request.operation
            if not point.lands:
                continue
            if operation.op is not IoType.READ:
                self._content.change(point.request, self._bytes.get(operation.data or b""))
                continue
            byte = self._content.byte_of(operation.offset, operation.end)
            if not self._content.explains(operation):
                strange += 1
            elif byte is not None:
                self._finds[id(operation)] = byte
        if strange:
            self._notes.append(
                f"{strange} of the reads found what was there before the run: not checked"
            )

    def _check(self, operation: Operation) -> str:
        byte = self._finds.get(id(operation))
        return "" if byte is None else f"-P 0x{byte:02x} "

    # --- requests ---

    def _tell(self, point: Point, later: tuple[Point, ...]) -> None:
        request = point.request
        if point.sent and point.lands:
            self._lines.append(self._command(request))
        elif request.operation.op not in _EVENTS:
            self._tell_late(point)
        elif point.sent:
            self._send(request)
        else:
            self._land(request, later)

    def _command(self, request: Request) -> str:
        """Say a request that qemu-io waits for."""
        operation = request.operation
        where = f"{operation.offset} {operation.length}"
        match operation.op:
            case IoType.READ:
                return f"read {self._check(operation)}{where}"
            case IoType.WRITE:
                return f"write -P 0x{self._bytes[operation.data or b'']:02x} {where}"
            case IoType.WRITE_ZEROES:
                return f"write -z {where}"
            case IoType.DISCARD:
                return f"discard {where}"
            case IoType.TRUNCATE:
                return f"truncate {request.size}"
            case IoType.FLUSH:
                return "flush"
            case _:
                raise UnsayableError(f"qemu-io has no command for {describe(operation)}")

    def _tell_late(self, point: Point) -> None:
        """Tell of what has no command that is not waited for, where it took effect."""
        told = describe(point.request.operation)
        if point.lands:
            self._lines.append(self._command(point.request))
            self._notes.append(
                f"{told} was in flight for a while; it stands where it took effect, as qemu-io"
                " waits for it"
            )
        elif point.request.landed is None:
            self._notes.append(f"left out, as it never took effect: {told}")

    def _send(self, request: Request) -> None:
        operation = request.operation
        command = f"aio_{self._command(request)}"
        self._sent += 1
        tag = f"{_LETTERS[operation.op]}{self._sent}"
        self._held[id(request)] = tag
        self._lines += [f"break {_EVENTS[operation.op]} {tag}", command, f"wait_break {tag}"]
        self._notes.append(f"{tag} is {describe(operation)}")

    def _land(self, request: Request, later: tuple[Point, ...]) -> None:
        operation = request.operation
        tag = self._held.pop(id(request))
        if operation.op is IoType.READ:
            self._lines.append(f"resume {tag}")
            if any(each.lands and _changes(each.request, operation) for each in later):
                self._lines.append(f"sleep {_READ_MS}")
            return
        done = f"{tag}-done"
        self._lines += [
            f"break pwritev_done {done}",
            f"resume {tag}",
            f"wait_break {done}",
            f"resume {done}",
        ]

    # --- the end ---

    def _finish(self, size: int) -> None:
        """Check what is on the disk, and let go what never took effect."""
        if not self._held:
            self._lines.append("aio_flush")
        for start, end, byte in self._content.written(size):
            self._lines.append(f"read -P 0x{byte:02x} {start} {end - start}")
        for tag in self._held.values():
            self._notes.append(f"{tag} never took effect in the run, and is let go at the end")
            self._lines.append(f"resume {tag}")
        if self._held:
            self._lines.append("aio_flush")

    def _note_left_out(self) -> None:
        for operation in self.told.left_out:
            why = operation.error or "not over"
            told = describe(operation)
            self._notes.append(f"left out, as it never reached the disk: {told} ({why})")


def _changes(request: Request, read: Operation) -> bool:
    """Tell whether a request changes what a read finds."""
    operation = request.operation
    return (
        operation.op not in (IoType.READ, IoType.FLUSH)
        and operation.offset < read.end
        and read.offset < operation.end
    )
