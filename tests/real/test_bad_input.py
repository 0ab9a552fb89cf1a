"""What nobody should ask for: each gets one clear line and an errno, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
import random
import resource
from collections.abc import Awaitable, Callable, Mapping
from errno import (
    EFBIG,
    EINVAL,
    EIO,
    EISDIR,
    ELOOP,
    ENAMETOOLONG,
    ENOENT,
    ENOTDIR,
)
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from blkdebug_async import open_disk
from tests.real.shell import no_descriptor_lost, run_io

SIZE = 64 << 10
IMAGE = bytes(range(1, 256)) * (SIZE // 255) + bytes(SIZE % 255)
MANY = 5000
LONG = "x" * MANY
ENDLESS: dict[str, object] = {}
ENDLESS["file"] = ENDLESS
ON_MEMORY = {"driver": "blkdebug", "image": {"driver": "memory", "size": 4096}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    put("img", IMAGE)
    Path("folder").mkdir()
    Path("loop").symlink_to("loop")
    Path("dangling").symlink_to("nowhere")
    os.mkfifo("fifo")
    return tmp_path


def put(name: str, data: bytes) -> None:
    Path(name).write_bytes(data)


def content(name: str) -> bytes:
    return Path(name).read_bytes()


def deep(levels: int, **lowest: object) -> dict[str, object]:
    tree = lowest
    for _ in range(levels):
        tree = {"driver": "raw", "file": tree}
    return tree


NAMES: dict[str, tuple[str, int]] = {
    "nothing": ("", EINVAL),
    "absent": ("absent", ENOENT),
    "absent-folder": ("absent/img", ENOENT),
    "folder": ("folder", EISDIR),
    "file-as-folder": ("img/", ENOTDIR),
    "below-a-file": ("img/x", ENOTDIR),
    "link-to-itself": ("loop", ELOOP),
    "link-to-nowhere": ("dangling", ENOENT),
    "long": (LONG, ENAMETOOLONG),
    "long-in-many-bytes": ("\N{SNOWMAN}" * 2000, ENAMETOOLONG),
    "deep": ("x/" * 3000, ENAMETOOLONG),
    "not-utf-8": ("a\udcff\udcfeb", ENOENT),
    "zero-byte": ("a\0b", EINVAL),
    "zero-bytes": ("\0\0", EINVAL),
    "half-a-pair": ("\ud800", EINVAL),
    "half-a-pair-in-json": ("json:\ud800", EINVAL),
    "half-a-pair-as-prefix": ("\ud800" * 200 + ":x", EINVAL),
    "colon": (":", EINVAL),
    "unknown-prefix": ("foo:img", EINVAL),
    "long-prefix": (f"{LONG}:img", EINVAL),
    "no-file-after-prefix": ("file:", EINVAL),
    "blkdebug-without-image": ("blkdebug:", EINVAL),
    "blkdebug-with-empty-image": ("blkdebug::", EINVAL),
    "blkdebug-on-absent": ("blkdebug::absent", ENOENT),
    "blkdebug-on-folder": ("blkdebug::folder", EISDIR),
    "blkdebug-with-absent-config": ("blkdebug:absent:img", ENOENT),
    "blkdebug-with-folder-for-config": ("blkdebug:folder:img", EISDIR),
    "blkdebug-with-zero-byte-in-config": ("blkdebug:a\0b:img", EINVAL),
    "blkdebug-with-endless-config": ("blkdebug:/dev/zero:img", EFBIG),
    "blkdebug-on-blkdebug-and-so-on": ("blkdebug::" * 400 + "img", EINVAL),
    "null-with-a-name": ("null-co://x", EINVAL),
    "no-device": ("host_device:img", EINVAL),
    "absent-device": ("host_device:absent", ENOENT),
    "json-nothing": ("json:", EINVAL),
    "json-list": ("json:[]", EINVAL),
    "json-empty": ("json:{}", EINVAL),
    "json-open": ('json:{"driver": "file"', EINVAL),
    "json-twice": ("json:{}{}", EINVAL),
    "json-nan": ('json:{"driver": "memory", "size": NaN}', EINVAL),
    "json-zero-byte": ("json:{\0}", EINVAL),
    "json-deep-lists": ("json:" + "[" * 100_000, EINVAL),
    "json-deep-objects": ('json:{"driver":"raw","file":' * 20_000, EINVAL),
    "json-long-number": ('json:{"driver": "null-co", "latency-ns": ' + "9" * MANY + "}", EINVAL),
    "json-long-string": (f'json:{{"driver": "{LONG}"}}', EINVAL),
    "json-null-driver": ('json:{"driver": null}', EINVAL),
    "json-number-driver": ('json:{"driver": 1}', EINVAL),
    "json-of-json-of-absent": ('json:{"file": "json:{}"}', EINVAL),
}
OPTIONS: dict[str, tuple[Mapping[str, object], int]] = {
    "none": ({}, EINVAL),
    "no-file": ({"driver": "raw"}, EINVAL),
    "no-name": ({"driver": "file"}, EINVAL),
    "name-is-nothing": ({"driver": "file", "filename": ""}, EINVAL),
    "name-is-bytes": ({"driver": "file", "filename": b"img"}, EINVAL),
    "name-has-zero-byte": ({"driver": "file", "filename": "i\0mg"}, EINVAL),
    "config-has-half-a-pair": ({**ON_MEMORY, "config": "\ud800"}, EINVAL),
    "driver-is-nothing": ({"driver": ""}, EINVAL),
    "driver-is-unknown": ({"driver": "foo"}, EINVAL),
    "driver-is-a-list": ({"driver": ["raw"]}, EINVAL),
    "driver-is-a-mapping": ({"driver": {}}, EINVAL),
    "driver-is-an-object": ({"driver": object()}, EINVAL),
    "key-is-a-number": ({5: 6}, EINVAL),  # type: ignore[dict-item]
    "key-is-dots": ({"..": "x", "driver": "null-co"}, EINVAL),
    "unknown-option": ({"driver": "file", "filename": "img", "colour": "red"}, EINVAL),
    "unknown-option-below": ({"driver": "file", "filename": "img", "cache.x": 1}, EINVAL),
    "file-is-a-number": ({"driver": "raw", "file": 5}, EINVAL),
    "file-is-an-empty-list": ({"driver": "raw", "file": []}, EINVAL),
    "file-is-a-list": ({"driver": "raw", "file": ["img"]}, EINVAL),
    "fifo": ({"driver": "file", "filename": "fifo", "read-only": True}, EINVAL),
    "size-negative": ({"driver": "memory", "size": -1}, EINVAL),
    "size-fraction": ({"driver": "memory", "size": 1.5}, EINVAL),
    "size-nan": ({"driver": "memory", "size": float("nan")}, EINVAL),
    "size-on": ({"driver": "memory", "size": True}, EINVAL),
    "size-huge": ({"driver": "memory", "size": 1 << 200}, EINVAL),
    "size-beyond-2-63": ({"driver": "memory", "size": "8E"}, EINVAL),
    "size-of-many-digits": ({"driver": "memory", "size": "9" * MANY}, EINVAL),
    "offset-behind-the-end": (
        {"driver": "raw", "offset": "8E", "file": {"driver": "memory", "size": 512}},
        EINVAL,
    ),
    "load-absent": ({"driver": "memory", "load": "absent"}, ENOENT),
    "align-odd": ({**ON_MEMORY, "align": 3}, EINVAL),
    "align-huge": ({**ON_MEMORY, "align": 1 << 40}, EINVAL),
    "rule-without-event": ({**ON_MEMORY, "inject-error": [{}]}, EINVAL),
    "rule-for-no-event": ({**ON_MEMORY, "inject-error": [{"event": "\0"}]}, EINVAL),
    "rule-is-a-number": ({**ON_MEMORY, "inject-error": [1]}, EINVAL),
    "rules-are-text": ({**ON_MEMORY, "inject-error": "read_aio"}, EINVAL),
    "rules-with-gaps": (
        {**ON_MEMORY, "inject-error.0.event": "none", "inject-error.2.event": "none"},
        EINVAL,
    ),
    "rule-of-many-digits": ({**ON_MEMORY, f"inject-error.{'9' * MANY}.event": "none"}, EINVAL),
    "node-name-with-zero-byte": ({"driver": "memory", "size": 512, "node-name": "\0"}, EINVAL),
    "node-name-long": ({"driver": "memory", "size": 512, "node-name": LONG}, EINVAL),
    "same-node-name-twice": (
        {"driver": "raw", "node-name": "a", "file": {"driver": "null-co", "node-name": "a"}},
        EINVAL,
    ),
    "deep": (deep(3000, driver="null-co"), EINVAL),
    "deep-by-dots": ({"file." * 300 + "driver": "null-co"}, EINVAL),
    "deeper-than-requests-can-run": (deep(100, driver="null-co"), EINVAL),
    "endless": (ENDLESS, EINVAL),
}


def one_line(error: OSError, errno: int) -> str:
    text = str(error)
    assert error.errno == errno
    assert text.strip()
    assert "\n" not in text
    return text


@pytest.mark.parametrize(("source", "errno"), NAMES.values(), ids=NAMES)
async def test_a_bad_name_is_refused_with_an_errno(source: str, errno: int) -> None:
    with no_descriptor_lost(), pytest.raises(OSError, match=r".") as caught:
        await open_disk(source)
    one_line(caught.value, errno)


@pytest.mark.parametrize(("source", "errno"), OPTIONS.values(), ids=OPTIONS)
async def test_bad_options_are_refused_with_an_errno(
    source: Mapping[str, object], errno: int
) -> None:
    with no_descriptor_lost(), pytest.raises(OSError, match=r".") as caught:
        await open_disk(source)
    one_line(caught.value, errno)


# A command line has neither zero bytes nor halves of pairs.
TYPED = {
    name: source
    for name, (source, _) in NAMES.items()
    if "\0" not in source and not any("\ud800" <= char < "\udc80" for char in source)
}


@pytest.mark.parametrize("source", TYPED.values(), ids=TYPED)
def test_the_shell_says_in_one_line_what_is_wrong_with_a_name(source: str) -> None:
    with no_descriptor_lost():
        answer = run_io("-r", source, "-c", "read 0 512")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith(f"blkdebug-async io: can't open device {source}: ")
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize("source", [5, None, b"img", [], 1.5])
async def test_what_is_no_source_at_all_is_a_mistake_of_the_program(source: str) -> None:
    with pytest.raises(TypeError, match="not from"):
        await open_disk(source)


async def test_a_path_is_never_taken_for_a_prefix() -> None:
    put("json:{}", IMAGE)
    async with open_disk(Path("json:{}"), read_only=True) as disk:
        assert await disk.pread(0, 100) == IMAGE[:100]


CONFIGS: dict[str, tuple[bytes, str]] = {
    "no-section": (b"event = 1\n", "1: no group defined"),
    "open-section": (b"\n[inject-error", "Missing event name"),
    "unknown-section": (b"[foo]\nevent = 1\n", "foo"),
    "no-event": (b"[inject-error]\nerrno = \"5\"\n", "Missing event name"),
    "unknown-event": (b'[inject-error]\nevent = "foo"\n', "foo"),
    "unknown-key": (b'[inject-error]\nevent = "read_aio"\nfoo = "1"\n', "3: Invalid parameter"),
    "bad-number": (b'[inject-error]\nevent = "read_aio"\nerrno = "x"\n', "errno"),
    "long-number": (b'[inject-error]\nevent = "read_aio"\nerrno = "' + b"9" * 500 + b'"\n', "9"),
    "no-quotes": (b"[inject-error]\nevent = read_aio\n", "invalid parameter value: "),
    "zero-bytes": (bytes(5000), "parse error"),
    "not-utf-8": (b'[inject-error]\nevent = "\xff\xfe"\n', "\udcff\udcfe"),
    "not-text": (random.Random(7).randbytes(100_000), ": "),
    "one-endless-line": (b"x" * 3_000_000, "no group defined"),
    "huge": (b"#" * 5_000_000, "File too large"),
    "image-in-place-of-config": (IMAGE, ": "),
}  # fmt: skip


@pytest.mark.parametrize(("config", "reason"), CONFIGS.values(), ids=CONFIGS)
async def test_a_bad_config_file_is_refused_in_one_line(config: bytes, reason: str) -> None:
    put("rules", config)
    with no_descriptor_lost(), pytest.raises(OSError, match=r".") as caught:
        await open_disk("blkdebug:rules:img", format="raw")
    assert caught.value.errno in (EINVAL, EFBIG)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


HUGE = (1 << 63) - 1
OUTSIDE = [
    (-1, 512),
    (SIZE, 1),
    (SIZE - 1, 2),
    (HUGE, 1),
    (HUGE - 511, 512),
    (1 << 64, 1),
    (0, HUGE),
]


@pytest.mark.parametrize(("offset", "length"), OUTSIDE)
async def test_a_request_outside_is_refused_and_changes_nothing(offset: int, length: int) -> None:
    async with open_disk("img", format="raw") as disk:
        requests: list[Callable[[], Awaitable[object]]] = [
            lambda: disk.preadv(offset, (bytearray(min(length, 512)),)),
            lambda: disk.pwrite(offset, bytes(min(length, 512))),
            lambda: disk.pwrite_zeroes(offset, length),
            lambda: disk.pdiscard(offset, length),
            lambda: disk.block_status(offset, length),
        ]
        # What is too long for a buffer is not read or written here.
        for request in requests if length <= 512 else requests[2:]:
            with pytest.raises(OSError, match="outside") as caught:
                await request()
            one_line(caught.value, EIO)
        assert await disk.pread(0, SIZE) == IMAGE
    assert content("img") == IMAGE


@pytest.mark.parametrize(
    ("size", "errno"), [(-1, EINVAL), (HUGE, EIO), (1 << 63, EIO), (1 << 64, EIO)]
)
async def test_an_impossible_length_is_refused_and_changes_nothing(size: int, errno: int) -> None:
    async with open_disk("img", format="raw") as disk:
        with pytest.raises(OSError, match=r".") as caught:
            await disk.truncate(size)
        one_line(caught.value, errno)
        assert disk.length == SIZE
    assert content("img") == IMAGE


@pytest.mark.parametrize("size", [0, 1, 3, 511])
async def test_an_image_of_less_than_a_sector_ends_in_zeros(size: int) -> None:
    put("tiny", IMAGE[:size])
    async with open_disk("tiny", format="raw") as disk:
        assert disk.length == (512 if size else 0)
        assert await disk.pread(0, disk.length) == IMAGE[:size].ljust(disk.length, b"\0")
        with pytest.raises(OSError, match="outside") as caught:
            await disk.pwrite(disk.length, b"x")
        one_line(caught.value, EIO)
    assert content("tiny") == IMAGE[:size]


async def test_the_kernel_s_error_number_comes_up_unchanged() -> None:
    # The limit on the length of files makes EFBIG, which nobody here would think of.
    async with open_disk("img", format="raw") as disk:
        await disk.truncate(16 << 20)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        try:
            await disk.pwrite(4096, b"kept")
            with pytest.raises(OSError, match="Could not write to 'img'") as caught:
                await disk.pwrite(2 << 20, b"x")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        one_line(caught.value, EFBIG)
        assert await disk.pread(4096, 4) == b"kept"
        await disk.pwrite(2 << 20, b"x")


COMMANDS = {
    "unknown": "frobnicate 0 1",
    "no-arguments": "read",
    "no-number": "read x 512",
    "many-digits": f"read {'9' * MANY} 512",
    "many-hexadecimal-digits": f"read 0x{'f' * MANY} 512",
    "many-digits-of-pattern": f"write -P {'9' * MANY} 0 512",
    "many-digits-of-length": f"write 0 {'9' * MANY}",
    "many-digits-behind-the-point": f"read 1.{'5' * MANY} 512",
    "many-lengths": "readv 0 " + "512 " * 5000,
    "long-word": LONG,
    "not-utf-8": "\udcff\udcfe",
    "outside": "write 8191P 512",
    "beyond-2-63": "write 8E 512",
    "negative": "discard -- -1 512",
    "empty-option": "read - 0",
    "breakpoint-without-blkdebug": "break read_aio A",
    "truncate-beyond-all": "truncate 7E",
    "open-absent": "open absent",
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_bad_command_fails_and_the_next_one_does_not(command: str) -> None:
    answer = run_io("-f", "raw", "img", "-c", command, "-c", "write -P 7 512 512")
    assert answer.status == 1
    assert "wrote 512/512 bytes at offset 512\n" in answer.out or command.startswith("open")
    assert "Traceback" not in answer.err
    if not command.startswith("open"):
        assert content("img") == IMAGE[:512] + bytes([7]) * 512 + IMAGE[1024:]


VALID = [
    "blkdebug:rules:img",
    "blkdebug::img",
    'json:{"driver": "blkdebug", "align": "4k", "image": {"driver": "file", "filename": "img"}}',
    'json:{"driver": "raw", "size": 512, "file.driver": "memory", "file.size": 1e4}',
    'json:{"driver":"blkdebug","image":"x","inject-error":[{"event":"none","errno":5}]}',
]
RULES = b'[inject-error "a"]\nevent = "read_aio"\nerrno = "28"\n[set-state]\nevent="write_aio"\n'


@st.composite
def spoilt(draw: st.DrawFn, originals: list[str]) -> str:
    """Text that is nearly right."""
    text = draw(st.sampled_from(originals))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 6)))
        # No newline: who puts one into a name finds it in the message.
        inserted = draw(st.text(st.sampled_from('\0:{}[]",.0aé9-\udcff\\\t #='), max_size=3))
        text = text[:start] + inserted + text[end:]
    return text


async def refusal(name: str) -> OSError | None:
    try:
        async with open_disk(name, read_only=True) as disk:
            assert disk.length >= 0
    except OSError as error:
        return error
    return None


def check_refusal(name: str) -> str:
    with no_descriptor_lost():
        error = asyncio.run(refusal(name))
    if error is None:
        return ""
    assert error.errno
    assert str(error).strip()
    return str(error)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(spoilt(VALID))
@example('json:{"driver":"null-co","a.0":1,"a.00":2}')
def test_a_name_is_opened_or_refused_whatever_it_is(folder: Path, name: str) -> None:
    (folder / "rules").write_bytes(RULES)
    assert "\n" not in check_refusal(name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(spoilt([RULES.decode()]).map(os.fsencode) | st.binary(max_size=200))
def test_a_config_file_is_taken_or_refused_whatever_it_is(folder: Path, config: bytes) -> None:
    (folder / "rules").write_bytes(config)
    check_refusal("blkdebug:rules:img")
