"""Choices and footprints: what an exploration of schedules, faults and crashes hangs on."""

from __future__ import annotations

from blkdebug_async.lazy import lazy_names

#: Defining module to the names that it gives.
_HOMES = {
    "blkdebug_async.explore.choices": "Choices Unchanged",
    "blkdebug_async.explore.footprint": "Footprint Touch commutes",
}

__all__, __getattr__, __dir__ = lazy_names(globals(), _HOMES)
