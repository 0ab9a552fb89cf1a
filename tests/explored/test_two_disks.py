"""Two disks in one tree, and one file in two trees."""

from __future__ import annotations

import asyncio
from pathlib import Path

from blkdebug_async import Disk, open_disk
from blkdebug_async.explore import always, sometimes
from tests.explored.exploring import exhaust, in_flight, together

SECTOR = 512


def chain() -> dict[str, object]:
    image = {"driver": "memory", "size": 2 * SECTOR}
    below = {"driver": "blkdebug", "node-name": "below", "align": SECTOR, "image": image}
    return {"driver": "raw", "file": below}


async def write(disk: Disk, letter: str, offset: int, length: int) -> None:
    await disk.pwrite(offset, letter.encode() * length)


async def drain_and_look(disk: Disk) -> None:
    async with disk.drained():
        with always(lambda: not in_flight(disk), "nothing is in flight"):
            await asyncio.sleep(0)
            await asyncio.sleep(0)


def test_parts_of_a_block_written_from_above_and_from_below_lose_nothing_of_each_other() -> None:
    async def scenario() -> None:
        async with open_disk(chain()) as disk, disk.on_node("below") as below:
            await together(
                above=write(disk, "a", 0, 100),
                below=write(below, "b", 100, 100),
            )
            assert await disk.pread(0, 200) == b"a" * 100 + b"b" * 100

    exhaust(scenario)


def test_a_drained_section_of_one_holds_the_other_too() -> None:
    async def scenario() -> None:
        async with open_disk(chain()) as disk, disk.on_node("below") as below:

            async def drain_below() -> None:
                async with below.drained():
                    with always(lambda: not in_flight(disk), "nothing is in flight"):
                        await asyncio.sleep(0)

            await together(
                drainer=drain_below(),
                above=write(disk, "a", 0, SECTOR),
                below=write(below, "b", SECTOR, SECTOR),
            )
            assert await disk.pread(0, 2 * SECTOR) == b"a" * SECTOR + b"b" * SECTOR

    exhaust(scenario)


def test_a_disk_that_is_opened_in_a_drained_section_waits_for_its_end() -> None:
    async def scenario() -> None:
        async with open_disk(chain()) as disk:

            async def open_and_write() -> None:
                async with disk.on_node(disk.root.name) as other:
                    await write(other, "x", 0, SECTOR)

            await together(drainer=drain_and_look(disk), other=open_and_write())
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


def test_a_disk_that_is_closed_in_a_drained_section_of_the_other_leaves_it_as_it_is() -> None:
    async def scenario() -> None:
        async with open_disk(chain()) as disk:
            other = disk.on_node(disk.root.name)
            await together(
                drainer=drain_and_look(disk),
                closer=other.close(),
                writer=write(disk, "x", 0, SECTOR),
            )
            assert await disk.pread(0, SECTOR) == b"x" * SECTOR

    exhaust(scenario)


def test_closing_one_leaves_requests_and_breakpoints_of_the_other_alone() -> None:
    async def scenario() -> None:
        disk = await open_disk(chain())
        async with disk.on_node("below") as below:
            below.breakpoint("pwritev", "A")
            below.breakpoint("pwritev", "B")
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(write(below, "x", 0, SECTOR), name="writer")
                closer = group.create_task(disk.close(), name="closer")
                await below.wait_suspended("A")
                await closer
                assert not writer.done()
                below.resume("A")
                below.resume("B")

    exhaust(scenario)


def test_both_are_closed_whoever_is_the_last() -> None:
    async def scenario() -> None:
        disk = await open_disk(chain())
        below = disk.on_node("below")
        await write(below, "x", 0, SECTOR)
        await together(one=disk.close(), two=below.close())
        assert disk.closed
        assert below.closed

    exhaust(scenario)


def test_one_file_opened_twice_is_one_file_and_is_left_alone(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"o" * 2 * SECTOR)

    async def scenario() -> None:
        options = {"driver": "raw", "file": {"driver": "file", "filename": str(image)}}
        async with open_disk(options) as one, open_disk(options) as two:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(one, "x", 0, 2 * SECTOR), name="writer")
                reading = group.create_task(two.pread(0, 2 * SECTOR), name="reader")
            seen = reading.result()[:SECTOR], reading.result()[SECTOR:]
            assert all(sector in (b"o" * SECTOR, b"x" * SECTOR) for sector in seen)
            assert await two.pread(0, 2 * SECTOR) == b"x" * 2 * SECTOR
            sometimes("the first sector only", seen == (b"x" * SECTOR, b"o" * SECTOR))

    exhaust(scenario)
    assert image.read_bytes() == b"o" * 2 * SECTOR
