"""What many runs of one test print, log and warn of, so that it reads as if there had been one.

Output is that of the last run only; each warning is told once. What could not be raised, such as
the warning of a coroutine that nobody awaits where warnings are errors, fails its own run.
"""

from __future__ import annotations

import re
import sys
import warnings
from types import TracebackType
from typing import Final, Protocol, Self

import pytest

_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]+")


class _Capture(Protocol):
    """pytest's capture manager, as far as used."""

    def is_globally_capturing(self) -> bool:
        """Tell whether output is caught."""
        ...

    def read_global_capture(self) -> object:
        """Take what was caught."""
        ...


class _Handler(Protocol):
    """Keeps log records."""

    def clear(self) -> None:
        """Forget them."""
        ...


class _Unraisable(Protocol):
    """What sys.unraisablehook is given."""

    @property
    def exc_value(self) -> BaseException | None:
        """The error."""
        ...

    @property
    def err_msg(self) -> str | None:
        """What could not be done."""
        ...

    @property
    def object(self) -> object:
        """Whose error it is."""
        ...


class Quiet:
    """Keeps what runs print from piling up.

    Args:
        config: Where the plugins are that catch output.
    """

    def __init__(self, config: pytest.Config) -> None:
        plugins = config.pluginmanager
        capture: _Capture | None = plugins.getplugin("capturemanager")
        self._capture = capture if capture and capture.is_globally_capturing() else None
        logging = plugins.getplugin("logging-plugin")
        names = ("caplog_handler", "report_handler")
        found = (getattr(logging, name, None) for name in names)
        self._handlers: list[_Handler] = [handler for handler in found if handler is not None]
        self._unraised: list[tuple[str, BaseException | None]] = []
        self._catching = warnings.catch_warnings(record=True)
        self._recorded: list[warnings.WarningMessage] = []
        self._distinct: dict[object, warnings.WarningMessage] = {}

    def __enter__(self) -> Self:
        self._hook, sys.unraisablehook = sys.unraisablehook, self._hear
        recorded = self._catching.__enter__()
        assert recorded is not None
        self._recorded = recorded
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._sort_out()
        self._catching.__exit__(kind, error, trace)
        sys.unraisablehook = self._hook
        for each in self._distinct.values():
            warnings.showwarning(each.message, each.category, each.filename, each.lineno)

    def begin_run(self) -> None:
        """Forget what the last run has said."""
        if self._capture is not None:
            self._capture.read_global_capture()
        for handler in self._handlers:
            handler.clear()
        self._sort_out()
        self._unraised.clear()

    def check(self) -> None:
        """Warn of what could not be raised in this run, as pytest does of that of a test.

        Raises:
            pytest.PytestUnraisableExceptionWarning: That is an error here.
        """
        while self._unraised:
            text, error = self._unraised.pop(0)
            warning = pytest.PytestUnraisableExceptionWarning(text)
            warning.__cause__ = error
            warnings.warn(warning, stacklevel=2)

    def _hear(self, unraisable: _Unraisable) -> None:
        what = unraisable.err_msg or "Exception ignored in"
        text = f"{what}: {unraisable.object!r}: {unraisable.exc_value!r}"
        self._unraised.append((text, unraisable.exc_value))

    def _sort_out(self) -> None:
        for each in self._recorded:
            text = _ADDRESS.sub("", str(each.message))
            self._distinct.setdefault((each.category, text, each.filename, each.lineno), each)
        self._recorded.clear()
