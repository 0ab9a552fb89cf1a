"""The bench door: puts load on images, shows how fast they are.

What this needs beyond the package comes with its extras, so that nothing of it is imported before
it is known to be there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from blkdebug_async.cli.bench_help import USAGE
from blkdebug_async.cli.bench_options import BenchOptions, parse_bench_options
from blkdebug_async.cli.failures import ErrorReport, UsageError

#: Exit status if the command line makes no sense.
BAD_USAGE = 2

_Run = Callable[[str, BenchOptions], int]


def main(program: str, typed: str, words: Sequence[str]) -> int:
    """Run the door.

    Args:
        program: Name in front of messages.
        typed: Name as it was typed.
        words: What follows it on the command line.

    Returns:
        The exit status: 1 if any request failed or damage was found, 2 for bad usage.
    """
    try:
        options = parse_bench_options(typed, words)
        if options.wants is None:
            _check_needs(options)
    except UsageError as error:
        sys.stderr.write(f"{error}\n{program} --help lists what there is\n")
        return BAD_USAGE
    except ErrorReport as error:
        hint = f"{error.hint}\n" if error.hint else ""
        sys.stderr.write(f"{program}: {error}\n{hint}")
        return BAD_USAGE
    if options.wants is not None:
        sys.stdout.write(_answer(program, options.wants))
        return 0
    run: _Run = import_module("blkdebug_async.cli.bench_session").run
    return run(program, options)


def _answer(program: str, wanted: str) -> str:
    if wanted == "help":
        return USAGE.format(program=program)
    version: str = import_module("blkdebug_async.cli.version").VERSION
    return f"{program} {version}\n"


def _check_needs(options: BenchOptions) -> None:
    """See beforehand whether all can be shown that will be found out.

    Raises:
        ErrorReport: A package is missing, or a file cannot be written.
    """
    for package, extra in _needs(options):
        if find_spec(package) is None:
            hint = f"It comes with an extra: pip install 'blkdebug_async[{extra}]'"
            raise ErrorReport(f"the package {package} is not installed", hint=hint)
    prefix = None if options.log_prefix is None else Path(f"{options.log_prefix}_lat.1.log")
    for option, path in (
        ("output", options.output),
        ("picture", options.picture),
        ("write-log", prefix),
    ):
        if path is None:
            continue
        if not os.access(path.parent, os.W_OK):
            raise ErrorReport(f"--{option}: nothing can be written in '{path.parent}'")
        if path.is_dir() or (path.exists() and not os.access(path, os.W_OK)):
            raise ErrorReport(f"--{option}: '{path}' cannot be written")


def _needs(options: BenchOptions) -> Iterator[tuple[str, str]]:
    """Give packages and the extras they come with."""
    yield "hdrh", "bench"
    yield "rich", "bench"
    if options.picture is not None:
        yield "matplotlib", "plot"
