"""The img door: works on images as qemu-img does. `bench` is the only subcommand so far."""

from __future__ import annotations

import asyncio
import json
import mmap
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from blkdebug_async.block.context import Context
from blkdebug_async.block.iovec import Buffer, Iovec
from blkdebug_async.cli.failures import ErrorReport
from blkdebug_async.cli.img_bench import Load, LoadRun
from blkdebug_async.cli.img_options import (
    BenchOptions,
    Caller,
    parse_bench_options,
    parse_standard_options,
    refuse,
    usage_text,
)
from blkdebug_async.cli.opening import OpenRequest, read_options
from blkdebug_async.cli.output import Output
from blkdebug_async.compat import COMPAT
from blkdebug_async.disk import Disk
from blkdebug_async.options.tree import Options, Warn
from blkdebug_async.tree import TreeOpener

#: QEMU 7.2 to the letter; but how soon a file's request is answered is what bench is to find out.
_COMPAT: Final = replace(COMPAT["qemu-7.2"], file_requests_take_a_turn=False)
#: Other subcommands of qemu-img 7.2.
_ABSENT: Final = (
    *("amend", "bitmap", "check", "commit", "compare", "convert", "create"),
    *("dd", "info", "map", "measure", "rebase", "resize", "snapshot"),
)
_MIB: Final = 1 << 20
#: How QEMU begins a warning that it prints as it is.
_LOUD: Final = "WARNING: "
_LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def main(program: str, typed: str, words: Sequence[str]) -> int:
    """Run the door.

    Args:
        program: Name in front of messages.
        typed: Name as it was typed.
        words: What follows it on the command line.

    Returns:
        The exit status.
    """
    caller = Caller(program, typed)
    # As in a C program: an interrupt ends it, whatever it waits for.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    output = Output(sys.stdout.buffer, sys.stderr.buffer, is_interactive=sys.stdout.isatty())
    try:
        return _run(caller, words, output)
    except ErrorReport as error:
        output.complain(program, str(error), error.hint, error.place)
        return 1
    finally:
        output.flush()


def _run(caller: Caller, words: Sequence[str], output: Output) -> int:
    def warn(message: str) -> None:
        text = f"{message}\n"
        output.write_error(
            text if message.startswith(_LOUD) else f"{caller.program}: warning: {text}"
        )

    asked = parse_standard_options(caller, words)
    match asked.wanted:
        case "help":
            output.write(usage_text(caller))
        case "version":
            # Not a QEMU: whoever asks for the version shall know.
            version = import_module("blkdebug_async.cli.version").VERSION
            output.write(f"{caller.program} version 7.2 (blkdebug_async {version})\n")
        case "run" if asked.name in _ABSENT:
            raise refuse(caller, f"'{asked.name}' does not exist here, only 'bench' does")
        case "run" if asked.name != "bench":
            raise refuse(caller, f"Command not found: {asked.name}")
        case "run":
            _run_bench(caller, asked.words, output, warn)
    return 0


def _run_bench(caller: Caller, words: Sequence[str], output: Output, warn: Warn) -> None:
    options = parse_bench_options(caller, words, warn)
    if options.wants_help:
        output.write(usage_text(caller))
        return
    with asyncio.Runner(loop_factory=_loop_factory(options)) as runner:
        runner.run(_bench(options, output, warn))


def _loop_factory(options: BenchOptions) -> _LoopFactory:
    if options.loop is None:
        options.loop = "asyncio" if find_spec("uvloop") is None else "uvloop"
    if options.loop == "asyncio":
        return asyncio.new_event_loop
    try:
        # Not every machine has it, and nobody else need wait for it.
        factory: _LoopFactory = import_module("uvloop").new_event_loop
    except ImportError:
        raise ErrorReport("uvloop is not installed") from None
    return factory


async def _bench(options: BenchOptions, output: Output, warn: Warn) -> None:
    disk = await _open(options, warn)
    try:
        await _measure(disk, options, output)
    finally:
        # What a last flush says is not told, as in QEMU.
        with suppress(OSError):
            await disk.close()


async def _measure(disk: Disk, options: BenchOptions, output: Output) -> None:
    size, step = options.size, options.step or options.size

    def completed(took_s: float) -> None:
        if options.json:
            report = _report(disk, options, took_s)
            output.write(f"{json.dumps(report, indent=2)}\n")
        else:
            output.write(f"Run completed in {took_s:3.3f} seconds.\n")

    if not options.json:
        output.write(_introduction(options))
    if options.count and not disk.length:
        # QEMU 7.2 divides by it.
        raise ErrorReport(f"'{options.image}' is empty: there is nowhere to send requests to")
    load = Load(
        count=options.count,
        depth=options.depth,
        offset=options.offset,
        step=step,
        buffer=Iovec.of([_filled(size, options.pattern)]),
        is_write=options.is_write,
        flush_interval=options.flush_interval,
        drains=options.drains,
    )
    await LoadRun(disk, load, completed).run()


def _introduction(options: BenchOptions) -> str:
    kind = "write" if options.is_write else "read"
    text = (
        f"Sending {options.count} {kind} requests, {options.size} bytes each, "
        f"{options.depth} in parallel (starting at offset {options.offset}, "
        f"step size {options.step or options.size})\n"
    )
    if options.flush_interval:
        text += f"Sending flush every {options.flush_interval} requests\n"
    return text


def _filled(size: int, pattern: int) -> Buffer:
    """Take memory that begins with a page, as O_DIRECT wants it, and fill it."""
    if not size:
        return bytearray()
    memory = mmap.mmap(-1, size)
    piece = bytes((pattern,)) * min(size, _MIB)
    while rest := size - memory.tell():
        memory.write(piece[:rest])
    return memory


# --- opening ---


async def _open(options: BenchOptions, warn: Warn) -> Disk:
    try:
        request = _request(options, warn)
        tree = TreeOpener(Context(compat=_COMPAT), warn)
        node = await tree.open_options(request.filename, request.options, request.flags)
        try:
            return Disk(tree, node, writethrough=request.writethrough, writes=options.is_write)
        except OSError:
            await tree.close(node)
            raise
    except ErrorReport:
        raise
    except OSError as error:
        text = f"Could not open '{options.image}': {error}"
        raise ErrorReport(text, hint=getattr(error, "hint", "") or "") from error


def _request(options: BenchOptions, warn: Warn) -> OpenRequest:
    given: Options = {}
    if not options.image_opts:
        if options.format is not None:
            given["driver"] = options.format
        return options.settings.request(options.image, given)
    text = options.image
    if text and "=" not in text.split(",")[0]:
        # What comes first may do without its name, as in QEMU 7.2.
        text = f"file={text}"
    given = read_options(text, warn, allow_id=True)
    if options.settings.force_share and given.get("force-share", "on") != "on":
        raise ErrorReport("--force-share/-U conflicts with image options")
    return options.settings.request(None, given)


# --- --json ---


def _report(disk: Disk, options: BenchOptions, took_s: float) -> dict[str, object]:
    total = options.count * options.size

    def rate(amount: float) -> float | None:
        return amount / took_s if took_s else None

    return {
        "command": "bench",
        "options": {
            "image": options.image,
            "image_opts": options.image_opts,
            "format": options.format,
            "operation": "write" if options.is_write else "read",
            "count": options.count,
            "depth": options.depth,
            "offset": options.offset,
            "size": options.size,
            "step": options.step or options.size,
            "pattern": options.pattern,
            "flush_interval": options.flush_interval,
            "drain": options.drains,
            "aio": options.settings.aio,
            "cache": options.settings.cache._asdict(),
            "force_share": options.settings.force_share,
        },
        "tree": [node.driver.name for node in disk.root.walk()],
        "filename": disk.filename,
        "length": disk.length,
        "loop": options.loop,
        "versions": _versions(),
        "seconds": took_s,
        "requests": options.count,
        "bytes": total,
        "requests_per_second": rate(options.count),
        "mib_per_second": rate(total / _MIB),
        "microseconds_per_request": took_s * 1e6 / options.count if options.count else None,
    }


def _versions() -> dict[str, str]:
    found = {
        "blkdebug_async": import_module("blkdebug_async.cli.version").VERSION,
        platform.python_implementation(): platform.python_version(),
    }
    if find_spec("uvloop") is not None:
        found["uvloop"] = import_module("uvloop").__version__
    return found
