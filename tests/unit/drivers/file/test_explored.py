from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from errno import EACCES
from pathlib import Path

import pytest

from blkdebug_async import open_disk
from blkdebug_async.block.flags import ZERO
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.file.driver import FileDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.units import KIB
from tests.unit.drivers.in_flight.explored import Completing, explored

SIZE = 200_192


def raw(path: Path, **options: object) -> dict[str, object]:
    return {"driver": "raw", "file": {"driver": "file", "filename": str(path), **options}}


def test_what_is_written_is_read_again_and_the_file_stays_as_it_was(image: Path) -> None:
    before, changed = image.read_bytes(), image.stat().st_mtime_ns

    async def scenario() -> bytes:
        async with open_disk(raw(image)) as disk:
            await disk.pwrite(1000, b"new")
            await disk.pwrite_zeroes(8 * KIB, 4 * KIB)
            await disk.pdiscard(0, 512)
            await disk.flush()
            await disk.truncate(300 * KIB)
            return await disk.pread(999, 5)

    assert explored(scenario) == before[999:1000] + b"new" + before[1003:1004]
    assert (image.read_bytes(), image.stat().st_mtime_ns) == (before, changed)


def test_each_run_begins_with_the_file_as_it_is(image: Path) -> None:
    async def scenario() -> bytes:
        async with open_disk(raw(image)) as disk:
            found = await disk.pread(0, 3)
            await disk.pwrite(0, b"new")
            return found

    assert explored(scenario) == explored(scenario) == image.read_bytes()[:3]


def test_a_file_that_is_opened_again_in_a_run_is_as_it_was_left(image: Path) -> None:
    async def scenario() -> tuple[bytes, int]:
        async with open_disk(raw(image)) as disk:
            await disk.pwrite(0, b"new")
            await disk.truncate(4 * KIB)
        async with open_disk(raw(image)) as disk:
            return await disk.pread(0, 3), disk.length

    assert explored(scenario) == (b"new", 4 * KIB)


def test_two_disks_on_a_file_have_the_same_bytes_and_touch_the_same(
    image: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    os.link(image, link)

    async def scenario() -> bytes:
        async with open_disk(raw(image)) as one, open_disk(raw(link)) as other:
            await one.pwrite(0, b"new")
            return await other.pread(0, 3)

    scheduler = Completing()
    assert explored(scenario, scheduler) == b"new"
    requests = [
        action for action, _ in scheduler.steps if action.touches and ": fl" not in action.key
    ]
    assert {each.touches[0].node for each in requests if each.touches} == {"file image"}
    assert [each.key for each in requests] == [
        "main: write 0+3 on #block100",
        "main: read 0+3 on #block100 (2)",
    ]


def test_files_of_one_name_in_two_folders_are_told_apart(image: Path, tmp_path: Path) -> None:
    other = tmp_path / "folder" / "image"
    other.parent.mkdir()
    other.write_bytes(bytes(512))

    async def scenario() -> None:
        async with open_disk(raw(image)) as one, open_disk(raw(other)) as two:
            await one.pread(0, 512)
            await two.pread(0, 512)

    scheduler = Completing()
    explored(scenario, scheduler)
    nodes = [action.touches[0].node for action, _ in scheduler.steps if action.touches]
    assert nodes == ["file image", "file image#1"]


def test_a_write_in_flight_on_one_disk_is_torn_for_the_other_one(image: Path) -> None:
    image.write_bytes(bytes(4 * KIB))

    async def scenario() -> bytes:
        async with open_disk(raw(image)) as one, open_disk(raw(image)) as other:
            async with asyncio.TaskGroup() as group:
                group.create_task(one.pwrite(0, b"w" * 1024))
                read = group.create_task(other.pread(0, 1024))
            return read.result()

    scheduler = Completing(order=("read", "write"), chosen={"amid": 1})
    assert explored(scenario, scheduler) == b"w" * 512 + bytes(512)


def test_zeroes_and_new_space_are_told(image: Path) -> None:
    async def scenario() -> list[int]:
        async with open_disk(raw(image)) as disk:
            await disk.pwrite_zeroes(4 * KIB, 4 * KIB)
            await disk.truncate(disk.length + 64 * KIB)
            statuses = [
                await disk.block_status(offset, 512) for offset in (0, 4 * KIB, disk.length - 512)
            ]
            return [status.flags & ZERO for status in statuses]

    assert explored(scenario) == [0, ZERO, ZERO]


@pytest.mark.parametrize("aio", ["threads", "io_uring"])
def test_no_thread_and_no_ring_does_anything(image: Path, aio: str) -> None:
    async def scenario() -> bytes:
        async with open_disk(raw(image, aio=aio)) as disk:
            await disk.pwrite(0, b"new" * 700_000 if disk.length > 2_100_000 else b"new")
            await disk.flush()
            return await disk.pread(0, 3)

    assert explored(scenario) == b"new"


@pytest.mark.parametrize("cache", ["writeback", "none"])
def test_it_looks_the_same_as_ever(image: Path, cache: str) -> None:
    image.write_bytes(bytes(64 * KIB))

    async def facts() -> object:
        async with open_disk(raw(image), cache=cache) as disk:
            return [
                (
                    *(node.filename, node.length, node.limits, node.flags, node.driver.options),
                    *(type(node.driver).__name__, isinstance(node.driver, FileDriver)),
                )
                for node in disk.root.walk()
            ]

    assert explored(facts) == asyncio.run(facts())


Opening = Callable[[Path], Coroutine[object, object, None]]


async def absent(image: Path) -> None:
    await open_disk(raw(image.with_name("absent")))


async def folder(image: Path) -> None:
    await open_disk(raw(image.parent))


async def unknown_aio(image: Path) -> None:
    await open_disk(raw(image, aio="native"))


async def read_only(image: Path) -> None:
    async with open_disk(raw(image), read_only=True) as disk:
        await disk.pwrite(0, b"new")


async def past_the_end(image: Path) -> None:
    async with open_disk(raw(image)) as disk:
        await disk.pread(disk.length, 1)


async def odd_preallocation(image: Path) -> None:
    async with open_disk(raw(image)) as disk:
        await disk.truncate(300 * KIB, preallocation="metadata")


@pytest.mark.parametrize(
    "attempt",
    [absent, folder, unknown_aio, read_only, past_the_end, odd_preallocation],
    ids=lambda attempt: attempt.__name__,
)
def test_it_fails_as_ever(image: Path, attempt: Opening) -> None:
    def failure(run: Callable[[], None]) -> tuple[int | None, str | None]:
        try:
            run()
        except OSError as error:
            return error.errno, error.strerror
        return None, None

    expected = failure(lambda: asyncio.run(attempt(image)))
    assert failure(lambda: explored(lambda: attempt(image))) == expected
    assert expected[0] is not None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to everything")
def test_who_may_not_write_to_a_file_hears_of_it(image: Path) -> None:
    image.chmod(0o444)

    async def scenario() -> int | None:
        with pytest.raises(BlockError) as caught:
            await open_disk(raw(image))
        return caught.value.errno

    assert explored(scenario) == EACCES


def test_a_disk_is_reopened_for_reading_and_for_writing_again(image: Path) -> None:
    async def scenario() -> bytes:
        async with open_disk(raw(image)) as disk:
            await disk.pwrite(0, b"new")
            await disk.reopen({"read-only": True})
            with pytest.raises(OSError, match="read-only"):
                await disk.pwrite(0, b"bad")
            await disk.reopen({"read-only": False})
            await disk.pwrite(3, b"er")
            return await disk.pread(0, 5)

    assert explored(scenario) == b"newer"


def test_a_driver_derived_from_the_file_driver_keeps_what_it_does(image: Path) -> None:
    class Shouting(FileDriver):
        async def pwritev(
            self, offset: int, length: int, iov: Iovec, flags: int, request: Request
        ) -> None:
            loud = Iovec.over(bytearray(iov.tobytes().upper()))
            await super().pwritev(offset, length, loud, flags, request)

    before = image.read_bytes()

    async def scenario() -> bytes:
        driver = Shouting(image)
        async with open_disk(driver) as disk:
            assert isinstance(disk.root.driver, Shouting)
            await disk.pwrite(0, b"new")
            return await disk.pread(0, 3)

    assert explored(scenario) == b"NEW"
    assert image.read_bytes() == before


def test_files_are_closed_when_a_run_is_over_whatever_became_of_it(image: Path) -> None:
    async def scenario() -> None:
        await open_disk(raw(image))
        raise AssertionError("lost")

    def opened() -> list[str]:
        links = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
        return [link for link in links if os.path.realpath(link) == os.path.realpath(image)]

    with pytest.raises(AssertionError, match="lost"):
        explored(scenario)
    assert opened() == []


def test_a_failing_read_of_the_file_tells_which(tmp_path: Path, image: Path) -> None:
    async def scenario() -> None:
        async with open_disk(raw(image)) as disk:
            # As if the descriptor had broken.
            *_, node = disk.root.walk()
            assert isinstance(node.driver, FileDriver)
            folder = os.open(tmp_path, os.O_RDONLY)
            os.dup2(folder, node.driver._fd)
            os.close(folder)
            with pytest.raises(BlockError, match="Could not read from"):
                await disk.pread(0, 512)
            with pytest.raises(BlockError, match="Could not write to"):
                await disk.pwrite(0, b"w")

    explored(scenario)
