from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from errno import EIO

import pytest

from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import Phase, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver
from blkdebug_async.trace import Observer, RequestView
from tests.unit.block.disks import settle


class Ends(Observer):
    # How each request ended, by its kind.

    def __init__(self) -> None:
        self.seen: list[tuple[str, type[BaseException] | None]] = []

    def request_finished(self, request: RequestView, error: BaseException | None) -> None:
        self.seen.append((request.op, None if error is None else type(error)))


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_buffer_of_a_failed_request_is_the_caller_s_again(kind: str) -> None:
    driver = RecordingDriver(4096)
    driver.heard = frozenset()
    async with open_disk(driver) as disk:
        driver.recorder.fail(EIO)
        buffer = bytearray(512)
        work = disk.preadv if kind == "read" else disk.pwritev
        with suppress(BlockError):
            await work(0, [buffer])
        # An array that somebody still looks into cannot grow.
        buffer.append(1)


REQUESTS: dict[str, Callable[[Disk], Coroutine[None, None, object]]] = {
    "read": lambda disk: disk.pread(0, 512),
    "write": lambda disk: disk.pwrite(0, bytes(512)),
    "zeroes": lambda disk: disk.pwrite_zeroes(0, 512),
}


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize("later", [Phase.AFTER_DRIVER, Phase.BEFORE_COMPLETION])
async def test_cancelled_request_is_held_at_no_later_phase(kind: str, later: Phase) -> None:
    below = RecordingDriver(4096)
    async with open_disk(BlkdebugDriver(below)) as disk:
        disk.add_rule(Suspend("later", phase=later))
        hold = below.recorder.hold()
        task = asyncio.Task(REQUESTS[kind](disk))
        await hold.arrived()
        task.cancel()
        await settle()
        assert task.cancelled()
        disk.remove_breakpoint("later")
        hold.release()


async def test_request_cancelled_before_its_completion_is_told_as_cancelled() -> None:
    ends = Ends()
    async with open_disk(BlkdebugDriver(MemoryDriver(4096)), observer=ends) as disk:
        disk.add_rule(Suspend("A", phase=Phase.BEFORE_COMPLETION))
        ends.seen.clear()
        task = asyncio.Task(disk.pread(0, 512))
        await disk.wait_suspended("A")
        task.cancel()
        await settle()
        assert ends.seen == [("read", None), ("read", asyncio.CancelledError)]
