"""An event loop whose time passes only while it waits, and a clock that goes with it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import TypeVar

_T = TypeVar("_T")

#: What looking at the clock takes: nobody who looks again and again stops time.
LOOK_NS = 1000


class Time:
    def __init__(self) -> None:
        self.now_ns = 0

    def look(self) -> int:
        self.now_ns += LOOK_NS
        return self.now_ns


class _Selector(selectors.SelectSelector):
    def __init__(self, time: Time) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            # None: nothing would ever happen; the test's own time limit tells.
            self._time.now_ns += round((timeout or 0) * 1_000_000_000)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self, time: Time) -> None:
        super().__init__(_Selector(time))
        self._virtual = time

    def time(self) -> float:
        return self._virtual.now_ns / 1_000_000_000


def run_virtually(main: Callable[[Time], Coroutine[object, None, _T]]) -> _T:
    time = Time()
    with asyncio.Runner(loop_factory=lambda: _Loop(time)) as runner:
        return runner.run(main(time))
