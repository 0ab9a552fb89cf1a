"""Public names that are loaded when they are first used.

A package's door that imported all it offers would drag asyncio into modules that decide without
it, and make everybody wait for what only some use. docs/decisions/0004 tells more.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping


def lazy_names(
    namespace: dict[str, object], homes: Mapping[str, str]
) -> tuple[list[str], Callable[[str], object], Callable[[], list[str]]]:
    """Make what a package's door needs to offer names that it has not loaded.

    Args:
        namespace: The door's globals().
        homes: Defining module to the names that it gives, separated by blanks.

    Returns:
        What the door calls __all__, __getattr__ and __dir__.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}
    listed = sorted(home)

    def load(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module '{namespace['__name__']}' has no attribute '{name}'")
        value = namespace[name] = getattr(importlib.import_module(home[name]), name)
        return value

    def list_names() -> list[str]:
        return sorted({*namespace, *listed})

    return listed, load, list_names
