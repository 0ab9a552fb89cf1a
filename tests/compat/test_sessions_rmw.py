from __future__ import annotations

import pytest

from tests.compat.compare import Comparison
from tests.compat.sessions import KIB, Image, Session, on_bare_blkdebug, on_blkdebug, params

RMW_EVENTS = (
    "pwritev_rmw_head",
    "pwritev_rmw_after_head",
    "pwritev_rmw_tail",
    "pwritev_rmw_after_tail",
    "pwritev",
    "pwritev_done",
)
HEAD = ("pwritev_rmw_head", "pwritev_rmw_after_head")
TAIL = ("pwritev_rmw_tail", "pwritev_rmw_after_tail")
#: Head and tail come with one read.
BOTH = (
    "pwritev_rmw_head",
    "pwritev_rmw_tail",
    "pwritev_rmw_after_head",
    "pwritev_rmw_after_tail",
)
DATA = ("pwritev", "pwritev_done")
ZERO = ("pwritev_zero", "pwritev_done")
#: With align=4k: offset and length, events of a write, events of a zero write.
SHAPES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "aligned": ("4k 4k", DATA, ZERO),
    "head": ("5k 3k", HEAD + DATA, HEAD + DATA),
    "head-and-more": ("1k 7k", HEAD + DATA, HEAD + DATA + ZERO),
    "tail": ("4k 1k", TAIL + DATA, TAIL + DATA),
    "tail-and-more": ("0 5k", TAIL + DATA, TAIL + ZERO + DATA),
    "inside-one-block": ("1k 1k", BOTH + DATA, BOTH + DATA),
    "two-blocks": ("1k 4k", BOTH + DATA, BOTH + DATA),
    "two-blocks-one-byte-each": ("4095 2", BOTH + DATA, BOTH + DATA),
    "three-blocks": ("1k 8k", HEAD + TAIL + DATA, HEAD + TAIL + DATA + ZERO + DATA),
    "four-blocks": ("3k 10k", HEAD + TAIL + DATA, HEAD + TAIL + DATA + ZERO + DATA),
    "one-byte": ("8191 1", HEAD + DATA, HEAD + DATA),
}


def race(event: str, second_first: bool) -> Session:
    # Two unaligned writes to one block. The second is not there before the first is done: without
    # that, the later one would undo the earlier.
    too_early = ("resume B",) if second_first else ()
    return on_blkdebug(
        "align=4k",
        f"break {event} A",
        "aio_write -P 0x11 1k 1k",
        "wait_break A",
        f"break {event} B",
        "aio_write -P 0x22 2k 1k",
        *too_early,
        "read -P 0x21 16k 512",
        "resume A",
        "wait_break B",
        "resume B",
        "aio_flush",
        "read -P 0x11 1k 1k",
        "read -P 0x22 2k 1k",
        "read -v 0 4k",
    )


def race_of_two_held(event: str, order: tuple[str, str]) -> Session:
    # In different blocks both are held at once, and end in the order of the resumes.
    return on_blkdebug(
        "align=4k",
        f"break {event} A",
        "aio_write -P 0x11 1k 2k",
        "wait_break A",
        f"break {event} B",
        "aio_write -P 0x22 9k 2k",
        "wait_break B",
        f"break pwritev_done {order[0]}done",
        f"resume {order[0]}",
        f"wait_break {order[0]}done",
        f"resume {order[0]}done",
        f"break pwritev_done {order[1]}done",
        f"resume {order[1]}",
        f"wait_break {order[1]}done",
        f"resume {order[1]}done",
        "aio_flush",
        "read -v 0 12k",
    )


def traced(command: str, place: str, events: tuple[str, ...]) -> Session:
    # Every event has a breakpoint; each must be there before the next one can be.
    steps = []
    for number, event in enumerate(events):
        waits = (f"wait_break {number}-{event}", f"resume {number}-{event}")
        later = events[number + 1 :]
        rearm = (
            [f"break {event} {number + 1 + later.index(event)}-{event}"] if event in later else []
        )
        steps += [waits[0], *rearm, waits[1]]
    first = {event: events.index(event) for event in events}
    silent = [event for event in (*RMW_EVENTS, "pwritev_zero") if event not in events]
    return on_blkdebug(
        "align=4k",
        *(f"break {event} {number}-{event}" for event, number in first.items()),
        *(f"break {event} {event}" for event in silent),
        f"{command} {place}",
        *steps,
        "aio_flush",
        *(f"remove_break {event}" for event in silent),
        "read -v 0 16k",
    )


def hit_by_read_error(event: str, command: str) -> Session:
    return on_blkdebug(
        f"align=4k,inject-error.0.event={event},inject-error.0.iotype=read,inject-error.0.once=on",
        f"{command} 1k 1k",
        # The bytes around it are uninitialised memory now.
        "write -P 9 0 4k",
        f"{command} 17k 8k",
        "write -P 9 16k 12k",
    )


def while_held(event: str, second: str) -> Session:
    return on_blkdebug(
        "align=4k",
        f"break {event} A",
        "aio_write -P 0x11 1k 1k",
        "wait_break A",
        second,
        "read -q 32k 512",
        "resume A",
        "aio_flush",
        "read -v 0 8k",
    )


SECOND = {
    "aligned-write-to-the-block": "aio_write -P 0x22 0 4k",
    "aligned-write-beside": "write -P 0x22 4k 4k",
    "unaligned-write-beside": "write -P 0x22 5k 1k",
    "aligned-read-of-the-block": "aio_read -v 0 4k",
    "unaligned-read-of-the-block": "aio_read -v 512 512",
    "read-beside": "read -v 4k 512",
    "zeroes-in-the-block": "aio_write -z 2k 1k",
    "zeroes-over-the-block": "aio_write -z 0 8k",
    "zeroes-across": "aio_write -z 3k 3k",
}

SESSIONS = {
    **{
        f"race-at-{event}-{when}": race(event, early)
        for event in RMW_EVENTS
        for when, early in (("first-resumed-first", False), ("second-resumed-too-early", True))
    },
    **{
        f"both-held-at-{event}-{''.join(order)}": race_of_two_held(event, order)
        for event in RMW_EVENTS[:-1]
        for order in (("A", "B"), ("B", "A"))
    },
    **{
        f"write-of-{name}": traced("aio_write -P 0x77", place, events)
        for name, (place, events, _) in SHAPES.items()
    },
    **{
        f"zeroes-of-{name}": traced("aio_write -z", place, events)
        for name, (place, _, events) in SHAPES.items()
    },
    "nothing": on_blkdebug(
        "align=4k",
        "break pwritev A",
        "aio_write 4k 0",
        "wait_break A",
        "resume A",
        "aio_flush",
        "aio_write 5k 0",
        "aio_flush",
        "aio_write -z 4k 0",
        "aio_flush",
        "write -z 5k 0",
        "read 1 0",
    ),
    **{
        f"read-error-at-{event}-of-{name}": hit_by_read_error(event, command)
        for event in RMW_EVENTS[:4]
        for name, command in (("write", "write -P 0x55"), ("zeroes", "write -z"))
    },
    **{
        f"held-at-{event}-and-{name}": while_held(event, second)
        for event in ("pwritev_rmw_head", "pwritev_rmw_after_tail", "pwritev")
        for name, second in SECOND.items()
    },
    "held-aligned-write-and-unaligned-write": on_blkdebug(
        "align=4k",
        "break pwritev A",
        "aio_write -P 0x11 0 4k",
        "wait_break A",
        "aio_write -P 0x22 1k 1k",
        "resume A",
        "aio_flush",
        "read -v 0 4k",
    ),
    "plain-overlapping-writes-do-not-wait": on_blkdebug(
        "align=4k",
        "break pwritev A",
        "aio_write -P 0x11 0 8k",
        "wait_break A",
        "write -P 0x22 4k 8k",
        "resume A",
        "aio_flush",
        "read -v 0 12k",
    ),
    "read-passes-a-write-that-waits-itself": on_blkdebug(
        "align=4k",
        "break pwritev A",
        "aio_write -P 0x11 0 4k",
        "wait_break A",
        "aio_write -P 0x22 1k 1k",
        "read -v 0 512",
        "resume A",
        "aio_flush",
        "read -v 0 4k",
    ),
    "three-unaligned-writers-in-a-row": on_blkdebug(
        "align=4k",
        "break pwritev_rmw_after_head A",
        "aio_write -P 0x11 512 512",
        "wait_break A",
        "aio_write -P 0x22 1k 512",
        "aio_write -P 0x33 1536 512",
        "resume A",
        "aio_flush",
        "read -v 0 4k",
    ),
    "chain-of-waiters-over-two-blocks": on_blkdebug(
        "align=4k",
        "break pwritev_rmw_after_head A",
        "aio_write -P 0x11 1k 1k",
        "wait_break A",
        "aio_write -P 0x22 3k 2k",
        "write -P 0x33 6k 1k",
        "resume A",
        "aio_flush",
        "read -v 0 8k",
    ),
    "bare-blkdebug-on-top": on_bare_blkdebug(
        "align=4k", "write -P 0x11 1k 1k", "write -P 0x22 3k 6k", "write -z 9k 100", "read -v 0 12k"
    ),
    "alignment-of-512-under-bytes": on_blkdebug(
        "align=512",
        "write -P 0x11 1 1",
        "write -P 0x22 511 2",
        "write -P 0x33 1023 1030",
        "read -v 0 4k",
    ),
    "alignment-of-64k": on_blkdebug(
        "align=64k",
        "write -P 0x11 1k 1k",
        "write -P 0x22 60k 8k",
        "read -v 0 4k",
        "read -v 58k 12k",
        image=Image(size=256 * KIB),
    ),
    "rmw-past-the-end-of-the-image": on_blkdebug(
        "align=4k",
        "write -P 0x11 9k 1k",
        "length",
        "read -v 8k 4k",
        "write -P 0x22 11k 1k",
        "length",
        "map",
        image=Image(size=10 * KIB),
    ),
    "write-error-of-a-padded-write": on_blkdebug(
        "align=4k,inject-error.0.event=pwritev,inject-error.0.iotype=write,inject-error.0.errno=28,"
        "inject-error.0.once=on",
        "write -P 0x11 1k 1k",
        "write -P 0x22 1k 1k",
        "read -v 0 4k",
    ),
    "many-lengths-in-one-vector": on_blkdebug(
        "align=4k",
        "writev -P 0x44 1k 512 1 1023 4k 7",
        "readv -v 0 512 1 1023 4k 7",
        "aio_write -P 0x45 3k 1 2 3",
        "aio_flush",
        "aio_read -v 3k 3 3",
        "aio_flush",
    ),
}


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_read_modify_write_is_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
