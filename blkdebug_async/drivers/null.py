"""null-co and null-aio: nothing is stored, nothing goes wrong, and it takes as long as one says.

QEMU: block/null.c. null-aio calls back from a bottom half: with file_requests_take_a_turn its
requests go on in a later turn of the loop.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final, Self

from blkdebug_async.block.driver import Driver, Opener, Pace
from blkdebug_async.block.flags import FUA, OFFSET_VALID, ZERO
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.target import BlockStatus
from blkdebug_async.block.tracked import Request
from blkdebug_async.block.turn import LastFirst
from blkdebug_async.errors import OptionError
from blkdebug_async.options.filename import FilenameParser, Gathered, parse_null_name
from blkdebug_async.options.reader import Kind, OptionReader
from blkdebug_async.options.tree import Options
from blkdebug_async.units import GIB, INT64_MAX

_NS_PER_S: Final = 1_000_000_000
_KINDS: Final = {"size": Kind.SIZE, "latency-ns": Kind.NUMBER, "read-zeroes": Kind.BOOL}


class NullDriver(Driver):
    """Swallows writes; reads leave the buffer as it is, or zero it.

    Args:
        size: Length in bytes.
        latency_ns: How long a read, write or flush takes, on the loop's clock.
        read_zeroes: Whether reads fill the buffer with zeros.

    Raises:
        OptionError: EINVAL; the latency is negative.
    """

    is_protocol: ClassVar[bool] = True
    strong_options: ClassVar[tuple[str, ...]] = ("size", "read-zeroes")

    def __init__(self, size: int = GIB, *, latency_ns: int = 0, read_zeroes: bool = False) -> None:
        super().__init__()
        if not 0 <= latency_ns <= INT64_MAX:
            raise OptionError("latency-ns is invalid")
        if not 0 <= size <= INT64_MAX:
            raise OptionError(f"size is invalid: {size}")
        self._size = size
        self._latency_s = latency_ns / _NS_PER_S
        self._read_zeroes = read_zeroes
        self.write_flags = FUA
        self.pace = Pace.OWN_TIME if latency_ns else Pace.AT_ONCE
        if size != GIB:
            self.options["size"] = size
        if latency_ns:
            self.options["latency-ns"] = latency_ns
        if read_zeroes:
            self.options["read-zeroes"] = True

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        reader.check(_KINDS)
        size = reader.take_size("size", GIB)
        latency_ns = reader.take_number("latency-ns", 0)
        read_zeroes = reader.take_bool("read-zeroes", False)
        return cls(size, latency_ns=latency_ns, read_zeroes=read_zeroes)

    async def open(self, opener: Opener) -> None:
        """Nothing is below, so nothing can fail."""

    def length(self) -> int:
        return self._size

    def plain_filename(self, told: Gathered) -> str | None:
        # The latency does not change what is read, so it is not special.
        return None if told.is_special else f"{self.name}://"

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        if self._read_zeroes:
            iov.fill(0)
        if self._latency_s:
            await asyncio.sleep(self._latency_s)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        if self._latency_s:
            await asyncio.sleep(self._latency_s)

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        if self._latency_s:
            return False
        if self._read_zeroes:
            iov.fill(0)
        return True

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        return not self._latency_s

    async def flush_to_disk(self, request: Request) -> None:
        if self._latency_s:
            await asyncio.sleep(self._latency_s)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        # Neither data nor zeros unless reads give zeros: such blocks count as not allocated.
        return BlockStatus(OFFSET_VALID | (ZERO if self._read_zeroes else 0), length, offset)


def parse_null_co_name(name: str) -> Options:
    """Read `null-co://`, the only name that there is."""
    return parse_null_name(name, "null-co")


def parse_null_aio_name(name: str) -> Options:
    """Read `null-aio://`, the only name that there is."""
    return parse_null_name(name, "null-aio")


class NullCoDriver(NullDriver):
    """null-co."""

    name: ClassVar[str] = "null-co"
    parse_filename: ClassVar[FilenameParser | None] = parse_null_co_name


class NullAioDriver(NullDriver):
    """null-aio."""

    name: ClassVar[str] = "null-aio"
    parse_filename: ClassVar[FilenameParser | None] = parse_null_aio_name
    #: Where requests wait for the next turn of the loop; None: they do not.
    _turn: LastFirst | None = None

    async def open(self, opener: Opener) -> None:
        if opener.compat.file_requests_take_a_turn and not self._latency_s:
            self._turn = LastFirst()
            self.pace = Pace.UNKNOWN

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await super().preadv(offset, length, iov, flags, request)
        if self._turn is not None:
            await self._turn.take_turn()

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await super().pwritev(offset, length, iov, flags, request)
        if self._turn is not None:
            await self._turn.take_turn()

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        return self._turn is None and super().preadv_nowait(offset, length, iov)

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        return self._turn is None and super().pwritev_nowait(offset, length, iov, flags)

    async def flush_to_disk(self, request: Request) -> None:
        await super().flush_to_disk(request)
        if self._turn is not None:
            await self._turn.take_turn()
