"""What fio's words say of a job.

An option keeps fio's name and meaning where fio has it. What is ours: --mix, and the words zero and
discard for --rw.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypedDict

from blkdebug_async.bench.job import Fill, Job, Op, Pattern, Sequential, Uniform, Zipf
from blkdebug_async.cli.failures import ErrorReport
from blkdebug_async.cli.getopt import LongOption
from blkdebug_async.options.reader import Fault, scan_size

_UNIT: Final = re.compile(r"(?i)([kmgtpe])i?b?$")
_TIME: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)", re.IGNORECASE)
#: Names of units, and how many seconds they are.
_SECONDS: Final = (
    (("us", "usec"), 1e-6),
    (("ms", "msec"), 1e-3),
    (("s", "sec"), 1.0),
    (("m", "min"), 60.0),
    (("h", "hour"), 3600.0),
)
_OPS: Final = MappingProxyType(
    {
        "read": Op.READ,
        "write": Op.WRITE,
        "zero": Op.ZERO,
        "discard": Op.DISCARD,
        "trim": Op.DISCARD,
    }
)
_MIXED: Final = frozenset({"rw", "readwrite"})
_YES: Final = frozenset({"", "1", "yes", "true", "on"})
_NO: Final = frozenset({"0", "no", "false", "off", "none"})


class Settings(TypedDict, total=False):
    """Arguments of Job that options set."""

    disk: str
    operations: Mapping[Op, float]
    pattern: Pattern
    start: int
    size: int
    block_sizes: Mapping[int, float]
    alignment: int
    depth: int
    request_rate: float
    byte_rate: float
    think_s: float
    runtime_s: float
    max_requests: int
    max_bytes: int
    warmup_s: float
    warmup_requests: int
    flush_every: int
    verify: bool
    fill: Fill
    fill_pattern: bytes
    stop_at_error: bool
    seed: int


Words = Mapping[str, str]
#: Turns the argument of an option into settings; both are named for complaints.
_Taker = Callable[[str, str], Settings]


def read_job(name: str, words: Words) -> Job:
    """Make a job of options.

    Args:
        name: Its name in results.
        words: Name of each option to its argument, "" if there is none; those of other things than
            jobs are passed over.

    Raises:
        ErrorReport: EINVAL; an argument makes no sense, alone or with others.
    """
    settings: Settings = {"stop_at_error": True}
    for option, argument in words.items():
        if option in _TAKERS:
            settings.update(_TAKERS[option](option, argument))
    settings["operations"] = _operations(words)
    settings["pattern"] = _pattern(words)
    try:
        return Job(name=name, **settings)
    except ValueError as error:
        raise ErrorReport(str(error)) from error


def count_copies(words: Words) -> int:
    """Tell how many jobs are to be made of the options of one.

    Raises:
        ErrorReport: EINVAL; --numjobs is no number.
    """
    return read_count("numjobs", words.get("numjobs", "1"))


# --- arguments ---


def read_size(option: str, text: str) -> int:
    """Read a size in bytes: "512", "4k", "1MiB"; k is 1024.

    Raises:
        ErrorReport: EINVAL; it is none.
    """
    size = scan_size(_UNIT.sub(r"\1", text))
    if isinstance(size, Fault):
        raise _unfit(option, text, "a size, as 4k or 1m")
    return size


def read_count(option: str, text: str) -> int:
    """Read a number of at least 1.

    Raises:
        ErrorReport: EINVAL; it is none.
    """
    # Python refuses to read thousands of digits.
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) < 1:
        raise _unfit(option, text, "a number above 0")
    return int(text)


def read_seconds(option: str, text: str, unit: str = "s") -> float:
    """Read a time: "10", "1.5s", "200ms", "2m".

    Args:
        option: Whose argument it is.
        text: The time.
        unit: That of a number without any.

    Raises:
        ErrorReport: EINVAL; it is none.
    """
    match = _TIME.fullmatch(text.strip())
    given = (match[2] or unit).lower() if match else ""
    scale = next((scale for units, scale in _SECONDS if given in units), None)
    if match is None or scale is None:
        raise _unfit(option, text, "a time, as 10s, 200ms or 50us")
    return float(match[1]) * scale


def read_switch(option: str, text: str) -> bool:
    """Read an option that is on or off; fio writes --option as well as --option=1.

    Raises:
        ErrorReport: EINVAL; it is neither.
    """
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise _unfit(option, text, "1 or 0")


def _read_number(option: str, text: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]*)?|\.[0-9]+", text):
        raise _unfit(option, text, "a number")
    return float(text)


def _unfit(option: str, text: str, wanted: str) -> ErrorReport:
    return ErrorReport(f"--{option} takes {wanted}, not '{text}'")


# --- what requests do, and where ---


def _operations(words: Words) -> Mapping[Op, float]:
    if "mix" in words:
        return _mix(words["mix"])
    word = words.get("rw", "read")
    plain = word.removeprefix("rand")
    if plain in _OPS:
        return {_OPS[plain]: 1.0}
    if plain not in _MIXED:
        names = ", ".join([*_OPS, *sorted(_MIXED)])
        raise _unfit("rw", word, f"one of {names}, or one of these after rand")
    reads = _read_number("rwmixread", words.get("rwmixread", "50"))
    if "rwmixwrite" in words:
        reads = 100 - _read_number("rwmixwrite", words["rwmixwrite"])
    if not 0 <= reads <= 100:
        option = "rwmixwrite" if "rwmixwrite" in words else "rwmixread"
        raise _unfit(option, words[option], "0 to 100")
    both = {Op.READ: reads, Op.WRITE: 100 - reads}
    return {op: weight for op, weight in both.items() if weight}


def _mix(text: str) -> Mapping[Op, float]:
    weights: dict[Op, float] = {}
    for part in text.split(","):
        name, equals, weight = part.partition("=")
        if not equals or name not in _OPS:
            raise _unfit("mix", text, "weights, as read=70,write=20,discard=10")
        weights[_OPS[name]] = _read_number("mix", weight)
    return weights


def _pattern(words: Words) -> Pattern:
    name, _, theta = words.get("random-distribution", "random").partition(":")
    if name not in ("random", "zipf") or (theta and name == "random"):
        raise _unfit("random-distribution", words["random-distribution"], "random or zipf:1.2")
    if not words.get("rw", "read").startswith("rand"):
        return Sequential()
    if name == "random":
        return Uniform()
    return Zipf(_read_number("random-distribution", theta)) if theta else Zipf()


def _block_split(option: str, text: str) -> Settings:
    """4k/60:64k/40; who has no share gets an equal part of what is left."""
    shares: dict[int, float | None] = {}
    for part in text.split(":"):
        size, _, share = part.partition("/")
        length = read_size(option, size)
        shares[length] = _read_number(option, share) if share else None
    left = 100 - sum(share for share in shares.values() if share is not None)
    without = sum(share is None for share in shares.values())
    if left < 0 or (without and not left):
        raise _unfit(option, text, "shares of up to 100 together, as 4k/60:64k/40")
    return {
        "block_sizes": {
            length: left / without if share is None else share for length, share in shares.items()
        }
    }


def _fill_pattern(option: str, text: str) -> Settings:
    digits = text.removeprefix("0x")
    if digits == text or not re.fullmatch(r"[0-9a-fA-F]+", digits):
        raise _unfit(option, text, "bytes, as 0xa5 or 0xdeadbeef")
    digits = digits.zfill(len(digits) + len(digits) % 2)
    return {"fill": Fill.PATTERN, "fill_pattern": bytes.fromhex(digits)}


def _fill_zeroes(option: str, text: str) -> Settings:
    return {"fill": Fill.ZERO} if read_switch(option, text) else {}


def _stop_at_error(option: str, text: str) -> Settings:
    if text.lower() in ("all", "io"):
        return {"stop_at_error": False}
    return {"stop_at_error": not read_switch(option, text)}


_TAKERS: Final[Mapping[str, _Taker]] = MappingProxyType(
    {
        "filename": lambda _, text: {"disk": text},
        "bs": lambda option, text: {"block_sizes": {read_size(option, text): 1.0}},
        "bssplit": _block_split,
        "blockalign": lambda option, text: {"alignment": read_size(option, text)},
        "iodepth": lambda option, text: {"depth": read_count(option, text)},
        "offset": lambda option, text: {"start": read_size(option, text)},
        "size": lambda option, text: {"size": read_size(option, text)},
        "io-size": lambda option, text: {"max_bytes": read_size(option, text)},
        "number-ios": lambda option, text: {"max_requests": read_count(option, text)},
        "runtime": lambda option, text: {"runtime_s": read_seconds(option, text)},
        "ramp-time": lambda option, text: {"warmup_s": read_seconds(option, text)},
        "ramp-ios": lambda option, text: {"warmup_requests": read_count(option, text)},
        "rate": lambda option, text: {"byte_rate": float(read_size(option, text))},
        "rate-iops": lambda option, text: {"request_rate": _read_number(option, text)},
        "thinktime": lambda option, text: {"think_s": read_seconds(option, text, "us")},
        "fsync": lambda option, text: {"flush_every": read_count(option, text)},
        "verify": lambda option, text: {"verify": read_switch(option, text)},
        "buffer-pattern": _fill_pattern,
        "zero-buffers": _fill_zeroes,
        "continue-on-error": _stop_at_error,
        "randseed": lambda option, text: {"seed": int(read_size(option, text))},
    }
)
#: Options that are on when they have no argument.
SWITCHES: Final = frozenset(
    {"continue-on-error", "norandommap", "time-based", "verify", "zero-buffers"}
)
#: What else may be said of a job.
_MORE: Final = (
    *("mix", "norandommap", "numjobs", "random-distribution", "rw"),
    *("rwmixread", "rwmixwrite", "time-based"),
)
#: Other names of options.
_ALIASES: Final = (
    ("ba", "blockalign"),
    ("blocksize", "bs"),
    ("count", "number-ios"),
    ("fdatasync", "fsync"),
    ("io-limit", "io-size"),
    ("readwrite", "rw"),
    ("seed", "randseed"),
)
#: The options of jobs, for Getopt; the key is the one name that each has here.
JOB_OPTIONS: Final = tuple(
    LongOption(name, key, takes_value=True)
    for name, key in (*((name, name) for name in (*_TAKERS, *_MORE)), *_ALIASES)
)
