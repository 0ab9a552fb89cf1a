"""The conformance checks for any driver. Each finds one kind of mistake, on a fresh driver."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from errno import ENOTSUP
from functools import partial
from typing import Final

from blkdebug_async.block.driver import Driver, has
from blkdebug_async.block.flags import (
    EOF,
    FUA,
    MAY_UNMAP,
    NO_FALLBACK,
    OFFSET_VALID,
    WRITE_UNCHANGED,
    ZERO,
)
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.disk import Disk
from blkdebug_async.errors import BlockError
from blkdebug_async.testing.bench import Bench, CheckFailedError
from blkdebug_async.testing.model import ByteModel
from blkdebug_async.units import MAX_ALIGNMENT, is_power_of_two

#: Requests at the same time.
_AT_ONCE: Final = 8


async def it_can_be_opened(bench: Bench) -> None:
    """It opens and closes, and has bytes; without that there is nothing more to check."""
    async with bench.open() as disk:
        bench.window(disk)


async def its_promises_make_sense(bench: Bench) -> None:
    """Limits and flags are such that a request can keep them."""
    async with bench.open() as disk:
        node = disk.root
        _check_limits(node.limits)
        _check_flags(node.driver)
        first, again = node.driver.length(), node.driver.length()
        if first < 0 or first != again:
            raise CheckFailedError(f"length() says {first}, then {again}")


def _check_limits(limits: Limits) -> None:
    align = limits.request_alignment
    if not is_power_of_two(align) or align > MAX_ALIGNMENT:
        raise CheckFailedError(f"request_alignment is {align}: no power of two up to 1 GiB")
    for name, value, unit in (
        ("max_transfer", limits.max_transfer, align),
        ("max_pwrite_zeroes", limits.max_pwrite_zeroes, limits.pwrite_zeroes_alignment or align),
        ("max_pdiscard", limits.max_pdiscard, limits.pdiscard_alignment or align),
        ("pwrite_zeroes_alignment", limits.pwrite_zeroes_alignment, 1),
        ("pdiscard_alignment", limits.pdiscard_alignment, 1),
    ):
        if value is not None and value < unit:
            raise CheckFailedError(f"{name} is {value}, less than {unit}: None says 'no limit'")


def _check_flags(driver: Driver) -> None:
    odd = driver.write_flags & ~(FUA | WRITE_UNCHANGED)
    if odd:
        raise CheckFailedError(f"write_flags has {odd:#x}, which drivers never see")
    odd = driver.zero_flags & ~(FUA | MAY_UNMAP | NO_FALLBACK | WRITE_UNCHANGED)
    if odd:
        raise CheckFailedError(f"zero_flags has {odd:#x}, which drivers never see")
    if driver.zero_flags and not has(driver, "pwrite_zeroes"):
        raise CheckFailedError("zero_flags are promised, but there is no pwrite_zeroes()")


async def it_reads_back_what_was_written(bench: Bench) -> None:
    """Random requests do to the bytes what they should, and nothing else."""
    async with bench.open() as disk:
        window = bench.window(disk)
        if bench.writable:
            # Zeros that are in the wrong place would hide among zeros.
            await disk.pwrite(0, bytes(1 + index % 251 for index in range(window)))
        model = ByteModel(await disk.pread(0, window))
        for number in range(bench.requests):
            await _random_request(bench, disk, model, number)
        _check(bench, model, 0, await disk.pread(0, window), "afterwards")
        if disk.root.tracker.requests:
            raise CheckFailedError(f"left in flight: {list(disk.root.tracker.requests)}")


async def _random_request(bench: Bench, disk: Disk, model: ByteModel, number: int) -> None:
    offset, length = bench.range_in(model.length, disk.root.limits.request_alignment)
    what = f"request {number} ({length} bytes at {offset})"
    kinds = 5 if bench.writable else 1
    match bench.choices.choose(kinds, "kind"):
        case 0:
            data = await disk.pread(offset, length)
            if bench.stores:
                model.learn(offset, data)
        case 1:
            data = bench.pattern(length)
            await disk.pwrite(offset, data)
            model.pwrite(offset, data)
        case 2:
            flags = (0, MAY_UNMAP, FUA)[bench.choices.choose(3, "flags")]
            await disk.pwrite_zeroes(offset, length, flags)
            model.pwrite_zeroes(offset, length)
        case 3:
            await disk.pdiscard(offset, length)
            model.pdiscard(offset, length)
        case _:
            await disk.flush()
    _check(bench, model, offset, await disk.pread(offset, length), f"after {what}")


async def an_empty_request_changes_nothing(bench: Bench) -> None:
    """Requests without bytes succeed."""
    async with bench.open() as disk:
        window = bench.window(disk)
        before = ByteModel(await disk.pread(0, window))
        for offset in (0, 1, window):
            if await disk.pread(offset, 0) != b"":
                raise CheckFailedError(f"a read of 0 bytes at {offset} gave some")
            if bench.writable:
                await disk.pwrite(offset, b"")
                await disk.pwrite_zeroes(offset, 0)
                await disk.pdiscard(offset, 0)
        _check(bench, before, 0, await disk.pread(0, window), "after empty requests")


async def quick_zero_writes_are_zero_or_refused(bench: Bench) -> None:
    """With NO_FALLBACK, a zero write is done, or refused with ENOTSUP and nothing else."""
    if not bench.writable:
        return
    async with bench.open() as disk:
        window = bench.window(disk)
        data = bench.pattern(window)
        await disk.pwrite(0, data)
        model = ByteModel(data)
        try:
            await disk.pwrite_zeroes(0, window, NO_FALLBACK)
        except OSError as error:
            if error.errno != ENOTSUP:
                raise
            model.perhaps_pwrite(0, bytes(window))
        else:
            model.pwrite_zeroes(0, window)
        _check(bench, model, 0, await disk.pread(0, window), "after a quick zero write")


async def a_flush_loses_nothing(bench: Bench) -> None:
    """Flushes and safe writes succeed, and the bytes are there afterwards."""
    if not bench.writable:
        return
    async with bench.open() as disk:
        align = disk.root.limits.request_alignment
        data = bench.pattern(align)
        model = ByteModel(await disk.pread(0, bench.window(disk)))
        await disk.flush()
        await disk.pwrite(0, data, FUA)
        await disk.flush()
        await disk.flush()
        model.pwrite(0, data)
        _check(bench, model, 0, await disk.pread(0, model.length), "after flushes")


async def block_status_covers_the_disk(bench: Bench) -> None:
    """Status goes forward to the very end, and what it calls zero is zero."""
    async with bench.open() as disk:
        window = bench.window(disk)
        if bench.writable:
            await disk.pwrite_zeroes(0, window // 2)
            await disk.pwrite(window // 2, bench.pattern(window - window // 2))
        position = 0
        while position < window:
            status = await disk.block_status(position, window - position)
            if not 0 < status.length <= window - position:
                raise CheckFailedError(
                    f"status of {window - position} bytes at {position} is for {status.length}"
                )
            if status.flags & OFFSET_VALID and status.offset < 0:
                raise CheckFailedError(f"status at {position} has offset {status.offset}")
            if status.flags & ZERO and any(await disk.pread(position, status.length)):
                raise CheckFailedError(
                    f"status calls {status.length} bytes at {position} zero, but they are not"
                )
            position += status.length
        last = await disk.block_status(disk.length - 1, 1)
        if not last.flags & EOF:
            raise CheckFailedError("status of the last byte does not say that the disk ends there")


async def truncate_keeps_what_remains(bench: Bench) -> None:
    """A new length is told at once; what was there stays, what is new is zero."""
    if not bench.writable:
        return
    async with bench.open() as disk:
        before, window = disk.length, bench.window(disk)
        model = ByteModel(await disk.pread(0, window))
        grown = before + 8 * max(512, disk.root.limits.request_alignment)
        try:
            await disk.truncate(grown)
        except OSError:
            if disk.length != before:
                raise CheckFailedError(
                    f"truncate() failed, but the length went from {before} to {disk.length}"
                ) from None
            return
        if disk.length < grown:
            raise CheckFailedError(f"truncate({grown}) succeeded, but the length is {disk.length}")
        if bench.stores and any(await disk.pread(before, grown - before)):
            raise CheckFailedError("bytes that truncate() has added are not zero")
        await disk.truncate(before)
        if disk.length != before:
            raise CheckFailedError(f"truncate({before}) succeeded, the length is {disk.length}")
        _check(bench, model, 0, await disk.pread(0, window), "after truncate()")


async def an_answer_at_once_is_the_same(bench: Bench) -> None:
    """What is done at once is what the coroutines do, and what is refused has left no trace."""
    async with bench.open() as disk:
        window, length = bench.window(disk), disk.length
        if bench.writable:
            await disk.pwrite(0, bytes(1 + index % 251 for index in range(window)))
        model = ByteModel(await _read_later(disk, 0, window))
        for number in range(bench.requests):
            offset, size = bench.range_in(window, disk.root.limits.request_alignment)
            what = f"request {number} ({size} bytes at {offset}), tried at once"
            if bench.writable and bench.choices.choose(2, "write"):
                data = bench.pattern(size)
                if disk.pwritev_nowait(offset, (data,)):
                    model.pwrite(offset, data)
                else:
                    # All of it will be written again, so a part may have been.
                    model.perhaps_pwrite(offset, data)
            else:
                found = bytearray(size)
                if disk.preadv_nowait(offset, (found,)):
                    _check(bench, model, offset, bytes(found), what)
            if disk.length != length:
                raise CheckFailedError(f"{what}: the length is {disk.length}, it was {length}")
            after = await _read_later(disk, offset, size)
            _check(bench, model, offset, after, what)
            if bench.stores:
                model.learn(offset, after)
        after = await _read_later(disk, 0, window)
        _check(bench, model, 0, after, "after requests that were tried at once")


async def _read_later(disk: Disk, offset: int, length: int) -> bytes:
    """Read by coroutines, even if it could be done at once."""
    buffer = bytearray(length)
    await disk.root.path.preadv(offset, length, Iovec.over(buffer), 0, None)
    return bytes(buffer)


async def disjoint_requests_do_not_disturb_each_other(bench: Bench) -> None:
    """Writes at the same time, to neighbouring blocks, all arrive."""
    if not bench.writable:
        return
    async with bench.open() as disk:
        window = bench.window(disk)
        size = max(1, window // _AT_ONCE)
        model = ByteModel(await disk.pread(0, window))
        parts = [(offset, bench.pattern(size)) for offset in range(0, window - size + 1, size)]
        async with asyncio.TaskGroup() as group:
            for offset, data in parts:
                model.pwrite(offset, data)
                group.create_task(disk.pwrite(offset, data))
        _check(bench, model, 0, await disk.pread(0, window), "after writes at the same time")
        async with asyncio.TaskGroup() as group:
            for offset, data in parts:
                group.create_task(_read_one(bench, disk, model, offset, len(data)))


async def _read_one(bench: Bench, disk: Disk, model: ByteModel, offset: int, length: int) -> None:
    _check(bench, model, offset, await disk.pread(offset, length), "reads at the same time")


async def a_cancelled_request_leaves_it_usable(bench: Bench) -> None:
    """After a cancellation nothing is in flight, and no block is torn or lost."""
    async with bench.open() as disk:
        window, align = bench.window(disk), disk.root.limits.request_alignment
        model = ByteModel(await disk.pread(0, window))
        for number in range(min(bench.requests, 40)):
            offset, length = bench.range_in(window, align)
            data = bench.pattern(length)
            writes = bench.writable and bool(bench.choices.choose(2, "write"))
            read = partial(disk.preadv, offset, (bytearray(length),))
            write = partial(disk.pwrite, offset, data)
            done = await bench.cancel_somewhere(write if writes else read, f"request {number}")
            if disk.root.tracker.requests:
                raise CheckFailedError("a cancelled request is still in flight")
            if writes and done:
                model.pwrite(offset, data)
            elif writes:
                model.perhaps_pwrite(offset, data)
            await _check_blocks(bench, disk, model, offset, length)


async def _check_blocks(
    bench: Bench, disk: Disk, model: ByteModel, offset: int, length: int
) -> None:
    """Check that each block is as before or as after, never something in between."""
    if not bench.stores:
        return
    align = disk.root.limits.request_alignment
    found = await disk.pread(offset, length)
    what = "after a cancellation"
    model.check(offset, found, what)
    position = offset
    while position < offset + length:
        end = min(position - position % align + align, offset + length)
        piece = found[position - offset : end - offset]
        old = model.pread(position, end - position)
        if piece != old and any(a == b != c for a, b, c in _changes(model, position, piece, old)):
            raise CheckFailedError(f"{what}: the block of {align} bytes at {position} is torn")
        position = end
    model.learn(offset, found)


def _changes(
    model: ByteModel, position: int, piece: bytes, old: bytes
) -> list[tuple[int, int, int]]:
    """For bytes that had a choice: found, before, and after."""
    changes = []
    for index, (found, before) in enumerate(zip(piece, old, strict=True)):
        others = model.possible(position + index) - {before}
        changes += [(found, before, other) for other in others]
    return changes


async def read_only_is_respected(bench: Bench) -> None:
    """Opened read-only it reads, and does not write; or it cannot be opened so."""
    try:
        async with bench.open(read_only=True) as disk:
            window = bench.window(disk)
            model = ByteModel(await disk.pread(0, window))
            for name, work in (
                ("write", disk.pwrite(0, bench.pattern(window))),
                ("zero write", disk.pwrite_zeroes(0, window)),
            ):
                if not await _fails(work):
                    raise CheckFailedError(f"a {name} succeeded, but it was opened read-only")
            _check(bench, model, 0, await disk.pread(0, window), "opened read-only")
    except BlockError:
        # Some drivers have to write, and say so.
        return


async def _fails(work: Awaitable[None]) -> bool:
    try:
        await work
    except OSError:
        return True
    return False


async def close_gives_everything_back(bench: Bench) -> None:
    """Closed, it has left no open files and no tasks, and it can be opened again."""
    files, tasks = _open_files(), asyncio.all_tasks()
    for _ in range(2):
        async with bench.open() as disk:
            await disk.pread(0, bench.window(disk))
            if bench.writable:
                await disk.pwrite(0, bench.pattern(disk.root.limits.request_alignment))
        left = _open_files() - files
        if left:
            raise CheckFailedError(f"open files after close(): {sorted(left)}")
        running = asyncio.all_tasks() - tasks
        if running:
            raise CheckFailedError(f"tasks after close(): {[t.get_name() for t in running]}")


def _open_files() -> set[str]:
    """List what this process has open, where the system tells."""
    try:
        numbers = os.listdir("/proc/self/fd")
    except OSError:
        return set()
    found = set()
    for number in numbers:
        try:
            found.add(f"{number}: {os.readlink(f'/proc/self/fd/{number}')}")
        except OSError:
            # That one was for listing them.
            continue
    return found


def _check(bench: Bench, model: ByteModel, offset: int, data: bytes, what: str) -> None:
    if bench.stores:
        model.check(offset, data, what)


Check = Callable[[Bench], Awaitable[None]]

#: In the order in which they are run: what others rely on comes first.
CHECKS: Final[tuple[Check, ...]] = (
    it_can_be_opened,
    its_promises_make_sense,
    an_empty_request_changes_nothing,
    it_reads_back_what_was_written,
    quick_zero_writes_are_zero_or_refused,
    a_flush_loses_nothing,
    block_status_covers_the_disk,
    truncate_keeps_what_remains,
    an_answer_at_once_is_the_same,
    disjoint_requests_do_not_disturb_each_other,
    a_cancelled_request_leaves_it_usable,
    read_only_is_respected,
    close_gives_everything_back,
)
