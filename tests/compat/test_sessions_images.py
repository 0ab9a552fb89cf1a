from __future__ import annotations

import pytest

from tests.compat.compare import Comparison
from tests.compat.sessions import KIB, Image, Session, on_blkdebug, on_raw, params

CACHES = ("none", "off", "directsync", "writeback", "writethrough", "unsafe")
FLUSH_ERROR = "inject-error.0.event=none,inject-error.0.iotype=flush,inject-error.0.errno=28"
COUNTED_FLUSHES = (
    "set-state.0.event=flush_to_disk,set-state.0.state=1,set-state.0.new_state=2,"
    "set-state.1.event=flush_to_disk,set-state.1.state=2,set-state.1.new_state=3,"
    "set-state.2.event=flush_to_disk,set-state.2.state=3,set-state.2.new_state=4,"
    "inject-error.0.event=read_aio,inject-error.0.state=2,inject-error.0.errno=2,"
    "inject-error.0.iotype=read,inject-error.0.once=on,"
    "inject-error.1.event=read_aio,inject-error.1.state=3,inject-error.1.errno=3,"
    "inject-error.1.iotype=read,inject-error.1.once=on,"
    "inject-error.2.event=read_aio,inject-error.2.state=4,inject-error.2.errno=4,"
    "inject-error.2.iotype=read,inject-error.2.once=on"
)
#: A read after each says by its errno how many flushes have reached the disk.
FLUSH_SEQUENCES = {
    "writes": ("write -q 0 512", "write -q 0 512", "write -q 0 512"),
    "fua-writes": ("write -qf 0 512", "write -qf 0 512", "write -qf 0 512"),
    "fua-zeroes": ("write -qzf 0 4k", "write -qzf 0 4k", "write -qzf 0 4k"),
    "flushes": ("flush", "flush", "flush"),
    "write-flush-flush": ("write -q 0 512", "flush", "flush", "write -q 0 512", "flush"),
    "fua-then-flush": ("write -qf 0 512", "flush", "flush"),
    "discard-flush": ("discard -q 0 4k", "flush", "flush"),
    "truncate-flush": ("truncate 128k", "flush", "flush"),
    "aio-fua": ("aio_write -qf 0 512", "aio_flush", "aio_write -qf 0 512", "aio_flush"),
    "writev-fua": ("writev -qf 0 512 512", "writev -qf 0 512 512"),
    "failed-write-flush": ("write -q 64k 512", "flush", "write -q 0 512", "flush"),
}
ZERO_EDGES = {
    "one-byte": "7 1",
    "sector": "512 512",
    "across-sectors": "500 30",
    "across-blocks": "4000 200",
    "two-blocks": "4k 8k",
    "unaligned-both": "1000 50000",
    "unaligned-start": "1 8191",
    "unaligned-end": "8k 5001",
    "all": "0 256k",
    "up-to-the-end": "250k 6k",
    "nothing": "4k 0",
}
ZERO_LIMITS = {
    "no-limit": "",
    "align-512": "align=512",
    "align-4k": "align=4k",
    "max-write-zero-8k": "max-write-zero=8k",
    "opt-4k-max-16k": "align=512,opt-write-zero=4k,max-write-zero=16k",
    "max-transfer-4k": "align=512,max-transfer=4k",
    "zeroes-unsupported": "align=512,max-transfer=4k,inject-error.0.event=none,"
    "inject-error.0.iotype=write-zeroes,inject-error.0.errno=95",
}
ODD_SIZES = (1, 511, 513, 1000, 4095, 4097, 10000)
ODD_COMMANDS = (
    "length",
    "map",
    "alloc 0 512",
    "read -v 0 16",
    "read -q 0 511",
    "read -v 0 512",
    "write -P 3 0 10",
    "length",
    "read -q 9728 512",
    "write -P 4 9728 512",
    "length",
    "write -z 9900 200",
    "discard 9728 512",
    "flush",
    "map",
)
GROWTH = {
    "grow": ("length", "truncate 128k", "length", "read -P 0 64k 64k", "write -P 3 127k 1k"),
    "shrink": ("length", "truncate 32k", "length", "read 32k 512", "write 32k 512", "map"),
    "shrink-and-grow": ("truncate 4k", "truncate 64k", "read -P 0 4k 60k", "read -v 0 16"),
    "to-nothing": ("truncate 0", "length", "read 0 512", "map", "truncate 512", "read -v 0 16"),
    "to-odd-sizes": ("truncate 1000", "length", "read -v 990 34", "truncate 1001", "length"),
    "to-the-same": ("truncate 64k", "length"),
    "grow-then-write": ("truncate 65k", "write -P 1 64k 1k", "read -P 1 64k 1k", "map"),
    "huge": ("truncate 1T", "length", "read -P 0 900G 512", "map"),
    "too-huge": ("truncate 8E", "truncate 9223372036854775807", "truncate 7E", "length"),
}
COR_TREE = "driver=copy-on-read,file.driver=blkdebug{},file.image.driver={}"


def counted(words: tuple[str, ...], commands: tuple[str, ...]) -> Session:
    probes = (part for command in commands for part in (command, "read -q 8k 512"))
    return on_blkdebug(COUNTED_FLUSHES, "read -q 8k 512", *probes, words=words)


def read_only(words: tuple[str, ...], *commands: str) -> Session:
    return Session(
        (*words, "img"),
        commands,
        files={"img": Image(read_only=True)},
    )


WRITERS = (
    "read -q 0 512",
    "write 0 512",
    "writev 0 512",
    "aio_write 0 512",
    "aio_flush",
    "write -z 0 4k",
    "discard 0 4k",
    "truncate 128k",
    "flush",
    "map",
    "length",
)

SESSIONS: dict[str, Session] = {
    **{
        f"flushes-of-{name}-cache-{cache}": counted(("-t", cache), commands)
        for name, commands in FLUSH_SEQUENCES.items()
        for cache in CACHES
    },
    **{
        f"failing-flush-of-{name}-cache-{cache}": on_blkdebug(
            FLUSH_ERROR, *commands, words=("-t", cache)
        )
        for name, commands in FLUSH_SEQUENCES.items()
        for cache in ("writeback", "writethrough", "unsafe")
    },
    **{
        f"zeroes-{name}-with-{limit}": on_blkdebug(
            options, f"write -z {place}", "read -q 0 256k", "map", image=Image(256 * KIB)
        )
        for name, place in ZERO_EDGES.items()
        for limit, options in ZERO_LIMITS.items()
    },
    **{
        f"zeroes-unmap-{name}": on_raw(
            f"write -zu {place}", f"discard {place}", "map", image=Image(256 * KIB)
        )
        for name, place in ZERO_EDGES.items()
    },
    **{f"image-of-{size}": on_raw(*ODD_COMMANDS, image=Image(size)) for size in ODD_SIZES},
    **{
        f"image-of-{size}-with-align-512": on_blkdebug(
            "align=512", *ODD_COMMANDS, image=Image(size)
        )
        for size in ODD_SIZES
    },
    **{
        f"image-of-{size}-with-align-4k": on_blkdebug("align=4k", *ODD_COMMANDS, image=Image(size))
        for size in ODD_SIZES
    },
    **{
        f"image-of-{size}-with-align-4k-read-only": on_blkdebug(
            "align=4k", *ODD_COMMANDS, image=Image(size), words=("-r",)
        )
        for size in ODD_SIZES
    },
    **{f"truncate-{name}": on_raw(*commands) for name, commands in GROWTH.items()},
    **{
        f"truncate-{name}-under-blkdebug": on_blkdebug("align=512", *commands)
        for name, commands in GROWTH.items()
    },
    "read-only-by-option": read_only(("-r", "-f", "raw"), *WRITERS),
    "read-only-blkdebug": on_blkdebug("align=4k", *WRITERS, words=("-r",)),
    "snapshot": on_raw(
        "length", "write -P 3 0 1000", "read -P 3 0 1000", "read -v 990 20", "write -z 4k 4k",
        "discard 8k 4k", "map", "alloc 0 64k", "write -P 4 60k 4k", "read -P 4 60k 4k", "flush",
        words=("-s",), image=Image(256 * KIB),
    ),
    "snapshot-of-a-read-only-image": read_only(
        ("-s", "-f", "raw"), "length", "write -P 3 0 512", "read -P 3 0 512"
    ),
    "force-share": read_only(("-U", "-f", "raw"), "length"),
    "force-share-read-only": read_only(("-U", "-r", "-f", "raw"), "length", "read 0 512"),
    "probed": Session(("img",), ("read 0 512", "write -P 3 4k 512", "info")),
    "probed-read-only": Session(("-r", "img"), ("read 0 512",)),
    "probed-write-to-the-first-sector": Session(
        ("img",), ("write -P 0 0 512", "write -P 1 100 100")
    ),
    "discard-off": on_raw("discard 0 64k", "write -zu 0 4k", "map", words=("-d", "off")),
    "discard-ignore": on_raw("discard 0 64k", "map", words=("-d", "ignore")),
    "discard-on": on_raw("discard 0 64k", "map", words=("-d", "on")),
    "sparse-image": on_raw("map", "alloc 0 64k", image=Image(filled=8 * KIB)),
    "sparse-under-blkdebug": on_blkdebug(
        "align=4k", "map", "alloc 0 64k", "alloc 8k 4k", image=Image(filled=8 * KIB)
    ),
    "block-status-error": on_blkdebug(
        "inject-error.0.event=none,inject-error.0.iotype=block-status,inject-error.0.errno=28",
        "map", "alloc 0 4k", "read 0 512",
    ),
    "block-status-error-of-a-sector": on_blkdebug(
        "inject-error.0.event=none,inject-error.0.iotype=block-status,inject-error.0.sector=9",
        "map", "alloc 0 4k", "alloc 4k 4k", "alloc 5k 4k", "read 0 512",
    ),
    "detect-zeroes": on_blkdebug(
        "detect-zeroes=on,inject-error.0.event=pwritev_zero,inject-error.0.errno=28",
        "write -P 0 0 4k", "write -P 1 0 4k", "write -P 0 100 100",
    ),
    "detect-zeroes-unmap": on_blkdebug(
        "detect-zeroes=unmap,discard=unmap", "write -P 0 0 4k", "write -P 0 8k 100", "map"
    ),
    "copy-on-read-option": on_blkdebug(
        "", "read 0 512", "write 0 512", "read 4k 4k", words=("-C",), image=Image(filled=4096)
    ),
    "copy-on-read-and-read-only": on_raw("read 0 512", words=("-C", "-r")),
    "copy-on-read-over-null": Session(
        (
            "--image-opts",
            COR_TREE.format(
                ",file.inject-error.0.event=cor_write,file.inject-error.0.errno=28"
                ",file.inject-error.0.iotype=write,file.inject-error.0.once=on",
                "null-co",
            ),
        ),
        ("read 0 512", "read 4k 4k", "read 1 1", "write 0 512", "map", "length"),
    ),
    "copy-on-read-held": Session(
        ("--image-opts", COR_TREE.format(",file.align=4k", "null-co") + ",file.image.size=1M"),
        ("break cor_write A", "aio_read 1k 1k", "wait_break A", "read -q 64k 4k", "resume A",
         "aio_flush"),
    ),
    "copy-on-read-of-allocated-data": Session(
        ("--image-opts", COR_TREE.format("", "file") + ",file.image.filename=img"),
        ("break cor_write A", "read -v 0 16", "read 60k 8k", "remove_break A"),
    ),
    "copy-on-read-of-zeroes": Session(
        (
            "--image-opts",
            COR_TREE.format("", "null-co") + ",file.image.size=1M,file.image.read-zeroes=on",
        ),
        ("break cor_write A", "read -P 0 0 4k", "remove_break A"),
    ),
    "null-has-no-data": Session(
        ("--image-opts", "driver=null-co,size=64k"),
        ("read -v 0 16", "write 0 64k", "write -z 0 4k", "discard 0 4k", "map", "flush",
         "read -P 0xab 0 512", "truncate 1M"),
    ),
    "null-under-blkdebug": Session(
        ("--image-opts", "driver=blkdebug,align=4k,image.driver=null-co,image.size=64k"),
        ("read -v 0 16", "write 1k 1k", "write -z 0 5k", "discard 0 4k", "map", "info",
         "write -zn 0 4k", "write -f 0 4k"),
    ),
    "null-aio-reports-at-the-next-poll": Session(
        ("--image-opts", "driver=null-aio,size=64k"),
        ("aio_read 0 4k", "aio_write 4k 4k", "aio_read 8k 512", "length", "read 0 512",
         "aio_write 0 512", "aio_flush", "flush"),
    ),
    "null-aio-under-blkdebug": Session(
        ("--image-opts", "driver=blkdebug,align=4k,image.driver=null-aio,image.size=64k"),
        ("aio_write 1k 1k", "aio_read 8k 4k", "aio_write 16k 512", "aio_flush", "write 1k 1k"),
    ),
    "raw-window": Session(
        ("--image-opts", "driver=raw,offset=4k,size=16k,file.driver=file,file.filename=img"),
        ("length", "read -v 0 16", "write -P 7 0 16k", "write -z 1k 3k", "discard 4k 4k", "map",
         "read 16k 512", "truncate 8k", "info"),
    ),
}  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_images_and_caches_are_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
