"""Block status: what a range of a node is made of.

QEMU: block/io.c, bdrv_co_block_status().
"""

from __future__ import annotations

from dataclasses import replace

from blkdebug_async.block.driver import has
from blkdebug_async.block.flags import ALLOCATED, DATA, EOF, OFFSET_VALID, RAW, RECURSE, ZERO
from blkdebug_async.block.state import NodeState
from blkdebug_async.block.target import BlockStatus
from blkdebug_async.block.tracked import Request
from blkdebug_async.events import IoType
from blkdebug_async.units import align_down, align_up


async def query_status(
    node: NodeState, offset: int, length: int, want_zero: bool, parent: Request | None
) -> BlockStatus:
    """Tell what the bytes from offset on are made of.

    Args:
        node: Which node.
        offset: First byte, >= 0.
        length: Most bytes of interest.
        want_zero: Whether it matters where zeros are.
        parent: The request on whose behalf this is asked.

    Returns:
        The status of the first bytes and how many there are: 0 only at the end or for length 0.

    Raises:
        OSError: The driver's.
    """
    total = node.length
    if offset >= total:
        return BlockStatus(EOF, 0)
    length = min(length, total - offset)
    if not length:
        return BlockStatus(0, 0)
    driver = node.driver
    if not has(driver, "block_status"):
        flags = DATA | ALLOCATED | (OFFSET_VALID if driver.is_protocol else 0)
        status = BlockStatus(flags, length, offset)
    else:
        request = node.begin(IoType.BLOCK_STATUS, offset, length, 0, parent)
        status = await node.run(request, _ask(node, want_zero, request))
    if offset + status.length == total:
        status = replace(status, flags=status.flags | EOF)
    return status


async def _ask(node: NodeState, want_zero: bool, request: Request) -> BlockStatus:
    offset, length, align = request.offset, request.length, node.align_mask + 1
    start = align_down(offset, align)
    wide = align_up(offset + length, align) - start
    if node.context.observer is not None:
        node.context.observer.driver_called(request, IoType.BLOCK_STATUS, start, wide)
    status = await node.driver.block_status(start, wide, want_zero, request)
    skipped = offset - start
    status = replace(
        status,
        length=min(status.length - skipped, length),
        offset=status.offset + skipped if status.flags & OFFSET_VALID else 0,
    )
    if status.flags & RAW:
        assert status.target is not None
        return await status.target.block_status(status.offset, status.length, want_zero, request)
    if status.flags & (DATA | ZERO):
        status = replace(status, flags=status.flags | ALLOCATED)
    elif node.driver.supports_backing:
        status = _below(node, status, want_zero, request)
    if want_zero and status.flags & RECURSE:
        status = await _look_for_zeros(status, request)
    return status


def _below(node: NodeState, status: BlockStatus, want_zero: bool, request: Request) -> BlockStatus:
    """Say ZERO where nothing lies below: no backing node, or one that ends before."""
    backing = node.driver.backing
    if backing is None or (want_zero and request.offset >= backing.length):
        return replace(status, flags=status.flags | ZERO)
    return status


async def _look_for_zeros(status: BlockStatus, request: Request) -> BlockStatus:
    """Ask the node that holds the data whether it is zero; its errors do not matter."""
    known = DATA | OFFSET_VALID
    if status.target is None or status.flags & known != known:
        return status
    try:
        deeper = await status.target.block_status(status.offset, status.length, True, request)
    except OSError:
        return status
    if deeper.flags & EOF and (not deeper.length or deeper.flags & ZERO):
        return replace(status, flags=status.flags | ZERO)
    return replace(status, length=deeper.length, flags=status.flags | (deeper.flags & ZERO))
