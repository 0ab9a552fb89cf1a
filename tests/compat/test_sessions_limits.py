from __future__ import annotations

import pytest

from tests.compat.compare import Comparison
from tests.compat.sessions import KIB, Image, Session, on_blkdebug, params

MIB = 1024 * KIB
LIMITS = (
    "align",
    "max-transfer",
    "opt-write-zero",
    "max-write-zero",
    "opt-discard",
    "max-discard",
)
VALUES = {
    "zero": "0",
    "one": "1",
    "three": "3",
    "sector": "512",
    "not-a-multiple": "1000",
    "suffix": "8k",
    "fraction": "1.5k",
    "hexadecimal": "0x2000",
    "int-max": "2147483647",
    "above-int-max": "2147483648",
    "one-gib": "1G",
    "above-one-gib": "2147483136",
    "negative": "-1",
    "word": "foo",
    "empty": "",
    "two-suffixes": "1kb",
    "beyond-64-bits": "18446744073709551616",
    "last-of-64-bits": "18446744073709551615",
    "exbibytes": "16E",
}
#: Which errors there are may depend on the order in which limits are looked at.
CONFLICTS = {
    "max-transfer-below-align": "align=4k,max-transfer=512",
    "opt-write-zero-below-align": "align=4k,opt-write-zero=512",
    "max-write-zero-below-opt": "opt-write-zero=8k,max-write-zero=4k",
    "max-write-zero-no-multiple-of-opt": "opt-write-zero=8k,max-write-zero=12k",
    "max-write-zero-below-align": "align=4k,max-write-zero=2k",
    "opt-discard-below-align": "align=4k,opt-discard=512",
    "max-discard-below-opt": "opt-discard=8k,max-discard=4k",
    "max-discard-no-multiple-of-align": "align=4k,max-discard=6k",
    "opt-write-zero-need-not-be-a-power-of-two": "opt-write-zero=1536,max-write-zero=4608",
    "several-at-once": "align=3,max-transfer=5,opt-write-zero=7,max-discard=9",
    "twice": "align=512,align=4k",
    "unknown-option": "alignment=512",
    "unknown-option-beside-a-bad-one": "align=3,alignment=512",
}
COMMANDS = (
    "write -P 1 1000 50000",
    "write -z 1000 50000",
    "discard 64k 64k",
    "read -v 512 1024",
    "write -P 0x5a 0 64k",
    "write -z -u 3k 20000",
    "discard 0 64k",
    "write -z -n 4k 8k",
    "write -z -n 1 8k",
    "write -z 64k 64k",
    "aio_write -z 512 70000",
    "aio_flush",
    "aio_write -P 7 100000 5000",
    "aio_flush",
    "readv -q 0 100 100k",
    "map",
    "alloc 0 128k",
)
WORKING = {
    "none": "",
    "align-512": "align=512",
    "align-4k": "align=4k",
    "align-64k": "align=64k",
    "align-1": "align=1",
    "max-transfer-512": "align=512,max-transfer=512",
    "max-transfer-1k": "max-transfer=1k",
    "max-transfer-12k-align-4k": "align=4k,max-transfer=12k",
    "max-transfer-of-1000": "align=1,max-transfer=1000",
    "opt-write-zero-4k": "align=512,opt-write-zero=4k",
    "opt-write-zero-4k-max-16k": "align=512,opt-write-zero=4k,max-write-zero=16k",
    "opt-write-zero-1536": "align=512,opt-write-zero=1536,max-write-zero=4608",
    "max-write-zero-512": "align=512,max-write-zero=512",
    "opt-discard-4k": "align=512,opt-discard=4k",
    "opt-discard-4k-max-16k": "align=512,opt-discard=4k,max-discard=16k",
    "opt-discard-1536": "align=512,opt-discard=1536,max-discard=4608",
    "max-discard-512": "align=512,max-discard=512",
    "opt-discard-15k": "align=512,opt-discard=15k,max-discard=60k",
    "all-small": "align=512,max-transfer=1k,opt-write-zero=2k,max-write-zero=4k,"
    "opt-discard=8k,max-discard=16k",
    "all-large": "align=4k,max-transfer=64k,opt-write-zero=32k,max-write-zero=64k,"
    "opt-discard=32k,max-discard=64k",
    "coarse-opt-over-fine-align": "align=1,opt-write-zero=64k,opt-discard=64k",
}
#: QEMU 7.2 itself dies of some discards not aligned to align: these it survives.
DISCARDS = {
    "unlimited": ("", "discard 1000 50000"),
    "opt-discard": ("opt-discard=4k", "discard 1000 50000"),
    "opt-discard-inside-a-block": ("opt-discard=4k", "discard 1000 512"),
    "opt-discard-and-max": ("opt-discard=4k,max-discard=16k", "discard 1000 50000"),
    "align-and-opt-discard": ("align=512,opt-discard=4k", "discard 1000 50000"),
    "align-opt-discard-and-max": (
        "align=512,opt-discard=4k,max-discard=16k",
        "discard 1000 50000",
    ),
    "align-head-only": ("align=512,opt-discard=4k", "discard 1000 7192"),
    "align-tail-only": ("align=512,opt-discard=4k", "discard 4096 9000"),
    "align-4k-of-64k": ("align=4k,opt-discard=64k", "discard 1k 150k"),
    "align-512-of-15k": ("align=512,opt-discard=15k,max-discard=60k", "discard 1000 50000"),
    "max-discard-only": ("align=512,max-discard=1k", "discard 1024 50176"),
    "past-the-end": ("align=512", "discard 255k 2k"),
    "up-to-the-end": ("align=512,opt-discard=64k", "discard 100k 156k"),
    "of-nothing": ("align=512", "discard 1000 0"),
    "everything": ("align=4k,opt-discard=64k,max-discard=64k", "discard 0 256k"),
}
#: Fails the first fragment that touches a sector, which tells where the fragments are.
FRAGMENTS = {
    "write": ("write", "write -P 3 1000 50000"),
    "write-zeroes": ("write-zeroes", "write -z 1000 50000"),
    "write-in-zeroes": ("write", "write -z 1000 50000"),
    "discard": ("discard", "discard 1000 50000"),
    "read": ("read", "read -q 1000 50000"),
}

SESSIONS: dict[str, Session] = {
    **{
        f"{limit}-is-{name}": on_blkdebug(f"{limit}={value}", "write -q 0 8k", "write -z 1 3000")
        for limit in LIMITS
        for name, value in VALUES.items()
    },
    **{
        name: on_blkdebug(options, "write -q 0 64k", "write -z 1 9000", "discard 0 60k", "map")
        for name, options in CONFLICTS.items()
    },
    **{
        f"with-{name}": on_blkdebug(options, *COMMANDS, image=Image(MIB, filled=192 * KIB))
        for name, options in WORKING.items()
    },
    **{
        f"fragments-of-{name}-fail-at-sector-{sector}": on_blkdebug(
            "align=512,max-transfer=8k,opt-write-zero=4k,max-write-zero=16k,opt-discard=4k,"
            "max-discard=16k,inject-error.0.event=none,inject-error.0.errno=28,"
            f"inject-error.0.iotype={iotype},inject-error.0.sector={sector}",
            command,
            "map",
            image=Image(256 * KIB),
        )
        for name, (iotype, command) in FRAGMENTS.items()
        for sector in (1, 8, 40, 97, 99, 100)
    },
    **{
        f"discard-{name}": on_blkdebug(
            options, command, "map", "alloc 0 256k", image=Image(256 * KIB)
        )
        for name, (options, command) in DISCARDS.items()
    },
    "align-of-the-child-counts": Session(
        (
            "--image-opts",
            "driver=blkdebug,max-transfer=2k,image.driver=blkdebug,image.align=4k,"
            "image.image.driver=file,image.image.filename=img",
        ),
        ("read 0 512",),
    ),
    "finer-align-than-the-child": Session(
        (
            "--image-opts",
            "driver=blkdebug,align=512,image.driver=blkdebug,image.align=4k,"
            "image.image.driver=file,image.image.filename=img",
        ),
        ("write -P 9 512 512", "read -v 0 2k", "write -z 3k 3k", "discard 4k 8k", "map"),
    ),
    "align-of-a-gib-on-a-small-file": on_blkdebug("align=1G", "read 0 512"),
    "align-of-a-gib-read-only": on_blkdebug("align=1G", "length", words=("-r",)),
}


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_limits_are_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
