"""How many whole scenarios fit in a second: open, ten requests of which a rule fails one, close?

QEMU's side is one qemu-io process for each, as a test suite without the library would have it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from errno import EIO

from benchmarks.harness import Comparison, Side
from benchmarks.img_bench import escaped
from benchmarks.loops import on_each_loop
from benchmarks.programs import missing, our_command, processes
from benchmarks.workplace import SMALL_SIZE, Workplace
from blkdebug_async import Disk, InjectedError, open_disk

REQUESTS = 10
BLOCK = 4096
#: The block whose request fails, once.
FAILING = 6
#: Verb to the rule that fails it: a write announces an event, a read does not.
RULES: Mapping[str, Mapping[str, object]] = {
    verb: {**when, "sector": FAILING * BLOCK // 512, "errno": EIO, "once": True}
    for verb, when in (
        ("write", {"event": "pwritev"}),
        ("read", {"event": "none", "iotype": "read"}),
    )
}


def questions(place: Workplace) -> Iterator[Comparison]:
    """Ask over nothing and over a file, which takes its time to be flushed if it was written to."""
    null = {"driver": "null-co", "size": SMALL_SIZE}
    yield _question(place, "write", "null-co", null)
    file = {"driver": "file", "filename": str(place.small)}
    yield _question(place, "read", "file", file)
    yield _question(place, "write", "file", file)


def _question(place: Workplace, verb: str, over: str, image: Mapping[str, object]) -> Comparison:
    rule = {f"inject-error.0.{key}": value for key, value in RULES[verb].items()}
    options = {"driver": "blkdebug"} | rule | {f"image.{key}": image[key] for key in image}
    requests = [word for n in range(REQUESTS) for word in ("-c", f"{verb} -q {n * BLOCK} {BLOCK}")]
    words = (*requests, "--image-opts", _spelt(options))
    # It ends with 1, as one of the requests fails.
    theirs = processes("qemu-io", *words, cache=place.folder, status=1)
    shell = processes(*our_command(), "io", *words, cache=place.folder, status=1)
    return Comparison(
        f"scenarios-{verb}s-{over}",
        f"open, ten {verb}s with a rule that fires, close; over {over}",
        [
            Side("QEMU, a process each", theirs),
            *on_each_loop("ours", lambda count: scenarios(count, verb, image)),
            Side("our shell, a process each", shell),
        ],
        things="scenarios",
        floor=50.0,
        aim=200.0,
        skipped=missing("qemu-io"),
    )


def _spelt(options: Mapping[str, object]) -> str:
    words = {True: "on", False: "off"}
    return ",".join(
        f"{key}={words[value] if isinstance(value, bool) else escaped(value)}"
        for key, value in options.items()
    )


async def scenarios(count: int, verb: str, image: Mapping[str, object]) -> float:
    """Run so many, one after the other; gives how long it took, in seconds."""
    source = {"driver": "blkdebug", "inject-error": [RULES[verb]], "image": image}
    request = _read if verb == "read" else _write
    failed = 0
    start = time.perf_counter()
    for _ in range(count):
        async with open_disk(source) as disk:
            for number in range(REQUESTS):
                try:
                    await request(disk, number * BLOCK)
                except InjectedError:
                    failed += 1
    took_s = time.perf_counter() - start
    assert failed == count
    return took_s


async def _read(disk: Disk, offset: int) -> None:
    await disk.pread(offset, BLOCK)


async def _write(disk: Disk, offset: int) -> None:
    await disk.pwrite(offset, bytes(BLOCK))
