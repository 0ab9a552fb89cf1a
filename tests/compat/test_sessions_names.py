from __future__ import annotations

import json

import pytest

from tests.compat.compare import Comparison
from tests.compat.sessions import Image, Session, on_blkdebug, params, with_config

INJECT = '[inject-error]\nevent = "read_aio"\nerrno = "28"\n'
CONFIGS = {
    "empty": "",
    "comment-only": "# nothing\n",
    "one-rule": INJECT,
    "no-newline-at-the-end": INJECT.rstrip("\n"),
    "comments-and-empty-lines": f"# first\n\n{INJECT}\n# last\n",
    "two-rules": INJECT + '[inject-error]\nevent = "write_aio"\nerrno = "1"\n',
    "all-fields": '[inject-error]\nevent = "read_aio"\nstate = "1"\niotype = "read"\nerrno = "28"\n'
    'sector = "0"\nonce = "on"\nimmediately = "on"\n',
    "set-state": '[set-state]\nevent = "read_aio"\nstate = "1"\nnew_state = "2"\n'
    '[inject-error]\nevent = "write_aio"\nstate = "2"\nerrno = "28"\n',
    "ids": INJECT.replace("error]", 'error "a"]') + INJECT.replace("error]", 'error "b"]'),
    "same-id-twice": INJECT.replace("error]", 'error "a"]') * 2,
    "same-id-in-another-group": '[inject-error "a"]\nevent = "read_aio"\n'
    '[set-state "a"]\nevent = "read_aio"\n',
    "bad-id": INJECT.replace("error]", 'error "1a"]'),
    "id-without-bracket": INJECT.replace("error]", 'error "a"'),
    "text-after-the-section": INJECT.replace("error]", "error] # why"),
    "text-after-the-value": INJECT.replace('"28"', '"28" # why'),
    "blanks-in-the-section": INJECT.replace("[inject-error]", "[ inject-error ]"),
    "indented-keys": INJECT.replace("event", "  event").replace("errno", "\terrno"),
    "many-blanks": INJECT.replace(" = ", "    =    "),
    "no-blank-before-equals": INJECT.replace("errno = ", "errno="),
    "no-blank-after-equals": INJECT.replace("errno = ", "errno ="),
    "unquoted-value": INJECT.replace('"28"', "28"),
    "unquoted-event": INJECT.replace('"read_aio"', "read_aio"),
    "single-quotes": INJECT.replace('"28"', "'28'"),
    "missing-closing-quote": INJECT.replace('"28"', '"28'),
    "missing-closing-quote-of-the-event": INJECT.replace('"read_aio"', '"read_aio'),
    "empty-value": INJECT.replace('"28"', '""'),
    "repeated-key": INJECT + 'errno = "1"\n',
    "carriage-returns": INJECT.replace("\n", "\r\n"),
    "blank-line-with-blanks": INJECT + "   \n",
    "tab-line": INJECT + "\t\n",
    "assignment-before-a-section": 'event = "read_aio"\n' + INJECT,
    "indented-comment": " # comment\n" + INJECT,
    "indented-comment-inside": INJECT + " # comment\n",
    "indented-section": " " + INJECT,
    "unknown-group": '[inject]\nevent = "read_aio"\n',
    "known-group-of-qemu": '[drive]\nfile = "x"\n',
    "empty-group": "[]\n",
    "unclosed-group": '[inject-error\nevent = "read_aio"\n',
    "only-a-section": "[inject-error]\n",
    "unknown-key": INJECT + 'foo = "1"\n',
    "id-as-key": INJECT + 'id = "x"\n',
    "bad-number": INJECT.replace("28", "ENOSPC"),
    "bad-bool": INJECT + 'once = "1"\n',
    "bad-event": INJECT.replace("read_aio", "read"),
    "bad-iotype": INJECT + 'iotype = "readv"\n',
    "event-of-upper-case": INJECT.replace("read_aio", "READ_AIO"),
    "no-event": '[inject-error]\nerrno = "28"\n',
    "key-alone": INJECT + "once\n",
    "long-comment": "#" + "x" * 3000 + "\n" + INJECT,
    "long-group": f'[{"x" * 70}]\nevent = "read_aio"\n',
    "long-key": INJECT + "x" * 70 + ' = "1"\n',
    "number-with-blanks": INJECT.replace('"28"', '" 28"'),
    "number-with-blanks-behind": INJECT.replace('"28"', '"28 "'),
    "octal": INJECT.replace('"28"', '"034"'),
    "utf-8": "# größer\n" + INJECT,
    "binary": "\x01\x02\x03\n",
    "seed-style-sections": '[inject-error "x"]\nevent = "read_aio"\n[set-state "y"]\n'
    'event = "write_aio"\nnew_state = "3"\n',
}
CHECK = ("read 0 512", "read 0 512", "write 0 512")
CONFIG_AND_INLINE = on_blkdebug(
    "config=rules,inject-error.0.event=read_aio,inject-error.0.errno=1",
    *CHECK,
    files={"rules": INJECT.encode()},
)


def named(name: str, *words: str, commands: tuple[str, ...] = CHECK) -> Session:
    files: dict[str, Image | bytes] = {
        "img": Image(),
        "rules": INJECT.encode(),
        "a:b": Image(),
        "with,comma": Image(),
        "with blank": Image(),
    }
    return Session((*words, name), commands, files=files)


def as_json(*words: str, **options: object) -> Session:
    return named("json:" + json.dumps(options), *words)


RAW = ("-f", "raw")
NAMES = {
    "plain": named("img", *RAW),
    "file-protocol": named("file:img", *RAW),
    "absent": named("absent", *RAW),
    "absent-folder": named("absent/img", *RAW),
    "folder": named(".", *RAW),
    "empty": named("", *RAW),
    "device": named("/dev/null", *RAW),
    "trailing-slash": named("img/", *RAW),
    "with-a-colon": named("a:b", *RAW),
    "with-a-colon-and-dot-slash": named("./a:b", *RAW),
    "with-a-blank": named("with blank", *RAW),
    "with-a-comma": named("with,comma", *RAW),
    "unknown-protocol": named("foo:img", *RAW),
    "unknown-format": named("img", "-f", "foo"),
    "format-file": named("img", "-f", "file"),
    "format-blkdebug": named("img", "-f", "blkdebug"),
    "format-null": named("null-co://", "-f", "null-co"),
    "null-co": named("null-co://", *RAW),
    "null-aio": named("null-aio://", *RAW),
    "null-co-with-a-name": named("null-co://x", *RAW),
    "blkdebug": named("blkdebug:rules:img", *RAW),
    "blkdebug-on-top": named("blkdebug:rules:img", "-f", "blkdebug"),
    "blkdebug-without-config": named("blkdebug::img", *RAW),
    "blkdebug-without-second-colon": named("blkdebug:img", *RAW),
    "blkdebug-with-nothing": named("blkdebug::", *RAW),
    "blkdebug-with-no-colon": named("blkdebug", *RAW),
    "blkdebug-of-an-absent-config": named("blkdebug:absent:img", *RAW),
    "blkdebug-of-an-absent-image": named("blkdebug:rules:absent", *RAW),
    "blkdebug-of-a-folder-as-config": named("blkdebug:.:img", *RAW),
    "blkdebug-twice": named("blkdebug:rules:blkdebug::img", *RAW),
    "blkdebug-over-null": named("blkdebug:rules:null-co://", *RAW),
    "blkdebug-over-json": named('blkdebug:rules:json:{"driver":"file","filename":"img"}', *RAW),
    "blkdebug-over-a-colon": named("blkdebug::a:b", *RAW),
    "blkdebug-over-a-colon-with-dot-slash": named("blkdebug::./a:b", *RAW),
    "json": as_json(*RAW, driver="file", filename="img"),
    "json-of-raw": as_json(driver="raw", file={"driver": "file", "filename": "img"}),
    "json-flat": as_json(driver="raw", **{"file.driver": "file", "file.filename": "img"}),
    "json-reference": as_json(driver="raw", file="node"),
    "json-without-driver": as_json(*RAW, filename="img"),
    "json-unknown-driver": as_json(driver="foo"),
    "json-unknown-option": as_json(driver="file", filename="img", foo=1),
    "json-null": as_json(
        driver="blkdebug", image={"driver": "file", "filename": "img"}, config=None
    ),
    "json-broken": named("json:{", *RAW),
    "json-broken-later": named('json:{"driver":"file"', *RAW),
    "json-no-object": named("json:[]", *RAW),
    "json-string": named('json:"img"', *RAW),
    "json-empty": named("json:{}", *RAW),
    "json-nothing": named("json:", *RAW),
    "json-single-quotes": named("json:{'driver':'file','filename':'img'}", *RAW),
    "json-trailing-comma": named("json:{'driver':'file','filename':'img',}", *RAW),
    "json-and-text": named('json:{"driver":"file","filename":"img"} x', *RAW),
    "json-rule": as_json(
        driver="raw",
        file={
            "driver": "blkdebug",
            "image": {"driver": "file", "filename": "img"},
            "inject-error": [{"event": "read_aio", "errno": 28, "once": True}],
        },
    ),
    "json-rule-of-strings": as_json(
        driver="raw",
        file={
            "driver": "blkdebug",
            "image": {"driver": "file", "filename": "img"},
            "inject-error": [{"event": "read_aio", "errno": "28", "once": "on"}],
            "align": "4k",
        },
    ),
    "json-rule-of-wrong-types": as_json(
        driver="blkdebug",
        image={"driver": "file", "filename": "img"},
        **{"inject-error": [{"event": 5}]},
    ),
    "json-empty-list": as_json(
        driver="blkdebug", image={"driver": "file", "filename": "img"}, **{"inject-error": []}
    ),
    "json-align-of-a-bool": as_json(
        driver="blkdebug", image={"driver": "file", "filename": "img"}, align=True
    ),
    "json-align-of-a-fraction": as_json(
        driver="blkdebug", image={"driver": "file", "filename": "img"}, align=512.0
    ),
    "json-config-of-a-number": as_json(
        driver="blkdebug", image={"driver": "file", "filename": "img"}, config=42
    ),
    "json-without-image": as_json(driver="blkdebug"),
    "two-files": named("img", "img"),
    "config-and-inline-rules": CONFIG_AND_INLINE,
}
OPTIONS = {
    "one-node": "driver=file,filename=img",
    "raw-node": "driver=raw,file.driver=file,file.filename=img",
    "raw-of-a-name": "driver=raw,file.filename=img",
    "no-driver": "filename=img",
    "nothing": "",
    "driver-only": "driver=raw",
    "file-without-name": "driver=file",
    "unknown-driver": "driver=foo",
    "unknown-option": "driver=file,filename=img,foo=1",
    "unknown-option-of-raw": "driver=raw,foo=1,file.driver=file,file.filename=img",
    "unknown-option-below": "driver=raw,file.driver=file,file.filename=img,file.foo=1",
    "bare-word": "driver=file,filename=img,read-only",
    "bare-negation": "driver=file,filename=img,noread-only",
    "first-word-is-the-driver": "file,filename=img",
    "comma-in-the-name": "driver=file,filename=with,,comma",
    "read-only": "driver=file,filename=img,read-only=on",
    "read-only-of-the-child": "driver=raw,file.driver=file,file.filename=img,file.read-only=on",
    "read-only-is-1": "driver=file,filename=img,read-only=1",
    "auto-read-only": "driver=file,filename=img,read-only=on,auto-read-only=on",
    "node-name": "driver=file,filename=img,node-name=disk",
    "bad-node-name": "driver=file,filename=img,node-name=1disk",
    "same-node-name-twice": "driver=raw,node-name=d,file.driver=file,file.filename=img,"
    "file.node-name=d",
    "reference-to-nothing": "driver=raw,file=nothing",
    "discard-unmap": "driver=file,filename=img,discard=unmap",
    "discard-bad": "driver=file,filename=img,discard=maybe",
    "detect-zeroes-on": "driver=file,filename=img,detect-zeroes=on",
    "detect-zeroes-unmap": "driver=file,filename=img,detect-zeroes=unmap",
    "detect-zeroes-unmap-without-discard": "driver=file,filename=img,discard=off,"
    "detect-zeroes=unmap",
    "detect-zeroes-bad": "driver=file,filename=img,detect-zeroes=maybe",
    "force-share": "driver=file,filename=img,force-share=on",
    "force-share-read-only": "driver=file,filename=img,force-share=on,read-only=on",
    "locking-on": "driver=file,filename=img,locking=on",
    "locking-bad": "driver=file,filename=img,locking=maybe",
    "aio-bad": "driver=file,filename=img,aio=maybe",
    "cache-direct": "driver=file,filename=img,cache.direct=on",
    "cache-no-flush": "driver=file,filename=img,cache.no-flush=on",
    "cache-bad": "driver=file,filename=img,cache.direct=maybe",
    "blkdebug-without-image": "driver=blkdebug",
    "blkdebug-with-file-child": "driver=blkdebug,file.driver=file,file.filename=img",
    "blkdebug-with-plain-image": "driver=blkdebug,image=img",
    "blkdebug-name-and-image": "driver=blkdebug,filename=blkdebug::img,image.filename=img",
    "blkdebug-x-image": "driver=blkdebug,x-image=img",
    "blkdebug-x-image-and-driver": "driver=blkdebug,x-image=img,image.driver=file",
    "blkdebug-absent-config": "driver=blkdebug,config=absent,image.driver=file,image.filename=img",
    "blkdebug-take-perms": "driver=blkdebug,image.driver=file,image.filename=img,"
    "take-child-perms.0=write,unshare-child-perms.0=resize",
    "blkdebug-bad-perm": "driver=blkdebug,image.driver=file,image.filename=img,"
    "take-child-perms.0=foo",
    "blkdebug-perms-from-1": "driver=blkdebug,image.driver=file,image.filename=img,"
    "take-child-perms.1=write",
    "blkdebug-perms-no-list": "driver=blkdebug,image.driver=file,image.filename=img,"
    "take-child-perms=write",
    "null-size": "driver=null-co,size=1000",
    "null-read-zeroes": "driver=null-co,size=64k,read-zeroes=on",
    "null-negative-latency": "driver=null-co,latency-ns=-1",
    "raw-offset": "driver=raw,offset=4k,file.driver=file,file.filename=img",
    "raw-offset-and-size": "driver=raw,offset=4k,size=8k,file.driver=file,file.filename=img",
    "raw-size-no-sectors": "driver=raw,size=1000,file.driver=file,file.filename=img",
    "raw-offset-too-large": "driver=raw,offset=1M,file.driver=file,file.filename=img",
    "raw-size-too-large": "driver=raw,offset=4k,size=64k,file.driver=file,file.filename=img",
}
DEEP = (
    "read -v 0 16",
    "read -v 8k 16",
    "write -P 3 512 512",
    "write -z 4k 4k",
    "discard 8k 4k",
    "write 64k 512",
    "length",
    "map",
    "truncate 32k",
    "length",
)

SESSIONS: dict[str, Session] = {
    **{f"config-{name}": with_config(text, *CHECK) for name, text in CONFIGS.items()},
    **{f"name-{name}": session for name, session in NAMES.items()},
    **{
        f"options-{name}": named(options, "--image-opts", commands=DEEP)
        for name, options in OPTIONS.items()
    },
}


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_names_and_options_are_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
