"""What is asked of one test: by its marker, by the command line, and by nobody.

The command line comes before the marker: who types it wants it now.
"""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from os import environ
from typing import Final, Protocol, TypeGuard

import pytest
from _pytest.unittest import TestCaseFunction


class AsyncTest(Protocol):
    """What makes the coroutine of a test."""

    def __call__(self, *args: object, **kwargs: object) -> Coroutine[object, object, object]:
        """Make it."""
        ...


#: Most runs, and seconds, of a test if nobody says anything.
_RUNS: Final = 2000
_SECONDS: Final = 5.0
#: Most runs of one example of Hypothesis'.
_EXAMPLE_RUNS: Final = 20
#: So much of pytest-timeout's limit may be taken by exploring, and by that and shrinking.
_SHARE: Final = 1 / 3
_WHOLE_SHARE: Final = 2 / 3
#: What a marker may say.
_WORDS: Final = (
    "runs",
    "seconds",
    "seed",
    "strategy",
    "assume",
    "shrink_runs",
    "step_limit",
    "may_leave",
    "timers_last",
    "atomic_unit",
    "example_runs",
    "tokens",
    "never",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a test is to be explored."""

    runs: int
    #: None: any time.
    seconds: float | None
    #: With shrinking and all; None: any time.
    most_seconds: float | None
    seed: int
    strategy: str
    assume: str
    shrink_runs: int
    step_limit: int
    may_leave: bool
    timers_last: bool
    atomic_unit: int | None
    #: Most runs of one example, if Hypothesis draws what the test works on.
    example_runs: int
    #: Whether it is marked: then it fails where it cannot be explored, else it runs as usual.
    marked: bool
    #: Of runs that failed once, to be tried first.
    tokens: tuple[str, ...]
    #: The one run to make; None: explore.
    token: str | None = None
    #: Why not to explore it at all; "": nothing speaks against it.
    never: str = ""


def wanted_of(item: pytest.Item) -> Wanted | None:
    """Tell how a test is to be explored; None: not at all.

    Raises:
        ValueError: Its marker makes no sense.
    """
    marker = item.get_closest_marker("explore")
    config = item.config
    anyhow = config.getoption("explore") or config.getoption("explore_token") is not None
    if not isinstance(item, pytest.Function) or not (marker or anyhow):
        return None
    if async_test(item) is None:
        if any(own.name == "explore" for own in item.own_markers):
            raise ValueError("@pytest.mark.explore is for async tests")
        return None
    if isinstance(item, TestCaseFunction):
        if marker:
            raise ValueError("@pytest.mark.explore: unittest.TestCase runs its methods by itself")
        return None
    if marker is None and not _runs_anyway(item):
        return None
    wanted = _wanted(item, {} if marker is None else _words_of(marker), marked=marker is not None)
    # Whoever gives up exploring such a test says so only if asked to explore everything.
    return None if wanted.never and not anyhow else wanted


def async_test(item: pytest.Function) -> AsyncTest | None:
    """Give what makes a test's coroutine, without what others have put around it.

    None: the test is not async.
    """
    found = item.obj
    given = getattr(found, "hypothesis", None)
    test: AsyncTest = getattr(found, "__func__", found) if given is None else given.inner_test
    return test if inspect.iscoroutinefunction(test) else None


def is_given(item: pytest.Function) -> bool:
    """Tell whether Hypothesis draws what a test works on."""
    return getattr(item.obj, "is_hypothesis_test", False) is True


def _runs_anyway(item: pytest.Function) -> bool:
    """Tell whether there is a plugin that runs this async test."""
    return item.get_closest_marker("asyncio") is not None or "anyio_backend" in item.fixturenames


def _words_of(marker: pytest.Mark) -> dict[str, object]:
    unknown = sorted(set(marker.kwargs) - set(_WORDS))
    if marker.args or unknown:
        what = f"{unknown[0]!r}" if unknown else f"{marker.args[0]!r} without a name"
        raise ValueError(f"@pytest.mark.explore takes {', '.join(_WORDS)}, but not {what}")
    return dict(marker.kwargs)


def _wanted(item: pytest.Function, words: dict[str, object], *, marked: bool) -> Wanted:
    config = item.config

    def number(name: str, otherwise: int) -> int:
        value = config.getoption(f"explore_{name}", None)
        value = words.get(name, otherwise) if value is None else value
        if not isinstance(value, int):
            raise ValueError(f"{name} of @pytest.mark.explore is a number, not {value!r}")
        return value

    def word(name: str, otherwise: str) -> str:
        value = config.getoption(f"explore_{name}", None) or words.get(name, otherwise)
        return str(value)

    unit = words.get("atomic_unit")
    if unit is not None and not isinstance(unit, int):
        raise ValueError(f"atomic_unit of @pytest.mark.explore is a number, not {unit!r}")
    tokens = words.get("tokens", ())
    if not isinstance(tokens, (list, tuple)):
        raise ValueError(f"tokens of @pytest.mark.explore is a list, not {tokens!r}")
    return Wanted(
        runs=number("runs", _RUNS),
        seconds=_seconds(item, words),
        most_seconds=None if (limit := _timeout_of(item)) is None else limit * _WHOLE_SHARE,
        seed=number("seed", 0),
        strategy=word("strategy", "auto"),
        assume=word("assume", "nothing"),
        shrink_runs=number("shrink_runs", 300),
        step_limit=number("step_limit", 100_000),
        # asyncio.run() cancels what a test leaves, and nobody minds; who marks a test, does.
        may_leave=bool(words.get("may_leave", not marked)),
        # Nor do timeouts that are there in case something hangs.
        timers_last=bool(words.get("timers_last", not marked)),
        atomic_unit=unit,
        example_runs=number("example_runs", _EXAMPLE_RUNS),
        marked=marked,
        tokens=tuple(map(str, tokens)),
        token=config.getoption("explore_token"),
        never=str(words.get("never") or ""),
    )


def _seconds(item: pytest.Function, words: dict[str, object]) -> float | None:
    asked = item.config.getoption("explore_seconds")
    if asked is None:
        asked = words.get("seconds")
    if isinstance(asked, (int, float)):
        return asked or None
    if asked is not None:
        raise ValueError(f"seconds of @pytest.mark.explore is a number, not {asked!r}")
    limit = _timeout_of(item)
    return _SECONDS if limit is None else min(_SECONDS, limit * _SHARE)


def _timeout_of(item: pytest.Function) -> float | None:
    """Give the limit that pytest-timeout sets to a test; None: none."""
    config = item.config
    if not config.pluginmanager.hasplugin("timeout"):
        return None
    said: list[object] = []
    if marker := item.get_closest_marker("timeout"):
        said.append(marker.args[0] if marker.args else marker.kwargs.get("timeout"))
    said += [config.getoption("timeout"), environ.get("PYTEST_TIMEOUT"), config.getini("timeout")]
    for limit in said:
        if _is_said(limit):
            with suppress(ValueError):
                return float(limit) or None
    return None


def _is_said(limit: object) -> TypeGuard[str | float]:
    return isinstance(limit, (int, float)) or (isinstance(limit, str) and limit != "")
