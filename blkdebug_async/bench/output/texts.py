"""Figures as people read them: three digits, each with its unit.

No asyncio in here. Rates and sizes count in thousands: 1 MB is 1,000,000 bytes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from errno import errorcode
from typing import Final

_NS_PER_S: Final = 1_000_000_000
#: Smallest duration shown in a unit, in nanoseconds, largest unit first.
_TIMES: Final = ((_NS_PER_S, "s"), (1_000_000, "ms"), (1_000, "µs"), (1, "ns"))
_SIZES: Final = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
_BLOCKS: Final = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
#: What three digits are rounded up to.
_THOUSAND: Final = 999.5


def latency_text(duration_ns: float) -> str:
    """Show how long something took: "850 ns", "12.3 µs", "1.20 ms"."""
    for unit_ns, unit in _TIMES:
        # What would be rounded to 1000 of one unit is 1 of the next.
        if duration_ns * 1000 >= unit_ns * _THOUSAND:
            return f"{digits_text(duration_ns / unit_ns)} {unit}"
    return "0 ns"


def runtime_text(duration_ns: float) -> str:
    """Show how long a run took or will take: "0.52 s", "12.3 s", "4 min 05 s", "2 h 03 min"."""
    seconds = duration_ns / _NS_PER_S
    if seconds < 99.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, second = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {second:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size_text(size: float) -> str:
    """Show a number of bytes: "512 bytes", "4.10 kB", "1.07 GB"."""
    for least, unit in _SIZES:
        if size * 1000 >= least * _THOUSAND:
            return f"{digits_text(size / least)} {unit}"
    return f"{size:.0f} bytes"


def block_text(length: int) -> str:
    """Show the length of a block, in the powers of two that it is made of: "4 KiB"."""
    for unit_bytes, unit in _BLOCKS:
        if length % unit_bytes == 0 and length:
            return f"{length // unit_bytes} {unit}"
    return f"{length} bytes"


def megabytes_text(rate: float) -> str:
    """Show bytes per second as MB/s, without the unit: "0.52", "332", "12,345"."""
    return digits_text(rate / 10**6)


def digits_text(value: float) -> str:
    """Show a number with three digits, or all those before the point."""
    if value >= 99.95:
        return f"{value:,.0f}"
    if value >= 9.995:
        return f"{value:.1f}"
    if value == 0:
        return "0"
    return f"{value:.2f}"


def errno_text(errno: int) -> str:
    """Show an error by its name and what it means: "EIO (Input/output error)"."""
    return f"{errorcode.get(errno, errno)} ({os.strerror(errno)})"


def errors_text(errors: Mapping[int, int]) -> str:
    """Show a tally of errors: "3 x EIO (Input/output error), 1 x ..."."""
    return ", ".join(f"{count:,} x {errno_text(errno)}" for errno, count in sorted(errors.items()))


def shortened(name: str, width: int) -> str:
    """Cut a name to a width; both its ends stay, as copies of a job differ in the last one."""
    if len(name) <= width:
        return name
    half = width // 2
    return f"{name[:half]}…{name[len(name) - (width - half - 1) :]}"
