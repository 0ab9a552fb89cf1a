"""Trace points as lines: what -T shows, and what blkdebug says of held requests in any case."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final

from blkdebug_async.block.flags import describe_flags
from blkdebug_async.cli.session import Session
from blkdebug_async.events import Event, IoType
from blkdebug_async.trace import RequestView

TRACE_POINTS: Final = (
    "request_started",
    "request_waits",
    "event_fired",
    "request_suspended",
    "request_resumed",
    "driver_called",
    "request_finished",
)


class TraceSwitches:
    """Which trace points are shown; none at first."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def enable(self, pattern: str) -> bool:
        """Switch on the trace points that a pattern names, or off if "-" stands before it.

        Args:
            pattern: A name; "*" stands for any letters, as in QEMU.

        Returns:
            Whether there is such a trace point; a pattern may match none.
        """
        name = pattern.removeprefix("-")
        found = {point for point in TRACE_POINTS if fnmatchcase(point, name)}
        if name == pattern:
            self._shown |= found
        else:
            self._shown -= found
        return bool(found) or "*" in name

    def shows(self, point: str) -> bool:
        """Tell whether a trace point is shown."""
        return point in self._shown


class SessionObserver:
    """Tells of held requests on stdout, and of everything that is switched on as a trace.

    Args:
        session: Whose disk it is.
        switches: What is shown as a trace.
        trace: Takes a line of the trace, its end included.
    """

    def __init__(
        self, session: Session, switches: TraceSwitches, trace: Callable[[str], object]
    ) -> None:
        self._session = session
        self._switches = switches
        self._trace = trace

    def request_started(self, request: RequestView) -> None:
        self._show("request_started", _describe(request))

    def request_waits(self, request: RequestView, blocker: RequestView) -> None:
        self._show("request_waits", f"{_describe(request)} for {blocker.id}")

    def event_fired(self, node: str, event: Event, request: RequestView | None) -> None:
        self._show("event_fired", f"{event} on {node} by {_number(request)}")

    def request_suspended(self, node: str, tag: str, request: RequestView | None) -> None:
        self._session.write(f"blkdebug: Suspended request '{tag}'\n")
        self._show("request_suspended", f"{_number(request)} on {node} as {tag}")

    def request_resumed(self, node: str, tag: str, request: RequestView | None) -> None:
        self._session.write(f"blkdebug: Resuming request '{tag}'\n")
        self._show("request_resumed", f"{_number(request)} on {node} as {tag}")

    def driver_called(self, request: RequestView, op: IoType, offset: int, length: int) -> None:
        self._show("driver_called", f"{request.id} {op} {offset}+{length} on {request.node}")

    def request_finished(self, request: RequestView, error: BaseException | None) -> None:
        self._show("request_finished", f"{request.id} {error or 'well'}")

    def _show(self, point: str, text: str) -> None:
        if self._switches.shows(point):
            self._trace(f"{point} {text}\n")


def _describe(request: RequestView) -> str:
    return (
        f"{request.id} {request.op} {request.offset}+{request.length} "
        f"{describe_flags(request.flags)} on {request.node}"
    )


def _number(request: RequestView | None) -> str:
    return "nobody" if request is None else str(request.id)
