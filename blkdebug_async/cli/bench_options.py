"""The command line of the bench door: an image, jobs in fio's words, and what to show how.

Options before the first --name are those of all jobs, as in fio; a name begins a job. fio's
underscores may be dashes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from blkdebug_async.bench.job import Job
from blkdebug_async.cli.bench_jobs import (
    JOB_OPTIONS,
    SWITCHES,
    count_copies,
    read_count,
    read_job,
)
from blkdebug_async.cli.failures import ErrorReport
from blkdebug_async.cli.getopt import Getopt, LongOption, Option
from blkdebug_async.cli.opening import LETTERS, OpenSettings
from blkdebug_async.compat import COMPAT, Compat, compat_named
from blkdebug_async.errors import OptionError
from blkdebug_async.opening import CACHE_MODES

OUTPUT_FORMATS: Final = ("table", "json", "fio")
LOOPS: Final = ("asyncio", "uvloop")
ETAS: Final = ("auto", "always", "never")
PICTURES: Final = (".svg", ".png")
_LONG: Final = (
    LongOption("help", "h"),
    LongOption("version", "V"),
    LongOption("format", "f", takes_value=True),
    LongOption("image-opts", "image-opts"),
    LongOption("blockdev", "blockdev", takes_value=True),
    LongOption("compat", "compat", takes_value=True),
    LongOption("read-only", "r"),
    LongOption("snapshot", "s"),
    LongOption("nocache", "n"),
    LongOption("direct", "direct", takes_value=True),
    LongOption("copy-on-read", "C"),
    LongOption("native-aio", "k"),
    LongOption("aio", "i", takes_value=True),
    LongOption("discard", "d", takes_value=True),
    LongOption("cache", "t", takes_value=True),
    LongOption("force-share", "U"),
    LongOption("name", "name", takes_value=True),
    LongOption("output-format", "output-format", takes_value=True),
    LongOption("output", "output", takes_value=True),
    LongOption("picture", "picture", takes_value=True),
    LongOption("write-log", "write-log", takes_value=True),
    LongOption("log-avg-msec", "log-avg-msec", takes_value=True),
    LongOption("eta", "eta", takes_value=True),
    LongOption("loop", "loop", takes_value=True),
    *JOB_OPTIONS,
)
_ALL_SWITCHES: Final = SWITCHES | {"direct"}
#: Begins options of all jobs that follow, as in fio.
_GLOBAL: Final = "global"
_DEFAULT_NAME: Final = "job"


@dataclass(slots=True)
class BenchOptions:
    """What the command line asks for."""

    jobs: list[Job] = field(default_factory=list)
    #: What all jobs were told, and what each was told besides, by its name: option to argument.
    shared_words: dict[str, str] = field(default_factory=dict)
    own_words: dict[str, Mapping[str, str]] = field(default_factory=dict)
    #: The image of jobs that name none; None: each of them names one. Their `disk` has it.
    image: str | None = None
    #: Driver of the images; None: it is guessed.
    format: str | None = None
    image_opts: bool = False
    settings: OpenSettings = field(
        default_factory=lambda: OpenSettings(
            cache=CACHE_MODES["writeback"], aio="auto", offers_auto=True
        )
    )
    compat: Compat = field(default_factory=lambda: COMPAT["none"])
    output_format: str = "table"
    #: Where the table or JSON goes; None: stdout.
    output: Path | None = None
    picture: Path | None = None
    #: How the names of fio's logs begin; None: there are none.
    log_prefix: str | None = None
    #: Length of an interval of what is told over time; None: a good one is chosen.
    interval_s: float | None = None
    eta: str = "auto"
    loop: str = "asyncio"
    #: What is asked for instead of running anything: help or version.
    wants: str | None = None


def parse_bench_options(program: str, words: Sequence[str]) -> BenchOptions:
    """Understand the command line.

    Args:
        program: Who complains of unknown options.
        words: What follows it.

    Raises:
        UsageError: An option is unknown or lacks its argument; the message is whole.
        ErrorReport: EINVAL; an argument makes no sense.
    """
    options = BenchOptions()
    sections = _Sections()
    given = Getopt(program, list(_as_ours(words)), f"hVf:{LETTERS}", _LONG)
    for option in given:
        if option.key in ("h", "V"):
            options.wants = "help" if option.key == "h" else "version"
            return options
        if not (
            sections.take(option) or options.settings.apply(*option) or _apply(options, option)
        ):
            _apply_output(options, option)
    _choose_image(options, given.operands)
    options.shared_words, options.own_words = sections.shared, dict(sections.own())
    options.jobs = [_with_image(job, options.image) for job in sections.jobs()]
    return options


def _as_ours(words: Sequence[str]) -> Iterator[str]:
    """Write fio's options as Getopt takes them: with dashes, and none without its argument."""
    over = False
    for word in words:
        over = over or word == "--"
        if over or not word.startswith("--"):
            yield word
            continue
        name, equals, argument = word[2:].partition("=")
        name = name.replace("_", "-")
        if name in _ALL_SWITCHES and not equals:
            equals, argument = "=", "1"
        yield f"--{name}{equals}{argument}"


class _Sections:
    """Options of jobs, sorted by whose they are."""

    def __init__(self) -> None:
        self.shared: dict[str, str] = {}
        self._own: list[tuple[str, dict[str, str]]] = []
        self._is_shared = True

    def take(self, option: Option) -> bool:
        """Take an option; False: it is not one of a job."""
        if option.key == "name":
            self._is_shared = option.value == _GLOBAL
            if not self._is_shared:
                # fio: what is global later on does not reach back.
                self._own.append((option.value, dict(self.shared)))
        elif option.key in _JOB_KEYS:
            target = self.shared if self._is_shared else self._own[-1][1]
            # The last one counts, also for those that stand for the same.
            target.pop(option.key, None)
            target[option.key] = option.value
        else:
            return False
        return True

    def own(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Names of jobs, and the options that only they have."""
        for name, words in self._named():
            yield name, {key: text for key, text in words.items() if self.shared.get(key) != text}

    def jobs(self) -> Iterator[Job]:
        """Make the jobs.

        Raises:
            ErrorReport: EINVAL; an argument makes no sense.
        """
        for name, words in self._named():
            copy = int(name.rpartition(".")[2]) if count_copies(words) > 1 else 0
            job = read_job(name, words)
            # Copies of a job do not all ask for the same.
            yield replace(job, seed=job.seed + copy)

    def _named(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Give each job a name of its own: copies and namesakes are numbered."""
        taken: set[str] = set()
        for name, words in self._own or [(_DEFAULT_NAME, self.shared)]:
            copies = count_copies(words)
            for copy in range(copies):
                unique = f"{name}.{copy}" if copies > 1 else name
                if unique in taken:
                    raise ErrorReport(f"--name: there are two jobs '{unique}'")
                taken.add(unique)
                yield unique, words


_JOB_KEYS: Final = frozenset(option.key for option in JOB_OPTIONS)


def _apply(options: BenchOptions, option: Option) -> bool:
    match option.key:
        case "f":
            options.format = option.value
        case "image-opts":
            options.image_opts = True
        case "blockdev":
            options.image = _blockdev(options, option.value)
        case "compat":
            options.compat = _compat(option.value)
        case "direct":
            if _is_on(option):
                options.settings.apply("n", "")
        case _:
            return False
    return True


def _apply_output(options: BenchOptions, option: Option) -> None:
    match option.key:
        case "output-format":
            options.output_format = _one_of(option, OUTPUT_FORMATS)
        case "output":
            options.output = Path(option.value)
        case "picture":
            options.picture = _picture(option)
        case "write-log":
            options.log_prefix = option.value
        case "log-avg-msec":
            options.interval_s = read_count(option.key, option.value) / 1000
        case "eta":
            options.eta = _one_of(option, ETAS)
        case "loop":
            options.loop = _one_of(option, LOOPS)


def _blockdev(options: BenchOptions, text: str) -> str:
    """QEMU's --blockdev: JSON, or options with commas."""
    if text.lstrip().startswith("{"):
        return f"json:{text}"
    options.image_opts = True
    return text


def _is_on(option: Option) -> bool:
    return _one_of(option, ("0", "1")) == "1"


def _one_of(option: Option, names: Sequence[str]) -> str:
    if option.value not in names:
        wanted = f"{', '.join(names[:-1])} or {names[-1]}"
        raise ErrorReport(f"--{option.key} takes {wanted}, not '{option.value}'")
    return option.value


def _picture(option: Option) -> Path:
    path = Path(option.value)
    if path.suffix not in PICTURES:
        raise ErrorReport(f"--picture takes a name that ends in .svg or .png, not '{option.value}'")
    return path


def _compat(name: str) -> Compat:
    try:
        return compat_named(name)
    except OptionError as error:
        raise ErrorReport(str(error), hint=error.hint) from error


def _choose_image(options: BenchOptions, operands: Sequence[str]) -> None:
    images = [*operands, *([] if options.image is None else [options.image])]
    if len(images) > 1:
        raise ErrorReport(f"one image is opened, not '{images[0]}' and '{images[1]}'")
    options.image = images[0] if images else None
    if options.format is not None and options.image_opts:
        raise ErrorReport("--image-opts and -f are mutually exclusive")


def _with_image(job: Job, image: str | None) -> Job:
    disk = image if job.disk is None else job.disk
    if disk is None:
        raise ErrorReport(f"job '{job.name}' has no image: name one, or give it a --filename")
    return replace(job, disk=disk)
