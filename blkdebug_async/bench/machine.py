"""What a run took from the machine, and which machine and programs that were."""

from __future__ import annotations

import asyncio
import gc
import os
import platform
import resource
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

from blkdebug_async.bench.result import Usage

_NS_PER_S = 1_000_000_000


def usage() -> Usage:
    """What this process has used since it began."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(
        user_ns=round(used.ru_utime * _NS_PER_S),
        system_ns=round(used.ru_stime * _NS_PER_S),
        voluntary=used.ru_nvcsw,
        involuntary=used.ru_nivcsw,
        major_faults=used.ru_majflt,
        minor_faults=used.ru_minflt,
        collections=tuple(each["collections"] for each in gc.get_stats()),
    )


def usage_since(before: Usage) -> Usage:
    """What this process has used since then."""
    now = usage()
    return Usage(
        user_ns=now.user_ns - before.user_ns,
        system_ns=now.system_ns - before.system_ns,
        voluntary=now.voluntary - before.voluntary,
        involuntary=now.involuntary - before.involuntary,
        major_faults=now.major_faults - before.major_faults,
        minor_faults=now.minor_faults - before.minor_faults,
        collections=tuple(
            late - early for late, early in zip(now.collections, before.collections, strict=True)
        ),
    )


def loop_name() -> str:
    """Module and class of the running loop."""
    kind = type(asyncio.get_running_loop())
    return f"{kind.__module__}.{kind.__qualname__}"


def versions() -> Mapping[str, str]:
    """Versions of all that figures depend on."""
    found = {
        platform.python_implementation(): platform.python_version(),
        platform.system(): platform.release(),
    }
    for name in ("blkdebug_async", "uvloop"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """The machine in a few words."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
