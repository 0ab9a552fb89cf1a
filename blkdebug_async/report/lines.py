"""Lines of text made of pieces, each with its look: cut to a width, then coloured."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias


class Look(StrEnum):
    """How a piece looks, as parameters of ANSI's SGR; "" is as it is."""

    PLAIN = ""
    HEADING = "1"
    DIM = "2"
    GOOD = "32"
    FLIGHT = "36"
    BAD = "1;31"
    ODD = "1;33"


#: A piece of a line.
Piece: TypeAlias = tuple[str, Look]
Line: TypeAlias = tuple[Piece, ...]

EMPTY: Line = ()


def plain(text: str, look: Look = Look.PLAIN) -> Line:
    """Make a line of one piece."""
    return ((text, look),)


def length(line: Line) -> int:
    """Count the characters of a line."""
    return sum(len(text) for text, _ in line)


def cut(line: Line, width: int) -> Line:
    """Cut a line, so that one sees that it was."""
    if length(line) <= width:
        return line
    kept: list[Piece] = []
    room = max(width - 1, 0)
    for text, look in line:
        kept.append((text[:room], look))
        room -= len(kept[-1][0])
    return (*kept, ("…", Look.DIM))


def padded(line: Line, width: int) -> Line:
    """Cut a line, or add blanks, so that it has exactly so many characters."""
    line = cut(line, width)
    return (*line, (" " * (width - length(line)), Look.PLAIN))


def rendered(lines: Iterable[Line], *, colour: bool) -> str:
    """Put lines together, without blanks at their ends."""
    return "\n".join(_rendered(line, colour) for line in lines)


def _rendered(line: Line, colour: bool) -> str:
    if not colour:
        return "".join(text for text, _ in line).rstrip()
    return "".join(f"\x1b[{look}m{text}\x1b[0m" if look and text else text for text, look in line)
