"""Requests of a disk in an explored run, noted in its history; otherwise nothing is noted.

Exploration is known here only by what it has to have, so that nobody loads it who explores nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable, Iterable
from errno import errorcode
from typing import Final, Protocol, runtime_checkable

from blkdebug_async.block.flags import PREFETCH
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.node import Child, Node, Parent
from blkdebug_async.block.nowait import NowaitPath
from blkdebug_async.block.permissions import FILTERED_CHILD
from blkdebug_async.block.target import Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.events import IoType
from blkdebug_async.units import INT64_MAX

#: Drivers that do not keep what is written.
_KEEP_NOTHING: Final = frozenset({"null-co", "null-aio"})


class _Operation(Protocol):
    """What a history gave for an operation."""


@runtime_checkable
class _History(Protocol):
    """Where the operations of a run are noted."""

    left_out: set[str]

    def open(self, top: Node, name: str, parts: Iterable[Hashable]) -> str: ...

    def begin(
        self, disk: str, op: IoType, offset: int, length: int, data: bytes | None = None
    ) -> _Operation: ...

    def end(
        self, operation: _Operation, data: bytes | None = None, error: str | None = None
    ) -> None: ...


def root_edge(node: Node, user: Parent) -> Child:
    """Make the edge from a disk to its top node, which notes requests in an explored run."""
    history = _history_here()
    if history is None:
        return Child("root", node, user, FILTERED_CHILD)
    return _NotedChild(node, user, history)


def _history_here() -> _History | None:
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    history = getattr(getattr(loop, "exploration", None), "history", None)
    # To compare with a protocol takes longer than all the rest.
    return history if history is not None and isinstance(history, _History) else None


class _NotedChild(Child):
    """An edge that notes what goes down."""

    __slots__ = ("_disk", "_history")

    def __init__(self, node: Node, user: Parent, history: _History) -> None:
        self._history = history
        super().__init__("root", node, user, FILTERED_CHILD)

    def point_to(self, node: Node) -> None:
        super().point_to(node)
        nodes = list(node.walk())
        stored_in = [each.driver.storage for each in nodes if each.driver.storage is not None]
        self._disk = self._history.open(node, _name_of(node), [*nodes, *stored_in])
        if any(each.driver.name in _KEEP_NOTHING for each in nodes):
            self._history.left_out.add(self._disk)
        self.preadv = self._preadv
        self.nowait = _NotedNowait(node, self._history, self._disk)
        self.preadv_nowait = self.nowait.preadv

    async def _preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> None:
        request = self.node.path.preadv(offset, length, iov, flags, parent)
        if flags & PREFETCH:
            await request
        else:
            await self._note(IoType.READ, offset, length, request, filled=iov)

    def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, parent: Request | None
    ) -> Coroutine[object, None, None]:
        request = super().pwritev(offset, length, iov, flags, parent)
        return self._note(IoType.WRITE, offset, length, request, written=iov.tobytes())

    def pwrite_zeroes(
        self, offset: int, length: int, flags: int, parent: Request | None
    ) -> Coroutine[object, None, None]:
        request = super().pwrite_zeroes(offset, length, flags, parent)
        return self._note(IoType.WRITE_ZEROES, offset, length, request)

    def pdiscard(
        self, offset: int, length: int, parent: Request | None
    ) -> Coroutine[object, None, None]:
        return self._note(IoType.DISCARD, offset, length, super().pdiscard(offset, length, parent))

    def flush(self, parent: Request | None) -> Coroutine[object, None, None]:
        return self._note(IoType.FLUSH, 0, 0, super().flush(parent))

    def truncate(
        self, size: int, how: Truncation, parent: Request | None
    ) -> Coroutine[object, None, None]:
        # Whatever is behind the shorter end may be anything from now on.
        start = min(size, self.node.length)
        request = super().truncate(size, how, parent)
        return self._note(IoType.TRUNCATE, start, INT64_MAX - start, request)

    async def _note(
        self,
        op: IoType,
        offset: int,
        length: int,
        request: Coroutine[object, None, None],
        *,
        written: bytes | None = None,
        filled: Iovec | None = None,
    ) -> None:
        history = self._history
        operation = history.begin(self._disk, op, offset, length, written)
        try:
            await request
        except (Exception, asyncio.CancelledError) as error:
            history.end(operation, error=_in_a_word(error))
            raise
        history.end(operation, None if filled is None else filled.tobytes())


class _NotedNowait(NowaitPath):
    """Requests that are answered at once, noted when they were."""

    __slots__ = ("_disk", "_history")

    def __init__(self, node: Node, history: _History, disk: str) -> None:
        super().__init__(node)
        self._history = history
        self._disk = disk

    def preadv(self, offset: int, length: int, iov: Iovec) -> bool:
        if not super().preadv(offset, length, iov):
            return False
        operation = self._history.begin(self._disk, IoType.READ, offset, length)
        self._history.end(operation, iov.tobytes())
        return True

    def pwritev(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        if not super().pwritev(offset, length, iov, flags):
            return False
        written = iov.tobytes()
        self._history.end(self._history.begin(self._disk, IoType.WRITE, offset, length, written))
        return True


def _name_of(node: Node) -> str:
    """Name a node by what somebody has called it, or else by its driver."""
    return node.driver.name if node.name.startswith("#") else node.name


def _in_a_word(error: BaseException) -> str:
    if isinstance(error, asyncio.CancelledError):
        return "cancelled"
    number = error.errno if isinstance(error, OSError) else None
    return type(error).__name__ if number is None else errorcode.get(number, str(number))
