"""overlay: what is written stays in memory and is forgotten at the end. QEMU has no such driver.

Where QEMU covers an image with a temporary qcow2 file, this covers it with clusters of the same
size, so that both tell the same about what is allocated. What lies below is only read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from errno import EINVAL, ENOTSUP
from typing import ClassVar, Final, Self

from blkdebug_async.block.driver import Driver, NodeSource, Opener
from blkdebug_async.block.flags import DATA, FUA, MAY_UNMAP, NO_FALLBACK, WRITE_UNCHANGED, ZERO
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import Role
from blkdebug_async.block.ranges import Ranges
from blkdebug_async.block.target import BlockStatus, Target, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.errors import BlockError
from blkdebug_async.options.reader import OptionReader
from blkdebug_async.units import KIB, SECTOR_SIZE, is_aligned

#: Bytes per cluster, as in a qcow2 image that nobody asked to be otherwise.
CLUSTER_SIZE: Final = 64 * KIB
#: The status of what is not here.
_BELOW: Final = 0


class OverlayDriver(Driver):
    """Shows its backing child where nothing was written yet.

    Args:
        backing: What lies below; opened read-only unless its own options say otherwise.
    """

    name: ClassVar[str] = "overlay"
    supports_backing: ClassVar[bool] = True
    keeps_data: ClassVar[bool] = True

    #: Set in open(), before anything is read.
    backing: Target

    def __init__(self, backing: NodeSource) -> None:
        super().__init__()
        self._source = backing
        self._size = 0
        #: Number to CLUSTER_SIZE bytes that were written.
        self._clusters: dict[int, bytearray] = {}
        #: Numbers of clusters that are zero where nothing was written. The others are below.
        self._zeros = Ranges()
        self.write_flags = FUA | WRITE_UNCHANGED
        self.zero_flags = FUA | MAY_UNMAP | NO_FALLBACK

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        return cls(reader.take_child("backing"))

    async def open(self, opener: Opener) -> None:
        self.backing = await opener.open_child("backing", self._source, Role.COW)
        self._size = self.backing.length

    async def close(self) -> None:
        self._clusters.clear()

    # --- facts ---

    def length(self) -> int:
        return self._size

    def cluster_size(self) -> int:
        return CLUSTER_SIZE

    def refresh_limits(self, limits: Limits) -> Limits:
        return replace(
            limits, pwrite_zeroes_alignment=CLUSTER_SIZE, pdiscard_alignment=CLUSTER_SIZE
        )

    # --- requests ---

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        done = 0
        while done < length:
            position = offset + done
            index, start = divmod(position, CLUSTER_SIZE)
            cluster = self._clusters.get(index)
            if cluster is not None:
                step = min(CLUSTER_SIZE - start, length - done)
                iov.slice(done, step).copy_from(memoryview(cluster)[start : start + step])
            else:
                step = self._alike(position, length - done)
                piece = iov.slice(done, step)
                if index in self._zeros:
                    piece.fill(0)
                else:
                    await self.backing.preadv(position, step, piece, 0, request)
            done += step

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        fetched = await self._fetch_edges(offset, length, request)
        # From here on nothing waits: all of it is written, or nothing.
        done = 0
        while done < length:
            index, start = divmod(offset + done, CLUSTER_SIZE)
            step = min(CLUSTER_SIZE - start, length - done)
            self._own(index, fetched)[start : start + step] = iov.slice(done, step).tobytes()
            done += step
        self._size = max(self._size, offset + length)

    async def _fetch_edges(
        self, offset: int, length: int, request: Request
    ) -> dict[int, bytearray]:
        """Read those clusters of which a write leaves something alone, and which are only below."""
        end = offset + length
        fetched = {}
        for index in sorted({offset // CLUSTER_SIZE, (end - 1) // CLUSTER_SIZE}):
            start = index * CLUSTER_SIZE
            is_whole = offset <= start and end >= start + CLUSTER_SIZE
            if length and not is_whole and self._kind(index) == _BELOW:
                fetched[index] = await self._fetch(index, request)
        return fetched

    async def _fetch(self, index: int, request: Request) -> bytearray:
        cluster = bytearray(CLUSTER_SIZE)
        start = index * CLUSTER_SIZE
        size = min(CLUSTER_SIZE, max(0, self._size - start))
        await self.backing.preadv(start, size, Iovec.over(cluster).slice(0, size), 0, request)
        return cluster

    def _own(self, index: int, fetched: dict[int, bytearray]) -> bytearray:
        """Have a cluster here, with what was seen in its place so far."""
        if index not in self._clusters:
            is_below = self._kind(index) == _BELOW
            cluster = fetched.get(index) if is_below else None
            self._clusters[index] = bytearray(CLUSTER_SIZE) if cluster is None else cluster
        return self._clusters[index]

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        end = offset + length
        reaches_end = end >= self._size
        if not is_aligned(offset, CLUSTER_SIZE) or not (
            is_aligned(end, CLUSTER_SIZE) or reaches_end
        ):
            raise BlockError(ENOTSUP, f"zero write of {length} bytes is no whole clusters")
        self._forget(offset // CLUSTER_SIZE, -(-end // CLUSTER_SIZE))
        self._size = max(self._size, end)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        # As in qcow2 with something below: what is gone reads as zeros, not as it was before.
        await self.pwrite_zeroes(offset, length, 0, request)

    def _forget(self, first: int, stop: int) -> None:
        for index in list(self._present(first, stop)):
            del self._clusters[index]
        self._zeros.add(first, stop)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        return BlockStatus(self._kind(offset // CLUSTER_SIZE), self._alike(offset, length))

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        if how.preallocation != "off":
            raise BlockError(ENOTSUP, f"Unsupported preallocation mode: {how.preallocation}")
        if not is_aligned(size, SECTOR_SIZE):
            raise BlockError(EINVAL, f"The new size must be a multiple of {SECTOR_SIZE}")
        if size < self._size:
            self._cut(size)
        elif how.zero:
            await self._hide_below(self._size, size, request)
        self._size = size

    def _cut(self, size: int) -> None:
        index, start = divmod(size, CLUSTER_SIZE)
        if start and index in self._clusters:
            self._clusters[index][start:] = bytes(CLUSTER_SIZE - start)
        first = index + bool(start)
        for index in list(self._present(first, -(-self._size // CLUSTER_SIZE))):
            del self._clusters[index]
        self._zeros.remove(first)

    async def _hide_below(self, old: int, new: int, request: Request) -> None:
        """Keep what lies below new space from showing through; it was cut off before."""
        index, start = divmod(old, CLUSTER_SIZE)
        if start and self._kind(index) == _BELOW:
            fetched = await self._fetch(index, request)
            self._own(index, {index: fetched})[start:] = bytes(CLUSTER_SIZE - start)
        self._zeros.add(index + bool(start), -(-new // CLUSTER_SIZE))

    # --- clusters ---

    def _kind(self, index: int) -> int:
        if index in self._clusters:
            return DATA
        return ZERO if index in self._zeros else _BELOW

    def _alike(self, offset: int, length: int) -> int:
        """Tell how many bytes from offset on are in clusters of one kind."""
        index, stop = offset // CLUSTER_SIZE, -(-(offset + length) // CLUSTER_SIZE)
        if index in self._clusters:
            while index < stop and index in self._clusters:
                index += 1
        else:
            stop = min(stop, self._zeros.boundary(index))
            index = min(self._present(index, stop), default=stop)
        return min(index * CLUSTER_SIZE - offset, length)

    def _present(self, first: int, stop: int) -> Iterator[int]:
        # A range may be far longer than all there is.
        if stop - first < len(self._clusters):
            return (index for index in range(first, stop) if index in self._clusters)
        return (index for index in self._clusters if first <= index < stop)
