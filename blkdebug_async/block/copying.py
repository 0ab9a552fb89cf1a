"""Copy-on-read: what a read finds in the backing node is written into this node.

Works on whole clusters, and calls the driver directly: the write-back is no request of its own.

QEMU: block/io.c, bdrv_co_do_copy_on_readv().
"""

from __future__ import annotations

from typing import NamedTuple

from blkdebug_async.block.dispatch import Dispatch
from blkdebug_async.block.flags import ALLOCATED, PREFETCH, WRITE_UNCHANGED
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.state import NodeState
from blkdebug_async.block.status import query_status
from blkdebug_async.block.tracked import Request
from blkdebug_async.events import Event
from blkdebug_async.units import MAX_REQUEST, align_down, align_up


class Piece(NamedTuple):
    """An aligned read."""

    offset: int
    length: int
    iov: Iovec
    flags: int


async def copy_while_reading(
    node: NodeState, dispatch: Dispatch, request: Request, piece: Piece
) -> bool:
    """Read, and copy what is not allocated in this node.

    Returns:
        True if everything is done; False if all of it is allocated and still to be read.

    Raises:
        OSError: The driver's, also from writing back.
    """
    offset, length, iov, flags = piece
    status = await query_status(node, offset, length, False, request)
    if status.flags & ALLOCATED and status.length == length:
        return bool(flags & PREFETCH)
    unit = node.driver.cluster_size() or 1
    position, wanted_end = align_down(offset, unit), offset + length
    end = align_up(wanted_end, unit)
    longest = min(node.longest_transfer, MAX_REQUEST)
    while position < end:
        allocated, step = await _allocated(node, position, min(end - position, longest), request)
        if not step:
            # The image ends within the last cluster.
            break
        if not allocated:
            step = min(step, node.zero_plan.bounce)
        # The image may end within a block; the driver knows only whole ones.
        step = align_up(step, node.align_mask + 1)
        # The piece may lie wholly before or behind what is wanted, within its cluster.
        start, stop = max(position, offset), min(position + step, wanted_end)
        wanted = iov.slice(start - offset, max(0, stop - start))
        if flags & PREFETCH:
            wanted = Iovec([])
        if not allocated:
            bounce = bytearray(step)
            await _copy(node, dispatch, request, position, bounce)
            if wanted.length:
                wanted.copy_from(memoryview(bounce)[start - position : stop - position])
        elif wanted.length:
            await dispatch.read_piece(request, start, wanted.length, wanted)
        position += step
    if position < wanted_end and not flags & PREFETCH:
        rest = max(position, offset)
        iov.slice(rest - offset, wanted_end - rest).fill(0)
    return True


async def _allocated(
    node: NodeState, offset: int, length: int, request: Request
) -> tuple[bool, int]:
    try:
        status = await query_status(node, offset, length, False, request)
    except OSError:
        # Reading will probably fail in a moment, with the better error.
        return False, length
    return bool(status.flags & ALLOCATED), status.length


async def _copy(
    node: NodeState, dispatch: Dispatch, request: Request, offset: int, bounce: bytearray
) -> None:
    iov = Iovec.over(bounce)
    await dispatch.read_piece(request, offset, len(bounce), iov)
    if node.hears(Event.COR_WRITE):
        await node.fire(Event.COR_WRITE, request)
    await dispatch.write_unchanged(request, offset, len(bounce), iov, WRITE_UNCHANGED)
