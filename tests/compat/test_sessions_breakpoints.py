from __future__ import annotations

import pytest

from blkdebug_async.events import Event
from tests.compat.compare import Comparison
from tests.compat.sessions import Session, on_bare_blkdebug, on_blkdebug, on_raw, params


def held(event: str, command: str, *while_held: str) -> Session:
    return on_blkdebug(
        "align=4k",
        f"break {event} A",
        command,
        "wait_break A",
        *while_held,
        "resume A",
        "aio_flush",
        "read -v 0 4k",
    )


#: Something to do while a read of the first block is suspended.
MEANWHILE = {
    "nothing": (),
    "read-the-same": ("read -q 0 512",),
    "write-the-same": ("write -P 9 0 4k",),
    "write-elsewhere": ("write -P 9 8k 4k",),
    "unaligned-write-elsewhere": ("write -P 9 9k 1k",),
    "zeroes-elsewhere": ("write -z 8k 4k",),
    "discard-elsewhere": ("discard 8k 4k",),
    "flush": ("flush",),
    "length": ("length",),
    "map": ("map",),
    "alloc": ("alloc 0 4k",),
    "info": ("info",),
    "sleep": ("sleep 1",),
    "same-tag-on-another-event": ("break write_aio A",),
    "unknown-tag": ("resume B",),
    "remove-unknown-tag": ("remove_break B",),
    "wait-again": ("wait_break A", "wait_break A"),
    "grow": ("truncate 128k",),
    "unaligned-write-of-the-same": ("write -P 9 1k 1k",),
}
#: What makes an event happen with align=4k and writeback.
CAUSES = {
    Event.READ_AIO: "aio_read 0 512",
    Event.WRITE_AIO: "aio_write -P 7 0 4k",
    Event.PWRITEV: "aio_write -P 7 0 4k",
    Event.PWRITEV_DONE: "aio_write -P 7 0 4k",
    Event.PWRITEV_ZERO: "aio_write -z 0 4k",
    Event.PWRITEV_RMW_HEAD: "aio_write -P 7 1k 3k",
    Event.PWRITEV_RMW_AFTER_HEAD: "aio_write -P 7 1k 3k",
    Event.PWRITEV_RMW_TAIL: "aio_write -P 7 0 1k",
    Event.PWRITEV_RMW_AFTER_TAIL: "aio_write -P 7 0 1k",
}

SESSIONS: dict[str, Session] = {
    **{
        f"read-held-and-{name}": held("read_aio", "aio_read -v 0 16", *commands)
        for name, commands in MEANWHILE.items()
    },
    **{f"held-at-{event}": held(event, command) for event, command in CAUSES.items()},
    **{
        f"fua-held-at-{event}": held(event, command.replace("aio_write", "aio_write -f"))
        for event, command in CAUSES.items()
        if command.startswith("aio_write")
    },
    **{
        f"fua-held-at-{event}": on_blkdebug(
            "",
            "write -P 7 0 512",
            f"break {event} A",
            "aio_write -f -P 8 0 512",
            "wait_break A",
            "resume A",
            "aio_flush",
            "flush",
        )
        for event in (Event.FLUSH_TO_OS, Event.FLUSH_TO_DISK)
    },
    **{
        f"break-on-{event}": on_blkdebug("", f"break {event} A", "remove_break A")
        for event in Event
    },
    "unknown-event": on_blkdebug("", "break foo A"),
    "event-in-upper-case": on_blkdebug("", "break READ_AIO A"),
    "old-event-with-a-dot": on_blkdebug("", "break l1_grow.alloc_table A"),
    "no-tag": on_blkdebug("", "break read_aio"),
    "two-tags": on_blkdebug("", "break read_aio A B"),
    "unknown-tag": on_blkdebug("", "resume A", "remove_break A", "read 0 512"),
    "without-blkdebug": on_raw("break read_aio A", "resume A", "remove_break A", "read 0 512"),
    "bare-blkdebug": on_bare_blkdebug(
        "", "break pwritev A", "aio_write 0 512", "wait_break A", "resume A", "aio_flush"
    ),
    "bare-blkdebug-hears-no-read": on_bare_blkdebug("", "break read_aio A", "read 0 512"),
    "two-on-one-event-resumed-in-order": on_blkdebug(
        "", "break read_aio A", "break read_aio B", "aio_read 0 512", "wait_break A",
        "wait_break B", "resume A", "resume B", "aio_flush",
    ),
    "two-on-one-event-resumed-backwards": on_blkdebug(
        "", "break read_aio A", "break read_aio B", "aio_read 0 512", "wait_break A",
        "wait_break B", "resume B", "resume A", "aio_flush",
    ),
    "same-tag-twice-on-one-event": on_blkdebug(
        "", "break read_aio A", "break read_aio A", "aio_read 0 512", "wait_break A", "resume A",
        "wait_break A", "resume A", "resume A", "aio_flush",
    ),
    "three-on-one-event": on_blkdebug(
        "", "break read_aio A", "break read_aio B", "break read_aio C", "aio_read 0 512",
        "wait_break B", "resume B", "resume B", "resume C", "resume A", "aio_flush",
    ),
    "two-on-one-event-removed": on_blkdebug(
        "", "break read_aio A", "break read_aio B", "aio_read 0 512", "wait_break A",
        "remove_break A", "remove_break B", "aio_flush",
    ),
    "one-tag-on-two-events": on_blkdebug(
        "", "break read_aio A", "break write_aio A", "aio_read 0 512", "wait_break A", "resume A",
        "aio_flush", "aio_write 0 512", "wait_break A", "resume A", "aio_flush",
    ),
    "one-tag-on-two-requests": on_blkdebug(
        "", "break read_aio A", "aio_read -q 0 512", "wait_break A", "break read_aio A",
        "aio_read -q 1k 512", "wait_break A", "resume A", "resume A", "aio_flush", "resume A",
    ),
    "one-tag-on-two-requests-removed": on_blkdebug(
        "", "break write_aio A", "aio_write -q 0 512", "wait_break A", "break write_aio A",
        "aio_write -q 1k 512", "remove_break A", "aio_flush", "read -v 0 32",
    ),
    "fires-once": on_blkdebug(
        "", "break read_aio A", "aio_read 0 512", "wait_break A", "resume A", "aio_flush",
        "read 0 512", "resume A",
    ),
    "remove-before-it-fires": on_blkdebug(
        "", "break read_aio A", "remove_break A", "read 0 512", "remove_break A"
    ),
    "remove-while-suspended": on_blkdebug(
        "", "break read_aio A", "aio_read 0 512", "wait_break A", "remove_break A", "aio_flush",
        "remove_break A",
    ),
    "remove-while-suspended-and-set-again": on_blkdebug(
        "", "break read_aio A", "aio_read 0 512", "wait_break A", "break read_aio A",
        "remove_break A", "aio_flush", "read 0 512",
    ),
    "remove-one-of-two": on_blkdebug(
        "", "break read_aio A", "break read_aio B", "remove_break A", "aio_read 0 512",
        "wait_break B", "resume A", "resume B", "aio_flush",
    ),
    "set-while-suspended-holds-the-next": on_blkdebug(
        "", "break write_aio A", "aio_write -P 5 0 512", "wait_break A", "break write_aio B",
        "aio_write -P 6 0 512", "wait_break B", "break pwritev_done C",
        "resume B", "wait_break C", "resume C", "read -v 0 16", "resume A", "aio_flush",
        "read -v 0 16",
    ),
    "held-at-two-events-in-turn": on_blkdebug(
        "", "break write_aio A", "break pwritev B", "break pwritev_done C", "aio_write -P 5 0 512",
        "wait_break A", "resume A", "wait_break B", "read -q 0 512", "resume B", "wait_break C",
        "read -P 5 0 512", "resume C", "aio_flush",
    ),
    "error-armed-while-suspended": on_blkdebug(
        "inject-error.0.event=write_aio,inject-error.0.iotype=read,inject-error.0.errno=28",
        "break read_aio A", "aio_read 0 512", "wait_break A", "write -q 8k 512", "resume A",
        "aio_flush", "read 0 512",
    ),
    "error-at-the-same-event-as-the-breakpoint": on_blkdebug(
        "inject-error.0.event=read_aio,inject-error.0.errno=28,inject-error.0.once=on",
        "break read_aio A", "aio_read 0 512", "wait_break A", "resume A", "aio_flush",
        "read 0 512",
    ),
    "error-used-up-by-another-while-suspended": on_blkdebug(
        "inject-error.0.event=read_aio,inject-error.0.errno=28,inject-error.0.once=on",
        "break read_aio A", "aio_read 0 512", "wait_break A", "read 8k 512", "resume A",
        "aio_flush",
    ),
    "state-changed-while-suspended": on_blkdebug(
        "set-state.0.event=read_aio,set-state.0.state=1,set-state.0.new_state=2,"
        "set-state.1.event=write_aio,set-state.1.state=2,set-state.1.new_state=3,"
        "inject-error.0.event=read_aio,inject-error.0.state=3,inject-error.0.errno=28",
        "break read_aio A", "aio_read 0 512", "wait_break A", "write -q 8k 512", "resume A",
        "aio_flush", "read 0 512",
    ),
    "write-held-behind-its-data": on_blkdebug(
        "", "break pwritev_done A", "aio_write -P 5 0 512", "wait_break A", "read -P 5 0 512",
        "resume A", "aio_flush",
    ),
    "zeroes-held-read-sees-the-old": on_blkdebug(
        "", "break pwritev_zero A", "aio_write -z 0 4k", "wait_break A", "read -P 1 0 512",
        "resume A", "aio_flush", "read -P 0 0 4k",
    ),
    "resumed-requests-report-at-the-next-wait": on_blkdebug(
        "", "break read_aio A", "aio_read 0 512", "wait_break A", "resume A", "length",
        "resume A", "aio_flush", "break write_aio B", "aio_write 0 512", "wait_break B",
        "resume B", "length", "help length", "aio_flush", "length",
    ),
    "two-nodes-first-one-listens": Session(
        (
            "--image-opts",
            "driver=blkdebug,image.driver=blkdebug,image.image.driver=file,"
            "image.image.filename=img",
        ),
        ("break pwritev A", "aio_write 0 512", "wait_break A", "resume A", "aio_flush"),
    ),
    "breakpoint-is-lost-at-close": on_blkdebug(
        "", "break read_aio A", "close", "open -o driver=blkdebug,image.filename=img", "read 0 512"
    ),
    "growing-write-held": on_blkdebug(
        "", "break pwritev_done A", "truncate 128k", "aio_write -P 3 100k 512", "wait_break A",
        "length", "resume A", "aio_flush",
    ),
    "shrink-below-a-suspended-write": on_blkdebug(
        "", "break write_aio A", "aio_write -P 3 60k 4k", "wait_break A", "truncate 32k", "length",
        "resume A", "aio_flush", "length", "read -P 3 60k 4k",
    ),
    "flush-while-a-write-is-held": on_blkdebug(
        "inject-error.0.event=flush_to_disk,inject-error.0.iotype=flush,inject-error.0.errno=28",
        "break pwritev A", "aio_write 0 512", "wait_break A", "flush", "resume A", "aio_flush",
        "flush",
    ),
    "long-tag": on_blkdebug(
        "", f"break read_aio {'x' * 300}", "aio_read 0 512", f"wait_break {'x' * 300}",
        f"resume {'x' * 300}", "aio_flush",
    ),
    "odd-tag": on_blkdebug(
        "", "break read_aio 'a,b'%s\\n", "aio_read 0 512", "wait_break 'a,b'%s\\n",
        "resume 'a,b'%s\\n", "aio_flush",
    ),
}  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_breakpoints_are_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
