"""Tell an image's format from its first 512 bytes.

All formats that QEMU 7.2 recognises are known here, also those that nobody here can open: what
somebody else would take for an image of another format must not be taken for raw bytes.

No I/O in here.

QEMU: block.c, bdrv_probe_all(), and the *_probe() functions under block/.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

#: How much of an image is looked at, in bytes.
PROBE_SIZE: Final = 512

_CLOOP: Final = (
    b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"
)
#: Comments and lines of blanks, then a version; no empty lines.
_VMDK_TEXT: Final = re.compile(rb"(?:#[^\n]*\n| +\r?\n)*version=[123]\r?\n")
_PARALLELS: Final = (b"WithoutFreeSpace", b"WithouFreSpacExt")
_BOCHS: Final = (
    b"Bochs Virtual HD Image".ljust(23, b"\0"),
    b"Redolog".ljust(8, b"\0"),
    b"Growing".ljust(8, b"\0"),
)


def probe_format(head: bytes, filename: str | None) -> str:
    """Guess an image's format.

    Args:
        head: Its first PROBE_SIZE bytes, with zeros where it is shorter.
        filename: Its name, which decides about dmg; None if it should not.

    Returns:
        The driver's name, `raw` if nothing else fits.
    """
    for name, recognises in _SURE.items():
        if recognises(head):
            return name
    if head.startswith(_CLOOP):
        return "cloop"
    if filename is not None and len(filename) > 4 and filename.endswith(".dmg"):
        return "dmg"
    return "raw"


def _number(head: bytes, offset: int, length: int) -> int:
    return int.from_bytes(head[offset : offset + length], "big")


def _is_vmdk(head: bytes) -> bool:
    return head[:4] in (b"COWD", b"KDMV") or _VMDK_TEXT.match(head) is not None


def _is_bochs(head: bytes) -> bool:
    magic, kind, subkind = _BOCHS
    return (
        head.startswith(magic)
        and head.startswith(kind, 32)
        and head.startswith(subkind, 48)
        and head[64:68] in (b"\0\0\2\0", b"\0\0\1\0")
    )


_SURE: Final[dict[str, Callable[[bytes], bool]]] = {
    "qcow2": lambda head: head.startswith(b"QFI\xfb") and _number(head, 4, 4) >= 2,
    "qcow": lambda head: head.startswith(b"QFI\xfb") and _number(head, 4, 4) == 1,
    "qed": lambda head: head.startswith(b"QED\0"),
    "vdi": lambda head: head.startswith(b"\x7f\x10\xda\xbe", 64),
    "vhdx": lambda head: head.startswith(b"vhdxfile"),
    "vpc": lambda head: head.startswith(b"conectix"),
    "luks": lambda head: head.startswith(b"LUKS\xba\xbe\0\1"),
    "vmdk": _is_vmdk,
    "parallels": lambda head: head[:16] in _PARALLELS and head[16:20] == b"\2\0\0\0",
    "bochs": _is_bochs,
}
