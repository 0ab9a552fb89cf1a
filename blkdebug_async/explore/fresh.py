"""Values that runs are given, copied so that no run sees what another one has changed."""

from __future__ import annotations


def fresh(value: object) -> object:
    """Copy what several runs would change in turn: lists, dicts, sets and bytearrays, in depth.

    Objects of other classes stay the same.
    """
    if type(value) in (list, tuple, set):
        return type(value)(fresh(each) for each in value)  # type: ignore[call-arg,attr-defined]
    match value:
        case dict() if type(value) is dict:
            return {key: fresh(each) for key, each in value.items()}
        case bytearray() if type(value) is bytearray:
            return bytearray(value)
    return value
