"""How many whole scenarios fit in a second: open, ten writes of which one fails by rule, close?

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
from blkdebug_async import InjectedError, open_disk

REQUESTS = 10
BLOCK = 4096
#: The block whose write fails, once.
FAILING = 6
RULE = {"event": "pwritev", "sector": FAILING * BLOCK // 512, "errno": EIO, "once": True}
RULE_OPTS = "".join(
    f",inject-error.0.{key}={'on' if value is True else value}" for key, value in RULE.items()
)


def questions(place: Workplace) -> Iterator[Comparison]:
    """Ask over nothing and over a file."""
    null = {"driver": "null-co", "size": SMALL_SIZE}
    yield _question(place, "null-co", null, f"null-co,image.size={SMALL_SIZE}")
    file = {"driver": "file", "filename": str(place.small)}
    yield _question(place, "a file", file, f"file,image.filename={escaped(place.small)}")


def _question(
    place: Workplace, over: str, image: Mapping[str, object], image_opts: str
) -> Comparison:
    options = f"driver=blkdebug{RULE_OPTS},image.driver={image_opts}"
    writes = [word for n in range(REQUESTS) for word in ("-c", f"write -q {n * BLOCK} {BLOCK}")]
    words = (*writes, "--image-opts", options)
    # It ends with 1, as one of the writes fails.
    theirs = processes("qemu-io", *words, cache=place.folder, status=1)
    shell = processes(*our_command(), "io", *words, cache=place.folder, status=1)
    return Comparison(
        f"scenarios-{over.split()[-1]}",
        f"open, ten writes with a rule that fires, close; over {over}",
        [
            Side("QEMU, a process each", theirs),
            *on_each_loop("ours", lambda count: scenarios(count, image)),
            Side("our shell, a process each", shell),
        ],
        things="scenarios",
        floor=50.0,
        aim=200.0,
        skipped=missing("qemu-io"),
    )


async def scenarios(count: int, image: Mapping[str, object]) -> float:
    """Run so many, one after the other; gives how long it took, in seconds."""
    data = bytes(BLOCK)
    failed = 0
    start = time.perf_counter()
    for _ in range(count):
        source = {"driver": "blkdebug", "inject-error": [RULE], "image": image}
        async with open_disk(source) as disk:
            for number in range(REQUESTS):
                try:
                    await disk.pwrite(number * BLOCK, data)
                except InjectedError:
                    failed += 1
    took_s = time.perf_counter() - start
    assert failed == count
    return took_s
