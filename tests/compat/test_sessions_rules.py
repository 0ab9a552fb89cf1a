from __future__ import annotations

import pytest

from blkdebug_async.events import Event
from tests.compat.compare import Comparison
from tests.compat.sessions import KIB, Session, on_bare_blkdebug, on_blkdebug, params


def rules(*given: str) -> str:
    """Rules, each KIND:KEY=VALUE KEY=VALUE, as options with indices."""
    counts: dict[str, int] = {}
    options = []
    for rule in given:
        kind, _, fields = rule.partition(":")
        index = counts.get(kind, 0)
        counts[kind] = index + 1
        options += [f"{kind}.{index}.{field}" for field in fields.split()]
    return ",".join(options)


def inject(fields: str) -> str:
    return rules(f"inject-error:event=none {fields}")


EVERYTHING = (
    "read -q 0 512",
    "write -q 0 512",
    "write -z 0 8k",
    "discard 0 8k",
    "flush",
    "alloc 0",
    "map",
    "read -q 4k 4k",
    "write -q 3000 3000",
    "read -q 0 0",
    "write -q 512 0",
    "length",
    "truncate 64k",
)
FIELDS = {
    "iotype-read": "iotype=read",
    "iotype-write": "iotype=write",
    "iotype-write-zeroes": "iotype=write-zeroes",
    "iotype-discard": "iotype=discard",
    "iotype-flush": "iotype=flush",
    "iotype-block-status": "iotype=block-status",
    "iotype-default": "",
    "once": "once=on",
    "immediately": "immediately=on",
    "once-immediately": "once=on immediately=on",
    "once-flush": "once=on iotype=flush",
    "sector-0": "sector=0",
    "sector-1": "sector=1",
    "sector-8": "sector=8",
    "sector-0-once": "sector=0 once=on",
    "sector-of-a-discard": "sector=3 iotype=discard",
    "sector-of-zeroes": "sector=3 iotype=write-zeroes",
    "sector-beyond-the-end": "sector=1000000",
    "sector-minus-one": "sector=-1",
    "sector-minus-two": "sector=-2",
    "errno-0": "errno=0",
    "errno-1": "errno=1",
    "errno-22-of-discard": "errno=22 iotype=discard",
    "errno-28": "errno=28",
    "errno-95-of-zeroes": "errno=95 iotype=write-zeroes",
    "errno-95-of-discard": "errno=95 iotype=discard",
    "errno-95-of-writes": "errno=95 iotype=write",
    "errno-hexadecimal": "errno=0x1c",
    "errno-octal": "errno=034",
    "errno-4095": "errno=4095",
    "errno-4096": "errno=4096",
    "errno-123": "errno=123",
    "errno-1000": "errno=1000",
    "state-1": "state=1",
    "state-2": "state=2",
    "state-0": "state=0",
    "state-minus-one": "state=-1",
}
BAD_FIELDS = {
    "errno-is-a-word": "errno=EIO",
    "errno-is-empty": "errno=",
    "errno-is-large": "errno=99999999999999999999",
    "errno-is-a-fraction": "errno=5.5",
    "errno-has-a-suffix": "errno=5k",
    "sector-is-a-word": "sector=first",
    "sector-is-a-fraction": "sector=1.5",
    "state-is-a-word": "state=first",
    "once-is-1": "once=1",
    "once-is-yes": "once=yes",
    "once-is-true": "once=true",
    "once-is-n": "once=n",
    "once-is-upper-case": "once=ON",
    "immediately-is-2": "immediately=2",
    "iotype-is-unknown": "iotype=truncate",
    "iotype-is-empty": "iotype=",
    "iotype-is-upper-case": "iotype=READ",
    "unknown-field": "errors=5",
    "new-state-of-an-inject": "new_state=3",
    "opaque": "opaque=1",
}
BAD_RULES = {
    "no-event": "inject-error.0.errno=5",
    "unknown-event": "inject-error.0.event=read",
    "upper-case-event": "inject-error.0.event=READ_AIO",
    "old-event-with-a-dot": "inject-error.0.event=l1_grow.alloc_table",
    "empty-event": "inject-error.0.event=",
    "index-starts-at-1": "inject-error.1.event=none",
    "index-gap": "inject-error.0.event=none,inject-error.2.event=none",
    "index-and-none": "inject-error.0.event=none,inject-error.event=none",
    "no-index": "inject-error.event=none",
    "no-index-and-unknown": "inject-error.event=none,inject-error.foo=1",
    "index-without-keys": "inject-error.0=none",
    "kind-without-anything": "inject-error=none",
    "set-state-without-event": "set-state.0.new_state=2",
    "set-state-without-new-state": "set-state.0.event=none",
    "set-state-unknown-field": "set-state.0.event=none,set-state.0.errno=5",
    "set-state-bad-number": "set-state.0.event=none,set-state.0.new_state=two",
    "set-state-without-index": "set-state.event=none,set-state.new_state=2",
    "leading-zero-index": "inject-error.00.event=none",
    "deep-key": "inject-error.0.event.name=none",
    "id-of-a-rule": "inject-error.0.event=none,inject-error.0.id=a",
}
#: Order of rules and states; each is followed by the same commands.
MACHINES = {
    "first-of-two-injects-wins": rules(
        "inject-error:event=read_aio errno=28", "inject-error:event=read_aio errno=1"
    ),
    "both-once": rules(
        "inject-error:event=read_aio errno=28 once=on",
        "inject-error:event=read_aio errno=1 once=on",
    ),
    "first-of-two-set-states-wins": rules(
        "set-state:event=read_aio new_state=2",
        "set-state:event=read_aio new_state=3",
        "inject-error:event=write_aio state=2 errno=28",
        "inject-error:event=write_aio state=3 errno=1",
    ),
    "state-change-is-not-seen-by-the-same-event": rules(
        "set-state:event=read_aio state=1 new_state=2",
        "inject-error:event=read_aio state=2 once=on",
    ),
    "inject-and-leave-the-state": rules(
        "inject-error:event=read_aio state=1",
        "set-state:event=read_aio state=1 new_state=2",
    ),
    "errors-stay-active-for-all-kinds": rules("inject-error:event=write_aio errno=28"),
    "errno-0-of-another-event-cancels": rules(
        "inject-error:event=read_aio errno=28", "inject-error:event=write_aio errno=0"
    ),
    "errno-0-hides-later-rules": rules(
        "inject-error:event=read_aio errno=0", "inject-error:event=read_aio errno=28"
    ),
    "count-to-three": rules(
        "set-state:event=read_aio state=1 new_state=2",
        "set-state:event=read_aio state=2 new_state=3",
        "set-state:event=read_aio state=3 new_state=4",
        "inject-error:event=read_aio state=3 errno=28 once=on",
    ),
    "there-and-back": rules(
        "set-state:event=read_aio state=1 new_state=2",
        "set-state:event=write_aio state=2 new_state=1",
        "inject-error:event=write_aio state=1 errno=28 iotype=write",
        "inject-error:event=write_aio state=2 errno=1 iotype=write once=on",
    ),
    "state-0-is-a-state-that-nothing-names": rules(
        "set-state:event=read_aio new_state=0", "inject-error:event=read_aio state=1 errno=28"
    ),
    "negative-state": rules(
        "set-state:event=read_aio new_state=-5", "inject-error:event=write_aio state=-5"
    ),
    "chain-through-one-write": rules(
        "set-state:event=write_aio state=1 new_state=2",
        "set-state:event=pwritev state=2 new_state=3",
        "set-state:event=pwritev_done state=3 new_state=4",
        "inject-error:event=read_aio state=4 errno=28",
    ),
    "rule-that-no-state-matches": rules("inject-error:event=read_aio state=9"),
    "replaced-by-the-next-event": rules(
        "inject-error:event=write_aio errno=28 iotype=write",
        "inject-error:event=pwritev errno=1 iotype=write",
    ),
    "sector-rule-before-a-general-one": rules(
        "inject-error:event=read_aio sector=0 errno=28", "inject-error:event=read_aio errno=1"
    ),
    "iotype-rule-before-a-general-one": rules(
        "inject-error:event=none iotype=write errno=28", "inject-error:event=none errno=1"
    ),
    "flush-to-os": rules("inject-error:event=flush_to_os iotype=flush"),
    "flush-to-disk": rules("inject-error:event=flush_to_disk iotype=flush once=on"),
    "zeroes-only": rules("inject-error:event=pwritev_zero iotype=write-zeroes once=on"),
    "done-breaks-the-next": rules("inject-error:event=pwritev_done errno=1 once=on"),
}
MACHINE_COMMANDS = (
    "read -q 0 512",
    "read -q 0 512",
    "write -P 3 0 512",
    "read -q 4k 512",
    "read -q 4k 512",
    "write -P 4 4k 512",
    "write -z 8k 4k",
    "flush",
    "write -P 5 16k 512",
    "flush",
    "discard 12k 4k",
    "read -v 0 512",
    "aio_read 0 512",
    "aio_flush",
    "aio_write -P 6 0 512",
    "aio_flush",
)
EDGES = {
    "read-misses-the-sector-of-its-last-byte": "read -q 1025 511",
    "read-hits-the-first-byte": "read -q 1024 1",
    "read-ends-before": "read -q 0 1024",
    "read-ends-with-the-first-byte": "read -q 0 1025",
    "read-starts-after-the-first-byte": "read -q 1025 4k",
    "read-of-nothing": "read -q 1024 0",
    "write-over-it": "write -q 0 4k",
    "zeroes-over-it": "write -z 0 4k",
    "discard-over-it": "discard 0 4k",
}

SESSIONS: dict[str, Session] = {
    **{f"field-{name}": on_blkdebug(inject(f), *EVERYTHING) for name, f in FIELDS.items()},
    **{
        f"field-{name}-with-align": on_blkdebug("align=4k," + inject(f), *EVERYTHING)
        for name, f in FIELDS.items()
        if name.startswith(("sector", "iotype"))
    },
    **{
        f"bad-{name}": on_blkdebug(inject(f), "read 0 512", "read 0 512")
        for name, f in BAD_FIELDS.items()
    },
    **{f"bad-{name}": on_blkdebug(f, "read 0 512") for name, f in BAD_RULES.items()},
    **{
        f"machine-{name}": on_blkdebug(given, *MACHINE_COMMANDS) for name, given in MACHINES.items()
    },
    **{
        f"bare-machine-{name}": on_bare_blkdebug(given, *MACHINE_COMMANDS)
        for name, given in MACHINES.items()
        if "pwritev" in given or "none" in given
    },
    **{
        f"sector-2-{name}": on_blkdebug(inject("sector=2"), command)
        for name, command in EDGES.items()
    },
    **{
        f"event-{event}": on_blkdebug(
            "align=4k," + rules(f"inject-error:event={event} errno=28 once=on"),
            "read -q 0 512",
            "write -q 1k 1k",
            "write -q 1k 9k",
            "write -q 0 4k",
            "write -z 0 4k",
            "discard 0 4k",
            "flush",
            "alloc 0",
        )
        for event in Event
    },
    "immediately-does-not-let-others-run": on_blkdebug(
        inject("immediately=on iotype=write"),
        "aio_write 0 512",
        "aio_write 512 512",
        "aio_flush",
    ),
    "once-hits-one-of-two": on_blkdebug(
        inject("once=on immediately=on iotype=write errno=28"),
        "aio_write 0 512",
        "aio_flush",
        "aio_write 512 512",
        "aio_flush",
    ),
    "once-with-fragments-fails-one-request": on_blkdebug(
        "align=512,max-transfer=1k," + inject("once=on iotype=write sector=4 errno=28"),
        "write -P 3 0 8k",
        "read -v 0 8k",
        "write -P 4 0 8k",
    ),
    "negative-errno-is-bogus-success": on_blkdebug(
        inject("errno=-5 iotype=write"), "write -P 3 0 512", "read -v 0 16"
    ),
    "aligned-fragments-see-the-sector": on_blkdebug(
        "align=4k," + inject("sector=9"), "read 4k 100", "read 5k 100", "write 7k 512", "read 0 4k"
    ),
    "rule-without-index-and-limits": on_blkdebug(
        "align=512,inject-error.event=read_aio,inject-error.errno=28,inject-error.once=on",
        "read 0 512",
        "read 0 512",
    ),
    "error-of-a-large-write": on_blkdebug(
        inject("sector=127 iotype=write errno=28"), f"write -P 3 0 {64 * KIB}", "read -v 65000 100"
    ),
}


@pytest.mark.peer
@pytest.mark.parametrize("session", params(SESSIONS))
def test_rules_are_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
