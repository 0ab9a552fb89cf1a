from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator
from errno import EIO, ENOSPC

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from blkdebug_async.block.flags import (
    COPY_ON_READ,
    FUA,
    MAY_UNMAP,
    NO_FALLBACK,
    SERIALISING,
    WRITE_UNCHANGED,
)
from blkdebug_async.drivers import DRIVERS, register_driver
from blkdebug_async.drivers.blkdebug.rules import InjectError, Phase, Predicate, SetState, Suspend
from blkdebug_async.drivers.file import blocking
from blkdebug_async.events import RULE_IO_TYPES, Event, IoType
from tests.unit.twins import BLOCK, NotingDriver, Op, Plan, compare

KIB = 1024
SIZE = 16 * KIB


async def _at_once(function, *args, **kwargs):  # type: ignore[no-untyped-def]
    return function(*args, **kwargs)


@pytest.fixture(autouse=True, scope="module")
def _noting_driver() -> Iterator[None]:
    before = dict(DRIVERS)
    register_driver(NotingDriver)
    with pytest.MonkeyPatch.context() as patch:
        # What a thread does takes nobody knows how many turns of the loop.
        patch.setattr(blocking, "run_in_thread", _at_once)
        yield
    DRIVERS.clear()
    DRIVERS.update(before)


# --- trees -------------------------------------------------------------------------------------

FLAGS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {},
    optional={
        "detect-zeroes": st.sampled_from(["on", "unmap"]),
        "cache.no-flush": st.booleans(),
    },
)
EVENTS = st.sampled_from(
    [
        Event.PWRITEV,
        Event.PWRITEV_DONE,
        Event.PWRITEV_ZERO,
        Event.PWRITEV_RMW_HEAD,
        Event.PWRITEV_RMW_AFTER_TAIL,
        Event.READ_AIO,
        Event.WRITE_AIO,
        Event.FLUSH_TO_OS,
        Event.FLUSH_TO_DISK,
        Event.COR_WRITE,
    ]
)
STATES = st.integers(0, 3)
INJECTIONS = st.builds(
    InjectError,
    event=EVENTS,
    errno=st.sampled_from([EIO, ENOSPC, 0]),
    state=STATES,
    iotypes=st.sets(st.sampled_from(RULE_IO_TYPES), min_size=1),
    sector=st.none() | st.integers(0, SIZE // BLOCK),
    once=st.booleans(),
    immediately=st.booleans(),
)
STATE_CHANGES = st.builds(SetState, event=EVENTS, new_state=st.integers(0, 3), state=STATES)
PHASES = st.sampled_from(Phase)
TAGS = st.sampled_from(["tag0", "tag1", "tag2"])
PREDICATES = st.none() | st.builds(
    Predicate,
    ops=st.none() | st.sets(st.sampled_from([IoType.READ, IoType.WRITE]), min_size=1),
    offset=st.integers(0, SIZE),
    nth=st.none() | st.integers(1, 2),
)
BREAKPOINTS = st.builds(
    Suspend, tag=TAGS, event=EVENTS, predicate=PREDICATES, count=st.sampled_from([1, 2, None])
) | st.builds(
    Suspend,
    tag=TAGS,
    phase=PHASES,
    predicate=PREDICATES,
    count=st.sampled_from([1, 2, None]),
)
RULES = INJECTIONS | STATE_CHANGES | BREAKPOINTS


def injection_options(rule: InjectError) -> dict[str, object]:
    iotype = min(rule.iotypes)
    return {
        "event": str(rule.event),
        "errno": rule.errno,
        "state": rule.state,
        "iotype": str(iotype),
        "sector": -1 if rule.sector is None else rule.sector,
        "once": rule.once,
        "immediately": rule.immediately,
    }


def state_options(rule: SetState) -> dict[str, object]:
    return {"event": str(rule.event), "state": rule.state, "new_state": rule.new_state}


SIZES = st.sampled_from([SIZE, SIZE, SIZE, SIZE - 300])
LEAVES: st.SearchStrategy[dict[str, object]] = st.one_of(
    st.fixed_dictionaries({"driver": st.just("memory"), "size": SIZES}),
    st.fixed_dictionaries(
        {"driver": st.just("noting"), "size": SIZES},
        optional={
            "align": st.sampled_from([BLOCK, 4 * KIB]),
            "cold": st.integers(2, 5),
            "bad": st.integers(0, 4 * SIZE // BLOCK),
            "fua": st.booleans(),
        },
    ),
    st.fixed_dictionaries(
        {
            "driver": st.sampled_from(["null-co", "null-aio"]),
            "size": SIZES,
            "read-zeroes": st.booleans(),
        }
    ),
    st.fixed_dictionaries(
        {
            "driver": st.just("file"),
            "filename": st.sampled_from(["even", "even", "even", "odd"]),
            "aio": st.just("threads"),
        }
    ),
)


Options = dict[str, st.SearchStrategy[object]]


def over(below: dict[str, object]) -> st.SearchStrategy[dict[str, object]]:
    raw: Options = {"driver": st.just("raw"), "file": st.just(below)}
    window: Options = {
        "offset": st.sampled_from([4 * KIB, 512, 1000]),
        "size": st.sampled_from([4 * KIB, 8 * KIB]),
    }
    limits: Options = {
        "align": st.sampled_from([BLOCK, 4 * KIB]),
        "max-transfer": st.sampled_from([4 * KIB, 8 * KIB]),
        "max-write-zero": st.just(4 * KIB),
        "opt-discard": st.just(4 * KIB),
    }
    rules: Options = {
        "inject-error": st.lists(INJECTIONS.map(injection_options), max_size=1),
        "set-state": st.lists(STATE_CHANGES.map(state_options), max_size=1),
    }
    blkdebug: Options = {"driver": st.just("blkdebug"), "image": st.just(below)}
    rare: list[dict[str, object]] = [
        {"driver": "copy-on-read", "file": below},
        {"driver": "overlay", "backing": below},
    ]
    return st.integers(0, 7).flatmap(
        lambda kind: [
            st.fixed_dictionaries(raw),
            st.fixed_dictionaries(raw, optional=window),
            st.fixed_dictionaries(blkdebug),
            st.fixed_dictionaries(blkdebug, optional=limits),
            st.fixed_dictionaries(blkdebug, optional=limits),
            st.fixed_dictionaries(blkdebug, optional=limits),
            st.fixed_dictionaries(blkdebug, optional=limits | rules),
            st.sampled_from(rare),
        ][kind]
    )


@st.composite
def trees(draw: st.DrawFn) -> dict[str, object]:
    tree = draw(LEAVES)
    for _ in range(draw(st.integers(0, 3))):
        tree = draw(over(tree))
        if draw(st.integers(0, 9)) == 9:
            tree |= draw(FLAGS)
    return tree


# --- sessions ----------------------------------------------------------------------------------

OFFSETS = st.one_of(
    st.integers(0, SIZE // BLOCK).map(lambda block: block * BLOCK),
    st.integers(0, 4).map(lambda block: block * 4 * KIB),
    st.integers(0, SIZE),
    st.integers(SIZE - 600, SIZE + 10),
    st.sampled_from([0, 512, -512]),
)
LENGTHS = st.one_of(st.sampled_from([0, BLOCK, 4 * KIB, 8 * KIB, SIZE]), st.integers(0, 3 * KIB))


FLAGS_OF = {
    "write": [0, 0, 0, 0, 0, 0, FUA, FUA, SERIALISING, WRITE_UNCHANGED],
    "read": [0, 0, 0, 0, 0, COPY_ON_READ],
    "zeroes": [0, MAY_UNMAP, NO_FALLBACK, FUA],
    "discard": [0],
}
WHAT = st.sampled_from(
    [
        (kind, flags)
        for kind in ("write", "write", "write", "read", "read", "zeroes", "discard")
        for flags in FLAGS_OF[kind]
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> Op:
    (kind, flags), length, bits = draw(WHAT), draw(LENGTHS), draw(st.integers(0, 0xFFF))
    return Op(
        kind,
        draw(OFFSETS),
        length,
        value=bits >> 4,
        flags=flags,
        cut=length // 3 if bits & 1 else 0,
        together=bits & 6 == 6,
        beside=bool(bits & 8),
    )


QUIET = st.lists(requests(), min_size=4, max_size=6)
NUMBERS = st.integers(0, 3)
STEERING = st.one_of(
    st.builds(Op, st.just("rule"), number=NUMBERS, rule=RULES),
    st.builds(Op, st.just("rule"), number=NUMBERS, rule=BREAKPOINTS),
    st.builds(Op, st.just("unrule"), number=NUMBERS, rule=RULES),
    st.builds(Op, st.sampled_from(["unbreak", "resume"]), number=NUMBERS, value=NUMBERS),
    st.builds(Op, st.sampled_from(["drain", "end drain", "end drain", "cancel"]), number=NUMBERS),
    st.builds(Op, st.just("flush"), together=st.booleans(), beside=st.booleans()),
    st.builds(Op, st.just("truncate"), OFFSETS, beside=st.booleans()),
    st.builds(Op, st.just("beside"), number=NUMBERS),
    st.builds(Op, st.just("reopen"), value=st.sampled_from([0, 0, 1])),
)


@st.composite
def held(draw: st.DrawFn) -> list[Op]:
    # Who is held in the midst of a block, and who comes meanwhile.
    breakpoint = draw(
        st.builds(Suspend, tag=TAGS, event=EVENTS) | st.builds(Suspend, tag=TAGS, phase=PHASES)
    )
    return [
        Op("rule", number=draw(NUMBERS), rule=breakpoint),
        *draw(st.lists(requests(), min_size=2, max_size=5)),
        Op("resume", number=draw(NUMBERS), value=int(breakpoint.tag[-1])),
    ]


@st.composite
def armed(draw: st.DrawFn) -> list[Op]:
    rule = draw(INJECTIONS | STATE_CHANGES)
    number = draw(NUMBERS)
    return [
        Op("rule", number=number, rule=rule),
        *draw(st.lists(requests(), min_size=1, max_size=4)),
        Op("unrule", number=number, rule=rule),
    ]


@st.composite
def sessions(draw: st.DrawFn) -> list[Op]:
    alone = STEERING.map(lambda op: [op])
    phrases = draw(
        st.lists(QUIET | QUIET | QUIET | held() | armed() | alone, min_size=3, max_size=6)
    )
    return [op for phrase in phrases for op in phrase]


USUAL = (None, "writeback", False, False)
SPECIAL = st.tuples(
    st.sampled_from([None, "qemu-7.2", "seed"]),
    st.sampled_from(["writeback", "writeback", "unsafe", "writethrough"]),
    st.sampled_from([False, False, True]),
    st.sampled_from([False, False, True]),
)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    bits = draw(st.integers(0, 7))
    compat, cache, snapshot, copy_on_read = draw(SPECIAL) if bits >= 6 else USUAL
    return Plan(
        draw(trees()),
        draw(sessions()),
        compat,
        cache,
        snapshot=snapshot,
        copy_on_read=copy_on_read,
        observed=bool(bits & 1),
    )


def play(plan: Plan) -> Counter[str]:
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(plan, folder, counts))
    return counts


@pytest.mark.slow
@pytest.mark.timeout(180)
@settings(max_examples=500)
@given(plan=plans())
def test_both_paths_give_the_same_at_every_step(plan: Plan) -> None:
    counts = play(plan)

    for what, number in counts.items():
        if number:
            event(what)
