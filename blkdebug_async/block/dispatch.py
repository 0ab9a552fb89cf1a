"""Hands an aligned request to the driver in pieces that it can take.

Here are the fallback of zero writes and the emulation of FUA. Nothing here waits for other
requests or pads: that is done before, in path.py.

QEMU: block/io.c, bdrv_driver_pwritev(), bdrv_co_do_pwrite_zeroes().
"""

from __future__ import annotations

from errno import ENOTSUP

from blkdebug_async.block.flags import FUA, NO_FALLBACK, ZERO_WRITE
from blkdebug_async.block.flush import Flusher
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.split import next_zero_length, split_discard, split_transfer
from blkdebug_async.block.state import NodeState
from blkdebug_async.block.tracked import Request
from blkdebug_async.errors import BlockError
from blkdebug_async.events import IoType
from blkdebug_async.units import align_up


class Dispatch:
    """Calls the driver of one node."""

    __slots__ = ("_flusher", "_node")

    def __init__(self, node: NodeState, flusher: Flusher) -> None:
        self._node = node
        self._flusher = flusher

    async def read(self, request: Request, offset: int, length: int, iov: Iovec) -> None:
        """Read aligned bytes; those past the end become zero without any call."""
        node = self._node
        # Asked for only now: the request may have waited, and the length changed.
        readable = align_up(max(0, node.length - offset), node.align_mask + 1)
        if length <= readable and length <= node.longest_transfer:
            await self.read_piece(request, offset, length, iov)
            return
        present = min(length, readable)
        if present:
            for span in split_transfer(offset, present, node.longest_transfer):
                part = iov.slice(span.offset - offset, span.length)
                await self.read_piece(request, span.offset, span.length, part)
        if present < length:
            iov.slice(present, length - present).fill(0)

    async def read_piece(self, request: Request, offset: int, length: int, iov: Iovec) -> None:
        """Let the driver read once."""
        self._observe(request, IoType.READ, offset, length)
        await self._node.driver.preadv(offset, length, iov, 0, request)

    async def write(
        self, request: Request, offset: int, length: int, iov: Iovec, flags: int
    ) -> None:
        """Write aligned bytes; an emulated FUA flushes once, after the last piece."""
        node = self._node
        if length <= node.longest_transfer:
            await self._write_piece(request, offset, length, iov, flags)
        else:
            for span in split_transfer(offset, length, node.longest_transfer):
                part = iov.slice(span.offset - offset, span.length)
                await self._write_piece(request, span.offset, span.length, part, flags)
        if flags & FUA and not node.driver.write_flags & FUA:
            await self._flush_for_fua(request)

    async def write_compressed(
        self, request: Request, offset: int, length: int, iov: Iovec
    ) -> None:
        """Write aligned bytes compressed.

        Raises:
            OSError: ENOTSUP; the driver cannot.
        """
        self._observe(request, IoType.WRITE, offset, length)
        await self._node.driver.pwritev_compressed(offset, length, iov, request)

    async def write_unchanged(
        self, request: Request, offset: int, length: int, iov: Iovec, flags: int
    ) -> None:
        """Write back what was read, in one piece or as zeros; FUA does not apply."""
        if self._node.has_zeroes and iov.is_zero():
            await self.write_zeroes(request, offset, length, flags)
        else:
            await self._write_piece(request, offset, length, iov, flags)

    async def write_zeroes(self, request: Request, offset: int, length: int, flags: int) -> None:
        """Write aligned zeros, natively or, unless NO_FALLBACK is set, from a buffer.

        Raises:
            OSError: ENOTSUP; NO_FALLBACK is set, and the driver cannot or would not.
        """
        node = self._node
        if flags & NO_FALLBACK & ~node.driver.zero_flags:
            raise BlockError(
                ENOTSUP, f"driver '{node.driver.name}' cannot promise a fast zero write"
            )
        plan = node.zero_plan
        end = offset + length
        head, tail = offset % plan.align, end % plan.align
        fua_by_driver = True
        while offset < end:
            size = next_zero_length(end - offset, head, tail, plan)
            if head:
                head = (head + size) % plan.align
            if await self._zero_piece(request, offset, size, flags):
                fua_by_driver = fua_by_driver and bool(node.driver.zero_flags & FUA)
            else:
                size = min(size, plan.bounce)
                zeros = Iovec.over(bytearray(size))
                await self._write_piece(request, offset, size, zeros, flags & ~ZERO_WRITE)
                fua_by_driver = fua_by_driver and bool(node.driver.write_flags & FUA)
            offset += size
        if flags & FUA and not fua_by_driver:
            await self._flush_for_fua(request)

    async def _zero_piece(self, request: Request, offset: int, length: int, flags: int) -> bool:
        driver = self._node.driver
        if not self._node.has_zeroes:
            return False
        self._observe(request, IoType.WRITE_ZEROES, offset, length)
        try:
            await driver.pwrite_zeroes(offset, length, flags & driver.zero_flags, request)
        except OSError as error:
            if error.errno != ENOTSUP or flags & NO_FALLBACK:
                raise
            return False
        return True

    async def discard(self, request: Request, offset: int, length: int) -> None:
        """Discard any bytes; pieces that the driver does not support count as done."""
        driver = self._node.driver
        for span in split_discard(offset, length, self._node.limits):
            self._observe(request, IoType.DISCARD, span.offset, span.length)
            try:
                await driver.pdiscard(span.offset, span.length, request)
            except OSError as error:
                if error.errno != ENOTSUP:
                    raise

    async def _write_piece(
        self, request: Request, offset: int, length: int, iov: Iovec, flags: int
    ) -> None:
        driver = self._node.driver
        self._observe(request, IoType.WRITE, offset, length)
        await driver.pwritev(offset, length, iov, flags & driver.write_flags, request)

    async def _flush_for_fua(self, request: Request) -> None:
        if not self._node.context.compat.fua_flushes_too_early:
            # Else this flush would think that nothing was written and leave it off the disk.
            self._node.generation += 1
        await self._flusher.flush(request)

    def _observe(self, request: Request, op: IoType, offset: int, length: int) -> None:
        observer = self._node.context.observer
        if observer is not None:
            observer.driver_called(request, op, offset, length)
