"""The command line of the io door: qemu-io's options, and one of ours.

As in QEMU each option is looked at when it comes, so the first mistake is the one that counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from blkdebug_async.cli.failures import ErrorReport, UsageError
from blkdebug_async.cli.getopt import Getopt, LongOption, Option
from blkdebug_async.cli.help import OUR_USAGE, USAGE
from blkdebug_async.cli.objects import Objects
from blkdebug_async.cli.opening import LETTERS, OpenSettings, read_options
from blkdebug_async.cli.trace_lines import TRACE_POINTS, TraceSwitches
from blkdebug_async.compat import COMPAT, Compat, compat_named
from blkdebug_async.errors import OptionError

_LONG: Final = (
    LongOption("help", "h"),
    LongOption("version", "V"),
    LongOption("cmd", "c", takes_value=True),
    LongOption("format", "f", takes_value=True),
    LongOption("read-only", "r"),
    LongOption("snapshot", "s"),
    LongOption("nocache", "n"),
    LongOption("copy-on-read", "C"),
    LongOption("misalign", "m"),
    LongOption("native-aio", "k"),
    LongOption("aio", "i", takes_value=True),
    LongOption("discard", "d", takes_value=True),
    LongOption("cache", "t", takes_value=True),
    LongOption("trace", "T", takes_value=True),
    LongOption("object", "object", takes_value=True),
    LongOption("image-opts", "image-opts"),
    LongOption("force-share", "U"),
)
_COMPAT: Final = LongOption("compat", "compat", takes_value=True)
#: The name of the real one.
QEMU_IO: Final = "qemu-io"


class WarnAt(Protocol):
    """Takes warnings, some of which have a place in a file."""

    def __call__(self, message: str, place: str = "") -> None:
        """Take one.

        Args:
            message: The warning.
            place: `FILE:LINE:`; empty: it is about the command line.
        """
        ...


class Caller(NamedTuple):
    """By what name we were called."""

    #: Name in front of error messages, and at the prompt.
    program: str
    #: Name in front of complaints about options: as it was typed.
    typed: str
    #: Called by the name of qemu-io, so that we have nothing of our own.
    is_qemu: bool


@dataclass(slots=True)
class IoOptions:
    """What the command line asks for."""

    #: What -c says; empty: lines are read.
    commands: list[str] = field(default_factory=list)
    #: Names an image; None: none is opened yet.
    image: str | None = None
    #: Driver of the image; None: it is guessed.
    format: str | None = None
    image_opts: bool = False
    misalign: bool = False
    settings: OpenSettings = field(default_factory=OpenSettings)
    traces: TraceSwitches = field(default_factory=TraceSwitches)
    #: Name of the file that traces go to; None: stderr.
    trace_file: str | None = None
    compat: Compat = field(default_factory=lambda: COMPAT["qemu-7.2"])
    objects: Objects = field(default_factory=Objects)
    wants_version: bool = False
    #: What is to be printed instead of running anything.
    farewell: str | None = None


def usage_text(caller: Caller) -> str:
    """Give the text of --help."""
    text = USAGE if caller.is_qemu else OUR_USAGE
    return text.format(program=caller.program)


def parse_io_options(caller: Caller, words: Sequence[str], warn: WarnAt) -> IoOptions:
    """Understand the command line.

    Args:
        caller: By what name we were called.
        words: What follows it.
        warn: Takes warnings.

    Raises:
        UsageError: An option is unknown or lacks its argument, or there are two images.
        ErrorReport: An argument makes no sense.
    """
    options = IoOptions()
    long = _LONG if caller.is_qemu else (*_LONG, _COMPAT)
    given = Getopt(caller.typed, words, f"hVc:f:mT:{LETTERS}", long)
    for option in given:
        if option.key in ("h", "V"):
            options.wants_version = option.key == "V"
            options.farewell = usage_text(caller)
            return options
        if not options.settings.apply(*option):
            _apply(options, option, warn)
            if options.farewell is not None:
                return options
    if len(given.operands) > 1:
        raise UsageError
    if options.format is not None and options.image_opts:
        raise ErrorReport("--image-opts and -f are mutually exclusive")
    options.image = given.operands[0] if given.operands else None
    return options


def _apply(options: IoOptions, option: Option, warn: WarnAt) -> None:
    match option.key:
        case "c":
            options.commands.append(option.value)
        case "f":
            options.format = option.value
        case "m":
            options.misalign = True
        case "image-opts":
            options.image_opts = True
        case "T":
            _trace(options, option.value, warn)
        case "object":
            _define(options, option.value)
        case "compat":
            options.compat = _compat(option.value)


def _compat(name: str) -> Compat:
    try:
        return compat_named(name)
    except OptionError as error:
        raise ErrorReport(str(error), hint=error.hint) from error


def _trace(options: IoOptions, text: str, warn: WarnAt) -> None:
    """Take -T; QEMU's own trace events are not ours, so their names are unknown here."""
    first, comma, rest = text.partition(",")
    if text and "=" not in first:
        text = f"enable={first}{comma}{rest}"
    for name, value in read_options(text, warn).items():
        match name:
            case "enable" if value in ("help", "?"):
                options.farewell = "".join(f"{point}\n" for point in TRACE_POINTS)
            case "enable":
                _enable(options.traces, str(value), warn)
            case "events":
                for place, line in _trace_lines(str(value)):
                    _enable(options.traces, line, warn, place)
            case "file":
                options.trace_file = str(value)
            case _:
                raise ErrorReport(f"Invalid parameter '{name}'")


def _trace_lines(name: str) -> Iterator[tuple[str, str]]:
    """Read a file of patterns: the place of each, and the pattern."""
    try:
        with open(name, errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except IsADirectoryError:
        # QEMU can open it, and takes it for an empty file.
        return
    except OSError as error:
        raise ErrorReport(error.strerror or "", place=f"{name}:") from error
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            yield f"{name}:{number}:", line


def _enable(traces: TraceSwitches, pattern: str, warn: WarnAt, place: str = "") -> None:
    if not traces.enable(pattern):
        warn(f"trace event '{pattern.removeprefix('-')}' does not exist", place)


def _define(options: IoOptions, text: str) -> None:
    try:
        options.farewell = options.objects.define(text)
    except OptionError as error:
        raise ErrorReport(str(error), hint=error.hint) from error
