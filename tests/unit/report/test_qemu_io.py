from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path

import pytest

from blkdebug_async import Disk, DiskOpening, Event, InjectError, open_disk
from blkdebug_async.explore import replay
from blkdebug_async.report.qemu_io import NoScript, Script, qemu_io_script

SECTOR = 512
OPEN = (
    "open -t writeback -o driver=raw,file.driver=blkdebug,file.image.driver=file,"
    "file.image.filename=scratch.img"
)


def memory(sectors: int = 8) -> DiskOpening:
    return open_disk({"driver": "memory", "size": sectors * SECTOR})


def blkdebug(**options: object) -> DiskOpening:
    image = {"driver": "memory", "size": 8 * SECTOR}
    return open_disk({"driver": "raw", "file": {"driver": "blkdebug", "image": image, **options}})


async def at_once(disk: Disk, *parts: Callable[[Disk], Coroutine[object, object, object]]) -> None:
    async with asyncio.TaskGroup() as group:
        for name, part in zip("abcdef", parts, strict=False):
            group.create_task(part(disk), name=name)


def write(byte: int, sector: int = 0) -> Callable[[Disk], Coroutine[object, object, None]]:
    data = bytes([byte]) * SECTOR
    return lambda disk: disk.pwrite(sector * SECTOR, data)


def read(sector: int = 0) -> Callable[[Disk], Coroutine[object, object, bytes]]:
    return lambda disk: disk.pread(sector * SECTOR, SECTOR)


def said(
    body: Callable[[Disk], Coroutine[object, object, object]],
    *values: int,
    opening: Callable[[], DiskOpening] = memory,
    **asked: str,
) -> Script | NoScript:
    async def scenario() -> None:
        async with opening() as disk:
            await body(disk)

    return qemu_io_script(replay(scenario, values), **asked)


def lines(script: Script | NoScript) -> list[str]:
    assert isinstance(script, Script), script
    assert script.lines[0] == OPEN
    return list(script.lines[1:])


def reason(script: Script | NoScript) -> str:
    assert isinstance(script, NoScript)
    return script.reason


def test_requests_one_after_the_other_are_plain_commands() -> None:
    async def body(disk: Disk) -> None:
        await write(7)(disk)
        await disk.flush()
        await read()(disk)
        await disk.pwrite_zeroes(SECTOR, SECTOR)
        await disk.pdiscard(0, SECTOR)
        await disk.truncate(2 * SECTOR)

    assert lines(said(body)) == [
        "write -P 0x07 0 512",
        "flush",
        "read -P 0x07 0 512",
        "write -z 512 512",
        "discard 0 512",
        "truncate 1024",
        "aio_flush",
        "read -P 0x00 512 512",
    ]


def test_requests_in_flight_together_are_held_and_let_go_as_they_took_effect() -> None:
    # At the third decision the second write completes first.
    script = said(partial(lambda disk: at_once(disk, write(1), write(2))), 0, 0, 1)
    assert lines(script) == [
        "break write_aio w1",
        "aio_write -P 0x01 0 512",
        "wait_break w1",
        "write -P 0x02 0 512",
        "break pwritev_done w1-done",
        "resume w1",
        "wait_break w1-done",
        "resume w1-done",
        "aio_flush",
        "read -P 0x01 0 512",
    ]
    assert isinstance(script, Script)
    assert script.notes == ("w1 is write 0+512 by main/a",)


def test_a_read_in_flight_checks_for_what_was_there_when_it_took_effect() -> None:
    async def body(disk: Disk) -> None:
        await write(1)(disk)
        await at_once(disk, read(), write(2))

    assert lines(said(body)) == [
        "write -P 0x01 0 512",
        "break read_aio r1",
        "aio_read -P 0x01 0 512",
        "wait_break r1",
        "break write_aio w2",
        "aio_write -P 0x02 0 512",
        "wait_break w2",
        "resume r1",
        "sleep 50",
        "break pwritev_done w2-done",
        "resume w2",
        "wait_break w2-done",
        "resume w2-done",
        "aio_flush",
        "read -P 0x02 0 512",
    ]


def test_nothing_waits_for_a_read_that_nobody_changes_any_more() -> None:
    script = said(lambda disk: at_once(disk, read(1), write(2)))
    assert "resume r1" in lines(script)
    assert "sleep 50" not in lines(script)


def test_zero_writes_in_flight_are_held_at_their_own_event() -> None:
    script = said(lambda disk: at_once(disk, lambda disk: disk.pwrite_zeroes(0, SECTOR), write(1)))
    assert lines(script)[:3] == ["break pwritev_zero z1", "aio_write -z 0 512", "wait_break z1"]


def test_data_of_many_bytes_gets_a_byte_that_no_other_data_has() -> None:
    async def body(disk: Disk) -> None:
        await write(1)(disk)
        await disk.pwrite(0, b"old")
        await disk.pwrite(3, b"new")
        await disk.pwrite(6, b"old")

    script = said(body)
    assert lines(script)[:4] == [
        "write -P 0x01 0 512",
        "write -P 0x02 0 3",
        "write -P 0x03 3 3",
        "write -P 0x02 6 3",
    ]
    assert isinstance(script, Script)
    assert script.stands_for == {bytes([1]) * SECTOR: 1, b"old": 2, b"new": 3}
    assert script.notes == ("0x02 stands for 'old'", "0x03 stands for 'new'")


def test_a_read_of_more_than_one_byte_is_not_checked() -> None:
    async def body(disk: Disk) -> None:
        await write(1)(disk)
        await disk.pread(0, 2 * SECTOR)

    assert lines(said(body))[1] == "read 0 1024"


def test_what_was_there_before_the_run_is_not_checked(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"x" * SECTOR + bytes(SECTOR))

    async def body(disk: Disk) -> None:
        await read(0)(disk)
        await read(1)(disk)

    script = said(body, opening=partial(open_disk, {"driver": "file", "filename": str(path)}))
    assert lines(script)[:2] == ["read 0 512", "read -P 0x00 512 512"]
    assert isinstance(script, Script)
    assert script.notes == ("1 of the reads found what was there before the run: not checked",)


def test_a_flush_in_flight_stands_where_it_took_effect() -> None:
    async def body(disk: Disk) -> None:
        await write(1)(disk)
        await at_once(disk, lambda disk: disk.flush(), write(2))

    script = said(body)
    assert lines(script)[1:5] == [
        "break write_aio w1",
        "aio_write -P 0x02 0 512",
        "wait_break w1",
        "flush",
    ]
    assert isinstance(script, Script)
    assert any(note.startswith("flush by main/a was in flight") for note in script.notes)


def test_a_flush_that_found_nothing_to_do_is_one_all_the_same() -> None:
    async def body(disk: Disk) -> None:
        await disk.flush()
        await write(1)(disk)
        await disk.flush()
        await disk.flush()

    assert lines(said(body))[:4] == ["flush", "write -P 0x01 0 512", "flush", "flush"]


def test_a_request_that_failed_before_it_reached_the_disk_is_left_out() -> None:
    async def body(disk: Disk) -> None:
        disk.add_rule(InjectError(event=Event.WRITE_AIO, once=True))
        with pytest.raises(OSError, match="Input"):
            await write(1)(disk)
        await write(2)(disk)

    script = said(body, opening=blkdebug)
    assert lines(script)[0] == "write -P 0x02 0 512"
    assert isinstance(script, Script)
    assert script.notes == ("left out, as it never reached the disk: write 0+512 by main (EIO)",)


def test_a_request_that_reads_blocks_first_cannot_be_said() -> None:
    script = said(lambda disk: disk.pwrite(1, b"x"), opening=partial(blkdebug, align=4096))
    assert reason(script) == (
        "write 1+1 by main reached the disk in parts: read 0+4096, write 0+4096"
    )


def test_a_request_that_reached_the_disk_elsewhere_cannot_be_said() -> None:
    image = {"driver": "memory", "size": 8 * SECTOR}
    opening = partial(open_disk, {"driver": "raw", "offset": SECTOR, "file": image})
    assert reason(said(write(1), opening=opening)) == (
        "write 0+512 by main reached the disk as another request: write 512+512"
    )


def test_a_write_that_was_done_in_part_cannot_be_said() -> None:
    async def body(disk: Disk) -> None:
        await at_once(
            disk,
            lambda disk: disk.pwrite(0, bytes([1]) * 4 * SECTOR),
            lambda disk: disk.pwrite(0, bytes([2]) * 4 * SECTOR),
        )

    assert reason(said(body, 0, 0, 1, 1)).startswith("a write was done in part: ")


def test_one_of_several_disks_must_be_named() -> None:
    async def body(disk: Disk) -> None:
        async with memory() as other:
            await write(1)(disk)
            await write(2)(other)

    assert reason(said(body)) == "there are 2 disks, so say which: memory, memory#1"
    assert lines(said(body, disk="memory#1"))[0] == "write -P 0x02 0 512"


def test_where_no_disk_is_there_is_no_script() -> None:
    assert reason(said(lambda disk: asyncio.sleep(0))) == "there is no disk"
    assert reason(said(write(1), disk="d")) == "nothing was asked of disk 'd'"


def test_there_are_as_many_bytes_as_there_are() -> None:
    async def body(disk: Disk) -> None:
        for number in range(256):
            await disk.pwrite(0, f"{number:03}".encode())

    assert reason(said(body)) == "there are more different writes than bytes to tell them"


@pytest.mark.parametrize("name", ["", "two words", 'quo"te'])
def test_a_name_that_qemu_io_cannot_read_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="takes no file name with blanks or quotes"):
        said(write(1), image=name)


def test_a_comma_in_the_name_stays_one() -> None:
    script = said(write(1), image="a,b")
    assert isinstance(script, Script)
    assert script.lines[0].endswith("filename=a,,b")


def test_the_shell_script_has_notes_and_makes_the_image() -> None:
    script = said(lambda disk: disk.pwrite(0, b"word"))
    assert isinstance(script, Script)
    assert script.size == SECTOR
    assert script.shell().splitlines() == [
        "#!/bin/sh",
        "# 0x01 stands for 'word'",
        "test ! -e scratch.img && truncate -s 512 scratch.img || exit",
        "qemu-io <<'END'",
        *script.lines,
        "END",
    ]


def test_the_shell_script_leaves_an_image_alone_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "disk$HOME.img"
    path.write_bytes(b"precious")
    script = said(write(1), image=str(path))
    assert isinstance(script, Script)
    done = subprocess.run(["sh"], input=script.shell(), text=True, check=False)
    assert done.returncode == 1
    assert path.read_bytes() == b"precious"


def test_what_never_took_effect_is_let_go_after_all_was_checked() -> None:
    async def scenario() -> None:
        disk = await memory()
        await write(1)(disk)
        task = asyncio.ensure_future(write(2)(disk))
        await asyncio.sleep(0)
        assert not task.done()
        raise LookupError

    script = qemu_io_script(replay(scenario, ()))
    assert lines(script)[-3:] == ["read -P 0x01 0 512", "resume w1", "aio_flush"]
    assert isinstance(script, Script)
    assert script.notes[-1] == "w1 never took effect in the run, and is let go at the end"
