"""How sizes, times, reports and dumps are shown.

Numbers look as C's printf() shows them, also where they are infinite or no numbers at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

#: Smallest size shown in a unit, largest unit first.
_UNITS: Final = tuple(
    (1 << shift, unit)
    for shift, unit in (
        (60, "EiB"),
        (50, "PiB"),
        (40, "TiB"),
        (30, "GiB"),
        (20, "MiB"),
        (10, "KiB"),
    )
)
_NS_PER_SECOND: Final = 1_000_000_000
_BYTES_PER_ROW: Final = 16


def size_text(size: float) -> str:
    """Show a number of bytes, or a rate in bytes per second: "512 bytes", "1.500 KiB".

    QEMU: qemu-io-cmds.c, cvtstr().
    """
    for smallest, unit in _UNITS:
        if size >= smallest:
            return _trimmed(_fixed(size / smallest, 3), unit)
    return _trimmed(_fixed(size, 6), "bytes")


def _trimmed(number: str, unit: str) -> str:
    # Cut at the first ".000", so bytes lose also what stands behind it: 0.0004 shows as 0.
    return f"{number.partition('.000')[0]} {unit}"


def _fixed(value: float, digits: int) -> str:
    """Format as %.*f; 0/0 is a negative NaN on the machines that QEMU runs on."""
    return "-nan" if math.isnan(value) else f"{value:.{digits}f}"


def duration_text(elapsed_ns: int, *, verbose: bool = False) -> str:
    """Show an elapsed time: "00.12 sec", or "0:00:01.12" from one second on and if verbose.

    QEMU: qemu-io-cmds.c, timestr().
    """
    seconds, nanoseconds = divmod(elapsed_ns, _NS_PER_SECOND)
    fraction = nanoseconds / 1e9
    if not verbose and not seconds:
        return f"{fraction:05.2f} sec"
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second + fraction:05.2f}"


class Report(NamedTuple):
    """What is told about a request that went well."""

    #: "read", "wrote" or "discard".
    verb: str
    #: First byte.
    offset: int
    #: Bytes asked for.
    length: int
    #: Bytes done.
    total: int
    elapsed_ns: int


def report_text(report: Report, *, terse: bool) -> str:
    """Give the lines of a report, each with its end of line.

    Args:
        report: What happened.
        terse: One line with commas, for programs to read.

    QEMU: qemu-io-cmds.c, print_report().
    """
    duration = duration_text(report.elapsed_ns, verbose=terse)
    bytes_rate = _per_second(report.total, report.elapsed_ns)
    ops_rate = _per_second(1, report.elapsed_ns)
    if terse:
        rates = f"{_fixed(bytes_rate, 3)},{_fixed(ops_rate, 3)}"
        return f"{report.total},1,{duration},{rates}\n"
    return (
        f"{report.verb} {report.total}/{report.length} bytes at offset {report.offset}\n"
        f"{size_text(report.total)}, 1 ops; {duration} "
        f"({size_text(bytes_rate)}/sec and {_fixed(ops_rate, 4)} ops/sec)\n"
    )


def _per_second(amount: int, elapsed_ns: int) -> float:
    if elapsed_ns:
        return amount / (elapsed_ns / 1e9)
    return math.inf if amount else math.nan


def dump_lines(data: bytes | memoryview, offset: int) -> Iterator[str]:
    """Show bytes in rows of sixteen, each with its end of line.

    Args:
        data: What to show.
        offset: Address of the first byte.

    QEMU: qemu-io-cmds.c, dump_buffer().
    """
    for start in range(0, len(data), _BYTES_PER_ROW):
        row = bytes(data[start : start + _BYTES_PER_ROW])
        numbers = "".join(f"{byte:02x} " for byte in row)
        characters = "".join(chr(byte) if _is_alphanumeric(byte) else "." for byte in row)
        yield f"{offset + start:08x}:  {numbers} {characters}\n"


def _is_alphanumeric(byte: int) -> bool:
    return byte < 0x80 and chr(byte).isalnum()
