"""What the demo prints: headings, sentences, tables; colours only on a terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

WIDTH = 88
_BOLD, _DIM, _GREEN, _RED = "1", "2", "32", "31"


class Page:
    """A page on standard output."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ

    def title(self, text: str) -> None:
        """Print the heading of everything."""
        print(self._paint(text, _BOLD))
        print("=" * len(text))

    def heading(self, text: str) -> None:
        """Print the heading of a section."""
        print(f"\n\n{self._paint(text, _BOLD)}\n{'-' * len(text)}")

    def say(self, text: str) -> None:
        """Print a paragraph."""
        print()
        print(textwrap.fill(textwrap.dedent(text).strip(), WIDTH))

    def show(self, lines: str) -> None:
        """Print code or a command as it is, indented."""
        print()
        for line in textwrap.dedent(lines).strip("\n").splitlines():
            print(self._paint(f"    {line}", _DIM))

    def table(self, rows: Iterable[Sequence[object]]) -> None:
        """Print rows of cells, each column as wide as its widest cell."""
        cells = [[str(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip_longest(*cells, fillvalue="")]
        print()
        for row in cells:
            padded = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
            print(f"    {'  '.join(padded)}".rstrip())

    def side_by_side(self, left: Sequence[str], right: Sequence[str]) -> None:
        """Print two columns of lines that fill the page."""
        width = (WIDTH - 6) // 2
        for one, other in zip_longest(left, right, fillvalue=""):
            print(f"    {one:<{width}}  {other}".rstrip())

    def command(self, text: str) -> None:
        """Print a command that was given."""
        print(self._paint(f"  > {text}", _BOLD))

    def verdict(self, good: bool, text: str) -> None:
        """Print what a section has shown, or that it has not."""
        mark = self._paint("shown:", _GREEN) if good else self._paint("NOT SHOWN:", _RED)
        print(f"\n  {mark} {text}")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colours else text
