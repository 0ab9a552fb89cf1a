"""Padding, serialising and splitting, under every class of schedules."""

from __future__ import annotations

import asyncio
from errno import EBUSY

import pytest

from blkdebug_async import BlockError, Disk, DiskOpening, Event, InjectError, open_disk
from blkdebug_async.block.flags import NO_WAIT, SERIALISING
from blkdebug_async.explore import cancel_sometime, choose, sometimes
from tests.explored.exploring import exhaust, in_flight, opened, together

BLOCK = 512


def blocks(
    count: int = 2, compat: str | None = None, *, max_transfer: int | None = None
) -> DiskOpening:
    """A disk of blocks which are read and written as a whole."""
    image = {"driver": "memory", "size": count * BLOCK}
    limits = {} if max_transfer is None else {"max-transfer": max_transfer}
    below = {"driver": "blkdebug", "align": BLOCK, "image": image, **limits}
    return open_disk({"driver": "raw", "file": below}, compat=compat)


async def write(disk: Disk, letter: str, offset: int, length: int) -> None:
    await disk.pwrite(offset, letter.encode() * length)


@pytest.mark.parametrize("count", [2, 3])
def test_writes_to_parts_of_one_block_lose_nothing_of_each_other(count: int) -> None:
    async def scenario() -> None:
        letters = "abc"[:count]
        async with opened(blocks(1)) as disk:
            parts = {
                letter: write(disk, letter, 100 * number, 100)
                for number, letter in enumerate(letters)
            }
            await together(**parts)
            content = await disk.pread(0, BLOCK)
        expected = b"".join(letter.encode() * 100 for letter in letters)
        assert content == expected.ljust(BLOCK, b"\0")

    exhaust(scenario)


def test_overlapping_parts_of_one_block_come_one_after_the_other() -> None:
    async def scenario() -> None:
        async with opened(blocks(1)) as disk:
            await together(a=write(disk, "a", 0, 200), b=write(disk, "b", 100, 200))
            content = await disk.pread(0, 300)
        a_last, b_last = b"a" * 200 + b"b" * 100, b"a" * 100 + b"b" * 200
        assert content in (a_last, b_last)
        sometimes("a last", content == a_last)
        sometimes("b last", content == b_last)

    exhaust(scenario)


def test_a_whole_block_and_a_part_of_it_come_one_after_the_other() -> None:
    async def scenario() -> None:
        async with opened(blocks(1)) as disk:
            await together(part=write(disk, "p", 100, 100), whole=write(disk, "w", 0, BLOCK))
            content = await disk.pread(0, BLOCK)
        whole_last = b"w" * BLOCK
        part_last = b"w" * 100 + b"p" * 100 + b"w" * (BLOCK - 200)
        assert content in (whole_last, part_last)
        sometimes("whole last", content == whole_last)
        sometimes("part last", content == part_last)

    exhaust(scenario)


def test_a_part_across_two_blocks_harms_neither() -> None:
    async def scenario() -> None:
        async with opened(blocks(2)) as disk:
            await together(
                across=write(disk, "x", BLOCK - 10, 20),
                first=write(disk, "f", 0, 10),
                last=write(disk, "l", 2 * BLOCK - 10, 10),
            )
            content = await disk.pread(0, 2 * BLOCK)
        assert content[:10] == b"f" * 10
        assert content[BLOCK - 10 : BLOCK + 10] == b"x" * 20
        assert content[-10:] == b"l" * 10

    exhaust(scenario)


def test_zeroes_and_a_write_to_one_block_lose_nothing_of_each_other() -> None:
    async def scenario() -> None:
        async with opened(blocks(1)) as disk:
            await disk.pwrite(0, b"o" * BLOCK)
            await together(zero=disk.pwrite_zeroes(0, 100), write=write(disk, "w", 100, 100))
            content = await disk.pread(0, 300)
        assert content == bytes(100) + b"w" * 100 + b"o" * 100

    exhaust(scenario)


def test_zeroes_to_parts_of_one_block_lose_nothing_of_each_other() -> None:
    async def scenario() -> None:
        async with opened(blocks(1)) as disk:
            await disk.pwrite(0, b"o" * BLOCK)
            await together(one=disk.pwrite_zeroes(0, 100), two=disk.pwrite_zeroes(100, 100))
            assert await disk.pread(0, 300) == bytes(200) + b"o" * 100

    exhaust(scenario)


@pytest.mark.parametrize("compat", ["none", "seed"])
def test_zeroes_across_two_blocks_and_writes_to_both_lose_nothing_of_each_other(
    compat: str,
) -> None:
    async def scenario() -> None:
        async with opened(blocks(2, compat)) as disk:
            await together(
                zero=disk.pwrite_zeroes(BLOCK - 100, 200), last=write(disk, "l", BLOCK + 100, 10)
            )
            assert await disk.pread(BLOCK, 110) == bytes(100) + b"l" * 10

    exhaust(scenario)


@pytest.mark.parametrize("second", [0, SERIALISING])
def test_a_write_that_wants_to_be_alone_is_not_mixed_with_another(second: int) -> None:
    async def scenario() -> None:
        async with opened(blocks(2)) as disk:
            await together(
                a=disk.pwrite(0, b"a" * 2 * BLOCK, SERIALISING),
                b=disk.pwrite(0, b"b" * 2 * BLOCK, second),
            )
            content = await disk.pread(0, 2 * BLOCK)
            assert content in (b"a" * 2 * BLOCK, b"b" * 2 * BLOCK)
            sometimes("a last", content[0] == ord("a"))
            sometimes("b last", content[0] == ord("b"))

    exhaust(scenario)


def test_a_write_that_may_not_wait_is_done_at_once_or_refused() -> None:
    async def scenario() -> None:
        async with opened(blocks(1)) as disk:

            async def hurry() -> None:
                try:
                    await disk.pwrite(0, b"h" * BLOCK, SERIALISING | NO_WAIT)
                except BlockError as error:
                    if error.errno != EBUSY:
                        raise
                    sometimes("refused")
                    # Only because of the other one.
                    assert in_flight(disk)
                else:
                    sometimes("done")

            await together(part=write(disk, "p", 0, 100), hurried=hurry())
            content = await disk.pread(0, BLOCK)
            assert content[100:] in (b"h" * (BLOCK - 100), bytes(BLOCK - 100))
            assert content[:100] in (b"h" * 100, b"p" * 100)

    exhaust(scenario, sometimes=["refused", "done"])


def test_a_read_sees_each_block_of_a_split_write_before_or_after_it() -> None:
    async def scenario() -> None:
        async with opened(blocks(2, max_transfer=BLOCK)) as disk:
            async with asyncio.TaskGroup() as group:
                group.create_task(write(disk, "w", 0, 2 * BLOCK), name="write")
                reading = group.create_task(disk.pread(0, 2 * BLOCK), name="read")
            data = reading.result()
        seen = data[:BLOCK], data[BLOCK:]
        assert all(block in (bytes(BLOCK), b"w" * BLOCK) for block in seen)
        sometimes("the first block only", seen == (b"w" * BLOCK, bytes(BLOCK)))

    exhaust(scenario)


def test_a_cancelled_part_is_written_or_not_and_harms_no_other() -> None:
    async def scenario() -> None:
        async with opened(blocks(1)) as disk:
            async with asyncio.TaskGroup() as group:
                doomed = group.create_task(write(disk, "d", 0, 100), name="doomed")
                cancel_sometime(doomed)
                group.create_task(write(disk, "o", 100, 100), name="other")
            content = await disk.pread(0, 200)
        assert content[100:] == b"o" * 100
        assert content[:100] in (bytes(100), b"d" * 100)
        sometimes("cancelled", doomed.cancelled())
        sometimes("cancelled and written", doomed.cancelled() and content[:1] == b"d")
        sometimes("cancelled and not written", doomed.cancelled() and content[:1] == b"\0")

    exhaust(scenario)


@pytest.mark.parametrize(
    "event",
    [
        Event.PWRITEV_RMW_HEAD,
        Event.PWRITEV_RMW_AFTER_HEAD,
        Event.PWRITEV_RMW_TAIL,
        Event.PWRITEV_RMW_AFTER_TAIL,
        Event.PWRITEV,
        Event.WRITE_AIO,
    ],
)
def test_a_part_that_fails_lets_the_others_go_on(event: Event) -> None:
    async def scenario() -> None:
        rule = InjectError(event=event, once=True, immediately=choose(2, "immediately") == 1)
        async with opened(blocks(1)) as disk:
            disk.add_rule(rule)
            failed: list[str] = []

            async def attempt(letter: str, offset: int) -> None:
                try:
                    await write(disk, letter, offset, 100)
                except OSError:
                    failed.append(letter)

            await together(a=attempt("a", 50), b=attempt("b", 150))
            content = await disk.pread(50, 200)
        assert len(failed) <= 1
        for letter, part in (("a", content[:100]), ("b", content[100:])):
            expected = {letter.encode() * 100}
            if letter in failed:
                expected = {bytes(100)}
            assert part in expected, (letter, failed)
        sometimes("a fails", failed == ["a"])
        sometimes("b fails", failed == ["b"])

    exhaust(scenario)
