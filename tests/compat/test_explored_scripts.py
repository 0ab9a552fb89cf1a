"""Scripts that say explored runs to qemu-io do the same there, in the real program and in ours."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from blkdebug_async import Disk, open_disk
from blkdebug_async.explore import Conditions, Replayed, replay
from blkdebug_async.report.qemu_io import Script, qemu_io_script
from tests.compat.players import ENVIRONMENT, ROOT, SECONDS
from tests.compat.sessions import SECTOR

SIZE = 16 * SECTOR

Workload = Callable[[Disk], Coroutine[object, object, None]]


async def together(*parts: Coroutine[object, object, None]) -> None:
    async with asyncio.TaskGroup() as group:
        for number, part in enumerate(parts):
            group.create_task(part, name=f"task{number}")


async def write(disk: Disk, byte: int, offset: int, length: int) -> None:
    await disk.pwrite(offset, bytes([byte]) * length)


async def overlapping_writes(disk: Disk) -> None:
    async def two(first: int, second: int, offset: int) -> None:
        await write(disk, first, offset, 2 * SECTOR)
        await write(disk, second, offset + SECTOR, SECTOR)

    await together(two(1, 2, 0), two(3, 4, SECTOR), two(5, 6, 2 * SECTOR))


async def reads_and_writes(disk: Disk) -> None:
    async def reader() -> None:
        for sector in (0, 1, 0):
            await disk.pread(sector * SECTOR, SECTOR)

    await together(
        write(disk, 7, 0, 2 * SECTOR), reader(), write(disk, 8, SECTOR, SECTOR), reader()
    )


async def zeroes_and_flushes(disk: Disk) -> None:
    async def zero() -> None:
        await disk.pwrite_zeroes(SECTOR, 4 * SECTOR)
        await disk.flush()

    await write(disk, 1, 0, SIZE)
    await together(write(disk, 2, 0, 3 * SECTOR), zero(), write(disk, 3, 4 * SECTOR, SECTOR))


async def unaligned_requests(disk: Disk) -> None:
    await together(
        write(disk, 1, 100, 700), write(disk, 2, 300, 1000), write(disk, 3, 1, 1), disk.flush()
    )


async def cancelled_writes(disk: Disk) -> None:
    async def doomed() -> None:
        await write(disk, 1, 0, SECTOR)
        await write(disk, 2, 0, SECTOR)

    async with asyncio.TaskGroup() as group:
        task = group.create_task(doomed(), name="doomed")
        group.create_task(write(disk, 3, 0, SECTOR), name="other")
        await disk.pread(SECTOR, SECTOR)
        task.cancel()


async def changing_lengths(disk: Disk) -> None:
    await write(disk, 1, 0, SIZE)
    await disk.truncate(4 * SECTOR)
    await together(write(disk, 2, SECTOR, 2 * SECTOR), disk.truncate(8 * SECTOR))
    await disk.truncate(SIZE)


async def words(disk: Disk) -> None:
    async def word(text: bytes, sector: int) -> None:
        await disk.pwrite(sector * SECTOR, text.ljust(SECTOR, b"\0"))

    await word(b"first", 0)
    await together(word(b"second", 0), word(b"third", 0), word(b"first", 1), word(b"\1", 1))


WORKLOADS: list[Workload] = [
    overlapping_writes,
    reads_and_writes,
    zeroes_and_flushes,
    unaligned_requests,
    cancelled_writes,
    changing_lengths,
    words,
]


def explored(workload: Workload, schedule: list[int]) -> tuple[Replayed, bytes]:
    """Make a run; give what the disk was like in the end, too."""
    content = b""

    async def scenario() -> None:
        nonlocal content
        async with open_disk({"driver": "memory", "size": SIZE}) as disk:
            await workload(disk)
            content = await disk.pread(0, SIZE)

    # A device that writes all or nothing, as qemu-io cannot be told to write in parts.
    replayed = replay(scenario, schedule, conditions=Conditions(atomic_unit=SIZE))
    replayed.check()
    return replayed, content


def substituted(content: bytes, script: Script) -> bytes:
    """Put the bytes that stand for whole sectors in their place."""
    sectors = (content[start : start + SECTOR] for start in range(0, len(content), SECTOR))
    stands_for = {data: bytes([byte]) * len(data) for data, byte in script.stands_for.items()}
    return b"".join(stands_for.get(sector, sector) for sector in sectors)


def schedule(seed: int) -> list[int]:
    chance = random.Random(seed)
    return [chance.randrange(4) for _ in range(60)]


@pytest.fixture(params=["real", "ours"])
def program(request: pytest.FixtureRequest, require_peer: Callable[[str], Path]) -> list[str]:
    if request.param == "real":
        return [str(require_peer("qemu-io"))]
    return [sys.executable, "-m", "blkdebug_async", "io"]


def run(program: list[str], script: Script) -> bytes:
    """Make the image, run the script, check that nothing went wrong, give the image."""
    path = Path(script.image)
    with path.open("wb") as file:
        file.truncate(script.size)
    done = subprocess.run(
        program,
        input=str(script),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=ENVIRONMENT,
        cwd=ROOT,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "failed" not in done.stdout
    # Whatever was held was let go.
    assert done.stdout.count("Suspended") == done.stdout.count("Resuming")
    return path.read_bytes()


@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("seed", range(3))
def test_a_script_leaves_the_image_as_the_run_left_its_disk(
    workload: Workload, seed: int, program: list[str], tmp_path: Path
) -> None:
    replayed, content = explored(workload, schedule(seed))
    script = qemu_io_script(replayed, image=str(tmp_path / "scratch.img"))
    assert isinstance(script, Script), script
    assert run(program, script) == substituted(content, script)


def test_what_was_still_in_flight_in_the_end_is_let_go_after_all_was_checked(
    program: list[str], tmp_path: Path
) -> None:
    async def scenario() -> None:
        disk = await open_disk({"driver": "memory", "size": SECTOR})
        task = asyncio.ensure_future(write(disk, 1, 0, SECTOR))
        await asyncio.sleep(0)
        assert not task.done()
        raise LookupError

    replayed = replay(scenario, ())
    script = qemu_io_script(replayed, image=str(tmp_path / "scratch.img"))
    assert isinstance(script, Script)
    assert "resume w1" in script.lines
    assert run(program, script) == b"\1" * SECTOR
