from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from blkdebug_async.opening import open_disk
from blkdebug_async.options.tree import parse_comma
from tests.compat.sessions import KIB, Image

RAW = "driver=raw,file.driver=file,file.filename=img"
BLKDEBUG = "driver=blkdebug,image.driver=file,image.filename=img"
OVER_BLKDEBUG = "driver=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename=img"
INJECT = "inject-error.0.event=read_aio,inject-error.0.errno=28"
SECTION = b'[inject-error]\nevent = "read_aio"\nerrno = "28"\n'
FILENAMES = {
    "path": ("img",),
    "path-with-dot": ("./img",),
    "path-with-prefix": ("file:img",),
    "path-with-prefix-and-colon": ("file:a:b",),
    "path-with-colon": ("./a:b",),
    "path-as-raw": ("-f", "raw", "img"),
    "path-as-file": ("-f", "file", "img"),
    "path-as-blkdebug": ("-f", "blkdebug", "img"),
    "long-path": ("./" * 1500 + "img",),
    "device": ("/dev/null",),
    "blkdebug": ("blkdebug::img",),
    "blkdebug-with-config": ("blkdebug:rules:img",),
    "blkdebug-on-top": ("-f", "blkdebug", "blkdebug:rules:img"),
    "blkdebug-of-a-prefix": ("blkdebug::file:img",),
    "blkdebug-of-blkdebug": ("blkdebug:rules:blkdebug::img",),
    "blkdebug-of-null": ("blkdebug::null-co://",),
    "blkdebug-of-json": ('blkdebug::json:{"driver":"file","filename":"img"}',),
    "blkdebug-of-a-long-path": ("blkdebug::" + "./" * 2041 + "img",),
    "blkdebug-of-too-long-a-path": ("blkdebug::" + "./" * 2045 + "img",),
    "null-co": ("null-co://",),
    "null-aio": ("-f", "null-aio", "null-aio://"),
    "json-of-a-file": ('json:{"driver":"file","filename":"img"}',),
    "json-of-raw": ('json:{"driver":"raw","file":{"driver":"file","filename":"img"}}',),
    "json-window": (
        'json:{"driver":"raw","offset":512,"file":{"driver":"file","filename":"img"}}',
    ),
    "json-of-types": (
        'json:{"driver":"blkdebug","align":512,"inject-error":[{"event":"none","errno":5,'
        '"once":true}],"image":{"driver":"file","filename":"img","locking":"off"}}',
    ),
    "json-of-null": ('json:{"driver":"null-co","size":1048576,"read-zeroes":true}',),
    **{
        name: ("--image-opts", options)
        for name, options in {
            "file-options": "driver=file,filename=img",
            "file-options-more": "driver=file,filename=img,locking=off,cache.no-flush=on",
            "raw-options": RAW,
            "raw-node-name": f"{RAW},node-name=x",
            "raw-discard": f"{RAW},discard=off,detect-zeroes=on",
            "raw-offset": f"{RAW},offset=512",
            "raw-offset-of-nothing": f"{RAW},offset=0",
            "raw-size": f"{RAW},size=4k",
            "raw-over-raw": "driver=raw,file.driver=raw,file.file.driver=file"
            ",file.file.filename=img",
            "raw-over-window": "driver=raw,file.driver=raw,file.offset=512,file.file.driver=file"
            ",file.file.filename=img",
            "probed": "file.driver=file,file.filename=img",
            "blkdebug-options": BLKDEBUG,
            "blkdebug-node-name": f"{BLKDEBUG},node-name=x,image.node-name=y",
            "blkdebug-config": f"{BLKDEBUG},config=rules",
            "blkdebug-x-image": "driver=blkdebug,x-image=img",
            "blkdebug-x-image-and-config": "driver=blkdebug,x-image=img,config=rules",
            "blkdebug-rule": f"{BLKDEBUG},{INJECT}",
            "blkdebug-rule-and-config": f"{BLKDEBUG},config=rules,{INJECT}",
            "blkdebug-one-rule": f"{BLKDEBUG},inject-error.event=read_aio",
            "blkdebug-state": f"{BLKDEBUG},set-state.0.event=read_aio,set-state.0.new_state=2",
            "blkdebug-limits": f"{BLKDEBUG},align=512,max-transfer=4k,opt-write-zero=4k"
            ",max-write-zero=8k,opt-discard=4k,max-discard=8k",
            "blkdebug-limit-of-nothing": f"{BLKDEBUG},align=0",
            "blkdebug-permissions": f"{BLKDEBUG},unshare-child-perms.0=resize",
            "blkdebug-of-a-window": "driver=blkdebug,image.driver=raw,image.offset=512"
            ",image.file.driver=file,image.file.filename=img",
            "blkdebug-of-null": "driver=blkdebug,image.driver=null-co,image.size=1M",
            "blkdebug-of-plain-null": "driver=blkdebug,image.driver=null-co",
            "raw-over-blkdebug": OVER_BLKDEBUG,
            "raw-over-blkdebug-rule": f"{OVER_BLKDEBUG},file.inject-error.0.event=read_aio",
            "raw-window-over-blkdebug": f"{OVER_BLKDEBUG},offset=512",
            "null-size": "driver=null-co,size=1M",
            "null-latency": "driver=null-co,latency-ns=5",
            "null-read-zeroes": "driver=null-co,read-zeroes=on",
            "null-read-no-zeroes": "driver=null-aio,read-zeroes=off",
            "raw-over-null": "driver=raw,file.driver=null-co,file.size=64k",
        }.items()
    },
}


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name in ("img", "a:b"):
        Image(64 * KIB).create(folder / name)
    (folder / "rules").write_bytes(SECTION)
    return folder


def parsed(filename: str) -> object:
    # The order of the keys says nothing. What is too long ends in dots.
    is_whole = filename.startswith("json:") and not filename.endswith("...")
    return json.loads(filename[5:]) if is_whole else filename


def told_by_qemu_img(executable: Path, words: tuple[str, ...]) -> str:
    command = [str(executable), "info", "--output=json", *words]
    answer = subprocess.run(command, capture_output=True, check=True).stdout
    filename: str = json.loads(answer)["filename"]
    return filename


@pytest.mark.peer
@pytest.mark.parametrize("words", [pytest.param(w, id=name) for name, w in FILENAMES.items()])
async def test_a_disk_tells_the_file_name_that_qemu_img_tells(
    words: tuple[str, ...],
    image_folder: Path,
    require_peer: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(image_folder)
    told = told_by_qemu_img(require_peer("qemu-img"), words)
    *option, name = words
    source = parse_comma(name) if option == ["--image-opts"] else name
    format_name = option[1] if option[:1] == ["-f"] else None
    async with open_disk(source, format=format_name, read_only=True) as disk:
        assert parsed(disk.filename) == parsed(told)
