"""Explorers by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from benchmarks.explorers.explorer import Explorer
from benchmarks.explorers.ours import Ours

#: Those that are asked unless somebody says otherwise.
USUAL: Final = (
    "auto",
    "random",
    "pct",
    "pos",
    "bounded",
    "dpor",
    "detangle",
    "detangle-helped",
    "frontrun",
)
#: What those by others are, by the first word of their names.
_OTHERS: Final[Mapping[str, str]] = {"detangle": "with_detangle", "frontrun": "with_frontrun"}


def explorer_named(name: str) -> Explorer:
    """Make an explorer: one of ours by the name of a strategy, or one of the others.

    Raises:
        ImportError: It is not installed.
        ValueError: There is none.
    """
    package = package_of(name)
    if not package:
        strategy, _, assume = name.partition("+")
        return Ours(strategy, assume or "nothing")
    module = import_module(f"benchmarks.explorers.{_OTHERS[package]}")
    makers: Mapping[str, Callable[[], Explorer]] = module.EXPLORERS
    if name not in makers:
        raise ValueError(f"no such explorer: {name!r}; there are {', '.join(makers)}")
    return makers[name]()


def package_of(name: str) -> str:
    """Give the package that an explorer comes from; "": it is one of ours."""
    first = name.partition("-")[0]
    return first if first in _OTHERS else ""


def missing(name: str) -> str:
    """Say why an explorer cannot be asked here; "": it can."""
    package = package_of(name)
    if package:
        try:
            version(package)
        except PackageNotFoundError:
            return f"{package} is not installed; the extra explorers brings it"
    return ""


def versions() -> dict[str, str]:
    """Give the versions of the others."""
    return {package: version(package) for package in _OTHERS if not missing(package)}
