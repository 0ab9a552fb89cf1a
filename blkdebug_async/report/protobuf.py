"""Protocol Buffers as bytes: as much of the wire format as a trace needs.

https://protobuf.dev/programming-guides/encoding tells it: a field is its number and how it is
written, then its value. What is not there is not written.
"""

from __future__ import annotations

import struct

_VARINT, _FIXED64, _BYTES = 0, 1, 2


def varint(number: int, value: int) -> bytes:
    """Write a field that is an integer, a bool or an enum.

    Args:
        number: Of the field.
        value: From -2**63 on, below 2**64.
    """
    return _tag(number, _VARINT) + _base128(value % (1 << 64))


def fixed64(number: int, value: int) -> bytes:
    """Write a field that is a fixed64."""
    return _tag(number, _FIXED64) + struct.pack("<Q", value)


def double(number: int, value: float) -> bytes:
    """Write a field that is a double."""
    return _tag(number, _FIXED64) + struct.pack("<d", value)


def text(number: int, value: str) -> bytes:
    """Write a field that is a string; what UTF-8 cannot say becomes question marks."""
    return message(number, value.encode(errors="replace"))


def message(number: int, *fields: bytes) -> bytes:
    """Write a field that is a message: its fields, one behind the other."""
    body = b"".join(fields)
    return _tag(number, _BYTES) + _base128(len(body)) + body


def _tag(number: int, wire: int) -> bytes:
    return _base128(number << 3 | wire)


def _base128(value: int) -> bytes:
    """Write seven bits a byte, the lowest first; all but the last byte have their eighth bit."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
