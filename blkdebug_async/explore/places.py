"""Places in source code, as people look them up."""

from __future__ import annotations

import linecache
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Final

from blkdebug_async.explore.deadlock import frames_of, is_library, own_frame

_STANDARD_LIBRARY: Final = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))


@dataclass(frozen=True, slots=True)
class Place:
    """A line of source code."""

    file: str
    #: From 1 on.
    line: int
    function: str
    #: Where in the scenario it was called; None: nowhere, or that is not known.
    caller: Place | None = None

    @property
    def text(self) -> str:
        """The line itself, without blanks around it; "" if the file is not there."""
        return linecache.getline(self.file, self.line).strip()

    @property
    def short(self) -> str:
        """As "file.py:12", for where there is little room."""
        return f"{Path(self.file).name}:{self.line}"

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


def waiting_place(awaited: object) -> Place | None:
    """Tell where in the scenario a suspended coroutine stands; None: it is over."""
    frames = list(frames_of(awaited))
    innermost = own_frame(frames)
    place = None
    for frame in frames:
        if frame is innermost or not (is_library(frame) or _is_standard(frame)):
            place = _of_code(frame.f_code, frame.f_lineno, place)
    return place


def first_place(code: CodeType) -> Place:
    """Tell where a coroutine begins that has not been begun."""
    return Place(code.co_filename, code.co_firstlineno, code.co_name)


def raising_place(error: BaseException) -> Place | None:
    """Tell where in the scenario an error came from: the innermost line that is not a library's.

    Of a group, that of its first error. None: it was never raised.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    trace, found, last = error.__traceback__, None, None
    while trace is not None:
        frame = trace.tb_frame
        last = frame.f_code, trace.tb_lineno
        if not is_library(frame) and not _is_standard(frame):
            found = _of_code(*last, found)
        trace = trace.tb_next
    return found if found or last is None else _of_code(*last)


def is_library_error(error: BaseException) -> bool:
    """Tell whether no line of the scenario had to do with an error: whoever ran it raised it."""
    trace = error.__traceback__
    while trace is not None:
        if not is_library(trace.tb_frame) and not _is_standard(trace.tb_frame):
            return False
        trace = trace.tb_next
    return True


def _is_standard(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return path.startswith(_STANDARD_LIBRARY) and "site-packages" not in path


def _of_code(code: CodeType, line: int, caller: Place | None = None) -> Place:
    return Place(code.co_filename, line, code.co_name, caller)
