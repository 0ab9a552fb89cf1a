from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compat.outcome import Outcome, difference
from tests.compat.players import CommandPlayer, ForkedPlayer, Player
from tests.compat.sessions import Image, Session, params

_TIME = re.compile(r"(?<=^Run completed in )\d+\.\d{3}(?= seconds\.$)", re.M)
SMALL = Image(16 * 1024)
NULL = "driver=blkdebug,image.driver=null-co,image.size=1G"
FILE = "driver=blkdebug,image.driver=file,image.filename=img"
FAILS = "inject-error.0.event=none"
FLUSHES_FAIL = f"{NULL},{FAILS},inject-error.0.iotype=flush"


def called(line: str, *, last: tuple[str, ...] = ("img",), image: Image = SMALL) -> Session:
    """qemu-img bench -f raw ... img"""
    return Session(("bench", "-f", "raw", *line.split(), *last), files={"img": image})


def bare(line: str) -> Session:
    """qemu-img ..."""
    return Session(tuple(line.split()), files={"img": SMALL})


def tree(options: str, line: str = "-c 10") -> Session:
    """qemu-img bench --image-opts ... OPTIONS"""
    return Session(("bench", "--image-opts", *line.split(), options), files={"img": SMALL})


RUNS = {
    **{
        f"reads{words.replace(' ', '')}": called(words)
        for words in (
            "-c 0",
            "-c 1",
            "-c 10 -d 1",
            "-c 10 -d 3",
            "-c 3 -d 10",
            "-c 0 -d 0",
            "-c 100 -s 512",
            "-c 10 -s 0",
            "-c 10 -s 4k -S 512 -d 1 -o 1k",
            "-c 30 -s 512 -S 3k -o 15k",
            "-c 0x10",
            "-c 010",
            "-c +7",
            "-c -18446744073709551615",
            "-c 10 -s 0.5k",
            "-c 10 -o 0x1000",
            "-c 10 -q",
            "-c 10 -U",
            "-c 10 -t none",
            "-c 10 -t off",
            "-c 10 -t directsync",
            "-c 10 -t writethrough -t unsafe",
            "-c 10 -i threads",
            "-c 10 -n -t none",
            "-c 10 -i native -t none",
            "-c 10 --no-drain",
            "-c 10 --pattern 255",
            "-c 10 --force-share",
            "-c10 -d2 -qU",
        )
    },
    **{
        f"writes{words.replace(' ', '')}": called(f"-w {words}")
        for words in (
            "-c 2 -d 1",
            "-c 2 -d 2 --pattern=65",
            "-c 3 --pattern=0x41 -S 5k -s 1k",
            "-c 7 -d 3 --pattern=7 -s 512 -S 1536 -o 512",
            "-c 100 -d 4 --flush-interval=10 --pattern=1",
            "-c 100 -d 4 --flush-interval=10 --no-drain --pattern=1",
            "-c 103 -d 4 --flush-interval 4 --pattern=1",
            "-c 10 -d 1 --flush-interval 1 -t writethrough",
            "-c 10 -d 2 -t none --pattern=3",
            "-c 10 -d 2 -t unsafe --flush-interval 2 --pattern=3",
            "-c 20 -s 100 -d 1 --pattern=9",
            "-c 1 -d 1 -s 16k --pat 9",
            "-c 0 --flush-interval 64",
        )
    },
    "image-name-before-options": called("img -c 10", last=()),
    "options-end-at-dashes": called("-c 10 --"),
    "dashes-before-the-command": bare("-- bench -c 10 -f raw img"),
    "probing-of-a-written-image": bare("bench -c 1 -d 1 -w --pattern=65 img"),
    "probing-of-a-read-image": bare("bench -c 1 img"),
    "a-blkdebug-name": bare("bench -c 10 blkdebug::img"),
    "null": bare("bench -c 1000 null-co://"),
    "a-tree": tree(FILE, "-c 20 -d 4"),
    "a-written-tree": tree(FILE, "-c 4 -d 4 -w --pattern=66"),
    "blocks-of-a-tree": tree(f"{FILE},align=4096", "-c 40 -d 1 -w -s 512 --pattern=66"),
    "a-null-tree": tree(NULL, "-c 5000 -d 32"),
    "a-null-tree-one-at-a-time": tree(NULL, "-c 5000 -d 1 -w"),
    "latency": tree("driver=null-co,latency-ns=1000000", "-c 10 -d 3"),
    "events-that-change-states": tree(
        f"{NULL},set-state.0.event=none,set-state.0.new_state=2", "-c 10"
    ),
}
COMPLAINTS = {
    **{
        words.replace(" ", "") or "nothing": called(words)
        for words in (
            "-c -1",
            "-c 1x",
            "-c x",
            "-c 2147483648",
            "-c 18446744073709551615",
            "-c 99999999999999999999999",
            "-d -1",
            "-d 1k",
            "-d 99999999999",
            "-s 3G",
            "-s x",
            "-s -1",
            "-s 99E",
            "-s 1.5",
            "-S 9999999999",
            "-S x",
            "-o -3",
            "-o x",
            "-o 8E",
            "-o 99999999999999999999999",
            "--pattern=256",
            "--pattern=x",
            "--pattern=-1",
            "--flush-interval=x",
            "-t foo",
            "-i foo",
            "-n",
            "-i native",
            "--flush-interval 5",
            "-w --flush-interval 5",
            "-w --flush-interval 63",
            "-w -U",
            "-Z",
            "-Zq",
            "-qZ",
            "-q -Zq",
            "--f",
            "--bar=3",
            "--no-drain=3",
            "--object secret,id=a,data=x",
            "-f foo",
            "--image-opts",
            "-c x -d x",
            "-d x -c x",
            "-Z -c x",
            "-c 1 -o 16k",
            "-c 1 -o 20M",
            "-c 1 -s 32k",
            "-c 5 -d 1 -s 6k",
            "-w -c 5 -d 1 -s 6k --pattern=7",
            "-w -c 5 -d 1 -s 3k --pattern=7 -t writethrough",
        )
    },
    "no-image": called("-c 10", last=()),
    "two-images": called("-c 10", last=("img", "img")),
    "two-images-behind-dashes": called("-q -- img -c", last=()),
    "no-argument": called("-c", last=()),
    "no-argument-in-a-cluster": called("-qc", last=()),
    "no-argument-of-a-long-option": called("--pattern", last=()),
    "unknown-behind-the-image": called("img -Zq", last=()),
    "unknown-behind-image-and-option": called("img -q -Zq", last=()),
    "unknown-first-of-all": Session(("bench", "-Zq", "img")),
    "absent-image": called("-c 1", last=("absent",)),
    "absent-image-to-write": called("-c 1 -w", last=("absent",)),
    "image-that-is-an-option": called("-c 1 -- -q", last=()),
    "image-without-a-name": called("-c 1", last=("",)),
    "no-words": bare(""),
    "unknown-standard-option": bare("-x"),
    "unknown-long-standard-option": bare("--foo bench img"),
    "unknown-command": bare("foo img"),
    "no-command": bare("--"),
    "malformed-json": bare("bench json:{"),
    "absent-config": bare("bench blkdebug:absent:img"),
    "unknown-driver": tree("driver=foo"),
    "no-driver": tree("driver="),
    "unknown-option": tree("driver=null-co,foo=1"),
    "reference": tree("foo"),
    "reference-first": tree("foo,driver=raw"),
    "reference-behind": tree("driver=raw,foo"),
    "reference-and-file": tree("foo,driver=raw,file=bar"),
    "reference-that-begins-with-no": tree("no,driver=null-co"),
    "reference-with-a-comma": tree("a,,b=c"),
    "no-options": tree(""),
    "bad-id": tree("driver=null-co,id=1x"),
    "good-id": tree("driver=null-co,id=x"),
    "short-form": tree("driver=null-co,file.foo"),
    "escaped-comma": tree("driver=null-co,,"),
    "format-and-options": tree("driver=null-co", "-f raw"),
    "shared-and-not": tree("driver=null-co,force-share=off", "-U"),
    "shared-and-written": tree("driver=null-co", "-U -w"),
    "every-request-fails": tree(f"{NULL},{FAILS}"),
    "errno": tree(f"{NULL},{FAILS},inject-error.0.errno=28", "-c 10 -d 1"),
    "one-sector-fails": tree(f"{NULL},{FAILS},inject-error.0.sector=72", "-c 100 -d 1"),
    "one-sector-fails-at-depth": tree(f"{NULL},{FAILS},inject-error.0.sector=72", "-c 100 -d 8"),
    "fails-at-once": tree(f"{NULL},{FAILS},inject-error.0.immediately=on", "-c 100 -d 8"),
    "one-write-fails": tree(
        f"{FILE},{FAILS},inject-error.0.sector=3", "-c 10 -d 1 -w -s 512 --pattern=5"
    ),
    "flush-fails": tree(FLUSHES_FAIL, "-w -c 100 -d 4 --flush-interval 10"),
    "last-flush-fails": tree(FLUSHES_FAIL, "-w -c 10 -d 4 --flush-interval 10"),
    "flush-beside-writes-fails": tree(
        FLUSHES_FAIL, "-w -c 50000 -d 4 --flush-interval 100 --no-drain"
    ),
    "flush-nobody-asks-for-fails": tree(FLUSHES_FAIL, "-w -c 100 -d 4"),
}
SESSIONS = {**RUNS, **COMPLAINTS}


@pytest.fixture(scope="module")
def programs(require_peer: Callable[[str], Path]) -> Iterator[tuple[Player, Player]]:
    ours = ForkedPlayer("qemu-img")
    yield CommandPlayer(require_peer("qemu-img"), "qemu-img"), ours
    ours.close()


def played(player: Player, session: Session, folder: Path) -> Outcome:
    found = player.play(session, folder)
    return replace(found, stdout=_TIME.sub("TIME", found.stdout))


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_img_bench_does_and_says_what_qemu_img_bench_does(
    session: Session, programs: tuple[Player, Player], tmp_path: Path
) -> None:
    real, ours = (
        played(player, session, tmp_path / name)
        for player, name in zip(programs, ("real", "ours"), strict=True)
    )
    assert real.status is not None, "the real qemu-img hangs"
    assert difference(real, ours) == ""
