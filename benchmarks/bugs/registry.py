"""All seeded bugs, family by family."""

from __future__ import annotations

from typing import Final

from benchmarks.bugs import journal, logstore, metadata, readcache, writeback
from benchmarks.bugs.bug import Bug

BUGS: Final[tuple[Bug, ...]] = (
    *writeback.BUGS,
    *readcache.BUGS,
    *journal.BUGS,
    *logstore.BUGS,
    *metadata.BUGS,
)
