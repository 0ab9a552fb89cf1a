from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.drivers.raw.probe import PROBE_SIZE, probe_format


def bochs(version: int) -> bytes:
    head = b"Bochs Virtual HD Image".ljust(32, b"\0") + b"Redolog".ljust(16, b"\0")
    return head + b"Growing".ljust(16, b"\0") + version.to_bytes(4, "little")


CLOOP = b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"

HEADS = [
    (b"QFI\xfb\0\0\0\1", "qcow"),
    (b"QFI\xfb\0\0\0\2", "qcow2"),
    (b"QFI\xfb\0\0\0\3", "qcow2"),
    (b"QFI\xfb\xff\0\0\0", "qcow2"),
    (b"QFI\xfb\0\0\0\0", "raw"),
    (b"QED\0", "qed"),
    (b"QED1", "raw"),
    (bytes(64) + b"\x7f\x10\xda\xbe", "vdi"),
    (b"vhdxfile", "vhdx"),
    (b"conectix", "vpc"),
    (b"LUKS\xba\xbe\0\1", "luks"),
    (b"LUKS\xba\xbe\0\2", "raw"),
    (b"COWD", "vmdk"),
    (b"KDMV", "vmdk"),
    (b"# Disk DescriptorFile\nversion=1\n", "vmdk"),
    (b"# Disk DescriptorFile\r\n# more\r\nversion=3\r\n", "vmdk"),
    (b"#\n   \n  \r\nversion=2\n", "vmdk"),
    (b"version=2\n", "vmdk"),
    (b"#\n\nversion=1\n", "raw"),
    (b"version=4\n", "raw"),
    (b"version=1 \n", "raw"),
    (b" version=1\n", "raw"),
    (b"WithoutFreeSpace\2\0\0\0", "parallels"),
    (b"WithouFreSpacExt\2\0\0\0", "parallels"),
    (b"WithoutFreeSpace\1\0\0\0", "raw"),
    (bochs(0x10000), "bochs"),
    (bochs(0x20000), "bochs"),
    (bochs(0x30000), "raw"),
    (CLOOP, "cloop"),
    (b"", "raw"),
    (b"\x55\xaa", "raw"),
]


@pytest.mark.parametrize(("head", "name"), HEADS)
def test_a_format_is_known_by_its_first_bytes(head: bytes, name: str) -> None:
    assert probe_format(head.ljust(PROBE_SIZE, b"\0"), None) == name


@pytest.mark.parametrize(
    ("filename", "name"),
    [("a.dmg", "dmg"), (".dmg", "raw"), ("a.dmg.img", "raw"), ("dir/.dmg", "dmg"), (None, "raw")],
)
def test_dmg_is_known_by_the_name_alone(filename: str | None, name: str) -> None:
    assert probe_format(bytes(PROBE_SIZE), filename) == name


def test_the_bytes_count_more_than_the_name() -> None:
    assert probe_format(b"QED\0".ljust(PROBE_SIZE, b"\0"), "a.dmg") == "qed"


def test_a_version_line_that_does_not_fit_is_none() -> None:
    head = b"#" * (PROBE_SIZE - 10) + b"\nversion=1"
    assert probe_format(head, None) == "raw"


@given(st.binary(min_size=PROBE_SIZE, max_size=PROBE_SIZE))
def test_every_head_has_a_format(head: bytes) -> None:
    assert probe_format(head, None)
