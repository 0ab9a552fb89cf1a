"""The nearest run that passes beside the one that fails: where they part, what came elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile, zip_longest
from typing import Final, TypeAlias

from blkdebug_async.explore.timeline import Moment, Timeline
from blkdebug_async.report.diff import Change, Difference, compare
from blkdebug_async.report.lines import EMPTY, Line, Look, padded, plain
from blkdebug_async.report.words import Words, tells

_BETWEEN: Final = " │ "

#: What stands in a row: the step of the failing run, and that of the passing one.
_Pair: TypeAlias = tuple[Moment | None, Moment | None]


def beside_lines(
    failing: Timeline, passing: Timeline, *, ending: int, width: int, most: int | None
) -> list[Line]:
    """Tell two runs side by side; what is the same in both is folded.

    Args:
        failing: The one on the left.
        passing: The one on the right.
        ending: Number of the step that fails; what comes after it is left out.
        width: Most characters of a line.
        most: Most lines; None: any number.
    """
    half = (width - len(_BETWEEN)) // 2
    ours, theirs = _Cells(failing, passing, half), _Cells(passing, failing, half)
    lines: list[Line] = []
    pairs = takewhile(
        lambda pair: pair[0] is None or pair[0].number <= ending, _pairs(compare(failing, passing))
    )
    for same, group in groupby(pairs, key=lambda pair: ours.told(pair[0]) == theirs.told(pair[1])):
        if same:
            lines.append(_folded(list(group), half))
        else:
            lines += [
                (*ours.cell(one), (_BETWEEN, Look.DIM), *theirs.cell(other)) for one, other in group
            ]
    if most is not None and len(lines) > most:
        left_out = len(lines) - most + 1
        lines[most - 1 :] = [plain(f"    ⋮ {left_out} more lines", Look.DIM)]
    return lines


def _pairs(changes: Sequence[Change]) -> Iterator[_Pair]:
    """Put side by side what is the same, and what either run has between that."""
    ours: list[Moment] = []
    theirs: list[Moment] = []
    for change in changes:
        if change.difference is Difference.SAME:
            yield from zip_longest(filter(tells, ours), filter(tells, theirs))
            ours, theirs = [], []
            yield from (
                pair for pair in zip(change.failing, change.passing, strict=True) if tells(pair[0])
            )
        else:
            ours += change.failing
            theirs += change.passing
    yield from zip_longest(filter(tells, ours), filter(tells, theirs))


class _Cells:
    """One side: the steps of one run.

    Args:
        timeline: The run.
        other: The other one.
        width: Characters of a cell.
    """

    def __init__(self, timeline: Timeline, other: Timeline, width: int) -> None:
        self._words = Words(timeline, other)
        self._width = width

    def told(self, moment: Moment | None) -> str:
        """Tell a step; what is told the same counts as the same."""
        if moment is None:
            return ""
        return f"{self._words.owner_of(moment)}: {self._words.happening(moment)}"

    def cell(self, moment: Moment | None) -> Line:
        """Draw a step."""
        if moment is None:
            return padded(EMPTY, self._width)
        look = Look.ODD if moment.deviates else Look.BAD if moment.raised else Look.PLAIN
        mark = "◆" if moment.deviates else " "
        number = (f"{moment.number:>5} {mark} ", Look.DIM)
        return padded((number, (self.told(moment), look)), self._width)


def _folded(pairs: Sequence[_Pair], half: int) -> Line:
    count = "1 step" if len(pairs) == 1 else f"{len(pairs)} steps"
    left = padded(plain(f"    = {count} the same", Look.DIM), half)
    return (*left, (_BETWEEN, Look.DIM))
