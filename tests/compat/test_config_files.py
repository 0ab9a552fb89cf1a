from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from blkdebug_async.compat import COMPAT
from blkdebug_async.drivers.blkdebug.config import parse_config, take_config_name
from blkdebug_async.errors import OptionError
from blkdebug_async.options.reader import OptionReader

pytestmark = [pytest.mark.peer, pytest.mark.slow]

QEMU = COMPAT["qemu-7.2"]
SECTIONS = st.sampled_from(
    [
        b"[inject-error]",
        b"[set-state]",
        b'[inject-error "a"]',
        b'[set-state "a"]',
        b"[foo]",
        b"[]",
        b'[inject-error "1"]',
        b'[inject-error "b',
        b"[set-state] x",
        b"[ set-state ]",
        b"[",
    ]
)
KEYS = st.sampled_from(
    [
        b"event",
        b"errno",
        b"state",
        b"sector",
        b"once",
        b"immediately",
        b"iotype",
        b"new_state",
        b"id",
        b"foo",
        b"[x",
        b"#",
        b"\xff",
        b"k" * 63,
        b"k" * 64,
    ]
)
VALUES = st.sampled_from(
    [
        b"none",
        b"read_aio",
        b"5",
        b"-1",
        b"0x10",
        b"99999999999999999999",
        b"on",
        b"1",
        b"read",
        b"",
        b"x",
        b"a b",
        b"\xff",
        b"y" * 1100,
    ]
)
ASSIGNMENTS = st.builds(
    lambda form, key, value: form.replace(b"K", key).replace(b"V", value),
    st.sampled_from(
        [b'K = "V"'] * 6
        + [b'  K\t=\t"V" K', b'K="V"', b'K ="V"', b"K = V", b'K = "V', b'K = "V"\0', b'K "V"']
    ),
    KEYS,
    VALUES,
)
ODD = st.sampled_from([b"", b" ", b"\r", b"\v", b"# x", b" # x", b"\0", b'event = "none"\r'])
ODDEST = st.lists(st.sampled_from([*b'[]"= \t\r\v#\0ae1'])).map(bytes)
GOOD = st.sampled_from(
    [
        b'[inject-error]\nevent = "read_aio"\nerrno = "28"\nonce = "on"',
        b'[set-state]\nevent = "read_aio"\nstate = "1"\nnew_state = "2"',
    ]
)
LINES = st.one_of(SECTIONS, ASSIGNMENTS, ASSIGNMENTS, ASSIGNMENTS, ODD, ODDEST, GOOD)
FILES = st.builds(
    lambda first, lines, end: b"\n".join([*first, *lines]) + end,
    st.lists(GOOD | SECTIONS, max_size=1),
    st.lists(LINES, max_size=5),
    st.sampled_from([b"", b"\n"]),
)


@dataclass(frozen=True)
class Real:
    qemu_io: Path
    folder: Path

    def complaint(self, config: bytes) -> str:
        (self.folder / "cfg").write_bytes(config)
        name = "blkdebug:cfg:null-co://"
        done = subprocess.run(
            [self.qemu_io, "-f", "blkdebug", "-c", "quit", name],
            cwd=self.folder,
            capture_output=True,
            check=False,
        )
        text = done.stderr.decode("utf-8", "surrogateescape")
        return text.removeprefix(f"qemu-io: can't open device {name}: ")


@pytest.fixture(scope="module")
def real(require_peer: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Real:
    return Real(require_peer("qemu-io"), tmp_path_factory.mktemp("config-files"))


def complaint(config: bytes) -> str:
    reader = OptionReader({"config": "cfg"}, driver="blkdebug")
    try:
        take_config_name(reader)
        parse_config(reader, config, "cfg", QEMU)
    except OptionError as error:
        return "".join(f"{line}\n" for line in (str(error), error.hint) if line)
    return ""


@settings(max_examples=200)
@given(FILES)
@example(b"[inject-error]\n[]\n")
@example(b'[set-state]\nevent = "none"\n' + b"k" * 63 + b'= "x"\n')
@example(b'[set-state]\nevent = "' + b"x" * 1023 + b'"')
def test_generated_config_files_are_judged_as_by_the_real_program(
    real: Real, config: bytes
) -> None:
    assert complaint(config) == real.complaint(config)
