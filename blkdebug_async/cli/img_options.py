"""The command line of the img door: what stands before a subcommand, and what `bench` is told.

As in QEMU each option is looked at when it comes, so the first mistake is the one that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from blkdebug_async.cli.failures import CommandFailed, ErrorReport
from blkdebug_async.cli.getopt import Getopt, LongOption, Option
from blkdebug_async.cli.opening import OpenSettings
from blkdebug_async.opening import CACHE_MODES
from blkdebug_async.options.reader import Fault, scan_number, scan_size
from blkdebug_async.options.tree import Warn
from blkdebug_async.units import INT64_MAX

#: The name of the real one.
QEMU_IMG: Final = "qemu-img"
LOOPS: Final = ("asyncio", "uvloop")
_INT_MAX: Final = (1 << 31) - 1
_STANDARD: Final = (
    LongOption("help", "h"),
    LongOption("version", "V"),
)
_BENCH_LETTERS: Final = "hc:d:f:ni:o:qs:S:t:wU"
_BENCH: Final = (
    LongOption("help", "h"),
    LongOption("flush-interval", "flush-interval", takes_value=True),
    LongOption("image-opts", "image-opts"),
    LongOption("pattern", "pattern", takes_value=True),
    LongOption("no-drain", "no-drain"),
    LongOption("force-share", "U"),
)
_OURS: Final = (
    LongOption("json", "json"),
    LongOption("loop", "loop", takes_value=True),
)
#: Numbers that QEMU reads as C does: option to what it is called in a complaint, and the most.
_COUNTS: Final = {
    "c": ("request count", _INT_MAX),
    "d": ("queue depth", _INT_MAX),
    "pattern": ("pattern byte", 0xFF),
    "flush-interval": ("flush interval", _INT_MAX),
}
#: Numbers that may have a suffix, likewise.
_SIZES: Final = {
    "o": ("offset", INT64_MAX),
    "s": ("buffer size", _INT_MAX),
    "S": ("step_size", _INT_MAX),
}
_USAGE: Final = """\
Usage: {program} [-h] [-V] COMMAND [OPTION]... FILE
Works on disk images; bench is the only command here.

  -h, --help     show this and exit
  -V, --version  show the version and exit

  bench  sends requests of one size to an image, each a step behind the one
         before, and tells how long that took

    -c COUNT             requests in all (75000)
    -d DEPTH             requests at a time (64)
    -f FMT               format of the image (it is guessed)
    --flush-interval=N   with -w: flush after every N requests (never)
    -i AIO               how files are read and written: {aio}
    -n                   the same as -i native
    --no-drain           send further requests while a flush is going on
    -o OFFSET            where the first request goes (0)
    --pattern=BYTE       what is written (0)
    -q                   taken, and without effect as in qemu-img
    -s SIZE              bytes of a request (4k)
    -S STEP              bytes from one request to the next (SIZE)
    -t CACHE             cache mode (writeback)
    -U, --force-share    open it though others write to it
    -w                   write instead of reading
    --image-opts         FILE is a list of options
"""
#: What -i takes, and its default.
_AIO: Final = """\
threads, native or
                         io_uring (threads)"""
_OUR_AIO: Final = """\
auto, threads,
                         native or io_uring (auto: the page cache in
                         place, else io_uring, else threads)"""
_OUR_USAGE: Final = """\
    --json               tell what was done, and how fast, as one JSON object
    --loop=LOOP          event loop: asyncio or uvloop (uvloop if installed)
"""


class Caller(NamedTuple):
    """By what name we were called."""

    #: Name in front of messages.
    program: str
    #: Name as it was typed.
    typed: str

    @property
    def is_qemu(self) -> bool:
        """Whether it is the name of qemu-img, so that we have nothing of our own."""
        return self.program == QEMU_IMG


class Subcommand(NamedTuple):
    """What is left once the standard options are gone."""

    #: One of "help", "version", "run" and "nothing".
    wanted: str
    #: Of the subcommand, and its words.
    name: str = ""
    words: Sequence[str] = ()


@dataclass(slots=True)
class BenchOptions:
    """What bench is told."""

    #: Which image, as it was typed.
    image: str = ""
    #: Driver of the image; None: it is guessed.
    format: str | None = None
    image_opts: bool = False
    count: int = 75000
    depth: int = 64
    #: Where the first request goes, in bytes.
    offset: int = 0
    #: Bytes of a request.
    size: int = 4096
    #: Bytes from one to the next; 0: as many as it has.
    step: int = 0
    is_write: bool = False
    pattern: int = 0
    #: Requests; 0: no flushes.
    flush_interval: int = 0
    drains: bool = True
    json: bool = False
    #: One of LOOPS; None: whichever is faster.
    loop: str | None = None
    wants_help: bool = False
    settings: OpenSettings = field(default_factory=OpenSettings)


def usage_text(caller: Caller) -> str:
    """Give the text of --help."""
    text, aio = (_USAGE, _AIO) if caller.is_qemu else (_USAGE + _OUR_USAGE, _OUR_AIO)
    return text.format(program=caller.program, aio=aio)


def refuse(caller: Caller, complaint: str) -> ErrorReport:
    """Make the error for a command line that has no meaning."""
    return ErrorReport(complaint, hint=f"Try '{caller.program} --help' for more information")


def parse_standard_options(caller: Caller, words: Sequence[str]) -> Subcommand:
    """Understand what stands in front of the subcommand.

    Raises:
        ErrorReport: There is nothing, or an option is unknown.
    """
    if not words:
        raise refuse(caller, "Not enough arguments")
    given = _ImgGetopt(caller, caller.typed, words, "hV", _STANDARD, in_order=True)
    for option in given:
        return Subcommand("help" if option.key == "h" else "version")
    if not given.operands:
        return Subcommand("nothing")
    name, *rest = given.operands
    return Subcommand("run", name, rest)


def parse_bench_options(caller: Caller, words: Sequence[str], warn: Warn) -> BenchOptions:
    """Understand what follows `bench`.

    Raises:
        ErrorReport: An option is unknown, its argument makes no sense, or some contradict.
    """
    options = BenchOptions()
    options.settings.unmap = False
    if not caller.is_qemu:
        options.settings.aio, options.settings.offers_auto = "auto", True
    options.settings.cache = CACHE_MODES["writeback"]
    long = _BENCH if caller.is_qemu else (*_BENCH, *_OURS)
    given = _ImgGetopt(caller, "bench", words, _BENCH_LETTERS, long)
    for option in given:
        _apply(options, option, caller, warn)
        if options.wants_help:
            return options
    if len(given.operands) != 1:
        raise refuse(caller, "Expecting one image file name")
    options.image = given.operands[0]
    options.settings.read_only = not options.is_write
    _check_whole(options)
    return options


def _apply(options: BenchOptions, option: Option, caller: Caller, warn: Warn) -> None:
    key, value = option
    if key in _COUNTS:
        _set_number(options, key, _read_count(key, value))
    elif key in _SIZES:
        _set_number(options, key, _read_size(key, value, caller, warn))
    elif key == "f":
        options.format = value
    elif key == "loop":
        if value not in LOOPS:
            raise ErrorReport(f"Invalid loop: {value}")
        options.loop = value
    elif key in ("n", "i"):
        options.settings.apply("i", value or "native")
    elif key == "t":
        if value not in CACHE_MODES:
            raise ErrorReport("Invalid cache mode")
        options.settings.apply(key, value)
    else:
        _switch(options, key)


def _switch(options: BenchOptions, key: str) -> None:
    match key:
        case "h":
            options.wants_help = True
        case "w":
            options.is_write = True
        case "U":
            options.settings.force_share = True
        case "no-drain":
            options.drains = False
        case "image-opts":
            options.image_opts = True
        case "json":
            options.json = True


def _set_number(options: BenchOptions, key: str, number: int) -> None:
    match key:
        case "c":
            options.count = number
        case "d":
            options.depth = number
        case "o":
            options.offset = number
        case "s":
            options.size = number
        case "S":
            options.step = number
        case "pattern":
            options.pattern = number
        case "flush-interval":
            options.flush_interval = number


def _read_count(key: str, text: str) -> int:
    name, most = _COUNTS[key]
    number = scan_number(text)
    if isinstance(number, Fault) or number > most:
        raise ErrorReport(f"Invalid {name} specified")
    return number


def _read_size(key: str, text: str, caller: Caller, warn: Warn) -> int:
    name, most = _SIZES[key]
    size = scan_size(text, warn=warn)
    if size is Fault.MALFORMED:
        raise ErrorReport(
            f"Invalid {name} specified. You may use k, M, G, T, P or E suffixes for",
            hint=f"{caller.program}: "
            "kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.",
        )
    if size is Fault.TOO_LARGE or size > most:
        raise ErrorReport(f"Invalid {name} specified. Must be between 0 and {most}.")
    return size


def _check_whole(options: BenchOptions) -> None:
    if options.flush_interval and not options.is_write:
        raise ErrorReport("--flush-interval is only available in write tests")
    if options.flush_interval and options.flush_interval < options.depth:
        raise ErrorReport("Flush interval can't be smaller than depth")
    if options.image_opts and options.format is not None:
        raise ErrorReport("--image-opts and --format are mutually exclusive")
    if options.count and not options.depth:
        # QEMU 7.2 waits for ever.
        raise ErrorReport("With a queue depth of 0 no request is ever sent")


class _ImgGetopt(Getopt):
    """Options, complained about as qemu-img does."""

    def __init__(
        self,
        caller: Caller,
        name: str,
        words: Sequence[str],
        letters: str,
        long: Sequence[LongOption],
        *,
        in_order: bool = False,
    ) -> None:
        super().__init__(name, words, letters, long, in_order=in_order)
        self._caller = caller

    def unknown(self, complaint: str, word: str) -> CommandFailed:
        return refuse(self._caller, f"unrecognized option '{word}'")

    def incomplete(self, complaint: str, word: str) -> CommandFailed:
        return refuse(self._caller, f"missing argument for option '{word}'")
