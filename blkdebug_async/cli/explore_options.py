"""The command line of the explore door: a function, how far to go, and what to show."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blkdebug_async.cli.failures import ErrorReport
from blkdebug_async.cli.getopt import Getopt, LongOption, Option
from blkdebug_async.cli.parse import parse_size
from blkdebug_async.errors import OptionError
from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.explorer import STORE
from blkdebug_async.explore.run import Conditions
from blkdebug_async.explore.strategies.named import strategy_named
from blkdebug_async.explore.token import TokenError, decode

_LONG: Final = (
    LongOption("help", "h"),
    LongOption("version", "V"),
    LongOption("quiet", "q"),
    LongOption("runs", "runs", takes_value=True),
    LongOption("seconds", "seconds", takes_value=True),
    LongOption("steps", "steps", takes_value=True),
    LongOption("shrink-runs", "shrink-runs", takes_value=True),
    LongOption("jobs", "jobs", takes_value=True),
    LongOption("strategy", "strategy", takes_value=True),
    LongOption("seed", "seed", takes_value=True),
    LongOption("assume", "assume", takes_value=True),
    LongOption("atomic-unit", "atomic-unit", takes_value=True),
    LongOption("may-leave", "may-leave"),
    LongOption("timers-last", "timers-last"),
    LongOption("token", "token", takes_value=True),
    LongOption("report", "report", takes_value=True),
    LongOption("store", "store", takes_value=True),
    LongOption("no-store", "no-store"),
    LongOption("full", "full"),
    LongOption("json", "json"),
)


@dataclass(slots=True)
class ExploreOptions:
    """What the command line asks for."""

    #: As it was typed; "": nothing is to be explored.
    scenario: str = ""
    runs: int = 2000
    #: None: any time.
    seconds: float | None = None
    steps: int = Conditions().step_limit
    shrink_runs: int = 300
    jobs: int = 1
    strategy: str = "auto"
    seed: int = 0
    assume: Assume = Assume.NOTHING
    atomic_unit: int | None = None
    may_leave: bool = False
    timers_last: bool = False
    #: The one run to make: a token, or its integers; None: many.
    token: str | tuple[int, ...] | None = None
    #: Where files about a failure go; None: there are none.
    report: Path | None = None
    #: Where tokens are kept; None: nowhere.
    store: Path | None = Path(STORE)
    full: bool = False
    json: bool = False
    quiet: bool = False
    #: What is asked for instead: help or version.
    wants: str | None = None

    @property
    def conditions(self) -> Conditions:
        """What holds for every run."""
        return Conditions(
            step_limit=self.steps,
            may_leave=self.may_leave,
            timers_last=self.timers_last,
            atomic_unit=self.atomic_unit,
        )


def parse_explore_options(program: str, words: Sequence[str]) -> ExploreOptions:
    """Understand the command line.

    Args:
        program: Who complains of unknown options.
        words: What follows it.

    Raises:
        UsageError: An option is unknown or lacks its argument; the message is whole.
        ErrorReport: EINVAL; an argument makes no sense.
    """
    options = ExploreOptions()
    given = Getopt(program, words, "hVq", _LONG)
    for option in given:
        if option.key in ("h", "V"):
            options.wants = "help" if option.key == "h" else "version"
            return options
        if not (_is_switch(options, option) or _is_number(options, option)):
            _take(options, option)
    match given.operands:
        case []:
            raise ErrorReport("say what to explore, as in module:function")
        case [scenario]:
            options.scenario = scenario
        case [_, *more]:
            raise ErrorReport(f"one function at a time: what is {more[0]!r}?")
    return options


def _is_switch(options: ExploreOptions, option: Option) -> bool:
    match option.key:
        case "q":
            options.quiet = True
        case "may-leave":
            options.may_leave = True
        case "timers-last":
            options.timers_last = True
        case "no-store":
            options.store = None
        case "full":
            options.full = True
        case "json":
            options.json = True
        case _:
            return False
    return True


def _is_number(options: ExploreOptions, option: Option) -> bool:
    match option.key:
        case "runs":
            options.runs = _count(option, least=1)
        case "seconds":
            options.seconds = _seconds(option)
        case "steps":
            options.steps = _count(option, least=1)
        case "shrink-runs":
            options.shrink_runs = _count(option, least=1)
        case "jobs":
            auto = option.value == "auto"
            options.jobs = os.cpu_count() or 1 if auto else _count(option, least=1)
        case "seed":
            options.seed = _seed(option)
        case _:
            return False
    return True


def _take(options: ExploreOptions, option: Option) -> None:
    match option.key:
        case "strategy":
            options.strategy = _strategy(option)
        case "assume":
            options.assume = _assume(option)
        case "atomic-unit":
            options.atomic_unit = _atomic_unit(option)
        case "token":
            options.token = _token(option)
        case "report":
            options.report = _folder(option)
        case _:
            options.store = _folder(option)


def _count(option: Option, *, least: int) -> int:
    number = int(option.value) if option.value.isascii() and option.value.isdigit() else -1
    if number < least:
        raise ErrorReport(f"--{option.key}: {option.value!r} is no number from {least} on")
    return number


def _seed(option: Option) -> int:
    try:
        return int(option.value)
    except ValueError:
        raise ErrorReport(f"--seed: {option.value!r} is no whole number") from None


def _seconds(option: Option) -> float:
    try:
        seconds = float(option.value)
    except ValueError:
        seconds = -1.0
    if not math.isfinite(seconds) or seconds < 0:
        raise ErrorReport(f"--seconds: {option.value!r} is no number of seconds")
    return seconds


def _strategy(option: Option) -> str:
    try:
        strategy_named(option.value)
    except ValueError as error:
        raise ErrorReport(f"--strategy: {error}") from None
    return option.value


def _assume(option: Option) -> Assume:
    try:
        return Assume(option.value)
    except ValueError:
        names = " or ".join(Assume)
        raise ErrorReport(f"--assume: {option.value!r} is not {names}") from None


def _atomic_unit(option: Option) -> int:
    try:
        size = parse_size(option.value, lambda _: None)
    except OptionError:
        size = 0
    if size < 1:
        raise ErrorReport(f"--atomic-unit: {option.value!r} is no size from 1 on")
    return size


def _token(option: Option) -> str | tuple[int, ...]:
    text = option.value.strip()
    if not text.strip("0123456789, "):
        return tuple(int(each) for each in text.replace(",", " ").split())
    try:
        decode(text)
    except TokenError as error:
        raise ErrorReport(f"--token: {error}") from None
    return text


def _folder(option: Option) -> Path:
    """See that a folder is there, or can be."""
    path = Path(option.value)
    there = path.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise ErrorReport(f"--{option.key}: nothing can be written in '{there}'")
    return path
