"""Reads the wire format of Protocol Buffers, as far as traces have it."""

from __future__ import annotations

from typing import TypeAlias

#: A field: its number, and an integer or the bytes of anything else.
Field: TypeAlias = tuple[int, int | bytes]


def fields_of(data: bytes) -> list[Field]:
    fields: list[Field] = []
    at = 0
    while at < len(data):
        tag, at = _base128(data, at)
        value: int | bytes
        match tag & 7:
            case 0:
                value, at = _base128(data, at)
            case 1:
                value, at = data[at : at + 8], at + 8
            case 2:
                length, at = _base128(data, at)
                value, at = data[at : at + length], at + length
                assert len(value) == length
            case other:
                raise AssertionError(f"wire type {other}")
        fields.append((tag >> 3, value))
    return fields


def _base128(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
