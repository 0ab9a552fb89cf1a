"""Further checks, for filters: what is below is shown and told unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from errno import EDQUOT, EIO, ENOSPC
from typing import Final

from blkdebug_async.block.driver import Driver, NodeSource
from blkdebug_async.block.limits import Limits
from blkdebug_async.disk import Disk
from blkdebug_async.events import IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing.bench import CheckFailedError
from blkdebug_async.testing.recording import RecordingDriver
from blkdebug_async.units import KIB

#: Makes a fresh filter over what it is given.
FilterMaker = Callable[[NodeSource], Driver]

_CONTENT: Final = bytes(1 + index % 251 for index in range(64 * KIB))
_REQUESTS: Final[dict[IoType, Callable[[Disk], Awaitable[None]]]] = {
    IoType.READ: lambda disk: disk.preadv(0, (bytearray(4 * KIB),)),
    IoType.WRITE: lambda disk: disk.pwrite(0, bytes(4 * KIB)),
    IoType.WRITE_ZEROES: lambda disk: disk.pwrite_zeroes(0, 4 * KIB),
    IoType.DISCARD: lambda disk: disk.pdiscard(0, 4 * KIB),
}


async def it_shows_what_is_below(make: FilterMaker) -> None:
    """Bytes and length are those of the node below."""
    below = RecordingDriver(_CONTENT)
    async with open_disk(make(below)) as disk:
        if disk.length != len(_CONTENT):
            raise CheckFailedError(f"length is {disk.length}, below it is {len(_CONTENT)}")
        if await disk.pread(0, disk.length) != _CONTENT:
            raise CheckFailedError("it reads as something else than what is below")
        await disk.pwrite(1000, b"below")
    if below.content[1000:1005] != b"below":
        raise CheckFailedError("a write has not arrived below")


async def errors_pass_unchanged(make: FilterMaker) -> None:
    """A request fails with the errno that the node below gave, and the next one succeeds."""
    for op, send in _REQUESTS.items():
        for errno in (EIO, ENOSPC, EDQUOT):
            below = RecordingDriver(_CONTENT)
            async with open_disk(make(below)) as disk:
                below.recorder.fail(errno, op)
                found = await _errno_of(send(disk))
                if not any(call.op is op for call in below.recorder.calls):
                    # It does this in another way, or not at all.
                    continue
                if found != errno:
                    raise CheckFailedError(f"{op} failed below with {errno}, here with {found}")
                found = await _errno_of(send(disk))
                if found is not None:
                    raise CheckFailedError(f"{op} after a failed one fails with {found}")


async def _errno_of(work: Awaitable[None]) -> int | None:
    try:
        await work
    except OSError as error:
        return error.errno
    return None


async def a_flush_reaches_what_is_below(make: FilterMaker) -> None:
    """What was written is flushed below, and a failure to do so is told."""
    below = RecordingDriver(_CONTENT)
    async with open_disk(make(below)) as disk:
        await disk.pwrite(0, b"flush me")
        await disk.flush()
        if not any(call.op is IoType.FLUSH for call in below.recorder.calls):
            raise CheckFailedError("a flush after a write does not reach the node below")
        await disk.pwrite(0, b"and me")
        below.recorder.fail(EIO, IoType.FLUSH)
        found = await _errno_of(disk.flush())
        if found != EIO:
            raise CheckFailedError(f"a flush failed below with {EIO}, here with {found}")
        await disk.flush()


async def a_held_request_holds_no_other(make: FilterMaker) -> None:
    """While the node below is busy with one read, another one is answered."""
    below = RecordingDriver(_CONTENT)
    async with open_disk(make(below)) as disk, asyncio.TaskGroup() as group:
        hold = below.recorder.hold(IoType.READ, at=0)
        group.create_task(disk.pread(0, 512))
        await hold.arrived()
        try:
            if await disk.pread(32 * KIB, 512) != _CONTENT[32 * KIB : 32 * KIB + 512]:
                raise CheckFailedError("a read is wrong while another one is held")
        finally:
            hold.release()


async def limits_below_are_kept(make: FilterMaker) -> None:
    """A node below that wants aligned, short requests gets no others."""
    limits = Limits(
        request_alignment=512, max_transfer=4 * KIB, max_pwrite_zeroes=8 * KIB, max_pdiscard=8 * KIB
    )
    # The recording driver complains by itself.
    below = RecordingDriver(_CONTENT, limits)
    async with open_disk(make(below)) as disk:
        await disk.pwrite(100, bytes(10_000))
        await disk.pwrite_zeroes(20_000, 20_000)
        await disk.pdiscard(50_000, 10_000)
        if await disk.pread(100, 10_000) != bytes(10_000):
            raise CheckFailedError("an unaligned write is not read back")


async def it_closes_what_is_below(make: FilterMaker) -> None:
    """The node below is closed once."""
    below = RecordingDriver(_CONTENT)
    async with open_disk(make(below)):
        pass
    if below.recorder.closed != 1:
        raise CheckFailedError(f"the node below was closed {below.recorder.closed} times")


FilterCheck = Callable[[FilterMaker], Awaitable[None]]

FILTER_CHECKS: Final[tuple[FilterCheck, ...]] = (
    it_shows_what_is_below,
    errors_pass_unchanged,
    a_flush_reaches_what_is_below,
    a_held_request_holds_no_other,
    limits_below_are_kept,
    it_closes_what_is_below,
)
