"""What does it cost to have more of something: ours against ours, as curves.

More levels that do nothing, more rules that wait for something else, more requests in flight.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from itertools import cycle, islice

from benchmarks.gate import Crowd, Waiters, aligned, apart, together
from benchmarks.harness import Curve, Limit, Side
from benchmarks.img_bench import BLOCK, NULL_SIZE, reads
from benchmarks.loops import DEFAULT_LOOP, run_on
from benchmarks.workplace import CACHED_SIZE, Workplace
from blkdebug_async import BlkdebugDriver, Event, InjectError, NullCoDriver, open_disk

Image = Mapping[str, object]

LEVELS = (0, 1, 2, 4, 6, 8, 10)
RULES = (0, 1, 10, 100, 1000, 10_000)
IN_FLIGHT = (10, 100, 1000, 10_000)
#: Watching each piece of memory takes its time.
IN_FLIGHT_WATCHED = (10, 100, 1000)
MICROSECONDS = "microseconds a request"
#: What a request over null-co may announce on its blkdebug node, and what fires at opening.
HEARD = {Event.PWRITEV, Event.PWRITEV_DONE, Event.NONE}
PLAIN, APART, TOGETHER = "aligned", "unaligned", "unaligned, one block"
ALONE = "asyncio alone"


def questions(place: Workplace) -> Iterator[Curve]:
    """Ask all of them."""
    yield _levels(place)
    yield _rules()
    yield _in_flight(collecting=True)
    yield _in_flight(collecting=False)
    yield _memory()


def _levels(place: Workplace) -> Curve:
    file: Image = {"driver": "file", "filename": str(place.cached)}
    null: Image = {"driver": "null-co", "size": NULL_SIZE}
    bases = {"over a cached file": (file, CACHED_SIZE), "over null-co": (null, NULL_SIZE)}
    lines = {
        name: {n: Side(f"{n} levels", reads(under_blkdebug(n, it), size), 100) for n in LEVELS}
        for name, (it, size) in bases.items()
    }
    limits = [Limit("one level on a cached file, to none", "over a cached file", 1, 1.15, 0)]
    limits += [Limit(f"ten levels {name}, to one", name, 10, 10.0, 1) for name in bases]
    title = "Levels of blkdebug that do nothing, 4 KiB reads"
    return Curve("levels", title, "levels of blkdebug", MICROSECONDS, lines, limits)


def under_blkdebug(levels: int, image: Image) -> Image:
    """Put so many levels of blkdebug without rules on an image."""
    for _ in range(levels):
        image = {"driver": "blkdebug", "image": image}
    return image


def _rules() -> Curve:
    verbs = {"reads": False, "writes": True}
    lines = {
        name: {n: Side(f"{n} rules", with_rules(n, write), 100) for n in RULES}
        for name, write in verbs.items()
    }
    limits = [Limit(f"{name} with 10,000 rules, to none", name, 10_000, 1.05, 0) for name in verbs]
    title = "Rules that wait for other events, 4 KiB requests over null-co"
    return Curve("rules", title, "rules", MICROSECONDS, lines, limits)


def with_rules(number: int, write: bool) -> Callable[[int], float]:
    """Give what reads or writes through so many rules for events that never come."""
    others = [event for event in Event if event not in HEARD]
    rules = [InjectError(event=event) for event in islice(cycle(others), number)]

    async def request_all(count: int) -> float:
        # Some of these events nobody announces, which is what a warning would say.
        source = BlkdebugDriver(NullCoDriver(), rules)
        async with open_disk(source, warn=lambda _: None) as disk:
            request = disk.pwritev if write else disk.preadv
            buffers = (bytearray(BLOCK),)
            start = time.perf_counter()
            for _ in range(count):
                await request(0, buffers)
            return time.perf_counter() - start

    return lambda count: run_on(DEFAULT_LOOP, request_all(count))


def _in_flight(*, collecting: bool) -> Curve:
    crowds: Mapping[str, Callable[[int], Crowd | Waiters]] = {
        PLAIN: lambda size: Crowd(size, aligned),
        APART: lambda size: Crowd(size, apart),
        TOGETHER: lambda size: Crowd(size, together, driven=1),
        ALONE: Waiters,
    }
    lines = {
        name: {
            n: Side(f"{n} in flight", crowding(n, crowd, collecting=collecting), n)
            for n in IN_FLIGHT
        }
        for name, crowd in crowds.items()
    }
    key, words = (
        ("in-flight", "") if collecting else ("in-flight-uncollected", ", nothing collected")
    )
    limits = [
        Limit(f"{name}: 10,000 in flight, to 10{words}", name, 10_000, 1.5, 10)
        for name in (PLAIN, APART, TOGETHER)
    ]
    title = f"Writes in flight at once, through blkdebug with align=4096{words}"
    return Curve(key, title, "requests in flight", MICROSECONDS, lines, limits)


def crowding(
    size: int, make: Callable[[int], Crowd | Waiters], *, collecting: bool
) -> Callable[[int], float]:
    """Give what has so many requests in flight, again and again.

    Args:
        size: How many.
        make: Makes a crowd of that size.
        collecting: Let Python look for garbage meanwhile, as it does by default.
    """
    crowd = make(size)

    def run(count: int) -> float:
        if not collecting:
            gc.disable()
        try:
            return run_on(DEFAULT_LOOP, crowd.gather_and_disperse(count // size))
        finally:
            gc.enable()

    return run


def _memory() -> Curve:
    crowds: Mapping[str, Callable[[int], Crowd | Waiters]] = {
        PLAIN: lambda size: Crowd(size, aligned),
        APART: lambda size: Crowd(size, apart),
        ALONE: Waiters,
    }
    lines = {
        name: {n: Side(f"{n} in flight", remembering(n, crowd), n) for n in IN_FLIGHT_WATCHED}
        for name, crowd in crowds.items()
    }
    # Who changes a part of a block has to hold the block.
    limits = [
        Limit(f"{name}: bytes a request, with 1,000", name, 1000, 2048.0 + beyond)
        for name, beyond in ((PLAIN, 0), (APART, BLOCK))
    ]
    title = "Memory for a write in flight, beyond the buffer of its user"
    labels = ("requests in flight", "bytes a request")
    return Curve("memory", title, *labels, lines, limits, scale=1.0)


def remembering(size: int, crowd: Callable[[int], Crowd | Waiters]) -> Callable[[int], float]:
    """Give what tells how much memory so many requests in flight hold, in bytes."""

    def run(_: int) -> float:
        seen: list[int] = []

        def look() -> None:
            seen.append(tracemalloc.get_traced_memory()[0])

        gc.collect()
        tracemalloc.start()
        try:
            run_on(DEFAULT_LOOP, _between(crowd(size), look))
        finally:
            tracemalloc.stop()
        return float(seen[-1] - seen[0])

    return run


async def _between(crowd: Crowd | Waiters, look: Callable[[], None]) -> None:
    # The first time warms up what is made once; the second time counts.
    await crowd.gather_and_disperse(1)
    look()
    await crowd.gather_and_disperse(1, look)
