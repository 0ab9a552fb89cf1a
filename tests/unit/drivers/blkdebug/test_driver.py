from __future__ import annotations

import asyncio
from errno import ENOENT

import pytest

from blkdebug_async.block.flags import NO_FALLBACK
from blkdebug_async.compat import COMPAT
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.config import BlkdebugConfig
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError, Phase, Rule, SetState, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.null import NullCoDriver
from blkdebug_async.errors import OptionError
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from tests.unit.drivers.fakes import FakeOpener, FakeTarget


def rules_of(disk: Disk) -> list[Rule]:
    return [rule for _, rule in disk.unused_rules()]


RULES = {
    "plain": InjectError(Event.PWRITEV),
    "all fields": InjectError(
        Event.READ_AIO,
        errno=28,
        state=2,
        iotypes={IoType.READ},
        sector=7,
        once=True,
        immediately=True,
    ),
    "sector 0": InjectError(Event.PWRITEV, sector=0),
    "errno 0": InjectError(Event.PWRITEV, errno=0),
    "state": SetState(Event.PWRITEV, new_state=2),
    "state of a state": SetState(Event.PWRITEV, new_state=0, state=3),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())
async def test_name_of_a_driver_made_in_code_brings_its_rules_back(rule: Rule) -> None:
    async with open_disk(BlkdebugDriver(NullCoDriver(), [rule])) as disk:
        name = disk.filename

    async with open_disk(name) as again:
        assert rules_of(again) == [rule]


async def test_name_of_a_driver_made_in_code_keeps_the_order_of_its_rules() -> None:
    rules: list[Rule] = [
        InjectError(Event.PWRITEV, errno=1),
        SetState(Event.PWRITEV, new_state=2),
        InjectError(Event.PWRITEV, errno=2),
        SetState(Event.PWRITEV, new_state=3),
    ]
    async with open_disk(BlkdebugDriver(NullCoDriver(), rules)) as disk:
        name, heard = disk.filename, rules_of(disk)

    async with open_disk(name) as again:
        injects = [rule for rule in rules_of(again) if isinstance(rule, InjectError)]
        changes = [rule for rule in rules_of(again) if isinstance(rule, SetState)]
        assert injects == [rule for rule in heard if isinstance(rule, InjectError)]
        assert changes == [rule for rule in heard if isinstance(rule, SetState)]


async def test_name_of_a_driver_made_in_code_brings_its_limits_back() -> None:
    config = BlkdebugConfig(
        align=512,
        max_transfer=1 << 20,
        opt_write_zero=4096,
        max_write_zero=8192,
        opt_discard=16384,
        max_discard=32768,
    )
    async with open_disk(BlkdebugDriver(NullCoDriver(), config=config)) as disk:
        name, limits = disk.filename, disk.root.limits

    async with open_disk(name) as again:
        assert again.root.limits == limits


@pytest.mark.parametrize(
    "rule",
    [
        Suspend("A", phase=Phase.BEFORE_DRIVER),
        InjectError(Event.PWRITEV, iotypes={IoType.READ, IoType.WRITE}),
    ],
    ids=["breakpoint", "two kinds of request"],
)
async def test_name_of_a_driver_made_in_code_leaves_out_what_no_option_can_say(rule: Rule) -> None:
    async with open_disk(BlkdebugDriver(NullCoDriver(), [rule])) as disk:
        assert disk.filename == "blkdebug::null-co://"


async def test_options_of_a_driver_made_in_code_are_kept_by_a_reopen() -> None:
    rule = InjectError(Event.PWRITEV)
    async with open_disk(BlkdebugDriver(NullCoDriver(), [rule])) as disk:
        await disk.reopen({"read-only": True})

        assert rules_of(disk) == [rule]


@pytest.mark.parametrize("event", [Event.NONE, Event.CLUSTER_ALLOC_SPACE])
async def test_of_2018_no_breakpoint_can_be_at_a_later_event(event: Event) -> None:
    async with open_disk(BlkdebugDriver(NullCoDriver()), compat="seed") as disk:
        with pytest.raises(OptionError, match="There is no event") as caught:
            disk.breakpoint(event, "A")
        assert caught.value.errno == ENOENT


async def test_of_2018_zeroes_without_fallback_are_not_passed_on() -> None:
    for compat, flags in ((None, NO_FALLBACK), ("seed", 0)):
        async with open_disk(BlkdebugDriver(MemoryDriver(4096)), compat=compat) as disk:
            assert disk.root.driver.zero_flags & NO_FALLBACK == flags


SILENT: list[Rule] = [
    InjectError(Event.REFBLOCK_UPDATE),
    SetState(Event.REFBLOCK_UPDATE_PART, new_state=2),
    SetState(Event.REFBLOCK_UPDATE, new_state=2),
]


async def warnings_of_opening(compat: str) -> list[str]:
    opener = FakeOpener(FakeTarget())
    opener.compat = COMPAT[compat]
    await BlkdebugDriver("img", SILENT).open(opener)
    return opener.warnings


async def test_each_rule_for_an_event_that_nothing_announces_is_warned_of() -> None:
    warning = "Nothing announces event 'refblock_update': its rule will never match"
    assert await warnings_of_opening("none") == [warning, warning]


async def test_a_rule_for_an_event_that_nothing_announces_is_silent_where_qemu_is_followed() -> (
    None
):
    assert await warnings_of_opening("qemu-7.2") == []


async def test_a_breakpoint_that_would_hold_the_opening_is_refused() -> None:
    driver = BlkdebugDriver(NullCoDriver(), [Suspend("A", event=Event.NONE)])
    with pytest.raises(OptionError, match="'A' at event 'none'"):
        await open_disk(driver)


@pytest.mark.parametrize("phase", [Phase.BEFORE_DRIVER, Phase.AFTER_DRIVER])
async def test_a_query_of_block_status_can_be_held(phase: Phase) -> None:
    async with open_disk(BlkdebugDriver(MemoryDriver(4096))) as disk:
        disk.add_rule(Suspend("A", phase=phase))
        async with asyncio.TaskGroup() as group:
            query = group.create_task(disk.block_status(0, 4096))
            await disk.wait_suspended("A", within=10)
            disk.resume("A")
        assert query.result().length == 4096
