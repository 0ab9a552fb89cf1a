"""Requests that are answered at once: plain calls down the tree, in which nobody can look.

What takes no time needs no Request: nothing can be suspended, cancelled, drained or overlapped
while it happens. So here are the steps of path.py for requests that wait for nothing and that
nobody listens to, without those steps that would do nothing. Whatever is out of the ordinary, and
whatever fails, is left to path.py as if nothing had been tried.
"""

from __future__ import annotations

from typing import Final

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.padding import Padding, plan_edge_reads, plan_padding
from blkdebug_async.block.state import NodeState
from blkdebug_async.events import Event

# Looking up a member of an Enum costs more than what is done with it here.
_PWRITEV: Final = Event.PWRITEV
_PWRITEV_DONE: Final = Event.PWRITEV_DONE


class NowaitPath:
    """Requests to one node that are answered at once, or not here."""

    __slots__ = ("_node",)

    def __init__(self, node: NodeState) -> None:
        self._node = node

    def preadv(self, offset: int, length: int, iov: Iovec) -> bool:
        """Read, if that needs no waiting; False: nothing has happened.

        Args:
            offset: First byte.
            length: Bytes, iov.length.
            iov: Where they go.
        """
        node = self._node
        driver = node.driver
        if (
            not node.answers_at_once
            or offset < 0
            or offset + length > (self._length() if node.variable_length else node.known_length)
            or node.copy_on_read
            or node.tracker.serialising
            or node.context.observer is not None
            or driver.holds_completion
        ):
            return False
        if (offset | length) & node.align_mask:
            return self._read_padded(offset, length, iov)
        return length <= node.longest_at_once and driver.preadv_nowait(offset, length, iov)

    def _length(self) -> int:
        try:
            return self._node.refresh_length()
        except OSError:
            # Shorter than anything: the lasting path asks again, and raises it.
            return -1

    def _read_padded(self, offset: int, length: int, iov: Iovec) -> bool:
        node = self._node
        padding = plan_padding(offset, length, node.align_mask + 1)
        start, grown = padding.start, padding.grown
        if not length or grown > node.longest_at_once or start + grown > node.known_length:
            return False
        wide = iov.joined(
            [memoryview(bytearray(padding.head))], [memoryview(bytearray(padding.tail))]
        )
        return node.driver.preadv_nowait(start, grown, wide)

    def pwritev(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        """Write, if that needs no waiting; False: path.pwritev() is to do all of it.

        Args:
            offset: First byte.
            length: Bytes, iov.length.
            iov: What is written.
            flags: Request flags; any that the driver does not take natively means no.
        """
        node = self._node
        driver = node.driver
        heard = driver.heard
        if (
            not node.answers_at_once
            or offset < 0
            or offset + length > (self._length() if node.variable_length else node.known_length)
            or flags & ~driver.write_flags
            or node.flags.read_only
            or node.flags.detect_zeroes != "off"
            or node.tracker.serialising
            or node.context.observer is not None
            or driver.holds_completion
        ):
            return False
        if heard and (_PWRITEV in heard or _PWRITEV_DONE in heard):
            return self._write_heard(offset, length, iov, flags)
        if (offset | length) & node.align_mask:
            return self._write_padded(offset, length, iov, flags)
        return length <= node.longest_at_once and self._write(offset, length, iov, flags)

    def _write(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        node = self._node
        if not node.driver.pwritev_nowait(offset, length, iov, flags):
            return False
        node.generation += 1
        return True

    def _write_heard(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        """Write whole blocks, on a node that hears of it and can do so at once."""
        node = self._node
        driver = node.driver
        heard = [event for event in (_PWRITEV, _PWRITEV_DONE) if event in driver.heard]
        if (
            not length
            or length > node.longest_at_once
            or (offset | length) & node.align_mask
            or not all(map(driver.fires_nowait, heard))
            or not (heard[0] is _PWRITEV_DONE or driver.lets_write(heard[0], offset, length))
            or not self._write(offset, length, iov, flags)
        ):
            return False
        # Only now, for nothing may have happened if the write was not possible.
        for event in heard:
            driver.fire_nowait(event)
        return True

    def _write_padded(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        """Read the edges and write whole blocks, on a node that is otherwise idle and unheard."""
        node = self._node
        # Whoever is in flight might be on the same block, which the lasting path finds out.
        if not length or node.driver.heard or node.tracker.requests:
            return False
        mask = node.align_mask
        start = offset & ~mask
        grown = (offset + length + mask & ~mask) - start
        if grown > node.longest_at_once or start + grown > node.known_length:
            return False
        if grown == mask + 1:
            return self._write_in_block(start, grown, offset, iov, flags)
        return self._write_between_edges(plan_padding(offset, length, mask + 1), iov, flags)

    def _write_in_block(self, start: int, size: int, offset: int, iov: Iovec, flags: int) -> bool:
        """Write within one block: copying the little there is costs less than a list of views."""
        block = bytearray(size)
        whole = Iovec([memoryview(block)], size)
        if not self._node.driver.preadv_nowait(start, size, whole):
            return False
        position = offset - start
        for view in iov.views:
            block[position : position + len(view)] = view
            position += len(view)
        return self._write(start, size, whole, flags)

    def _write_between_edges(self, padding: Padding, iov: Iovec, flags: int) -> bool:
        driver, compat = self._node.driver, self._node.context.compat
        scratch = memoryview(bytearray(padding.scratch_length))
        for edge in plan_edge_reads(padding, as_in_2018=compat.rmw_events_of_2018):
            view = scratch[edge.scratch : edge.scratch + edge.length]
            if not driver.preadv_nowait(edge.offset, edge.length, Iovec([view], edge.length)):
                return False
        wide = iov.joined([scratch[: padding.head]], [scratch[len(scratch) - padding.tail :]])
        return self._write(padding.start, padding.grown, wide, flags)
