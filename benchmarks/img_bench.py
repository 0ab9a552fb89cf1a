"""How many requests a second, ours and QEMU's, by `img bench` on both sides?

Both are processes of their own, are given the same options and are timed by their own clocks, so
that starting and opening do not count. Ours runs on uvloop, its default, and a second time on
asyncio's own loop. What a user of the library gets, who awaits one request after the other, is a
further side of some rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.harness import Comparison, Side
from benchmarks.loops import DEFAULT_LOOP, run_on
from benchmarks.programs import bench, has_img_bench, has_uvloop, missing, our_command
from benchmarks.workplace import CACHED_SIZE, Workplace
from blkdebug_async import open_disk

BLOCK = 4096
#: From one read to the next, modulo the size: far enough apart for nobody to read ahead.
STRIDE = 32440320
NULL_SIZE = 1 << 30
NULL = f"driver=blkdebug,image.driver=null-co,image.size={NULL_SIZE}"
THREADS = ("-i", "threads")
IO_URING = ("-i", "io_uring")
WRITE = ("-w",)
RMW = ("-w", "-s", "512", "-d", "32")


@dataclass(frozen=True)
class Shape:
    """A line of the table."""

    key: str
    case: str
    #: Options of `bench` on both sides.
    options: tuple[str, ...]
    #: --image-opts on both sides.
    image: str
    floor: float
    aim: float
    #: Options on QEMU's side alone: which of its ways to do I/O is meant.
    theirs: tuple[str, ...] = ()
    #: What a user of the library would do instead, if that is worth a side.
    library: Callable[[int], float] | None = None
    #: The fewest that are worth a turn.
    least: int = 500
    #: Why it cannot be measured here.
    skipped: str = ""


def questions(place: Workplace) -> Iterator[Comparison]:
    """Ask all of them."""
    if why := missing("qemu-img"):
        for shape in shapes(place):
            yield Comparison(shape.key, shape.case, [], skipped=why)
        return
    for shape in shapes(place):
        skipped = shape.skipped
        if not (place.img_bench or has_img_bench()):
            skipped = "blkdebug-async has no img bench"
        sides = [] if skipped else _sides(place, shape)
        yield Comparison(
            shape.key, shape.case, sides, floor=shape.floor, aim=shape.aim, skipped=skipped
        )


def _sides(place: Workplace, shape: Shape) -> list[Side]:
    options = (*shape.options, "--image-opts")
    theirs = f"QEMU{', ' + shape.theirs[1] if shape.theirs else ''}"
    ours = place.img_bench or (*our_command(), "img")
    sides = [
        Side(theirs, bench(["qemu-img"], *options, *shape.theirs, shape.image), shape.least),
        Side("ours", bench(ours, *options, shape.image), shape.least),
    ]
    if has_uvloop() and not place.img_bench:
        stock = bench(ours, "--loop=asyncio", *options, shape.image)
        sides.append(Side("ours, asyncio's loop", stock, shape.least))
    if shape.library is not None:
        sides.append(Side("ours, awaited in a loop", shape.library, shape.least))
    return sides


def shapes(place: Workplace) -> Iterator[Shape]:
    """List the lines of the table that are measured by `bench`."""
    yield from _null_shapes()
    file = f"driver=blkdebug,image.driver=file,image.filename={escaped(place.cached)}"
    source = {"driver": "blkdebug", "image": {"driver": "file", "filename": str(place.cached)}}
    yield from _read_shapes(file, source)
    yield from _direct_shapes(place)
    yield from _write_shapes(file, source)
    yield from _long_shapes(file)
    yield Shape(
        "unaligned-writes-null-co-depth-32",
        "512-byte writes on align=4096 over null-co, depth 32",
        RMW,
        NULL.replace("blkdebug", "blkdebug,align=4096", 1),
        1.0,
        1.5,
    )
    yield Shape(
        "unaligned-writes-file-depth-32",
        "512-byte writes on align=4096 over a cached file, depth 32",
        RMW,
        file.replace("blkdebug", "blkdebug,align=4096", 1),
        1.0,
        1.5,
        THREADS,
    )


def _null_shapes() -> Iterator[Shape]:
    source = {"driver": "blkdebug", "image": {"driver": "null-co", "size": NULL_SIZE}}
    for depth, floor, aim in ((1, 1.0, 1.5), (32, 0.4, 0.8)):
        yield Shape(
            f"null-co-depth-{depth}",
            f"reads over null-co, depth {depth}",
            ("-d", str(depth)),
            NULL,
            floor,
            aim,
            library=reads(source, NULL_SIZE) if depth == 1 else None,
        )


def _read_shapes(file: str, source: Mapping[str, object]) -> Iterator[Shape]:
    for depth, floor, aim, engine in (
        (1, 4.0, 6.0, THREADS),
        (32, 2.5, 4.0, THREADS),
        (32, 0.9, 1.2, IO_URING),
    ):
        yield Shape(
            f"cached-reads-depth-{depth}-{engine[1]}",
            f"reads of a cached file, depth {depth}, QEMU with {engine[1]}",
            ("-d", str(depth)),
            file,
            floor,
            aim,
            engine,
            reads(source, CACHED_SIZE) if depth == 1 else None,
        )


def _direct_shapes(place: Workplace) -> Iterator[Shape]:
    file = f"driver=blkdebug,image.driver=file,image.filename={escaped(place.direct)}"
    yield Shape(
        "direct-reads-depth-32",
        "random reads with O_DIRECT, depth 32, QEMU with io_uring",
        ("-d", "32", "-t", "none", "-S", str(STRIDE), *IO_URING),
        f"{file},image.cache.direct=on",
        0.7,
        0.9,
        skipped="" if place.is_on_disk else "the folder is not on a disk",
    )


def _write_shapes(file: str, source: Mapping[str, object]) -> Iterator[Shape]:
    for depth, floor, aim in ((1, 2.0, 4.0), (32, 2.0, 3.0)):
        yield Shape(
            f"cached-writes-depth-{depth}",
            f"writes to a cached file, depth {depth}, QEMU with threads",
            ("-d", str(depth), *WRITE),
            file,
            floor,
            aim,
            THREADS,
            writes(source, CACHED_SIZE) if depth == 1 else None,
        )


def _long_shapes(file: str) -> Iterator[Shape]:
    for name, options in (("reads", ()), ("writes", WRITE)):
        for depth in (1, 64):
            yield Shape(
                f"long-{name}-depth-{depth}",
                f"1 MiB {name}, cached, one after the other, depth {depth}, QEMU with threads",
                ("-d", str(depth), "-s", "1M", *options),
                file,
                0.9,
                1.0,
                THREADS,
                least=50,
            )


def escaped(name: object) -> str:
    """Write a file name as --image-opts takes it."""
    return str(name).replace(",", ",,")


def reads(source: Mapping[str, object], size: int) -> Callable[[int], float]:
    """Give what reads as the library's users do."""

    async def read_all(count: int) -> float:
        async with open_disk(source) as disk:
            buffers = (bytearray(BLOCK),)
            start = time.perf_counter()
            for number in range(count):
                await disk.preadv(number * BLOCK % size, buffers)
            return time.perf_counter() - start

    return lambda count: run_on(DEFAULT_LOOP, read_all(count))


def writes(source: Mapping[str, object], size: int) -> Callable[[int], float]:
    """Give what writes as the library's users do."""

    async def write_all(count: int) -> float:
        async with open_disk(source) as disk:
            buffers = (bytes(BLOCK),)
            start = time.perf_counter()
            for number in range(count):
                await disk.pwritev(number * BLOCK % size, buffers)
            return time.perf_counter() - start

    return lambda count: run_on(DEFAULT_LOOP, write_all(count))
