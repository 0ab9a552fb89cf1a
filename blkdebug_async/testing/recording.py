"""Drivers that write down each call, and do to it what a test tells them.

RecordingDriver is a leaf that keeps its bytes; RecordingFilter sits over any other driver. Both
complain when a call breaks what the request path promises to drivers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import ClassVar, Self

from blkdebug_async.block.driver import Driver, FilterDriver, NodeSource, Opener
from blkdebug_async.block.flags import DATA, FUA, MAY_UNMAP, NO_FALLBACK, OFFSET_VALID
from blkdebug_async.block.flags import WRITE_UNCHANGED as UNCHANGED
from blkdebug_async.block.iovec import Buffer, Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import Role
from blkdebug_async.block.split import transfer_limit
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.events import Event, IoType
from blkdebug_async.options.reader import OptionReader
from blkdebug_async.testing.recorder import Answer, Call, Recorder, refuse
from blkdebug_async.units import is_aligned


class RecordingDriver(Driver):
    """A leaf that keeps its bytes in one bytearray.

    Args:
        content: What it begins with, or how many zeros.
        limits: What calls must look like.
        write_flags: Request flags that writes take.
        zero_flags: Request flags that zero writes take.
    """

    name: ClassVar[str] = "recording"
    is_protocol: ClassVar[bool] = True

    def __init__(
        self,
        content: Buffer | int,
        limits: Limits | None = None,
        *,
        write_flags: int = FUA,
        zero_flags: int = FUA | MAY_UNMAP | NO_FALLBACK,
    ) -> None:
        super().__init__()
        self.recorder = Recorder()
        #: What is stored; a test may look and change it.
        self.content = bytearray(content)
        self.limits = limits or Limits()
        self.write_flags = write_flags
        self.zero_flags = zero_flags
        self.heard: Collection[str] = frozenset(Event)

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        return cls(reader.take_size("size", 0))

    async def close(self) -> None:
        self.recorder.closed += 1

    def length(self) -> int:
        return len(self.content)

    def refresh_limits(self, limits: Limits) -> Limits:
        return self.limits

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        call = Call(IoType.READ, offset, length, flags)
        check_iov(call, iov)
        await self._enter(call)
        data = self.content[offset : offset + length]
        iov.copy_from(data.ljust(length, b"\0"))
        await self.recorder.leave(call)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        call = Call(IoType.WRITE, offset, length, flags)
        check_iov(call, iov)
        check_flags(call, self.write_flags)
        # A cancelled write may be given up here: so far no byte was handed on.
        await self._put(call, iov)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        call = Call(IoType.WRITE_ZEROES, offset, length, flags)
        check_flags(call, self.zero_flags)
        await self._put(call, None)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        call = Call(IoType.DISCARD, offset, length)
        await self._enter(call)
        # Whoever relies on what is there afterwards shall be found out.
        end = min(offset + length, len(self.content))
        self.content[offset:end] = b"\xdd" * (end - offset)
        await self.recorder.leave(call)

    async def flush_to_disk(self, request: Request) -> None:
        call = Call(IoType.FLUSH)
        await self._enter(call)
        await self.recorder.leave(call)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        call = Call(IoType.BLOCK_STATUS, offset, length)
        await self._enter(call)
        return BlockStatus(DATA | OFFSET_VALID, length, offset)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        call = Call(IoType.TRUNCATE, size)
        await self._enter(call)
        del self.content[size:]
        self.content.extend(bytes(size - len(self.content)))
        await self.recorder.leave(call)

    async def fire(self, event: Event, request: Request | None) -> None:
        self.recorder.log.append(event)

    async def _put(self, call: Call, iov: Iovec | None) -> None:
        check_call(call, self.limits)
        answer = await self.recorder.enter(call)
        data = bytes(call.length) if iov is None else iov.tobytes()
        if answer.errno:
            self._store(call.offset, data[: answer.applied])
        refuse(call, answer)
        self._store(call.offset, data)
        await self.recorder.leave(call)

    def _store(self, offset: int, data: bytes) -> None:
        gap = offset - len(self.content)
        if data and gap > 0:
            self.content.extend(bytes(gap))
        self.content[offset : offset + len(data)] = data

    async def _enter(self, call: Call) -> Answer:
        check_call(call, self.limits)
        answer = await self.recorder.enter(call)
        refuse(call, answer)
        return answer


class RecordingFilter(FilterDriver):
    """Writes down what passes, and does to it what its script says.

    Args:
        image: What lies below.
        limits: What calls must look like; None: as merged from below.
    """

    name: ClassVar[str] = "recording-filter"

    def __init__(self, image: NodeSource, limits: Limits | None = None) -> None:
        super().__init__()
        self.recorder = Recorder()
        self.limits = limits
        self.heard: Collection[str] = frozenset(Event)
        self._image = image

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        return cls(reader.take_child("file"))

    async def open(self, opener: Opener) -> None:
        self.file = await opener.open_child("file", self._image, Role.FILTERED | Role.PRIMARY)
        self.write_flags = UNCHANGED | (FUA & self.file.write_flags)
        self.zero_flags = UNCHANGED | ((FUA | MAY_UNMAP | NO_FALLBACK) & self.file.zero_flags)

    async def close(self) -> None:
        self.recorder.closed += 1

    def refresh_limits(self, limits: Limits) -> Limits:
        self.limits = limits if self.limits is None else self.limits
        return self.limits

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        call = Call(IoType.READ, offset, length, flags)
        check_iov(call, iov)
        await self._enter(call)
        await self.file.preadv(offset, length, iov, flags, request)
        await self.recorder.leave(call)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        call = Call(IoType.WRITE, offset, length, flags)
        check_iov(call, iov)
        check_flags(call, self.write_flags)
        await self._enter(call)
        await self.file.pwritev(offset, length, iov, flags, request)
        await self.recorder.leave(call)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        call = Call(IoType.WRITE_ZEROES, offset, length, flags)
        check_flags(call, self.zero_flags)
        await self._enter(call)
        await self.file.pwrite_zeroes(offset, length, flags, request)
        await self.recorder.leave(call)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        call = Call(IoType.DISCARD, offset, length)
        await self._enter(call)
        await self.file.pdiscard(offset, length, request)
        await self.recorder.leave(call)

    async def flush_to_disk(self, request: Request) -> None:
        # The path flushes the child afterwards.
        call = Call(IoType.FLUSH)
        await self._enter(call)
        await self.recorder.leave(call)

    async def fire(self, event: Event, request: Request | None) -> None:
        self.recorder.log.append(event)

    async def _enter(self, call: Call) -> None:
        assert self.limits is not None
        check_call(call, self.limits)
        refuse(call, await self.recorder.enter(call))


def check_call(call: Call, limits: Limits) -> None:
    """Hold a call to what the request path promises.

    Raises:
        AssertionError: It is not aligned, or too long.
    """
    longest = None
    match call.op:
        case IoType.READ | IoType.WRITE:
            longest = transfer_limit(limits)
        case IoType.WRITE_ZEROES:
            longest = limits.max_pwrite_zeroes
        case IoType.DISCARD:
            longest = limits.max_pdiscard
        case _:
            pass
    if call.op in (IoType.READ, IoType.WRITE, IoType.WRITE_ZEROES, IoType.BLOCK_STATUS):
        align = limits.request_alignment
        aligned = is_aligned(call.offset, align) and is_aligned(call.length, align)
        assert aligned, f"{call} is not aligned to {align}"
    assert longest is None or call.length <= longest, f"{call} is longer than {longest}"


def check_iov(call: Call, iov: Iovec) -> None:
    """Hold a call to the length of its buffers."""
    found = sum(map(len, iov.views))
    assert iov.length == call.length == found, f"{call} has {found} bytes of buffers"


def check_flags(call: Call, allowed: int) -> None:
    """Hold a call to the flags that its driver takes."""
    assert not call.flags & ~allowed, f"{call} has flags {call.flags:#x}, allowed are {allowed:#x}"
