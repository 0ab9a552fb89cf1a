"""Places in source code, as a report shows them: paths from here, the lines around, the callers."""

from __future__ import annotations

import linecache
import os
from pathlib import Path
from typing import Final

from blkdebug_async.explore.places import Place, raising_place

#: Where this package is.
_HERE: Final = f"{Path(__file__).parents[1]}{os.sep}"


def shown_path(path: str) -> str:
    """Give a path as people like to read it: from here, if it is below."""
    try:
        below = os.path.relpath(path)
    except (OSError, ValueError):
        return path
    return path if below.startswith(os.pardir) else below


def lines_around(place: Place, context: int) -> dict[int, str]:
    """Give the lines around a place, by their numbers; {}: the file is not there."""
    lines = linecache.getlines(place.file)
    first = max(place.line - context, 1)
    last = min(place.line + context, len(lines))
    return {number: lines[number - 1].rstrip() for number in range(first, last + 1)}


def stack_of(place: Place | None) -> tuple[Place, ...]:
    """Give a place and where it was called, the outermost first."""
    stack = []
    while place is not None:
        stack.append(place)
        place = place.caller
    return tuple(reversed(stack))


def causes_of(error: BaseException) -> tuple[BaseException, ...]:
    """Give an error and what is behind it: the first one of a group, or what it was raised from."""
    found = [error]
    while True:
        behind = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__
        if behind is None or behind in found:
            return tuple(found)
        found.append(behind)
        error = behind


def traceback_of(error: BaseException) -> tuple[Place, ...]:
    """Give the places of the scenario that an error came through, the outermost first.

    Returns:
        () if it is this package's own, as of a deadlock.
    """
    place = raising_place(error)
    return () if place is None or place.file.startswith(_HERE) else stack_of(place)
