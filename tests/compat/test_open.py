from __future__ import annotations

import itertools
import json

import pytest

from tests.compat.compare import Comparison
from tests.compat.sessions import KIB, Image, Session, params

CHECK = ("length", "info", "read -q 0 512", "write -q 0 512")
RAW = "driver=raw,file.driver=file,file.filename=img"
BLKDEBUG = "driver=blkdebug,image.driver=file,image.filename=img"
STACK = (
    "driver=raw,node-name=top,file.driver=blkdebug,file.node-name=middle,file.image.driver=file"
    ",file.image.filename=img,file.image.node-name=bottom"
)
FILES: dict[str, Image | bytes] = {
    "img": Image(),
    "empty": b"",
    "byte": b"x",
    "short": b"x" * 300,
    "odd": Image(1000),
    "file:img": Image(4 * KIB),
    "qcow2": b"QFI\xfb\0\0\0\3" + bytes(1000),
}


def opened(options: str, *words: str, commands: tuple[str, ...] = CHECK) -> Session:
    return Session(("--image-opts", *words, options), commands, files=FILES)


def named(name: str, *words: str, commands: tuple[str, ...] = CHECK) -> Session:
    return Session((*words, name), commands, files=FILES)


def as_json(options: object, *words: str) -> Session:
    return named("json:" + json.dumps(options), *words)


def reopened(*commands: str, options: str = STACK, words: tuple[str, ...] = ()) -> Session:
    """Each command is followed by what shows in which state it left the disk."""
    shown = itertools.chain.from_iterable((c, "read -q 0 512", "write -q 0 512") for c in commands)
    return opened(options, *words, commands=(*shown, "length"))


#: Mistakes in options of raw over file. Any two of them are made together: one is reported.
FAULTS = (
    "discard=foo",
    "detect-zeroes=bar",
    "detect-zeroes=unmap,discard=off",
    "cache.direct=x",
    "cache.no-flush=1",
    "read-only=x",
    "auto-read-only=maybe",
    "force-share=x",
    "force-share=on",
    "node-name=1x",
    "node-name=" + "n" * 32,
    "foo=1",
    "offset=x",
    "offset=1M",
    "size=100",
    "backing=x",
    "backing.driver=null-co",
    "file=nothing",
    "file.filename=absent",
    "file.filename=",
    "file.foo=1",
    "file.discard=foo",
    "file.node-name=1x",
    "file.aio=x",
    "file.locking=x",
    "file.cache.direct=x",
    "file.force-share=on",
    "file.read-only=on",
)
#: Likewise of blkdebug over file.
BLKDEBUG_FAULTS = (
    "discard=foo",
    "detect-zeroes=bar",
    "cache.direct=x",
    "read-only=x",
    "force-share=on",
    "node-name=1x",
    "node-name=same,image.node-name=same",
    "foo=1",
    "align=3",
    "align=x",
    "config=absent",
    "inject-error.0.event=foo",
    "take-child-perms.0=foo",
    "unshare-child-perms=x",
    "image=nothing",
    "image.filename=absent",
    "image.foo=1",
    "image.cache.direct=x",
    "x-image=img",
    "backing=x",
    "backing=",
    "filename=img",
)
PAIRS = {
    **{
        f"{base}-{'-and-'.join(pair)}": opened(",".join((tree, *pair)))
        for base, tree, faults in (("raw", RAW, FAULTS), ("blkdebug", BLKDEBUG, BLKDEBUG_FAULTS))
        for pair in itertools.combinations(faults, 2)
    },
    **{f"raw-{fault}": opened(f"{RAW},{fault}") for fault in FAULTS},
    **{f"blkdebug-{fault}": opened(f"{BLKDEBUG},{fault}") for fault in BLKDEBUG_FAULTS},
}

NAMES = {
    **{
        f"{name}-{'probed' if not words else words[-1]}": named(name, *words)
        for name in ("img", "empty", "byte", "short", "odd", "absent", ".", "absent/x", "img/x",
                     "/dev/null", "/dev/zero", "/proc/version", "file:img", "file:file:img",
                     "file:", "file:absent", "host_device:img", "host_device:/dev/null",
                     "blkdebug::img", "blkdebug::empty", "blkdebug::.", "blkdebug::absent",
                     "blkdebug::/dev/null", "null-co://", "blkdebug:img", "x" * 300,
                     "a\x80b", "./absent", "")
        for words in ((), ("-f", "raw"), ("-r", "-f", "raw"), ("-f", "file"),
                      ("-f", "host_device"), ("-f", "blkdebug"))
    },
    "read-only-probed": named("img", "-r"),
    "read-only-empty": named("empty", "-r"),
    "copy-on-read": named("img", "-C", "-f", "raw"),
    "copy-on-read-read-only": named("img", "-C", "-r", "-f", "raw"),
    "copy-on-read-read-only-option": opened(f"{RAW},read-only=on", "-C"),
    "copy-on-read-read-only-and-discard": opened(f"{RAW},read-only=on,discard=x", "-C"),
    "copy-on-read-probed": named("img", "-C"),
}  # fmt: skip

OPTIONS = {
    name: opened(options)
    for name, options in {
        "filename-with-driver-of-a-format": "driver=raw,filename=img",
        "filename-without-driver": "filename=img",
        "filename-of-the-child-with-prefix": "driver=raw,file.filename=file:img",
        "filename-of-the-child-blkdebug": "driver=raw,file.filename=blkdebug::img",
        "filename-of-the-child-json": 'driver=raw,file.filename=json:{"driver":"null-co"}',
        "x-image-of-json": 'driver=blkdebug,x-image=json:{"driver":"null-co"}',
        "x-image-with-prefix": "driver=blkdebug,x-image=file:img",
        "x-image-absent": "driver=blkdebug,x-image=absent",
        "no-driver-but-child": "file.driver=file,file.filename=img",
        "no-driver-but-child-with-offset": "file.driver=file,file.filename=img,offset=1M",
        "no-driver-but-child-and-unknown": "file.driver=file,file.filename=img,foo=1",
        "no-driver-at-all": "read-only=on",
        "child-of-nothing": "driver=raw,file.driver=raw",
        "unknown-driver-below": "driver=raw,file.driver=foo",
        "empty-driver": "driver=",
        "protocol-over-protocol": "driver=file,filename=img,file.driver=file,file.filename=img",
        "raw-over-raw": "driver=raw,file.driver=raw,file.file.driver=file,file.file.filename=img",
        "raw-over-raw-of-a-name": "driver=raw,file.driver=raw,file.file.filename=img",
        "null-without-anything": "driver=null-co",
        "null-too-large": "driver=null-co,size=9223372036854775807",
        "null-largest": "driver=null-co,size=9223372035781033984",
        "raw-over-null": "driver=raw,file.driver=null-co,file.size=64k",
        "no-driver-over-null": "file.driver=null-co,file.size=64k",
        "no-driver-over-failing-blkdebug": "file.driver=blkdebug,file.image.driver=file"
        ",file.image.filename=img,file.inject-error.0.event=none,file.inject-error.0.errno=28",
        "no-driver-over-failing-first-sector": "file.driver=blkdebug,file.image.driver=file"
        ",file.image.filename=img,file.inject-error.0.event=none,file.inject-error.0.sector=0",
        "device-as-file": "driver=file,filename=/dev/null",
        "file-as-device": "driver=host_device,filename=img",
        "folder-as-file": "driver=file,filename=.",
        "reference-to-oneself": "driver=raw,node-name=a,file=a",
        "reference-to-oneself-from-a-filter": "driver=blkdebug,node-name=a,image=a",
        "reference-and-options": "driver=raw,file=a,file.driver=file",
        "node-names": STACK,
        "node-name-with-all-letters": f"{RAW},node-name=aZ09-._",
        "node-name-of-31": f"{RAW},node-name={'n' * 31}",
        "node-name-empty": f"{RAW},node-name=",
        "node-name-with-blank": f"{RAW},node-name=a b",
        "node-name-of-a-made-up-one": f"{RAW},node-name=#block100",
        "auto-read-only": f"{RAW},auto-read-only=on",
        "auto-read-only-and-read-only": f"{RAW},auto-read-only=on,read-only=on",
        "read-only": f"{RAW},read-only=on",
        "read-only-yes": f"{RAW},read-only=yes",
        "read-only-below": f"{RAW},file.read-only=on",
        "read-write-below": f"{RAW},read-only=on,file.read-only=off",
        "force-share-read-only": f"{RAW},read-only=on,force-share=on",
        "force-share-below": f"{RAW},file.read-only=on,file.force-share=on",
        "backing-empty": f"{RAW},backing=",
        "backing-of-a-file": "driver=file,filename=img,backing=x",
        "backing-options-of-a-file": "driver=file,filename=img,backing.driver=null-co",
        "copy-on-read-filter": "driver=copy-on-read,file.driver=file,file.filename=img",
        "copy-on-read-filter-of-a-name": "driver=copy-on-read,file.filename=img",
        "copy-on-read-filter-read-only": "driver=copy-on-read,file.driver=file,file.filename=img"
        ",read-only=on",
        "copy-on-read-filter-bottom": "driver=copy-on-read,file.driver=file,file.filename=img"
        ",bottom=x",
        "take-write": f"{BLKDEBUG},take-child-perms.0=write,image.read-only=on",
        "take-write-read-only": f"{BLKDEBUG},take-child-perms.0=write,read-only=on",
        "take-write-unshare-write": f"{BLKDEBUG},take-child-perms.0=write"
        ",unshare-child-perms.0=write",
        "unshare-all": f"{BLKDEBUG},unshare-child-perms.0=write,unshare-child-perms.1=resize"
        ",unshare-child-perms.2=consistent-read,unshare-child-perms.3=write-unchanged",
        "take-all": f"{BLKDEBUG},take-child-perms.0=write,take-child-perms.1=resize"
        ",take-child-perms.2=consistent-read,take-child-perms.3=write-unchanged",
        "align-above-the-size": f"{BLKDEBUG},align=1M",
        "align-above-the-size-take-write": f"{BLKDEBUG},align=1M,take-child-perms.0=write",
        "blkdebug-over-blkdebug-unaligned": "driver=blkdebug,image.driver=blkdebug,image.align=1M"
        ",image.image.driver=file,image.image.filename=img",
        "take-write-over-unaligned": "driver=blkdebug,take-child-perms.0=write,read-only=on"
        ",image.driver=blkdebug,image.align=1M,image.read-only=off,image.image.driver=file"
        ",image.image.filename=img",
    }.items()
}
FILE = {"driver": "file", "filename": "img"}
JSON = {
    name: as_json(options)
    for name, options in {
        "typed-switches": {"driver": "raw", "read-only": True, "file": FILE},
        "switch-of-a-number": {"driver": "raw", "read-only": 1, "file": FILE},
        "switch-of-null": {"driver": "raw", "read-only": None, "file": FILE},
        "driver-of-a-number": {"driver": 42, "file": FILE},
        "filename-of-a-number": {"driver": "file", "filename": 42},
        "filename-of-null": {"driver": "file", "filename": None},
        "child-of-a-number": {"driver": "raw", "file": 42},
        "child-of-null": {"driver": "raw", "file": None},
        "child-empty": {"driver": "raw", "file": {}},
        "child-list": {"driver": "raw", "file": [FILE]},
        "backing-null": {"driver": "raw", "file": FILE, "backing": None},
        "backing-empty": {"driver": "raw", "file": FILE, "backing": ""},
        "backing-empty-object": {"driver": "raw", "file": FILE, "backing": {}},
        "backing-number": {"driver": "raw", "file": FILE, "backing": 42},
        "backing-node": {"driver": "raw", "file": FILE, "backing": "x"},
        "backing-options": {"driver": "raw", "file": FILE, "backing": FILE},
        "backing-null-of-a-file": {**FILE, "backing": None},
        "backing-null-below": {"driver": "raw", "file": {**FILE, "backing": None}},
        "backing-null-of-blkdebug": {"driver": "blkdebug", "image": FILE, "backing": None},
        "node-name-of-a-number": {"driver": "raw", "file": FILE, "node-name": 5},
        "discard-of-a-switch": {"driver": "raw", "file": FILE, "discard": True},
        "detect-zeroes-of-a-switch": {"driver": "raw", "file": FILE, "detect-zeroes": True},
        "unknown-with-null": {"driver": "raw", "file": FILE, "foo": None},
        "unknown-object": {"driver": "raw", "file": FILE, "foo": {"bar": 1}},
        "unknown-empty-object": {"driver": "raw", "file": FILE, "foo": {}},
        "force-share-typed": {"driver": "raw", "file": FILE, "force-share": True},
        "option-of-another-case": {"driver": "raw", "file": FILE, "Read-Only": True},
    }.items()
}
JSON["name-and-driver"] = as_json({**FILE, "driver": "raw"}, "-f", "file")
JSON["name-of-a-format-forced"] = as_json({"file": FILE}, "-f", "raw")

REOPENINGS = {
    name: reopened(*commands)
    for name, commands in {
        "nothing": ("reopen",),
        "read-only": ("reopen -r",),
        "read-only-and-back": ("reopen -r", "reopen -w", "reopen -r"),
        "read-only-by-option": ("reopen -o read-only=on",),
        "writable-by-option": ("reopen -r", "reopen -o read-only=off"),
        "read-only-below": ("reopen -o file.read-only=on", "reopen -r"),
        "read-only-at-the-bottom": ("reopen -o file.image.read-only=on",),
        "read-only-but-not-below": ("reopen -r -o file.read-only=off", "reopen -w"),
        "read-only-twice": ("reopen -r", "reopen -r"),
        "both": ("reopen -r -w",),
        "both-and-option": ("reopen -r -o read-only=on",),
        "cache-none": ("reopen -c none", "reopen -c writeback"),
        "cache-unsafe": ("reopen -c unsafe", "reopen"),
        "cache-writethrough": ("reopen -c writethrough",),
        "cache-foo": ("reopen -c foo",),
        "cache-and-option": ("reopen -c none -o cache.direct=on",),
        "cache-options": ("reopen -o cache.direct=off,cache.no-flush=on", "reopen"),
        "cache-below": ("reopen -o file.cache.no-flush=on", "reopen -c writeback"),
        "bad-switch": ("reopen -o cache.direct=x",),
        "bad-switch-below": ("reopen -o file.cache.direct=x",),
        "bad-discard": ("reopen -o discard=x",),
        "discard": ("reopen -o discard=off", "discard 0 64k"),
        "detect-zeroes": ("reopen -o detect-zeroes=on", "reopen -o detect-zeroes=x"),
        "detect-zeroes-unmap": (
            "reopen -o detect-zeroes=unmap", "reopen -o detect-zeroes=unmap,discard=off",
        ),
        "unknown": ("reopen -o foo=1",),
        "unknown-below": ("reopen -o file.foo=1",),
        "two-unknown": ("reopen -o foo=1,bar=2", "reopen -o bar=2,foo=1", "reopen -o a=1,b=2,c=3"),
        "unknown-here-and-below": ("reopen -o file.foo=1,bar=2",),
        "driver": ("reopen -o driver=raw", "reopen -o driver=file"),
        "node-name": ("reopen -o node-name=top", "reopen -o node-name=other"),
        "force-share": ("reopen -o force-share=on", "reopen -r -o force-share=on"),
        "filename": (
            "reopen -o file.image.filename=img", "reopen -o file.image.filename=other",
        ),
        "window": (
            "reopen -o offset=4k", "length", "reopen -o size=8k", "length", "reopen", "length",
            "reopen -o offset=0", "length",
        ),
        "window-beyond": ("reopen -o offset=1M", "reopen -o size=1M", "reopen -o size=100"),
        "window-of-nonsense": ("reopen -o offset=x", "reopen -o size=-1"),
        "window-and-unknown": ("reopen -o offset=4k,foo=1", "length"),
        "window-and-unknown-below": ("reopen -o offset=4k,file.foo=1", "length"),
        "window-and-bad-below": ("reopen -o offset=4k,file.cache.direct=x", "length"),
        "limit": ("reopen -o file.align=512", "reopen -o file.align=4k"),
        "rule": ("reopen -o file.inject-error.0.event=read_aio",),
        "drop-cache": ("reopen -o file.image.drop-cache=off", "reopen -o file.image.drop-cache=on"),
        "locking": ("reopen -o file.image.locking=off", "reopen -o file.image.locking=auto"),
        "child-itself": ("reopen -o file=middle", "reopen -o file.image=bottom"),
        "child-absent": ("reopen -o file=x", "reopen -o file.image=x"),
        "child-other": (
            "break cor_write A", "reopen -o file=bottom", "break cor_write B", "reopen -r",
            "reopen -o file=middle", "reopen -w",
        ),
        "child-other-refused": ("reopen -o file=bottom,foo=1", "break cor_write A"),
        "child-circle": ("reopen -o file=top", "reopen -o file.file=top", "reopen -o file.file=x"),
        "child-and-options": ("reopen -o file=middle,file.cache.direct=off",),
        "backing": ("reopen -o backing=x", "reopen -o backing=bottom", "reopen -o backing="),
        "backing-below": ("reopen -o file.backing=bottom", "reopen -o backing.driver=file"),
        "words": ("reopen x", "reopen -x", "reopen -c", "reopen -o", "reopen -o foo"),
    }.items()
}  # fmt: skip
REOPENINGS |= {
    "of-a-file": reopened(
        "reopen -r", "reopen -o filename=img", "reopen -o filename=other", "reopen -o aio=threads",
        "reopen -w", "reopen -o file=x",
        options="driver=file,filename=img",
    ),
    "of-null": reopened(
        "reopen -r", "reopen -w -o size=1M", "reopen -o size=2M",
        options="driver=null-co,size=1M",
    ),
    "of-copy-on-read": reopened(
        "reopen", "reopen -r",
        options="driver=copy-on-read,node-name=c,file.driver=file,file.filename=img",
    ),
    "below-copy-on-read": reopened(
        "reopen", "reopen -r",
        options="driver=raw,file.driver=copy-on-read,file.node-name=c,file.file.driver=file"
        ",file.file.filename=img",
    ),
    "with-copy-on-read": reopened(
        "reopen -r", "reopen", options=f"{RAW},node-name=r", words=("-C",)
    ),
    "of-what-took-write": reopened(
        "reopen -r", "reopen -o image.read-only=on",
        options=f"{BLKDEBUG},node-name=b,take-child-perms.0=write,image.node-name=f",
    ),
    "with-failing-flush": reopened(
        "reopen -c none", "write 0 512", "reopen", "reopen -r",
        options=f"{STACK},file.inject-error.0.event=none,file.inject-error.0.iotype=flush"
        ",file.inject-error.0.errno=28",
        words=("-t", "writeback"),
    ),
    "of-explicit-children": reopened(
        "reopen -r", "reopen -w",
        options=f"{RAW},file.read-only=off",
    ),
    "of-read-only-below": reopened(
        "reopen -w", "reopen -o file.read-only=off",
        options=f"{RAW},read-only=on,file.read-only=on", words=("-r",),
    ),
    "of-probed": Session(("img",), ("reopen -r", "write 0 512", "reopen -w", "write 4k 512"),
                         files=FILES),
    "of-json": Session(
        ('json:{"driver":"raw","offset":4096,"file":{"driver":"blkdebug","align":512,"image":'
         '{"driver":"file","filename":"img"}}}',),
        ("reopen", "length", "reopen -o offset=4096", "reopen -o file.align=512", "reopen -r",
         "length"),
        files=FILES,
    ),
    "after-truncate": reopened("truncate 128k", "reopen -r", "reopen -w", "truncate 64k"),
}  # fmt: skip

ALL = ("length", "map", "read -P 2 512 512", "write -P 9 512 100", "read -v 500 128", "map",
       "write -z 0 64k", "read -v 0 16", "discard 64k 64k", "read -v 64k 16", "map", "alloc 0 256k",
       "write -P 7 130k 70k", "read -v 131056 80", "read -v 204784 32", "map", "flush")  # fmt: skip
SNAPSHOTS = {
    "raw": Session(("-s", "-f", "raw", "img"), ALL, files={"img": Image(256 * KIB)}),
    "probed": Session(("-s", "img"), ALL, files={"img": Image(256 * KIB)}),
    "sparse": Session(
        ("-s", "-f", "raw", "img"), ALL, files={"img": Image(256 * KIB, filled=70 * KIB)}
    ),
    "odd": Session(("-s", "-f", "raw", "img"), ALL, files={"img": Image(200 * KIB + 100)}),
    "small": Session(("-s", "-f", "raw", "img"), ALL, files={"img": Image(1000)}),
    "empty": Session(("-s", "-f", "raw", "img"), ALL, files={"img": b""}),
    "read-only": Session(("-s", "-r", "-f", "raw", "img"), ALL, files={"img": Image(256 * KIB)}),
    "read-only-image": Session(
        ("-s", "-f", "raw", "img"), ALL, files={"img": Image(256 * KIB, read_only=True)}
    ),
    "no-discard": Session(
        ("-s", "-d", "off", "-f", "raw", "img"), ALL, files={"img": Image(256 * KIB)}
    ),
    "copy-on-read": Session(
        ("-s", "-C", "-f", "raw", "img"), ("map", *ALL), files={"img": Image(256 * KIB)}
    ),
    "copy-on-read-read-only": Session(("-s", "-C", "-r", "-f", "raw", "img"), ALL, files=FILES),
    "absent": Session(("-s", "-f", "raw", "absent"), ALL),
    "closed-and-opened": Session(
        (), ("open -s -o driver=raw img", "write -P 9 0 512", "read -P 9 0 512", "close",
             "open -o driver=raw img", "read -P 1 0 512"), files=FILES,
    ),
    "with-options": opened(f"{RAW},discard=off", "-s", commands=ALL),
    "with-read-only-option": opened(f"{RAW},read-only=on", "-s", commands=ALL),
    "with-writable-option": opened(f"{RAW},read-only=off", "-s", commands=ALL),
    "with-a-bad-option": opened(f"{RAW},read-only=x", "-s", commands=ALL),
    "with-a-bad-discard": opened(f"{RAW},discard=x", "-s", commands=ALL),
    "with-zero-detection": opened(
        f"{RAW},detect-zeroes=on", "-s", commands=("write -P 0 0 64k", "map")
    ),
    "over-blkdebug": opened(
        "driver=blkdebug,align=4k,image.driver=file,image.filename=img", "-s",
        commands=("break read_aio A", *ALL),
    ),
    "over-failing-reads": opened(
        f"{BLKDEBUG},inject-error.0.event=none,inject-error.0.errno=28,inject-error.0.sector=9",
        "-s",
        commands=("read 0 8k", "write 0 512", "read 60k 4k", "map", "write 0 64k", "read 0 8k"),
    ),
    "grown": Session(
        ("-s", "-f", "raw", "img"),
        ("truncate 512k", "length", "read -P 0 256k 256k", "write -P 5 400k 1k", "map",
         "read -P 0 384k 16k", "truncate 100k", "map", "truncate 300k", "map",
         "read -P 0 100k 200k", "read -v 102384 32", "truncate 300000", "truncate 400000",
         "write -z 300k 80k", "map", "truncate 200k", "truncate 1M", "map"),
        files={"img": Image(256 * KIB)},
    ),
    "aio": Session(
        ("-s", "-f", "raw", "img"),
        ("aio_write -P 1 100 1000", "aio_flush", "aio_write -P 2 2000 100", "aio_flush",
         "aio_write -P 3 60k 10k", "aio_flush", "read -v 0 2560", "read -P 3 60k 10k"),
        files={"img": Image(256 * KIB)},
    ),
}  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize("session", params(PAIRS))
def test_of_two_mistakes_the_same_one_is_reported(session: Session, comparison: Comparison) -> None:
    comparison.check(session)


@pytest.mark.peer
@pytest.mark.parametrize("session", params({**NAMES, **OPTIONS, **JSON}))
def test_disks_open_or_fail_to_with_the_same_words(
    session: Session, comparison: Comparison
) -> None:
    comparison.check(session)


@pytest.mark.peer
@pytest.mark.parametrize("session", params(REOPENINGS))
def test_disks_are_reopened_or_refuse_to_be(session: Session, comparison: Comparison) -> None:
    comparison.check(session)


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SNAPSHOTS))
def test_a_snapshot_keeps_what_is_written_to_itself(
    session: Session, comparison: Comparison
) -> None:
    comparison.check(session)
