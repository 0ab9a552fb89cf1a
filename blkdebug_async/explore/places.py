"""Places in source code, as people look them up."""

from __future__ import annotations

import linecache
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, TracebackType
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
    frame = own_frame(list(frames_of(awaited)))
    return None if frame is None else _of_frame(frame)


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
        last = trace
        if not is_library(trace.tb_frame) and not _is_standard(trace.tb_frame):
            found = trace
        trace = trace.tb_next
    chosen = found or last
    return None if chosen is None else _of_trace(chosen)


def _is_standard(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return path.startswith(_STANDARD_LIBRARY) and "site-packages" not in path


def _of_frame(frame: FrameType) -> Place:
    return Place(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


def _of_trace(trace: TracebackType) -> Place:
    code = trace.tb_frame.f_code
    return Place(code.co_filename, trace.tb_lineno, code.co_name)
