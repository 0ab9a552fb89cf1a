"""What requests look at and change of a node in passing, noted where somebody wants to know.

Whether a request waits for another one, whether a flush has anything to do, whether a drained
section is over: that hangs on the order of steps in which no byte is touched. The footprints here
are no more exact than is easy; what matters is that no order goes unseen.

- Requests: who begins or ends looks at its own blocks; who must be alone there changes them, and a
  drained section changes all.
- Writes: they commute with each other, but not with who looks whether there were any, so they count
  as looking and flushes as changing.
- The length: any request looks at it, a truncation and a write past the end change it.
"""

from __future__ import annotations

from typing import Final

from blkdebug_async.block.flush import Flusher
from blkdebug_async.block.node import Node
from blkdebug_async.block.state import NodeState
from blkdebug_async.block.tracked import Request, Tracker
from blkdebug_async.events import IoType
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Footprint, Touch, sync_footprint
from blkdebug_async.units import MAX_LENGTH, align_down, align_up

_WRITING: Final = frozenset({IoType.WRITE, IoType.WRITE_ZEROES, IoType.DISCARD, IoType.TRUNCATE})


def note_requests(node: Node, exploration: Exploration, label: str) -> None:
    """Have noted what requests to a node touch besides its bytes.

    Args:
        node: It was just opened, and nothing is in flight.
        exploration: The run.
        label: What the run calls the node.
    """
    node.tracker = NotedTracker(node, exploration, label)
    node.__class__ = NotedNode
    node.flusher.__class__ = NotedFlusher


class NotedTracker(Tracker):
    """Notes who begins and ends."""

    __slots__ = (
        *("_exploration", "_growing", "_length_changed", "_length_looked_at"),
        *("_noted_node", "_requests_name", "_writes_counted", "_writes_looked_at"),
    )

    def __init__(self, node: Node, exploration: Exploration, label: str) -> None:
        super().__init__(node.context)
        self._noted_node = node
        self._exploration = exploration
        # A synchronisation object with a range of its own.
        self._requests_name = sync_footprint(f"requests to {label}").node
        self._writes_counted = sync_footprint(f"writes to {label}", Touch.READ)
        self._writes_looked_at = sync_footprint(f"writes to {label}")
        self._length_looked_at = sync_footprint(f"length of {label}", Touch.READ)
        self._length_changed = sync_footprint(f"length of {label}")
        #: Those under way that may change the length.
        self._growing: set[Request] = set()

    def begin(self, request: Request) -> None:
        super().begin(request)
        self._note(request, Touch.READ)
        self._exploration.touch(self._length_looked_at)
        if request.op in _WRITING and request.end > self._noted_node.known_length:
            self._growing.add(request)

    def end(self, request: Request, error: BaseException | None) -> None:
        self._note(request, Touch.WRITE if request.serialising else Touch.READ)
        if request.op in _WRITING:
            self._exploration.touch(self._writes_counted)
        if request in self._growing or request.op is IoType.TRUNCATE:
            self._growing.discard(request)
            self._exploration.touch(self._length_changed)
        super().end(request, error)

    def mark_serialising(self, request: Request, align: int) -> None:
        super().mark_serialising(request, align)
        self._note(request, Touch.WRITE)

    def note_all(self) -> None:
        """Note that all requests are looked at, or kept out."""
        self._exploration.touch(Footprint(self._requests_name, 0, MAX_LENGTH, Touch.WRITE))

    def note_flush(self) -> None:
        """Note that it is looked at what was written."""
        self._exploration.touch(self._writes_looked_at)

    def _note(self, request: Request, touch: Touch) -> None:
        unit = self._noted_node.align_mask + 1
        start = align_down(request.start, unit)
        # A flush is in no block, but a drained section waits for it.
        length = max(1, align_up(request.end, unit) - start)
        self._exploration.touch(Footprint(self._requests_name, start, length, touch))


class NotedNode(Node):
    """Notes drained sections."""

    __slots__ = ()

    def quiesce_begin(self) -> None:
        _tracker(self).note_all()
        super().quiesce_begin()

    def quiesce_end(self) -> None:
        _tracker(self).note_all()
        super().quiesce_end()

    def busy(self) -> bool:
        _tracker(self).note_all()
        return super().busy()


class NotedFlusher(Flusher):
    """Notes flushes."""

    __slots__ = ()

    def is_flushed(self) -> bool:
        _tracker(self._node).note_flush()
        return super().is_flushed()

    async def flush(self, parent: Request | None) -> None:
        tracker = _tracker(self._node)
        tracker.note_flush()
        try:
            await super().flush(parent)
        finally:
            tracker.note_flush()


def _tracker(node: NodeState) -> NotedTracker:
    assert isinstance(node.tracker, NotedTracker)
    return node.tracker
