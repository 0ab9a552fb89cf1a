"""Bits that travel with a request or come back from one, and how a node is opened.

Request flags are plain ints: enum.IntFlag costs about a third of a microsecond per operation, and
every request passes several. Values are QEMU's (include/block/block-common.h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# --- request flags -----------------------------------------------------------------------------
COPY_ON_READ: Final = 0x1
ZERO_WRITE: Final = 0x2
MAY_UNMAP: Final = 0x4
REGISTERED_BUF: Final = 0x8
FUA: Final = 0x10
WRITE_COMPRESSED: Final = 0x20
WRITE_UNCHANGED: Final = 0x40
SERIALISING: Final = 0x80
NO_FALLBACK: Final = 0x100
PREFETCH: Final = 0x200
NO_WAIT: Final = 0x400

_NAMES: Final = {
    COPY_ON_READ: "COPY_ON_READ",
    ZERO_WRITE: "ZERO_WRITE",
    MAY_UNMAP: "MAY_UNMAP",
    REGISTERED_BUF: "REGISTERED_BUF",
    FUA: "FUA",
    WRITE_COMPRESSED: "WRITE_COMPRESSED",
    WRITE_UNCHANGED: "WRITE_UNCHANGED",
    SERIALISING: "SERIALISING",
    NO_FALLBACK: "NO_FALLBACK",
    PREFETCH: "PREFETCH",
    NO_WAIT: "NO_WAIT",
}


def describe_flags(flags: int) -> str:
    """Spell request flags for people: "FUA|MAY_UNMAP", or "-" for none."""
    return "|".join(name for bit, name in _NAMES.items() if flags & bit) or "-"


# --- block status ------------------------------------------------------------------------------
#: Bits of BlockStatus.flags.
DATA: Final = 0x01
ZERO: Final = 0x02
OFFSET_VALID: Final = 0x04
RAW: Final = 0x08
ALLOCATED: Final = 0x10
EOF: Final = 0x20
RECURSE: Final = 0x40


# --- how a node is opened ----------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class OpenFlags:
    """How a node is opened; children inherit these unless their options say otherwise."""

    read_only: bool = False
    #: Fall back to read-only where writing is not allowed.
    auto_read_only: bool = False
    #: Take no locks against writers; read-only nodes only.
    force_share: bool = False
    #: Pass discards on; otherwise they succeed and do nothing.
    unmap: bool = False
    #: Bypass the page cache.
    direct: bool = False
    #: Never flush to disk.
    no_flush: bool = False
    #: Copy what reads find in the backing node.
    copy_on_read: bool = False
    #: "off", "on" or "unmap": turn writes of zeros into zero writes.
    detect_zeroes: str = "off"
    #: "auto", "threads", "native" or "io_uring": how a file whose options do not say it does its
    #: requests.
    aio: str = "auto"
