"""Disks for code that is not async: the verbs of Disk as plain methods, and a file-like object.

Each disk has an event loop in a thread of its own, reached through anyio's blocking portal. A call
is one task in that loop, named after the thread that made it, so that a Predicate can tell the
callers apart. Any number of threads may use a disk at once.
"""

from __future__ import annotations

import asyncio
import io
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from errno import EBADF, EINVAL, ENOSPC
from functools import partial
from importlib.util import find_spec
from types import TracebackType
from typing import Final, Generic, ParamSpec, Self, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from blkdebug_async.block.driver import NodeSource
from blkdebug_async.block.iovec import Buffer, Iovec
from blkdebug_async.block.target import BlockStatus
from blkdebug_async.drivers.blkdebug.rules import Rule
from blkdebug_async.errors import BlockError
from blkdebug_async.explore.choices import Choices
from blkdebug_async.opening import DiskOpening, open_disk
from blkdebug_async.options.tree import Options
from blkdebug_async.trace import Observer, RequestView
from blkdebug_async.tree import Warn

_P = ParamSpec("_P")
_T = TypeVar("_T")

#: How long a thread waits before it looks whether it was interrupted, in seconds.
_LOOK_UP_S: Final = 0.5
#: The thread's loop is nobody else's, so it may be the quick one; not every system has it.
_LOOP: Final = {"use_uvloop": find_spec("uvloop") is not None}


class SyncDisk:
    """An open disk whose methods wait for their answer. Made by open_disk_sync().

    Methods are those of Disk, with the same arguments, answers and errors. Interrupting one
    (KeyboardInterrupt) cancels its request, and returns when no buffer is used any more.

    Args:
        opening: What open_disk() returned.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, opening: DiskOpening) -> None:
        self._opening = opening
        # Nobody may start a task between the decision to stop and the stop.
        self._starting = threading.Lock()
        self._thread = ExitStack()
        self._portal: BlockingPortal | None = self._thread.enter_context(
            start_blocking_portal(name="blkdebug-async disk", backend_options=_LOOP)
        )
        # Who forgets to close it is not kept from ending: later the thread could not be stopped.
        weakref.finalize(self, _abandon, self._portal, self._thread)
        try:
            self._disk = self._run(opening.__aenter__)
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.closed:
            return
        try:
            self._run(self._opening.__aexit__, kind, error, trace)
        finally:
            self._stop()

    # --- facts ---

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._portal is None

    @property
    def length(self) -> int:
        """Length in bytes, a multiple of 512."""
        return self._ask(lambda: self._disk.length)

    @property
    def read_only(self) -> bool:
        """Whether writes are refused."""
        return self._ask(lambda: self._disk.read_only)

    @property
    def filename(self) -> str:
        """Name that opens the same tree again, json: if need be."""
        return self._ask(lambda: self._disk.filename)

    def file(self) -> DiskFile:
        """Give a file-like object over the whole disk; closing it leaves the disk open."""
        return DiskFile(self)

    # --- requests ---

    def preadv(self, offset: int, buffers: Iterable[Buffer] | Iovec, flags: int = 0) -> None:
        """Fill buffers, in order, from offset."""
        self._run(self._disk.preadv, offset, buffers, flags)

    def pwritev(self, offset: int, buffers: Iterable[Buffer] | Iovec, flags: int = 0) -> None:
        """Write buffers, in order, at offset."""
        self._run(self._disk.pwritev, offset, buffers, flags)

    def pread(self, offset: int, length: int) -> bytes:
        """Read length bytes from offset."""
        return self._run(self._disk.pread, offset, length)

    def pwrite(self, offset: int, data: Buffer, flags: int = 0) -> None:
        """Write data at offset."""
        self._run(self._disk.pwrite, offset, data, flags)

    def pwrite_zeroes(self, offset: int, length: int, flags: int = 0) -> None:
        """Make a range read as zeros."""
        self._run(self._disk.pwrite_zeroes, offset, length, flags)

    def pdiscard(self, offset: int, length: int) -> None:
        """Say that a range is not needed any more."""
        self._run(self._disk.pdiscard, offset, length)

    def flush(self) -> None:
        """Make everything safe that was written before."""
        self._run(self._disk.flush)

    def truncate(self, size: int, *, exact: bool = False, preallocation: str = "off") -> None:
        """Change the length."""
        self._run(self._disk.truncate, size, exact=exact, preallocation=preallocation)

    def block_status(self, offset: int, length: int) -> BlockStatus:
        """Tell what the bytes from offset on are made of, and how many of them are alike."""
        return self._run(self._disk.block_status, offset, length)

    def is_allocated(self, offset: int, length: int) -> tuple[bool, int]:
        """Tell whether the bytes from offset on are in the top node, and how many are alike."""
        return self._run(self._disk.is_allocated, offset, length)

    # --- blkdebug ---

    def add_rule(self, rule: Rule, *, node: str | None = None) -> None:
        """Add an InjectError, SetState or Suspend to the running disk."""
        self._ask(lambda: self._disk.add_rule(rule, node=node))

    def remove_rule(self, rule: Rule, *, node: str | None = None) -> bool:
        """Remove the newest rule equal to this one; False if there is none."""
        return self._ask(lambda: self._disk.remove_rule(rule, node=node))

    def breakpoint(self, event: str, tag: str, *, node: str | None = None) -> None:
        """Hold the next request that announces an event; the thread that made it waits."""
        self._ask(lambda: self._disk.breakpoint(event, tag, node=node))

    def remove_breakpoint(self, tag: str, *, node: str | None = None) -> None:
        """Forget the breakpoints with a tag, and resume every request that they hold."""
        self._ask(lambda: self._disk.remove_breakpoint(tag, node=node))

    def resume(self, tag: str, *, node: str | None = None) -> None:
        """Let the request go on that was suspended last under a tag."""
        self._ask(lambda: self._disk.resume(tag, node=node))

    def is_suspended(self, tag: str, *, node: str | None = None) -> bool:
        """Tell whether a request is suspended under a tag."""
        return self._ask(lambda: self._disk.is_suspended(tag, node=node))

    def wait_suspended(
        self, tag: str, *, within: float | None = None, node: str | None = None
    ) -> None:
        """Wait until a request is suspended under a tag; ETIMEDOUT if none is within seconds."""
        self._run(self._disk.wait_suspended, tag, within=within, node=node)

    def suspended(self) -> list[tuple[str, RequestView | None]]:
        """List all requests held at breakpoints anywhere in the tree, with their tags."""
        return self._ask(lambda: self._disk.suspended())

    def unused_rules(self) -> list[tuple[str, Rule]]:
        """List rules that never matched and breakpoints that never held, with their nodes."""
        return self._ask(lambda: self._disk.unused_rules())

    # --- life ---

    def drain(self) -> None:
        """Wait until nothing is in flight. Does not flush."""
        self._run(self._disk.drain)

    @contextmanager
    def drained(self) -> Iterator[None]:
        """Wait until nothing is in flight, and hold new requests back meanwhile."""
        with self._open_portal().wrap_async_context_manager(self._disk.drained()):
            yield

    def reopen(
        self,
        options: Options | None = None,
        *,
        writethrough: bool | None = None,
        keep_write: bool | None = None,
    ) -> None:
        """Change how the disk is opened."""
        self._run(self._disk.reopen, options, writethrough=writethrough, keep_write=keep_write)

    def close(self) -> None:
        """Wait for all requests, flush and close; calls that still wait fail with EBADF.

        Raises:
            SuspendedError: EBUSY; requests are held at breakpoints, which are named. The disk
                stays open: resume them and close again. Leaving `with` resumes them itself.
            OSError: The first error of flushing or closing; the disk is closed all the same.
        """
        if self.closed:
            return
        try:
            self._run(self._disk.close)
        finally:
            if self._disk.closed:
                self._stop()

    # --- the loop's thread ---

    def _run(self, work: Callable[_P, Awaitable[_T]], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Do this in the disk's loop, as a task named after this thread, and wait for it."""
        call = _Call(partial(work, *args, **kwargs))
        try:
            return _wait_for(self._start(call))
        except CancelledError:
            raise _closed() from None
        except BaseException:
            # Interrupted here rather than failed there: the buffers are not ours until it ends.
            if not call.ended:
                self._give_up(call)
            raise

    def _start(self, call: _Call[_T]) -> Future[_T]:
        with self._starting:
            portal = self._open_portal()
            return portal.start_task_soon(call.run, name=threading.current_thread().name)

    def _give_up(self, call: _Call[_T]) -> None:
        # A portal that has stopped has cancelled everything.
        if self._portal is not None:
            with suppress(RuntimeError):
                self._portal.call(call.give_up)

    def _ask(self, question: Callable[[], _T]) -> _T:
        """Call this in the disk's loop, where nothing else happens meanwhile."""

        async def answer() -> _T:
            return question()

        return self._run(answer)

    def _open_portal(self) -> BlockingPortal:
        if self._portal is None:
            raise _closed()
        return self._portal

    def _stop(self) -> None:
        with self._starting:
            portal, self._portal = self._portal, None
        if portal is not None:
            portal.call(portal.stop, True)
            self._thread.close()


def _wait_for(future: Future[_T]) -> _T:
    """Wait for an answer, looking up now and then.

    CPython does not notice a signal that comes just before it begins to wait, until the wait ends.
    """
    while True:
        try:
            return future.result(_LOOK_UP_S)
        except TimeoutError:
            if future.done():
                raise


class DiskFile(io.RawIOBase):
    """A disk as an unbuffered binary file with a position; put io.BufferedRandom over it.

    It ends where the disk ends, as a block device does: what reaches past it is written as far
    as it fits, and nothing fits: ENOSPC. Its flush() does nothing; Disk.flush() makes data safe.
    Threads may share it; a read or write moves the position in one step.

    Args:
        disk: Stays open when this is closed.
    """

    def __init__(self, disk: SyncDisk) -> None:
        super().__init__()
        self._disk = disk
        self._position = 0
        self._moving = threading.RLock()

    def readable(self) -> bool:
        self._check_open()
        return True

    def writable(self) -> bool:
        self._check_open()
        return not self._disk.read_only

    def seekable(self) -> bool:
        self._check_open()
        return True

    def tell(self) -> int:
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._check_open()
        with self._moving:
            match whence:
                case io.SEEK_SET:
                    base = 0
                case io.SEEK_CUR:
                    base = self._position
                case io.SEEK_END:
                    base = self._disk.length
                case _:
                    raise BlockError(EINVAL, f"whence must be 0, 1 or 2, but is {whence}")
            if base + offset < 0:
                raise BlockError(EINVAL, f"Cannot seek to the negative offset {base + offset}")
            self._position = base + offset
            return self._position

    def readinto(self, buffer: Buffer, /) -> int:
        self._check_open()
        with self._moving:
            view = self._fitting(buffer)
            if view:
                self._disk.preadv(self._position, (view,))
                self._position += len(view)
            return len(view)

    def write(self, data: Buffer, /) -> int:
        self._check_open()
        with self._moving:
            view = self._fitting(data)
            if not view and len(memoryview(data)):
                raise BlockError(
                    ENOSPC, f"The disk ends at {self._disk.length}, before {self._position}"
                )
            self._disk.pwritev(self._position, (view,))
            self._position += len(view)
            return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        self._check_open()
        with self._moving:
            new = self._position if size is None else size
            self._disk.truncate(new)
            return new

    def _fitting(self, buffer: Buffer) -> memoryview:
        """Give as much of a buffer as there is of the disk from the position on."""
        view = memoryview(buffer).cast("B")
        return view[: max(0, self._disk.length - self._position)]

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


class _Call(Generic[_T]):
    """Something that a thread wants done in the disk's loop, whether it has begun or not."""

    def __init__(self, work: Callable[[], Awaitable[_T]]) -> None:
        self._work = work
        self._task: asyncio.Task[object] | None = None
        self._given_up = False
        self.ended = False

    async def run(self) -> _T:
        self._task = asyncio.current_task()
        try:
            if self._given_up:
                raise asyncio.CancelledError
            return await self._work()
        finally:
            self.ended = True

    async def give_up(self) -> None:
        self._given_up = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))


def open_disk_sync(  # noqa: PLR0913  all but the first are named
    source: NodeSource | os.PathLike[str],
    *,
    format: str | None = None,
    read_only: bool = False,
    cache: str = "writeback",
    discard: bool = True,
    copy_on_read: bool = False,
    force_share: bool = False,
    snapshot: bool = False,
    compat: str | None = None,
    choices: Choices | None = None,
    observer: Observer | None = None,
    warn: Warn | None = None,
) -> SyncDisk:
    """Open a disk for code that is not async; use it in `with`, or close() it.

    Takes what open_disk() takes. Whoever hears of something (observer, warn) is called in the
    disk's own thread.

    Raises:
        OSError: It cannot be opened.
    """
    return SyncDisk(
        open_disk(
            source,
            format=format,
            read_only=read_only,
            cache=cache,
            discard=discard,
            copy_on_read=copy_on_read,
            force_share=force_share,
            snapshot=snapshot,
            compat=compat,
            choices=choices,
            observer=observer,
            warn=warn,
        )
    )


def _abandon(portal: BlockingPortal, thread: ExitStack) -> None:
    with suppress(RuntimeError):
        portal.call(portal.stop, True)
        thread.close()


def _closed() -> BlockError:
    return BlockError(EBADF, "The disk is closed")
