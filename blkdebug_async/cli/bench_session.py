"""One run of the bench door: opens images, runs the jobs, shows what came of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console

from blkdebug_async.bench.job import Job
from blkdebug_async.bench.output.curves import Curve, curves
from blkdebug_async.bench.output.fio_json import FioOptions, fio_json
from blkdebug_async.bench.output.fio_logs import fio_logs
from blkdebug_async.bench.output.full_json import full_json
from blkdebug_async.bench.output.live import LiveLine
from blkdebug_async.bench.output.summary import job_line
from blkdebug_async.bench.output.table import print_table
from blkdebug_async.bench.result import Progress, RunResult
from blkdebug_async.bench.run import Bench
from blkdebug_async.block.context import Context
from blkdebug_async.cli.bench_options import BenchOptions
from blkdebug_async.cli.failures import UsageError
from blkdebug_async.cli.opening import read_options
from blkdebug_async.disk import Disk
from blkdebug_async.options.tree import Options, Warn
from blkdebug_async.tree import TreeOpener

#: Exit status if it was interrupted, as shells have it.
INTERRUPTED: Final = 128 + signal.SIGINT
#: Exit status if the command line makes no sense.
BAD_USAGE: Final = 2
_INTERVAL_S: Final = 0.5
#: Runs that end sooner than that get shorter intervals.
_MOST_INTERVALS: Final = 20
_SHORTEST_INTERVAL_S: Final = 0.05

_Show = Callable[[Progress], None]
_Draw = Callable[[Path, Sequence[Curve], str], None]


def run(program: str, options: BenchOptions) -> int:
    """Run the jobs and show what came of it.

    Args:
        program: Name in front of messages.
        options: The command line.

    Returns:
        The exit status.
    """

    def warn(message: str) -> None:
        # Some of QEMU's are printed as they are.
        prefix = "" if message.startswith("WARNING: ") else f"{program}: warning: "
        sys.stderr.write(f"{prefix}{message}\n")

    try:
        with asyncio.Runner(loop_factory=_loop_factory(options.loop)) as runner:
            result = runner.run(_run(options, warn))
        _show(options, result)
    except UsageError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return BAD_USAGE
    except BrokenPipeError:
        # Nobody reads it; the interpreter would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        hint: str = getattr(error, "hint", "")
        sys.stderr.write(f"{program}: {error}\n" + (f"{hint}\n" if hint else ""))
        return 1
    if result.cancelled:
        return INTERRUPTED
    return 0 if result.passed else 1


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if name == "asyncio":
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = import_module(name).new_event_loop
    return factory


async def _run(options: BenchOptions, warn: Warn) -> RunResult:
    console = Console(file=sys.stderr, force_terminal=options.eta == "always" or None)
    is_live = console.is_terminal and options.eta != "never"
    async with AsyncExitStack() as stack:
        disks = {
            image: await stack.enter_async_context(await _open(image, options, warn))
            for image in dict.fromkeys(job.disk for job in options.jobs)
            if image is not None
        }
        with LiveLine(console) if is_live else nullcontext() as show:
            return await _run_jobs(options, disks, show)


async def _run_jobs(
    options: BenchOptions, disks: Mapping[str, Disk], show: _Show | None
) -> RunResult:
    interval_s = options.interval_s or _interval_s(options.jobs)
    try:
        bench = Bench(disks, options.jobs, progress=show, interval_s=interval_s)
    except ValueError as error:
        # A job does not fit its disk, or two do not fit together.
        raise UsageError(str(error)) from error
    with _stopped_by_interrupt(bench):
        return await bench.run()


@contextmanager
def _stopped_by_interrupt(bench: Bench) -> Iterator[None]:
    """Let Ctrl-C end the run rather than the program: what was found out until then is shown."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, bench.stop)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


def _interval_s(jobs: list[Job]) -> float:
    """Choose intervals so that also a short run has some."""
    shortest_s = min((job.runtime_s for job in jobs if job.runtime_s is not None), default=0.0)
    return min(_INTERVAL_S, max(shortest_s / _MOST_INTERVALS, _SHORTEST_INTERVAL_S))


async def _open(image: str, options: BenchOptions, warn: Warn) -> Disk:
    """Open an image, for writing only if any job writes to it."""
    filename: str | None = image
    given: Options = {}
    if options.image_opts:
        filename, given = None, read_options(image, warn, allow_id=True)
    elif options.format is not None:
        given["driver"] = options.format
    settings = options.settings
    writes = any(job.writes for job in options.jobs if job.disk == image)
    settings.read_only = settings.read_only or (not writes and not settings.snapshot)
    request = settings.request(filename, given)
    tree = TreeOpener(Context(compat=options.compat), warn)
    node = await tree.open_options(
        request.filename, request.options, request.flags, snapshot=request.snapshot
    )
    try:
        return Disk(tree, node, writethrough=request.writethrough, writes=writes)
    except OSError:
        await tree.close(node)
        raise


# --- what comes of it ---


def _show(options: BenchOptions, result: RunResult) -> None:
    """Write all that was asked for.

    Raises:
        OSError: A file cannot be written.
    """
    if options.output is None:
        _report(options, result, sys.stdout)
    else:
        with options.output.open("w", encoding="utf-8") as file:
            _report(options, result, file)
    if options.log_prefix is not None:
        for path, text in fio_logs(options.log_prefix, result.jobs):
            path.write_text(text)
    if options.picture is not None:
        # Loading it takes a second, and it is rarely asked for.
        draw: _Draw = import_module("blkdebug_async.bench.output.picture").draw
        draw(options.picture, curves(result), _title(result))


def _report(options: BenchOptions, result: RunResult, file: TextIO) -> None:
    match options.output_format:
        case "json":
            json.dump(full_json(result), file, indent=1)
            file.write("\n")
        case "fio":
            words = FioOptions(options.shared_words, options.own_words)
            json.dump(fio_json(result, words), file, indent=2)
            file.write("\n")
        case _:
            print_table(Console(file=file), result)


def _title(result: RunResult) -> str:
    if len(result.jobs) == 1:
        return job_line(result.jobs[0])
    disks = dict.fromkeys(job.disk for job in result.jobs)
    return f"{len(result.jobs)} jobs on {', '.join(disks)}"
