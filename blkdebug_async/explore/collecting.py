"""Python's garbage collector, kept from looking at things amid a run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

#: So many objects may come to be between two collections, which are made between runs.
_PATIENCE: Final = 100_000


@contextmanager
def collecting_between_runs() -> Iterator[None]:
    """Have nothing collected but where tidy() is called.

    What a collection calls, finalisers and weak references, would come at places that hang on how
    much there is in the whole process. It is also slow: there are many objects, and none of those
    that were there before is looked at again.
    """
    enabled = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        if enabled:
            gc.enable()


def tidy() -> None:
    """Collect what earlier runs left, if there is much of it."""
    if gc.get_count()[0] > _PATIENCE:
        gc.collect()
