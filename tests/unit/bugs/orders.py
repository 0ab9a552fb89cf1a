from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.unit.bugs.stepping import Order

#: For each bug an order that shows it, with nothing in it that could be left out.
ORDERS: Final[Mapping[str, Order]] = {
    "write-back-cache/write-during-flush": Order([("flusher (2)", "writer (2)")]),
    "write-back-cache/read-during-eviction": Order([("evictor write 0", "reader (3)")]),
    "write-back-cache/second-flush-returns-early": Order([("first write 512", "second (4)")]),
    "write-back-cache/failed-write-is-clean": Order(choices={"write of block 0 fails": 1}),
    "write-back-cache/room-for-one-taken-by-two": Order([("patient (2)", "newcomer (3)")]),
    "read-cache/stale-fill": Order([("reader (2)", "writer (2)")]),
    "read-cache/joined-a-stale-fetch": Order([("reader (3)", "writer (3)")]),
    "read-cache/cache-and-disk-disagree": Order([("first write 0", "second (2)")]),
    "read-cache/prefetch-over-a-write": Order([("reader (3)", "writer (4)")]),
    "journal/header-before-record": Order(
        [("crash read 0", "header (2)"), ("record write 512", "crash (3)")]
    ),
    "journal/two-records-in-one-place": Order([("first write 0", "second write 512")]),
    "journal/told-of-the-commit-before": Order([("committer write 0", "second (4)")]),
    "journal/checkpoint-drops-a-record": Order([("checkpoint (2)", "appender (2)")]),
    "journal/failed-record-counts": Order(choices={"write of block 1 fails": 1}),
    "journal/leader-left-too-early": Order([("first (3)", "second (4)")]),
    "log-structured-store/read-from-where-it-was": Order(
        [("compaction (3)", "reader (4)"), ("reader read 0", "compaction (4)")]
    ),
    "log-structured-store/compaction-undoes-an-update": Order([("compaction (3)", "writer (4)")]),
    "log-structured-store/compaction-revives-the-dead": Order([("deleter (2)", "compaction (4)")]),
    "log-structured-store/swap-forgets-a-put": Order([("compaction (3)", "writer (4)")]),
    "log-structured-store/pinned-too-late": Order([("reader (2)", "compaction (3)")]),
    "log-structured-store/same-place-again": Order([("compaction (3)", "writer (4)")]),
    "log-structured-store/read-a-strangers-word": Order(
        [
            ("compaction (3)", "reader (3)"),
            ("writer read 2048 (2)", "reader read 2048 (2)"),
            ("reader read 0", "writer (4)"),
        ]
    ),
    "lazily-loaded-table/loaded-twice": Order([("first (2)", "second (2)")]),
    "lazily-loaded-table/ready-too-early": Order([("first (2)", "second (3)")]),
    "lazily-loaded-table/empty-after-an-error": Order(choices={"read of block 0 fails": 1}),
    "lazily-loaded-table/cancelled-while-others-wait": Order([("doomed read 0", "canceller (3)")]),
    "lazily-loaded-table/evicted-while-dirty": Order([("first write 0", "second (3)")]),
    "cluster-allocator/one-cluster-for-two": Order([("first write 0", "second (4)")]),
    "cluster-allocator/hint-forgets-a-free-one": Order([("taker (2)", "giver (3)")]),
    "cluster-allocator/reservation-leaks": Order(choices={"write of block 0 fails": 1}),
    "cluster-allocator/reused-while-pointed-to": Order([("shrinking write 0", "crash (4)")]),
    "cluster-allocator/same-head-again": Order([("taker (3)", "giver (6)")]),
    "refcounts/neighbour-undone": Order([("first write 0", "second (4)")]),
    "refcounts/taken-on-its-way-out": Order([("dropper discard 0", "user (3)")]),
    "refcounts/closed-under-the-next-user": Order([("first (3)", "second (5)")]),
    "refcounts/counted-down-too-early": Order([("mapping write 0", "mover (3)")]),
    "copy-on-write/copied-over-a-write": Order([("first (3)", "second (3)")]),
    "copy-on-write/seen-half-copied": Order([("writer write 512", "reader (5)")]),
    "copy-on-write/read-copies-over-a-write": Order([("writer (2)", "reader (4)")]),
    "copy-on-write/commit-forgets-a-write": Order([("commit (3)", "writer (4)")]),
    "mirror/legs-differ": Order([("left a write 0", "left b (2)")]),
    "mirror/read-from-the-leg-behind": Order([("follower write 0", "reader (3)")]),
    "mirror/read-from-the-failed-leg": Order(
        [("recorder (3)", "user (4)")], choices={"write of block 0 fails": 1}
    ),
    "mirror/resync-undoes-a-write": Order([("left new write 0", "resync (4)")]),
    "stripe/parity-lost": Order([("first write 1024", "second (7)")]),
    "stripe/rebuilt-from-two-moments": Order([("writer write 1024", "reader (8)")]),
    "stripe/write-hole": Order(choices={"write of block 2 fails": 1}),
    "stripe/fetched-over-the-newer": Order([("first write 512", "second (4)")]),
    "snapshot/copier-saves-the-new": Order(
        [("writer (3)", "copier (3)"), ("copier read 0", "writer (4)")]
    ),
    "snapshot/marked-before-it-is-saved": Order([("first read 0", "second (3)")]),
    "snapshot/coins-of-two-moments": Order([("mover write 512", "counter (6)")]),
    "write-coalescing/joined-too-late": Order([("flusher (2)", "adder (2)")]),
    "write-coalescing/overtaken-batch": Order([("first write 512", "second (4)")]),
    "write-coalescing/written-twice": Order([("full (3)", "old (3)")]),
    "write-coalescing/merged-and-forgotten": Order([("server read 512", "second (4)")]),
    "queue-depth-limiter/woken-and-overtaken": Order([("patient (2)", "quick (6)")]),
    "queue-depth-limiter/handed-to-a-dead-one": Order([("doomed (2)", "canceller (5)")]),
    "queue-depth-limiter/wakeup-lost-on-the-dead": Order([("doomed (2)", "canceller (4)")]),
    "queue-depth-limiter/slot-lost-to-an-error": Order(choices={"write of block 0 fails": 1}),
    "queue-depth-limiter/slot-lost-to-a-cancellation": Order([("doomed write 0", "canceller (3)")]),
    "queue-depth-limiter/refill-unseen": Order([("spender (2)", "clock (2)")]),
    "discard/discarded-under-the-next-owner": Order([("giver discard 0", "writer (3)")]),
    "discard/trimmed-by-an-old-list": Order([("trimmer discard 512", "writer (4)")]),
    "discard/cleared-the-slow-way": Order(
        [("clearer write 0", "writer (4)")], choices={"discard of block 0 fails": 1}
    ),
    "flush-ordering/shared-a-flush-too-late": Order([("first (3)", "second (4)")]),
    "flush-ordering/clean-by-mistake": Order([("flusher (2)", "writer (3)")]),
    "flush-ordering/superblock-first": Order(choices={"lost: 1": 1}),
    "flush-ordering/counted-after-the-flush": Order(
        [("committer (2)", "writer (4)")], choices={"lost: 2": 1}
    ),
    "flush-ordering/freed-by-the-flush-before": Order(
        [("user (2)", "dropper (3)")], choices={"lost: 0": 1}
    ),
    "superblock/said-only-afterwards": Order([("writer write 1024", "reader (6)")]),
    "superblock/looked-only-before": Order(
        [("writer write 0", "reader (3)"), ("reader read 1024", "writer (4)")]
    ),
    "superblock/the-only-good-slot": Order([("writer write 0 (2)", "crash (3)")]),
    "retry/retried-over-the-newer": Order(
        [("older write 0", "newer (4)")], choices={"write of block 0 fails": 1}
    ),
    "retry/appended-twice": Order([("appender write 1536", "timer 0.010")]),
    "retry/gave-up-silently": Order(choices={"write of block 0 fails": 1}),
    "retry/written-to-the-disk-left": Order(
        [("failing (3)", "other (3)")], choices={"write of block 0 fails": 1}
    ),
    "cancellation/busy-for-ever": Order([("doomed write 0", "canceller (3)")]),
    "cancellation/half-of-two": Order([("doomed write 0", "canceller (4)")]),
    "cancellation/lock-freed-too-early": Order([("write a write 512", "next (3)")]),
    "cancellation/cancellation-swallowed": Order([("doomed write 0", "canceller (3)")]),
    "cancellation/lost-in-hand": Order([("doomed write 512", "canceller (4)")]),
    "completion/completed-twice": Order([("writer (2)", "limit (2)")]),
    "completion/resumed-twice": Order([("a (2)", "second (3)")]),
    "completion/bell-unheard": Order([("server (2)", "client (3)")]),
    "completion/woke-the-wrong-one": Order([("giver (3)", "other (5)"), ("next (3)", "other (5)")]),
    "completion/aborted-and-answered": Order([("server (3)", "aborter (4)")]),
    "resize/written-past-the-end": Order([("shrinker (2)", "writer (3)")]),
    "resize/grown-to-less": Order([("first (3)", "second (3)")]),
    "resize/published-too-early": Order([("writer write 512", "reader (3)")]),
    "resize/updated-where-it-was": Order([("writer write 512", "shrinker (4)")]),
    "deadlock/locks-in-two-orders": Order([("there (2)", "back (5)")]),
    "deadlock/three-in-a-circle": Order([("a (2)", "b (2)"), ("b (3)", "c (4)")]),
    "deadlock/a-buffer-each": Order([("first (2)", "second (3)")]),
    "deadlock/drained-between-two-parts": Order([("writer (2)", "drainer (4)")]),
    "deadlock/two-upgrades": Order([("first (2)", "second (4)")]),
    "deadlock/cache-and-table": Order([("evictor (2)", "reader (3)")]),
    "timers/written-after-the-lease": Order([("holder write 0", "next (3)")]),
    "timers/closed-under-the-flush": Order([("closer (3)", "idle (2)")]),
    "timers/time-limit-keeps-the-lock": Order([("first write 0", "timer 0.010")]),
}
