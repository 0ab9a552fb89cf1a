from __future__ import annotations

from dataclasses import replace
from errno import EIO
from typing import Self
from zlib import crc32

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.target import Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.options.reader import OptionReader

BLOCK = 512


def content(size: int) -> bytes:
    return bytes(1 + index % 251 for index in range(size))


class NotingDriver(MemoryDriver):
    # Notes what reaches it, by whichever way. Cold blocks are never answered at once, a bad one
    # fails, and without fua that flag is left to the path.

    name = "noting"

    def __init__(
        self,
        size: int,
        *,
        align: int = 1,
        cold: int = 0,
        bad: int | None = None,
        fua: bool = True,
    ) -> None:
        super().__init__(size, data=content(size))
        self.align, self.cold, self.bad = align, cold, bad
        self.write_flags = self.write_flags if fua else 0
        self.log: list[tuple[object, ...]] = []
        #: Read at once; that counts once the request that it is for is done at once.
        self.tentative: list[tuple[object, ...]] = []

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        return cls(
            reader.take_size("size", 0),
            align=reader.take_size("align", 1),
            cold=reader.take_number("cold", 0),
            bad=reader.take_number("bad", None),
            fua=reader.take_bool("fua", True),
        )

    def refresh_limits(self, limits: Limits) -> Limits:
        return replace(limits, request_alignment=self.align)

    def _note(self, *what: object) -> None:
        self.log.append(what)

    def _touches(self, offset: int, length: int, block: int) -> bool:
        return offset < (block + 1) * BLOCK and block * BLOCK < offset + length

    def _check(self, offset: int, length: int) -> None:
        if self.bad is not None and self._touches(offset, length, self.bad):
            raise BlockError(EIO, f"block {self.bad} is bad")

    def _answers(self, offset: int, length: int) -> bool:
        if self.bad is not None and self._touches(offset, length, self.bad):
            return False
        return not self.cold or (offset // BLOCK) % self.cold != 0

    def keep_tentative(self) -> None:
        self.log += self.tentative
        self.tentative.clear()

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self._note("read", offset, length, flags)
        self._check(offset, length)
        await super().preadv(offset, length, iov, flags, request)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        self._note("write", offset, length, flags, crc32(iov.tobytes()))
        self._check(offset, length)
        await super().pwritev(offset, length, iov, flags, request)

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        if not self._answers(offset, length):
            return False
        self.tentative.append(("read", offset, length, 0))
        return super().preadv_nowait(offset, length, iov)

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        if not self._answers(offset, length):
            return False
        self.keep_tentative()
        self._note("write", offset, length, flags, crc32(iov.tobytes()))
        return super().pwritev_nowait(offset, length, iov, flags)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        self._note("zeroes", offset, length, flags)
        self._check(offset, length)
        await super().pwrite_zeroes(offset, length, flags, request)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        self._note("discard", offset, length)
        await super().pdiscard(offset, length, request)

    async def flush_to_disk(self, request: Request) -> None:
        self._note("flush")

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        self._note("truncate", size)
        await super().truncate(size, how, request)
