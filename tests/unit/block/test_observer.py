from __future__ import annotations

import asyncio
from errno import EIO

import pytest

from blkdebug_async.block.limits import Limits
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver
from blkdebug_async.trace import Observer, RequestView
from tests.unit.block.disks import CONTENT, KIB, settle


class Listener(Observer):
    def __init__(self) -> None:
        self.log: list[str] = []

    def request_started(self, request: RequestView) -> None:
        self.log.append(f"start {request.op}")

    def request_waits(self, request: RequestView, blocker: RequestView) -> None:
        self.log.append(f"{request.op} waits for {blocker.op}")

    def event_fired(self, node: str, event: Event, request: RequestView | None) -> None:
        self.log.append(event)

    def request_suspended(self, node: str, tag: str, request: RequestView | None) -> None:
        self.log.append(f"suspend {tag}")

    def request_resumed(self, node: str, tag: str, request: RequestView | None) -> None:
        self.log.append(f"resume {tag}")

    def driver_called(self, request: RequestView, op: IoType, offset: int, length: int) -> None:
        self.log.append(f"{op} {length}@{offset}")

    def request_finished(self, request: RequestView, error: BaseException | None) -> None:
        self.log.append(f"end {request.op}" + ("" if error is None else f": {error}"))


async def test_observer_hears_of_each_step_on_each_node() -> None:
    listener = Listener()
    driver = RawDriver(RecordingDriver(CONTENT, Limits(4 * KIB)))
    async with open_disk(driver, observer=listener) as disk:
        listener.log.clear()
        await disk.pwrite(KIB, b"x")
        assert listener.log == [
            "start write",
            "pwritev",
            "write 1@1024",
            "write_aio",
            "start write",
            "pwritev_rmw_head",
            "pwritev_rmw_tail",
            "read 4096@0",
            "pwritev_rmw_after_head",
            "pwritev_rmw_after_tail",
            "pwritev",
            "write 4096@0",
            "pwritev_done",
            "end write",
            "pwritev_done",
            "end write",
        ]


@pytest.mark.parametrize(
    ("op", "calls"),
    [
        ("pread", ["start read", "read 512@0", "end read"]),
        ("pdiscard", ["start discard", "discard 512@0", "end discard"]),
        (
            "pwrite_zeroes",
            [
                "start write-zeroes",
                "pwritev_zero",
                "write-zeroes 512@0",
                "pwritev_done",
                "end write-zeroes",
            ],
        ),
        ("block_status", ["start block-status", "block-status 512@0", "end block-status"]),
    ],
)
async def test_observer_hears_of_every_kind_of_request(op: str, calls: list[str]) -> None:
    listener = Listener()
    async with open_disk(RecordingDriver(CONTENT), observer=listener) as disk:
        listener.log.clear()
        await getattr(disk, op)(0, 512)
        assert listener.log == calls


async def test_observer_hears_of_a_flush_only_if_the_driver_is_asked() -> None:
    listener = Listener()
    async with open_disk(RecordingDriver(CONTENT), observer=listener) as disk:
        await disk.pwrite(0, b"x")
        for step in (["flush 0@0"], []):
            listener.log.clear()
            await disk.flush()
            assert listener.log == ["start flush", *step, "end flush"]


class FlushesEverything(RecordingDriver):
    async def flush_everything(self, request: Request) -> None:
        pass


async def test_observer_hears_of_a_driver_that_flushes_everything() -> None:
    listener = Listener()
    async with open_disk(FlushesEverything(CONTENT), observer=listener) as disk:
        listener.log.clear()
        await disk.flush()
        assert listener.log == ["start flush", "flush 0@0", "end flush"]


async def test_observer_hears_why_a_request_failed() -> None:
    listener = Listener()
    driver = RecordingDriver(CONTENT)
    driver.recorder.fail(EIO)
    async with open_disk(driver, observer=listener) as disk:
        with pytest.raises(OSError, match="script"):
            await disk.pread(0, 512)
        assert listener.log[-1] == "end read: the script fails read 512@0"


async def test_observer_hears_of_breakpoints() -> None:
    listener = Listener()
    driver = BlkdebugDriver(RecordingDriver(CONTENT, Limits(4 * KIB)))
    async with open_disk(driver, observer=listener) as disk, asyncio.TaskGroup() as group:
        disk.breakpoint("pwritev", "A")
        group.create_task(disk.pwrite(0, bytes(KIB)))
        await disk.wait_suspended("A")
        assert listener.log[-1] == "suspend A"
        listener.log.clear()
        disk.resume("A")
        assert listener.log == ["resume A"]


async def test_observer_hears_who_waits_for_whom() -> None:
    listener = Listener()
    driver = RecordingDriver(CONTENT, Limits(4 * KIB))
    hold = driver.recorder.hold(IoType.READ, times=1)
    async with open_disk(driver, observer=listener) as disk, asyncio.TaskGroup() as group:
        group.create_task(disk.pwrite(1, b"x"))
        await hold.arrived()
        group.create_task(disk.pread(0, 4 * KIB))
        await settle()
        assert listener.log[-1] == "read waits for write"
        hold.release()
