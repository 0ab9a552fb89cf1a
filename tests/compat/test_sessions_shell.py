from __future__ import annotations

import pytest

from tests.compat.compare import Comparison
from tests.compat.sessions import Image, Session, on_blkdebug, on_raw, params

RAW = ("-f", "raw", "-t", "writeback", "img")


def typed(text: str, *words: str, commands: tuple[str, ...] = ()) -> Session:
    return Session(words or RAW, commands, typed=text)


def called(*words: str) -> Session:
    return Session(words, ("read 0 512", "write 0 512"))


def without_image(*commands: str) -> Session:
    files: dict[str, Image | bytes] = {"img": Image(), "other": Image(4096), "a,b": Image()}
    return Session((), commands, files=files)


TYPED = {
    "two-commands": "read 0 512\nwrite 0 512\n",
    "no-newline-at-the-end": "read 0 512\nlength",
    "nothing": "",
    "empty-lines": "\n\nlength\n\n",
    "blank-lines": "   \nlength\n",
    "quit": "length\nquit\nlength\n",
    "alias-of-quit": "q\nlength\n",
    "unknown-command": "foo\nlength\n",
    "error": "read 1M 512\nlength\n",
    "bad-usage": "read\nread -x 0 512\nlength\n",
    "help": "help read\n?\n",
    "verbose": "read -v 0 16\n",
    "condensed": "read -C 0 512\n",
    "aio": "aio_write -P 5 0 512\naio_flush\nread -v 0 16\n",
    "aio-without-flush": "aio_write -q -P 5 0 512\n",
    "close-and-open": "close\nread 0 512\nopen -o driver=raw img\nread 0 512\n",
    "carriage-return": "length\r\nread 0 512\r\n",
    "long-line": "read 0 512" + " " * 900 + "\nlength\n",
    "too-long-line": "x" * 3000 + "\nlength\n",
    "null-byte": "length\0x\nlength\n",
    "comment": "# length\nlength\n",
    "semicolon": "length; length\nlength\n",
    "status-of-the-last-error": "length\nread 1M 512\n",
}
CALLS = {
    "no-image": ("-c", "length"),
    "no-image-twice": ("-c", "length", "-c", "read 0 512"),
    "two-images": ("-f", "raw", "img", "img"),
    "unknown-option": ("--frob", "img"),
    "unknown-letter": ("-Z", "img"),
    "missing-argument": ("img", "-f"),
    "ambiguous": ("--c", "length", "img"),
    "abbreviated": ("--form", "raw", "--read", "img"),
    "long-options": ("--format=raw", "--cache=writeback", "--cmd=length", "img"),
    "options-behind": ("img", "-f", "raw", "-t", "writeback"),
    "double-dash": ("-f", "raw", "--", "img"),
    "cache-bad": ("-t", "foo", "-f", "raw", "img"),
    "cache-empty": ("-t", "", "-f", "raw", "img"),
    "discard-bad": ("-d", "foo", "-f", "raw", "img"),
    "aio-bad": ("-i", "foo", "-f", "raw", "img"),
    "aio-threads": ("-i", "threads", "-f", "raw", "img"),
    "native-aio": ("-k", "-n", "-f", "raw", "img"),
    "nocache": ("-n", "-f", "raw", "img"),
    "misalign": ("-m", "-f", "raw", "img"),
    "misalign-nocache": ("-m", "-n", "-f", "raw", "img"),
    "read-only": ("-r", "-f", "raw", "img"),
    "copy-on-read": ("-C", "-f", "raw", "img"),
    "force-share": ("-U", "-f", "raw", "img"),
    "image-opts-and-format": ("--image-opts", "-f", "raw", "driver=file,filename=img"),
    "image-opts-without-image": ("--image-opts", "-c", "length"),
    "options-given-twice": ("-f", "foo", "-f", "raw", "-t", "none", "-t", "writeback", "img"),
    "object-unknown": ("--object", "foo,id=a", "-f", "raw", "img"),
    "object-without-id": ("--object", "secret,data=x", "-f", "raw", "img"),
    "object-secret": ("--object", "secret,id=a,data=x", "-f", "raw", "img"),
    "object-throttle-group": ("--object", "throttle-group,id=a", "-f", "raw", "img"),
    "object-json": (
        *("--object", '{"qom-type": "secret", "id": "a", "data": "x"}'),
        *("-f", "raw", "img"),
    ),
    "object-json-without-id": ("--object", '{"qom-type": "secret"}', "-f", "raw", "img"),
    "object-json-broken": ("--object", "{bad", "-f", "raw", "img"),
    "object-json-followed": ("--object", "{} {}", "-f", "raw", "img"),
    "trace-nothing": ("-T", "", "-f", "raw", "img"),
    "trace-unknown": ("-T", "foo", "-f", "raw", "img"),
    "trace-events-absent": ("-T", "events=absent", "-f", "raw", "img"),
    "trace-events-folder": ("-T", "events=.", "-f", "raw", "img"),
    "trace-bad": ("-T", "foo=bar", "-f", "raw", "img"),
    "help": ("--help",),
    "help-letter": ("-h",),
    "help-behind-an-error": ("-t", "foo", "-h"),
}
OPENINGS = {
    "no-file": ("length", "read 0 512", "info", "map", "flush", "close", "truncate 1", "reopen"),
    "no-file-for-usage": ("read", "read -x", "alloc", "break x y", "resume x", "aio_flush"),
    "open-name": ("open img", "length"),
    "open-format": ("open -o driver=raw img", "length", "close", "length"),
    "open-read-only": ("open -r -o driver=raw img", "write 0 512", "read 0 512"),
    "open-twice": ("open -o driver=raw img", "open -o driver=raw other", "length"),
    "open-another": ("open -o driver=raw img", "close", "open -o driver=raw other", "length"),
    "open-absent": ("open -o driver=raw absent", "length"),
    "open-nothing": ("open", "length"),
    "open-options-only": ("open -o driver=raw,file.driver=file,file.filename=img", "length"),
    "open-options-in-parts": ("open -o driver=raw -o file.filename=img", "length"),
    "open-bad-option": ("open -o driver=raw,foo=1 img", "length"),
    "open-bad-format": ("open -o driver=foo img", "length"),
    "open-unknown-letter": ("open -Z img", "length"),
    "open-two": ("open img other", "length"),
    "open-cache": ("open -t none -o driver=raw img", "read 0 512"),
    "open-cache-bad": ("open -t foo img", "length"),
    "open-discard-bad": ("open -d foo img", "length"),
    "open-aio-bad": ("open -i foo img", "length"),
    "open-discard": ("open -d unmap -o driver=raw img", "discard 0 4k", "map"),
    "open-nocache": ("open -n -o driver=raw img", "read 0 512"),
    "open-force-share": ("open -U -o driver=raw img", "length"),
    "open-force-share-read-only": ("open -U -r -o driver=raw img", "length"),
    "open-copy-on-read": ("open -C -o driver=raw img", "read 0 512"),
    "open-blkdebug": (
        "open -o driver=blkdebug,image.filename=img,inject-error.0.event=none",
        "read 0 512",
    ),
    "open-blkdebug-by-name": ("open blkdebug::img", "read -q 4k 512"),
    "open-json": ('open json:{"driver":"raw","file":{"driver":"file","filename":"img"}}', "length"),
    "open-comma": ("open -o driver=raw,file.filename=a,,b", "length"),
    "open-short-form": ("open -o driver=raw,read-only img", "read 0 512"),
    "close-twice": ("open -o driver=raw img", "close", "close"),
    "close-argument": ("open -o driver=raw img", "close now", "length"),
    "one-writer-sees-the-other": (
        "open -o driver=raw img",
        "write -P 9 0 512",
        "close",
        "open -o driver=raw img",
        "read -P 9 0 512",
    ),
}
REOPENS = {
    "nothing": ("reopen", "write 0 512"),
    "read-only": ("reopen -r", "write 0 512", "read 0 512"),
    "read-only-and-back": ("reopen -r", "write 0 512", "reopen -w", "write 0 512"),
    "both": ("reopen -r -w",),
    "cache": ("reopen -c none", "write 0 512", "reopen -c writethrough", "write 0 512"),
    "cache-bad": ("reopen -c foo",),
    "option": ("reopen -o read-only=on", "write 0 512", "reopen -o read-only=off", "write 0 512"),
    "option-and-letter": ("reopen -r -o read-only=on",),
    "cache-and-option": ("reopen -c none -o cache.direct=on",),
    "unknown-option": ("reopen -o foo=1",),
    "changed-driver": ("reopen -o driver=file",),
    "changed-file": ("reopen -o file.filename=other",),
    "argument": ("reopen img",),
    "unknown-letter": ("reopen -Z",),
    "detect-zeroes": ("reopen -o detect-zeroes=on", "write -P 0 0 4k", "map"),
    "discard": ("reopen -o discard=off", "discard 0 64k", "map"),
    "no-flush": ("reopen -o cache.no-flush=on", "write -f 0 512"),
    "twice": ("reopen -r", "reopen -r", "read 0 512"),
    "letters-twice": ("reopen -c none -c writeback",),
}

SESSIONS: dict[str, Session] = {
    **{f"typed-{name}": typed(text) for name, text in TYPED.items()},
    "typed-without-image": typed("length\nopen -o driver=raw img\nlength\n", "-r"),
    "typed-is-ignored-with-commands": typed("length\n", commands=("read 0 512",)),
    "typed-breakpoints": Session(
        ("--image-opts", "driver=blkdebug,image.driver=file,image.filename=img"),
        typed="break pwritev A\naio_write 0 512\nwait_break A\nread -q 4k 512\nresume A\n"
        "aio_flush\nread 0 512\n",
    ),
    "typed-to-a-broken-image": typed("read 0 512\n", "-f", "raw", "absent"),
    **{
        f"called-with-{name}": called(*words) if "help" not in name else Session(words)
        for name, words in CALLS.items()
    },
    **{f"{name}": without_image(*commands) for name, commands in OPENINGS.items()},
    **{f"reopen-{name}": on_raw(*commands) for name, commands in REOPENS.items()},
    **{
        f"reopen-{name}-blkdebug": on_blkdebug("align=4k", *commands)
        for name, commands in REOPENS.items()
    },
    "reopen-keeps-rules": on_blkdebug(
        "inject-error.0.event=read_aio,inject-error.0.once=on,inject-error.0.errno=28",
        "reopen -r",
        "read 0 512",
        "reopen -w",
        "read 0 512",
    ),
    "trace-events-unknown": Session(
        ("-T", "events=events", "-f", "raw", "img"),
        ("read 0 512",),
        files={"img": Image(), "events": b"# none of them\n\nfoo\n-bar\n  baz\nfoo*\n"},
    ),
    "image-opts-for-open": Session(
        ("--image-opts",),
        (
            "open driver=raw,file.filename=img",
            "length",
            "close",
            "open img",
            "open -o driver=raw img",
            "length",
        ),
    ),
    "format-for-open": Session(("-f", "raw"), ("open img", "length", "read 0 512")),
    "read-only-for-open": Session(("-r",), ("open -o driver=raw img", "write 0 512")),
}


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_the_shell_is_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
