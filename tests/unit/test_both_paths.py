from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from errno import EIO, ENOSPC
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
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
from blkdebug_async.drivers.blkdebug.rules import (
    InjectError,
    Phase,
    Predicate,
    Rule,
    SetState,
    Suspend,
)
from blkdebug_async.drivers.file import blocking
from blkdebug_async.events import RULE_IO_TYPES, Event, IoType
from tests.unit.noting import BLOCK, NotingDriver
from tests.unit.twins import Op, Plan, TwinsDifferError, compare

T = TypeVar("T")
KIB = 1024
SIZE = 16 * KIB
EVENTS = (
    *(Event.PWRITEV,) * 4,
    *(Event.PWRITEV_DONE,) * 4,
    Event.PWRITEV_ZERO,
    *(Event.PWRITEV_RMW_HEAD, Event.PWRITEV_RMW_AFTER_TAIL, Event.READ_AIO, Event.WRITE_AIO),
    *(Event.FLUSH_TO_OS, Event.FLUSH_TO_DISK, Event.COR_WRITE),
)
FLAGS = {
    "write": (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, FUA, FUA, SERIALISING, WRITE_UNCHANGED),
    "read": (0, 0, 0, 0, 0, 0, 0, 0, 0, COPY_ON_READ),
    "zeroes": (0, MAY_UNMAP, NO_FALLBACK, FUA),
    "discard": (0,),
}
REQUESTS = ("write",) * 5 + ("read",) * 4 + ("zeroes", "discard")
TAGS = ("tag0", "tag1", "tag2")


async def _at_once(function: Callable[..., T], *args: object) -> T:
    return function(*args)


@pytest.fixture(autouse=True, scope="module")
def _known_drivers() -> Iterator[None]:
    before = dict(DRIVERS)
    register_driver(NotingDriver)
    with pytest.MonkeyPatch.context() as patch:
        # What a thread does takes nobody knows how many turns of the loop.
        patch.setattr(blocking, "run_in_thread", _at_once)
        yield
    DRIVERS.clear()
    DRIVERS.update(before)


class Dice:
    # Hypothesis would begin with small plans, in which hardly anything happens.

    def __init__(self, random: Random) -> None:
        self._random = random

    def one_in(self, number: int) -> bool:
        return self._random.randrange(number) == 0

    def of(self, *things: T) -> T:
        return things[self._random.randrange(len(things))]

    def below(self, number: int) -> int:
        return self._random.randrange(number)

    def some(self, **options: object) -> dict[str, object]:
        return {key.replace("_", "-"): options[key] for key in options if self.one_in(3)}

    # --- rules ---

    def injection(self) -> InjectError:
        return InjectError(
            self.of(*EVENTS),
            self.of(EIO, EIO, ENOSPC, 0),
            state=self.of(0, 0, 0, 1, 2),
            iotypes=self.of({IoType.READ}, {IoType.WRITE}, {self.of(*RULE_IO_TYPES)}),
            sector=self.of(None, None, None, 0, 3, 8),
            once=self.one_in(3),
            immediately=self.one_in(2),
        )

    def state_change(self) -> SetState:
        return SetState(self.of(*EVENTS), new_state=self.below(3), state=self.of(0, 0, 1, 2))

    def breakpoint(self) -> Suspend:
        predicate = Predicate(
            ops=self.of(None, {IoType.READ}, {IoType.WRITE}),
            offset=self.of(0, 0, 4 * KIB),
            nth=self.of(None, None, 1, 2),
        )
        event, phase = self.of((self.of(*EVENTS), None), (None, self.of(*Phase)))
        return Suspend(
            self.of(*TAGS),
            event,
            phase,
            predicate=predicate if self.one_in(3) else None,
            count=self.of(1, 1, 2, None),
        )

    def rule(self) -> Rule:
        rules: tuple[Rule, ...] = (self.injection(), self.state_change(), self.breakpoint())
        return self.of(*rules)

    # --- trees ---

    def leaf(self) -> dict[str, object]:
        size = self.of(SIZE, SIZE, SIZE, SIZE - 300)
        match self.of("memory", "noting", "noting", "null-co", "null-aio", "file"):
            case "file":
                return {
                    "driver": "file",
                    "filename": "odd" if size % BLOCK else "even",
                    "aio": "threads",
                }
            case "noting":
                options = self.some(
                    align=self.of(BLOCK, 4 * KIB),
                    cold=self.of(2, 3, 5),
                    bad=self.below(SIZE // BLOCK),
                    fua=False,
                )
                return {"driver": "noting", "size": size, **options}
            case "memory":
                return {"driver": "memory", "size": size}
            case null:
                return {"driver": null, "size": size, "read-zeroes": self.one_in(2)}

    def over(self, below: dict[str, object]) -> dict[str, object]:
        match self.of(*["blkdebug"] * 8, "raw", "raw", "copy-on-read", "overlay"):
            case "blkdebug":
                return {"driver": "blkdebug", "image": below, **self.limits(), **self.rules()}
            case "raw":
                window = self.some(
                    offset=self.of(4 * KIB, 512, 1000), size=self.of(8 * KIB, 12 * KIB - 512)
                )
                return {"driver": "raw", "file": below, **window}
            case "overlay":
                return {"driver": "overlay", "backing": below}
            case _:
                return {"driver": "copy-on-read", "file": below}

    def limits(self) -> dict[str, object]:
        return self.some(
            align=self.of(BLOCK, 4 * KIB),
            max_transfer=self.of(4 * KIB, 8 * KIB),
            max_write_zero=4 * KIB,
            opt_discard=4 * KIB,
        )

    def rules(self) -> dict[str, object]:
        if not self.one_in(6):
            return {}
        injection, change = self.injection(), self.state_change()
        error = {
            "event": str(injection.event),
            "errno": injection.errno,
            "state": injection.state,
            "iotype": str(min(injection.iotypes)),
            "once": injection.once,
        }
        state = {"event": str(change.event), "state": change.state, "new_state": change.new_state}
        return self.some(inject_error=[error], set_state=[state])

    def tree(self) -> dict[str, object]:
        tree = self.leaf()
        for _ in range(self.below(4)):
            tree = self.over(tree)
            if self.one_in(24):
                tree["detect-zeroes"] = self.of("on", "unmap")
            if self.one_in(24):
                tree["cache.no-flush"] = True
        return tree

    # --- sessions ---

    def offset(self) -> int:
        return self.of(
            self.below(SIZE // BLOCK) * BLOCK,
            self.below(4) * 4 * KIB,
            self.below(4) * 4 * KIB + 100,
            self.below(SIZE),
            self.of(-BLOCK, -1, SIZE, SIZE - 1, SIZE - BLOCK, SIZE - 4 * KIB, 0, 0),
        )

    def request(self) -> Op:
        kind = self.of(*REQUESTS)
        length = self.of(0, BLOCK, KIB, 4 * KIB, self.below(3 * KIB), self.below(100))
        return Op(
            kind,
            self.offset(),
            length,
            value=self.of(0, 1, 2, 3, 255),
            flags=self.of(*FLAGS[kind]),
            cut=self.of(0, length // 3),
            together=self.one_in(3),
            beside=self.one_in(3),
        )

    def requests(self, most: int) -> list[Op]:
        return [self.request() for _ in range(1 + self.below(most))]

    def held(self) -> list[Op]:
        # Who is held in the midst of something, and who comes meanwhile.
        rule, number = self.breakpoint(), self.below(3)
        tag = int(rule.tag[-1])
        return [
            Op("rule", number=number, rule=rule),
            *self.requests(6),
            Op(self.of("resume", "unbreak"), number=number, value=tag),
        ]

    def armed(self) -> list[Op]:
        number = self.below(3)
        rules: list[Rule] = [self.injection() for _ in range(self.of(1, 1, 2, 3))]
        if self.one_in(3):
            rules.append(self.state_change())
        return [
            *(Op("rule", number=number, rule=rule) for rule in rules),
            *self.requests(8),
            *(Op("unrule", number=number, rule=rule) for rule in rules if not self.one_in(8)),
            *self.requests(3),
        ]

    def interrupted(self) -> list[Op]:
        if self.one_in(2):
            return [Op("drain"), *self.requests(3), Op("end drain")]
        return [Op("reopen", value=1), *self.requests(3), Op("reopen"), *self.requests(3)]

    def steering(self) -> list[Op]:
        beside = self.one_in(2)
        match self.of("flush", "flush", "truncate", "beside", "rule", "cancel", "unbreak"):
            case "truncate":
                size = self.of(self.offset(), SIZE, SIZE, 2 * SIZE)
                return [Op("truncate", size, beside=beside)]
            case "rule":
                return [Op("rule", number=self.below(3), rule=self.rule())]
            case kind:
                return [Op(kind, number=self.below(4), value=self.below(3), beside=beside)]

    def session(self) -> list[Op]:
        ops = []
        for _ in range(8):
            phrases = [self.held(), self.armed(), self.steering(), self.interrupted()]
            ops += self.of(*[self.requests(8)] * 5, *phrases)
        return ops

    def plan(self) -> Plan:
        plan = Plan(self.tree(), self.session(), observed=self.one_in(2))
        if not self.one_in(5):
            return plan
        return replace(
            plan,
            compat=self.of(None, "qemu-7.2", "seed", "seed"),
            cache=self.of("writeback", "writeback", "unsafe", "writethrough"),
            snapshot=self.one_in(4),
            copy_on_read=self.one_in(4),
        )


def play(plan: Plan) -> Counter[str]:
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(plan, folder, counts))
    return counts


def shortest(plan: Plan) -> Plan:
    # Of a plan whose worlds differ, what cannot be left out.
    index = 0
    while index < len(plan.ops):
        shorter = replace(plan, ops=[*plan.ops[:index], *plan.ops[index + 1 :]])
        try:
            play(shorter)
        except TwinsDifferError:
            plan = shorter
        else:
            index += 1
    return plan


def play_or_explain(plan: Plan) -> Counter[str]:
    try:
        return play(plan)
    except TwinsDifferError:
        plan = shortest(plan)
        try:
            return play(plan)
        except TwinsDifferError as error:
            error.add_note(f"the shortest plan that differs: {plan}")
            raise


@pytest.mark.slow
@pytest.mark.timeout(180)
@settings(max_examples=300)
@given(random=st.randoms(use_true_random=True))
def test_both_paths_give_the_same_at_every_step(random: Random) -> None:
    play_or_explain(Dice(random).plan())


@pytest.mark.slow
def test_a_large_share_of_these_requests_is_answered_at_once() -> None:
    counts: Counter[str] = Counter()
    for seed in range(150):
        counts += play(Dice(Random(seed)).plan())

    assert counts["reads"] > 1000
    assert counts["reads at once"] > counts["reads"] // 5
    assert counts["writes"] > 1000
    assert counts["writes at once"] > counts["writes"] // 5
    assert counts["not opened"] < 25
