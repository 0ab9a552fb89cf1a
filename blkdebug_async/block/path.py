"""The request path: what happens to any request on any node before its driver is called.

Pad to the node's alignment, count in, wait for overlapping requests, read the edges, announce
events, hand over in pieces (dispatch.py), count out. The driver may rely on all of it.

QEMU: block/io.c.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from errno import EACCES, EBUSY, EINVAL, EIO, ENOTSUP, EPERM
from typing import Final

from blkdebug_async.block.copying import Piece, copy_while_reading
from blkdebug_async.block.dispatch import Dispatch
from blkdebug_async.block.driver import has
from blkdebug_async.block.flags import (
    COPY_ON_READ,
    MAY_UNMAP,
    NO_FALLBACK,
    NO_WAIT,
    SERIALISING,
    WRITE_COMPRESSED,
    ZERO_WRITE,
)
from blkdebug_async.block.flush import Flusher
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.padding import Padding, plan_edge_reads, plan_padding
from blkdebug_async.block.state import NodeState
from blkdebug_async.block.target import Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.errors import BlockError
from blkdebug_async.events import Event, IoType
from blkdebug_async.units import MAX_LENGTH, MAX_REQUEST, align_down

# Looking up a member of an Enum costs more than what is done with it here.
_READ: Final = IoType.READ
_WRITE: Final = IoType.WRITE
_PWRITEV: Final = Event.PWRITEV
_PWRITEV_ZERO: Final = Event.PWRITEV_ZERO
_PWRITEV_DONE: Final = Event.PWRITEV_DONE


class RequestPath:
    """Requests to one node."""

    __slots__ = ("_dispatch", "_flusher", "_node")

    def __init__(self, node: NodeState, flusher: Flusher) -> None:
        self._node = node
        self._flusher = flusher
        self._dispatch = Dispatch(node, flusher)

    # --- reading ---

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> None:
        """Read any bytes; past the end come zeros.

        Raises:
            OSError: EIO: the range is negative or too long; else the driver's.
        """
        node = self._node
        if offset < 0 or not 0 <= length <= MAX_REQUEST or offset > MAX_LENGTH - length:
            raise _out_of_range("read", offset, length)
        unaligned = (offset | length) & node.align_mask
        if unaligned and not length:
            return
        request = node.begin(_READ, offset, length, flags, parent)
        # This frame is node.run() and that of pwritev() too: here a coroutine more would be felt.
        try:
            if unaligned:
                await self._read_padded(request, iov, flags)
            elif not (
                flags
                or node.copy_on_read
                or node.tracker.serialising
                or node.context.observer is not None
                or length > node.longest_transfer
                or offset + length > node.length
            ):
                # It needs nothing of us: the same steps, without their coroutines.
                await node.driver.preadv(offset, length, iov, 0, request)
            else:
                await self._read_aligned(request, offset, length, iov, flags)
        except BaseException as error:
            await node.end_failed(request, error)
            raise
        if node.driver.holds_completion:
            await node.end_held(request, None)
        else:
            node.tracker.end(request, None)

    async def _read_padded(self, request: Request, iov: Iovec, flags: int) -> None:
        padding = plan_padding(request.offset, request.length, self._node.align_mask + 1)
        request.start, request.end = padding.start, padding.start + padding.grown
        wide = iov.joined(
            [memoryview(bytearray(padding.head))], [memoryview(bytearray(padding.tail))]
        )
        await self._read_aligned(request, padding.start, padding.grown, wide, flags)

    async def _read_aligned(
        self, request: Request, offset: int, length: int, iov: Iovec, flags: int
    ) -> None:
        node = self._node
        if flags & COPY_ON_READ or (node.copy_on_read and request.op is _READ):
            unit = node.driver.cluster_size() or node.align_mask + 1
            node.tracker.mark_serialising(request, unit)
            await node.tracker.wait(request)
            piece = Piece(offset, length, iov, flags)
            if await copy_while_reading(node, self._dispatch, request, piece):
                return
        elif node.tracker.serialising:
            await node.tracker.wait(request)
        await self._dispatch.read(request, offset, length, iov)

    # --- writing ---

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> None:
        """Write any bytes; past the end the node grows.

        Raises:
            OSError: EIO: the range is negative or too long. EPERM: the node is read-only.
                EBUSY: NO_WAIT is set and the request would have to wait. Else the driver's.
        """
        node = self._node
        if offset < 0 or not 0 <= length <= MAX_REQUEST or offset > MAX_LENGTH - length:
            raise _out_of_range("write", offset, length)
        if not length and offset & node.align_mask:
            return
        request = node.begin(_WRITE, offset, length, flags, parent)
        try:
            if (offset | length) & node.align_mask:
                await self._write_padded(request, iov, flags)
            elif self._is_plain_write(flags, length):
                # These are the steps of _write_aligned().
                try:
                    await node.driver.pwritev(offset, length, iov, flags, request)
                except OSError:
                    await self._fire(_PWRITEV_DONE, request)
                    raise
                else:
                    if node.hears(_PWRITEV_DONE):
                        await node.fire(_PWRITEV_DONE, request)
                    node.grow_to(offset + length)
                finally:
                    node.generation += 1
            else:
                await self._write_aligned(request, offset, length, iov, flags)
        except BaseException as error:
            await node.end_failed(request, error)
            raise
        if node.driver.holds_completion:
            await node.end_held(request, None)
        else:
            node.tracker.end(request, None)

    async def pwrite_zeroes(
        self, offset: int, length: int, flags: int, parent: Request | None
    ) -> None:
        """Make any bytes read as zeros; nothing happens to an empty range.

        Raises:
            OSError: As pwritev(); ENOTSUP: NO_FALLBACK is set and it cannot be done quickly.
        """
        node = self._node
        _check_range("zero write", offset, length, MAX_LENGTH)
        unaligned = (offset | length) & node.align_mask
        if flags & NO_FALLBACK and unaligned:
            raise BlockError(
                ENOTSUP, f"zero write of {length} bytes at {offset} is not aligned: not quick"
            )
        if not length:
            return
        flags |= ZERO_WRITE
        if not node.flags.unmap:
            flags &= ~MAY_UNMAP
        request = node.begin(IoType.WRITE_ZEROES, offset, length, flags, parent)
        if not unaligned:
            work = self._write_aligned(request, offset, length, None, flags)
        elif node.context.compat.rmw_events_of_2018:
            work = self._zero_padded_of_2018(request, flags)
        else:
            work = self._zero_padded(request, flags)
        await node.run(request, work)

    async def _write_padded(self, request: Request, iov: Iovec, flags: int) -> None:
        padding = await self._claim_blocks(request, request.offset, request.length)
        scratch = bytearray(padding.scratch_length)
        await self._read_edges(request, padding, scratch)
        edges = memoryview(scratch)
        wide = iov.joined([edges[: padding.head]], [edges[len(scratch) - padding.tail :]])
        await self._write_aligned(request, padding.start, padding.grown, wide, flags)

    async def _zero_padded(self, request: Request, flags: int) -> None:
        """Zero unaligned bytes: read both edges, then write head, middle and tail."""
        padding = await self._claim_blocks(request, request.offset, request.length)
        align, scratch = padding.align, bytearray(padding.scratch_length)
        if await self._read_edges(request, padding, scratch):
            middle = len(scratch) - padding.head - padding.tail
            scratch[padding.head : padding.head + middle] = bytes(middle)
        edges, position, end = memoryview(scratch), padding.start, padding.start + padding.grown
        if padding.head or padding.merged:
            size = len(scratch) if padding.merged else align
            await self._write_edge(request, position, edges[:size], flags)
            position += size
        middle_end = end - align if padding.tail else end
        if position < middle_end:
            await self._write_aligned(request, position, middle_end - position, None, flags)
            position = middle_end
        if position < end:
            await self._write_edge(request, position, edges[-align:], flags)

    async def _zero_padded_of_2018(self, request: Request, flags: int) -> None:
        """Zero unaligned bytes as QEMU 3.0: each edge is read and written by itself."""
        align, end = self._node.align_mask + 1, request.offset + request.length
        position = request.offset
        if position % align:
            stop = min(end, align_down(position, align) + align)
            await self._zero_edge_of_2018(request, position, stop, flags)
            position = stop
        middle_end = align_down(end, align)
        if position < middle_end:
            await self._write_aligned(request, position, middle_end - position, None, flags)
            position = middle_end
        if position < end:
            await self._zero_edge_of_2018(request, position, end, flags)

    async def _zero_edge_of_2018(self, request: Request, start: int, stop: int, flags: int) -> None:
        padding = await self._claim_blocks(request, start, stop - start)
        scratch = bytearray(padding.align)
        await self._read_edges(request, padding, scratch)
        scratch[padding.head : padding.head + stop - start] = bytes(stop - start)
        await self._write_edge(request, padding.start, memoryview(scratch), flags)

    async def _claim_blocks(self, request: Request, offset: int, length: int) -> Padding:
        """Grow a request to whole blocks and wait until it is alone there."""
        padding = plan_padding(offset, length, self._node.align_mask + 1)
        request.start = min(request.start, padding.start)
        request.end = max(request.end, padding.start + padding.grown)
        self._node.tracker.mark_serialising(request, padding.align)
        await self._wait_to_write(request)
        return padding

    async def _read_edges(self, request: Request, padding: Padding, scratch: bytearray) -> bool:
        """Read the blocks at the edges; False if that failed and is to be ignored."""
        compat = self._node.context.compat
        for edge in plan_edge_reads(padding, as_in_2018=compat.rmw_events_of_2018):
            for event in edge.before:
                await self._fire(event, request)
            view = memoryview(scratch)[edge.scratch : edge.scratch + edge.length]
            try:
                await self._read_aligned(
                    request, edge.offset, edge.length, Iovec([view], edge.length), 0
                )
            except OSError:
                # QEMU 4.2 to 10.1 write the block all the same: the neighbours become zero.
                if not compat.ignore_rmw_read_errors:
                    raise
                return False
            for event in edge.after:
                await self._fire(event, request)
        return True

    async def _write_edge(
        self, request: Request, offset: int, view: memoryview, flags: int
    ) -> None:
        iov = Iovec([view], len(view))
        await self._write_aligned(request, offset, len(view), iov, flags & ~ZERO_WRITE)

    async def _write_aligned(
        self, request: Request, offset: int, length: int, iov: Iovec | None, flags: int
    ) -> None:
        """Write aligned bytes, or zeros without iov; announce the end, good or bad."""
        node = self._node
        end = 0
        try:
            await self._put(request, offset, length, iov, flags)
            end = offset + length
        except OSError:
            await self._fire(_PWRITEV_DONE, request)
            raise
        else:
            if node.hears(_PWRITEV_DONE):
                await node.fire(_PWRITEV_DONE, request)
        finally:
            self._node.generation += 1
            node.grow_to(end)

    def _is_plain_write(self, flags: int, length: int) -> bool:
        """Tell whether a write needs nothing of us: the same steps, without their coroutines."""
        node = self._node
        return not (
            flags & ~node.driver.write_flags
            or node.flags.read_only
            or node.tracker.serialising
            or node.hears(_PWRITEV)
            or length > node.longest_transfer
            or node.flags.detect_zeroes != "off"
        )

    async def _put(
        self, request: Request, offset: int, length: int, iov: Iovec | None, flags: int
    ) -> None:
        await self._prepare_write(request, flags)
        node = self._node
        detect = node.flags.detect_zeroes
        if detect != "off" and iov is not None and node.has_zeroes and length and iov.is_zero():
            flags |= MAY_UNMAP if detect == "unmap" else 0
            iov = None
        if iov is None:
            await self._fire(_PWRITEV_ZERO, request)
            await self._dispatch.write_zeroes(request, offset, length, flags)
        elif flags & WRITE_COMPRESSED:
            await self._dispatch.write_compressed(request, offset, length, iov)
        else:
            await self._fire(_PWRITEV, request)
            await self._dispatch.write(request, offset, length, iov, flags)

    async def _prepare_write(self, request: Request, flags: int) -> None:
        """Refuse what may not write, and wait for requests that are in the way."""
        node = self._node
        if node.flags.read_only:
            raise BlockError(EPERM, f"node '{node.name}' is read-only")
        if flags & SERIALISING:
            unit = node.driver.cluster_size() or node.align_mask + 1
            node.tracker.mark_serialising(request, unit)
            if flags & NO_WAIT and node.tracker.conflict(request) is not None:
                raise BlockError(EBUSY, f"{request.describe()} meets another and may not wait")
        if node.tracker.serialising:
            await self._wait_to_write(request)

    async def _wait_to_write(self, request: Request) -> None:
        """Wait for requests that are in the way; what they cut off must not come back.

        Raises:
            BlockError: EIO; the range was there before, and ends behind the end now.
        """
        node, end = self._node, request.offset + request.length
        inside = end <= node.length
        await node.tracker.wait(request)
        if inside and end > node.length and not node.context.compat.shrinking_waits_for_nobody:
            raise BlockError(EIO, f"{request.describe()} is on bytes that were cut off meanwhile")

    async def _fire(self, event: Event, request: Request) -> None:
        if self._node.hears(event):
            await self._node.fire(event, request)

    # --- discarding and truncating ---

    async def pdiscard(self, offset: int, length: int, parent: Request | None) -> None:
        """Say that bytes are not needed; succeeds without effect where that is not supported.

        Raises:
            OSError: EIO: the range is negative. EPERM: the node is read-only. Else the driver's.
        """
        node = self._node
        _check_range("discard", offset, length, MAX_LENGTH)
        if not node.flags.unmap or not has(node.driver, "pdiscard"):
            return
        request = node.begin(IoType.DISCARD, offset, length, 0, parent)
        await node.run(request, self._discard(request))

    async def _discard(self, request: Request) -> None:
        try:
            await self._prepare_write(request, 0)
            await self._dispatch.discard(request, request.offset, request.length)
        finally:
            self._node.generation += 1

    async def truncate(self, size: int, how: Truncation, parent: Request | None) -> None:
        """Change the length; meanwhile nobody is on bytes that come or go, and no other changes it.

        Raises:
            OSError: EINVAL: size is negative. EIO: it is too large. EACCES: the node is
                read-only. ENOTSUP: the driver cannot. Else the driver's.
        """
        node = self._node
        if size < 0:
            raise BlockError(EINVAL, "Image size cannot be negative")
        if size > MAX_LENGTH:
            raise BlockError(EIO, f"offset({size}) exceeds maximum({MAX_LENGTH})")
        old = node.length
        if node.flags.read_only:
            raise BlockError(EACCES, "Image is read-only")
        grown = max(0, size - old)
        request = node.begin(IoType.TRUNCATE, size - grown, grown, 0, parent)
        await node.run(request, self._truncate(size, how, request))

    async def _truncate(self, size: int, how: Truncation, request: Request) -> None:
        node = self._node
        if node.context.compat.shrinking_waits_for_nobody:
            if request.length:
                node.tracker.mark_serialising(request, 1)
        else:
            await self._claim_end(size, request)
        await self._prepare_write(request, 0)
        backing = node.driver.backing
        if size > node.length and backing is not None and backing.length > node.length:
            how = replace(how, zero=True)
        try:
            await self._resize(size, how, request)
        except BaseException as error:
            # A cancelled one may have been done all the same.
            if not isinstance(error, OSError):
                node.generation += 1
            with suppress(OSError):
                node.refresh_length()
            raise
        node.generation += 1
        node.refresh_length()

    async def _claim_end(self, size: int, request: Request) -> None:
        """Wait until a truncation is alone on all bytes behind the shorter one of both ends."""
        node = self._node
        request.end = MAX_LENGTH
        # Who it waits for may be another truncation.
        while not request.serialising or node.length < request.start:
            request.start = min(node.length, size)
            node.tracker.mark_serialising(request, 1)
            await node.tracker.wait(request)

    async def _resize(self, size: int, how: Truncation, request: Request) -> None:
        driver = self._node.driver
        if has(driver, "truncate"):
            observer, old = self._node.context.observer, self._node.length
            if observer is not None:
                observer.driver_called(request, request.op, min(old, size), abs(size - old))
            await driver.truncate(size, how, request)
        elif driver.is_filter and driver.file is not None:
            await driver.file.truncate(size, how, request)
        else:
            raise BlockError(ENOTSUP, "Image format driver does not support resize")


def _check_range(what: str, offset: int, length: int, longest: int) -> None:
    if offset < 0 or not 0 <= length <= longest or offset > MAX_LENGTH - length:
        raise _out_of_range(what, offset, length)


def _out_of_range(what: str, offset: int, length: int) -> BlockError:
    return BlockError(EIO, f"{what} of {length} bytes at offset {offset} is out of range")
