"""The explore door: runs an async function under many schedules, tells which one fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from blkdebug_async.cli.explore_help import USAGE
from blkdebug_async.cli.explore_options import ExploreOptions, parse_explore_options
from blkdebug_async.cli.failures import ErrorReport, UsageError

#: Exit status if the command line makes no sense.
BAD_USAGE = 2

_Run = Callable[[str, ExploreOptions], int]


def main(program: str, typed: str, words: Sequence[str]) -> int:
    """Run the door.

    Args:
        program: Name in front of messages.
        typed: Name as it was typed.
        words: What follows it on the command line.

    Returns:
        The exit status: 1 if a run failed, 2 for bad usage, 130 after an interrupt.
    """
    try:
        options = parse_explore_options(typed, words)
    except UsageError as error:
        sys.stderr.write(f"{error}\n{program} --help lists what there is\n")
        return BAD_USAGE
    except ErrorReport as error:
        sys.stderr.write(f"{program}: {error}\n")
        return BAD_USAGE
    if options.wants is not None:
        sys.stdout.write(_answer(program, options.wants))
        return 0
    run: _Run = import_module("blkdebug_async.cli.explore_session").run
    return run(program, options)


def _answer(program: str, wanted: str) -> str:
    if wanted == "help":
        return USAGE.format(program=program)
    version: str = import_module("blkdebug_async.cli.version").VERSION
    return f"{program} {version}\n"
