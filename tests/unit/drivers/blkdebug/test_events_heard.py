"""What blkdebug hears under raw, over a file: traces taken from the real program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from blkdebug_async.block.flags import FUA
from blkdebug_async.disk import Disk
from blkdebug_async.events import Event
from blkdebug_async.opening import open_disk
from blkdebug_async.trace import Observer, RequestView

KIB = 1024
Work = Callable[[Disk], Awaitable[object]]

READ = ["read_aio"]
WRITE = ["write_aio", "pwritev", "pwritev_done"]
BOTH_EDGES = ["pwritev_rmw_head", "pwritev_rmw_tail"]
AFTER_BOTH_EDGES = ["pwritev_rmw_after_head", "pwritev_rmw_after_tail"]
DATA = ["pwritev", "pwritev_done"]


class Listener(Observer):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def event_fired(self, node: str, event: Event, request: RequestView | None) -> None:
        if node == "listener":
            self.heard.append(event)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(64 * KIB))
    return path


async def events_of(image: Path, cache: str, align: int, *works: Work) -> list[list[str]]:
    blkdebug = {
        "driver": "blkdebug",
        "node-name": "listener",
        "align": align,
        "image": {"driver": "file", "filename": str(image)},
    }
    listener = Listener()
    heard = []
    async with open_disk(
        {"driver": "raw", "file": blkdebug}, cache=cache, compat="qemu-7.2", observer=listener
    ) as disk:
        for work in works:
            listener.heard.clear()
            await work(disk)
            heard.append(list(listener.heard))
    return heard


def write_4k(disk: Disk) -> Awaitable[None]:
    return disk.pwrite(0, bytes(4 * KIB))


@pytest.mark.parametrize(
    ("cache", "align", "work", "events"),
    [
        ("writeback", 0, lambda disk: disk.pread(0, 4 * KIB), READ),
        ("writeback", 0, lambda disk: disk.pread(1, 1), READ),
        ("writeback", 0, write_4k, WRITE),
        ("unsafe", 0, lambda disk: disk.pwrite(0, bytes(4 * KIB), FUA), [*WRITE, "flush_to_os"]),
        ("writeback", 0, lambda disk: disk.pdiscard(0, 4 * KIB), []),
        ("writeback", 0, lambda disk: disk.is_allocated(0, 4 * KIB), []),
        ("writeback", 0, lambda disk: disk.truncate(128 * KIB), []),
        (
            "writeback",
            4 * KIB,
            lambda disk: disk.pwrite(KIB, bytes(KIB)),
            ["write_aio", *BOTH_EDGES, *AFTER_BOTH_EDGES, *DATA],
        ),
        (
            "writeback",
            4 * KIB,
            lambda disk: disk.pwrite_zeroes(KIB, 8 * KIB),
            [
                *("pwritev_rmw_head", "pwritev_rmw_after_head"),
                *("pwritev_rmw_tail", "pwritev_rmw_after_tail"),
                *DATA,
                *("pwritev_zero", "pwritev_done"),
                *DATA,
            ],
        ),
    ],
    ids=[
        *("read", "read of a byte", "write", "write of an unsafe disk", "discard", "allocation"),
        *("truncate", "write inside a block", "zeroes across blocks"),
    ],
)
async def test_request_is_heard_as_in_qemu(
    image: Path, cache: str, align: int, work: Work, events: list[str]
) -> None:
    assert await events_of(image, cache, align, work) == [events]


async def test_first_write_through_is_heard_without_its_flush_to_disk(image: Path) -> None:
    heard = await events_of(image, "writethrough", 0, write_4k, write_4k)

    assert heard == [[*WRITE, "flush_to_os"], [*WRITE, "flush_to_os", "flush_to_disk"]]
