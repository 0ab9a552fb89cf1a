"""What a user holds: an open disk.

QEMU: block/block-backend.c.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from errno import EBADF, EIO
from types import TracebackType
from typing import Self

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.flags import ALLOCATED, FUA
from blkdebug_async.block.graph import node_permissions
from blkdebug_async.block.iovec import Buffer, Iovec
from blkdebug_async.block.node import Child, Node
from blkdebug_async.block.permissions import Permissions
from blkdebug_async.block.status import query_status
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.errors import BlockError, OptionError, SuspendedError
from blkdebug_async.generic import take_switches
from blkdebug_async.noting import root_edge
from blkdebug_async.options.tree import Options
from blkdebug_async.reopening import reopen_tree
from blkdebug_async.steering import Steering
from blkdebug_async.tree import TreeOpener


class Disk(Steering):
    """An open disk. Offsets and lengths are bytes; nothing past the end can be reached.

    Made by open_disk(). Every failure is an OSError, its errno as QEMU would give it.

    Args:
        opener: What opened the tree.
        node: The top of the tree.
        writethrough: Each write is made safe before it is answered.
        writes: Take the permission to write at once; None: unless the top node is read-only.

    Raises:
        OSError: EPERM; writing is not possible, or somebody does not allow it.
    """

    def __init__(
        self,
        opener: TreeOpener,
        node: Node,
        *,
        writethrough: bool = False,
        writes: bool | None = None,
    ) -> None:
        self._opener = opener
        self.writethrough = writethrough
        self._quiesced = 0
        self._parked: list[asyncio.Event] = []
        self._edge: Child | None = None
        edge = root_edge(node, self)
        node.add_parent(edge)
        self._edge = edge
        if writes is None:
            writes = not node.flags.read_only
        taken = perms.CONSISTENT_READ | (perms.WRITE if writes else 0)
        try:
            self._take(taken)
        except OSError:
            node.remove_parent(edge)
            raise

    # --- facts ---

    @property
    def root(self) -> Node:
        """The top node.

        Raises:
            BlockError: EBADF; the disk is closed.
        """
        return self._open_edge().node

    @property
    def closed(self) -> bool:
        """Whether close() has been called and has succeeded."""
        return self._edge is None

    @property
    def length(self) -> int:
        """Length in bytes, a multiple of 512."""
        return self.root.length

    @property
    def read_only(self) -> bool:
        """Whether writes are refused."""
        return self.root.flags.read_only

    @property
    def filename(self) -> str:
        """Name that opens the same tree again, json: if need be."""
        self.root.refresh_filename()
        return self.root.filename

    def node(self, name: str | None = None) -> Node:
        """Find a node of the tree by its name; None: the top node.

        Raises:
            OptionError: EINVAL; there is none of that name.
        """
        for node in self.root.walk():
            if name is None or node.name == name:
                return node
        raise OptionError(f"Cannot find node-name='{name}'")

    def on_node(self, name: str) -> Disk:
        """Open another disk, on a node of the same tree; the last to be closed closes the node.

        Args:
            name: Name of the node.

        Raises:
            OptionError: EINVAL; there is none of that name.
            OSError: EPERM; a parent of the node does not share writing.
        """
        return Disk(self._opener, self.node(name), writethrough=self.writethrough)

    # --- requests ---

    async def preadv(self, offset: int, buffers: Iterable[Buffer] | Iovec, flags: int = 0) -> None:
        """Fill buffers, in order, from offset.

        Args:
            offset: First byte.
            buffers: Anything with memory; wrapped once with Iovec.of(), they serve again and again.
            flags: Request flags of block.flags.

        Raises:
            OSError: EIO: reaches past the end. Else what a driver raised.
        """
        iov = Iovec.of(buffers)
        if not flags and self.preadv_nowait(offset, iov):
            return
        if self._quiesced:
            await self._wait_unquiesced()
        edge = self._check(offset, iov.length, "read")
        await edge.preadv(offset, iov.length, iov, flags, None)

    async def pwritev(self, offset: int, buffers: Iterable[Buffer] | Iovec, flags: int = 0) -> None:
        """Write buffers, in order, at offset.

        Raises:
            OSError: EIO: reaches past the end. EPERM: read-only. Else what a driver raised.
        """
        iov = Iovec.of(buffers)
        if self.pwritev_nowait(offset, iov, flags):
            return
        if self._quiesced:
            await self._wait_unquiesced()
        edge = self._check(offset, iov.length, "write")
        if not edge.permissions.taken & perms.WRITE:
            self.acquire(perms.WRITE)
        if self.writethrough:
            flags |= FUA
        await edge.pwritev(offset, iov.length, iov, flags, None)

    def preadv_nowait(self, offset: int, buffers: Iterable[Buffer] | Iovec) -> bool:
        """Do what preadv() does, if it can be done at once.

        A server or load generator that calls this first needs a task only for what has to wait.

        Returns:
            Whether it is done. False: nothing has happened, use preadv(), which also tells errors.
        """
        iov = buffers if isinstance(buffers, Iovec) else Iovec.of(buffers)
        edge = self._edge
        return (
            edge is not None and not self._quiesced and edge.preadv_nowait(offset, iov.length, iov)
        )

    def pwritev_nowait(
        self, offset: int, buffers: Iterable[Buffer] | Iovec, flags: int = 0
    ) -> bool:
        """Do what pwritev() does, if it can be done at once.

        Returns:
            Whether it is done. False: pwritev() must follow, which writes all of it and tells
            errors; a part may be written already.
        """
        iov = buffers if isinstance(buffers, Iovec) else Iovec.of(buffers)
        edge = self._edge
        return (
            edge is not None
            and not self._quiesced
            and not self.writethrough
            and edge.permissions.taken & perms.WRITE != 0
            and edge.nowait.pwritev(offset, iov.length, iov, flags)
        )

    async def pread(self, offset: int, length: int) -> bytes:
        """Read length bytes from offset."""
        # Before memory is taken for more than there is.
        self._check(offset, length, "read")
        buffer = bytearray(length)
        iov = Iovec.over(buffer)
        if not self.preadv_nowait(offset, iov):
            await self.preadv(offset, iov)
        return bytes(buffer)

    async def pwrite(self, offset: int, data: Buffer, flags: int = 0) -> None:
        """Write data at offset."""
        await self.pwritev(offset, (data,), flags)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int = 0) -> None:
        """Make a range read as zeros.

        Args:
            offset: First byte.
            length: Bytes.
            flags: MAY_UNMAP, NO_FALLBACK or FUA of block.flags.

        Raises:
            OSError: As pwritev(). ENOTSUP: NO_FALLBACK is set, and it would have to be written.
        """
        if self._quiesced:
            await self._wait_unquiesced()
        edge = self._check(offset, length, "zero write")
        self.acquire(perms.WRITE)
        if self.writethrough:
            flags |= FUA
        await edge.pwrite_zeroes(offset, length, flags, None)

    async def pdiscard(self, offset: int, length: int) -> None:
        """Say that a range is not needed any more; what it reads as afterwards is undefined."""
        if self._quiesced:
            await self._wait_unquiesced()
        edge = self._check(offset, length, "discard")
        self.acquire(perms.WRITE)
        await edge.pdiscard(offset, length, None)

    async def flush(self) -> None:
        """Make everything safe that was written before."""
        if self._quiesced:
            await self._wait_unquiesced()
        edge = self._open_edge()
        await edge.flush(None)

    async def truncate(self, size: int, *, exact: bool = False, preallocation: str = "off") -> None:
        """Change the length.

        Args:
            size: New length in bytes.
            exact: Fail unless it can be met exactly; otherwise longer is fine.
            preallocation: What to do with new space: off, metadata, falloc or full.

        Raises:
            OSError: EINVAL: size is negative. EPERM: read-only. ENOTSUP: cannot be resized.
        """
        if self._quiesced:
            await self._wait_unquiesced()
        edge = self._open_edge()
        self.acquire(perms.WRITE | perms.RESIZE)
        await edge.truncate(size, Truncation(exact=exact, preallocation=preallocation), None)

    async def block_status(self, offset: int, length: int) -> BlockStatus:
        """Tell what the bytes from offset on are made of, and how many of them are alike."""
        if self._quiesced:
            await self._wait_unquiesced()
        self._check(offset, length, "block status")
        return await query_status(self.root, offset, length, True, None)

    async def is_allocated(self, offset: int, length: int) -> tuple[bool, int]:
        """Tell whether the bytes from offset on are in the top node, and how many are alike."""
        if self._quiesced:
            await self._wait_unquiesced()
        edge = self._open_edge()
        if offset < 0 or length < 0:
            raise _outside("allocation", offset, length)
        status = await query_status(edge.node, offset, length, False, None)
        return bool(status.flags & ALLOCATED), status.length

    def _check(self, offset: int, length: int, what: str) -> Child:
        edge = self._open_edge()
        if offset < 0 or length < 0 or offset + length > edge.node.length:
            raise _outside(what, offset, length)
        return edge

    def _open_edge(self) -> Child:
        if self._edge is None:
            raise BlockError(EBADF, "The disk is closed")
        return self._edge

    # --- permissions ---

    def acquire(self, permissions: int) -> None:
        """Take these permissions (block.permissions) too, from now on.

        Raises:
            OSError: EPERM; the disk is read-only, or somebody else does not share them.
        """
        taken = self._open_edge().permissions.taken
        if permissions & ~taken:
            self._take(taken | permissions)

    def _take(self, taken: int) -> None:
        edge = self._open_edge()
        before, edge.permissions = edge.permissions, Permissions(taken, perms.ALL)
        try:
            node_permissions(edge.node)
        except OSError:
            edge.permissions = before
            node_permissions(edge.node)
            raise

    # --- drained sections ---

    def describe(self) -> str:
        return "an unnamed block device"

    def quiesce_begin(self) -> None:
        self._quiesced += 1

    def quiesce_end(self) -> None:
        self._quiesced -= 1
        if not self._quiesced:
            self._unpark()

    def _unpark(self) -> None:
        while self._parked:
            self._opener.context.wake_one(self._parked, "unpark")

    def busy(self) -> bool:
        return False

    async def _wait_unquiesced(self) -> None:
        while self._quiesced:
            event = asyncio.Event()
            self._parked.append(event)
            try:
                await event.wait()
            finally:
                if event in self._parked:
                    self._parked.remove(event)

    @asynccontextmanager
    async def drained(self) -> AsyncIterator[None]:
        """Wait until nothing is in flight, and hold new requests back meanwhile.

        Raises:
            SuspendedError: EBUSY; a request is held at a breakpoint.
        """
        async with self.root.drained():
            yield

    async def drain(self) -> None:
        """Wait until nothing is in flight. Does not flush."""
        async with self.drained():
            pass

    # --- life ---

    async def reopen(
        self,
        options: Options | None = None,
        *,
        writethrough: bool | None = None,
        keep_write: bool | None = None,
    ) -> None:
        """Change how the disk is opened.

        Args:
            options: Any of read-only, cache.direct, cache.no-flush, ... and the drivers' own
                options, below the top as "file.offset"; those not given stay.
            writethrough: Make each write safe before it is answered; None: as before.
            keep_write: Keep the permission to write; None: unless it becomes read-only.

        Raises:
            OSError: EINVAL: an option cannot be changed. Nothing has changed then.
        """
        wanted = dict(options or {})
        async with self._opener.changing, self.drained():
            edge = self._open_edge()
            if keep_write is None:
                keep_write = not take_switches(dict(wanted), edge.node.flags).read_only
            before = edge.permissions.taken
            if not keep_write:
                self._take(before & ~(perms.WRITE | perms.WRITE_UNCHANGED))
            try:
                await reopen_tree(self._opener, edge.node, wanted)
            except BaseException:
                self._take(before)
                raise
        if writethrough is not None:
            self.writethrough = writethrough

    async def close(self) -> None:
        """Wait for all requests, flush, and close every node that nobody else uses.

        Raises:
            SuspendedError: EBUSY; requests are held at breakpoints, which are named. The disk
                stays open: resume them and close again. Not with drain_waits_for_suspended.
            OSError: The first error of flushing or closing; the disk is closed all the same.
        """
        async with self._opener.changing:
            if self._edge is not None:
                await self._close(self._edge)

    async def _close(self, edge: Child) -> None:
        node = edge.node
        node.quiesce_begin()
        try:
            await node.settle()
            self._edge = None
            node.remove_parent(edge)
            if not node.parents:
                if not node.context.compat.drain_waits_for_suspended:
                    # Nobody could resume a flush that is held while the disk is closed.
                    _release_suspended(node.closed_with())
                await self._opener.close(node)
        finally:
            node.quiesce_end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.release_and_close()
        except OSError as closing:
            if error is None:
                raise
            error.add_note(f"closing the disk failed too: {closing}")

    async def release_and_close(self) -> None:
        """Let every suspended request go on, then close.

        Raises:
            SuspendedError: EBUSY, after everything is closed: these requests were still held.
        """
        held: SuspendedError | None = None
        try:
            await self.close()
        except SuspendedError as error:
            held = error
        while self._edge is not None:
            _release_suspended(self.root.walk())
            # Meanwhile somebody may set breakpoints again.
            with suppress(SuspendedError):
                await self.close()
        if held is not None:
            raise held


def _outside(what: str, offset: int, length: int) -> BlockError:
    return BlockError(EIO, f"{what} of {length} bytes at offset {offset} is outside of the disk")


def _release_suspended(nodes: Iterable[Node]) -> None:
    for node in nodes:
        node.driver.release_suspended()
