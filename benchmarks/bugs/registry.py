"""All seeded bugs, family by family."""

from __future__ import annotations

from typing import Final

from benchmarks.bugs import (
    allocator,
    cancelling,
    coalesce,
    completion,
    cow,
    deadlocks,
    depth,
    discard,
    flushing,
    journal,
    logstore,
    metadata,
    mirror,
    readcache,
    refcounts,
    resize,
    retry,
    snapshot,
    stripe,
    superblock,
    timers,
    writeback,
)
from benchmarks.bugs.bug import Bug

BUGS: Final[tuple[Bug, ...]] = (
    *writeback.BUGS,
    *readcache.BUGS,
    *journal.BUGS,
    *logstore.BUGS,
    *metadata.BUGS,
    *allocator.BUGS,
    *refcounts.BUGS,
    *cow.BUGS,
    *mirror.BUGS,
    *stripe.BUGS,
    *snapshot.BUGS,
    *coalesce.BUGS,
    *depth.BUGS,
    *discard.BUGS,
    *flushing.BUGS,
    *superblock.BUGS,
    *retry.BUGS,
    *cancelling.BUGS,
    *completion.BUGS,
    *resize.BUGS,
    *deadlocks.BUGS,
    *timers.BUGS,
)
