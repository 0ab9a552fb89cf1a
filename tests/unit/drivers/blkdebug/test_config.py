from __future__ import annotations

from dataclasses import replace
from errno import EINVAL, EIO, ENOSPC, EPERM

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import RESIZE, WRITE
from blkdebug_async.compat import COMPAT, SAFE, Compat
from blkdebug_async.drivers.blkdebug.config import (
    BlkdebugConfig,
    apply_limits,
    check_limits,
    parse_config,
    spell_options,
    take_config_name,
)
from blkdebug_async.drivers.blkdebug.rules import InjectError, Rule, SetState
from blkdebug_async.errors import OptionError
from blkdebug_async.events import Event, IoType
from blkdebug_async.options.reader import OptionReader
from blkdebug_async.options.tree import Options

QEMU_7_2 = COMPAT["qemu-7.2"]
SEED = COMPAT["seed"]
INT_MAX = (1 << 31) - 1


def parse(options: Options, ini: str | None = None, compat: Compat = SAFE) -> BlkdebugConfig:
    reader = OptionReader(dict(options), driver="blkdebug")
    name = take_config_name(reader) or "rules.conf"
    config = parse_config(reader, None if ini is None else ini.encode(), name, compat)
    reader.finish()
    return config


def complaint(options: Options, ini: str | None = None, compat: Compat = SAFE) -> str:
    with pytest.raises(OptionError) as caught:
        parse(options, ini, compat)
    assert caught.value.errno == EINVAL
    return str(caught.value)


def injection(**options: str | int | bool) -> Options:
    return {f"inject-error.{key}": value for key, value in {"event": "read_aio", **options}.items()}


def parse_injection(compat: Compat = SAFE, **options: str | int | bool) -> InjectError:
    (rule,) = parse(injection(**options), compat=compat).rules
    assert isinstance(rule, InjectError)
    return rule


# --- rules ---


def test_no_options_change_nothing() -> None:
    assert parse({}) == BlkdebugConfig()


def test_injection_has_qemus_defaults() -> None:
    assert parse_injection() == InjectError(Event.READ_AIO, errno=EIO)


def test_injection_may_say_everything() -> None:
    rule = parse_injection(
        state=2, iotype="block-status", errno="28", sector="0x10", once="on", immediately=True
    )
    assert rule == InjectError(
        Event.READ_AIO,
        errno=ENOSPC,
        state=2,
        iotypes={IoType.BLOCK_STATUS},
        sector=16,
        once=True,
        immediately=True,
    )


def test_as_many_rules_are_read_as_there_are() -> None:
    options: Options = {}
    for index in range(40):
        options |= {f"inject-error.{index}.event": "read_aio", f"inject-error.{index}.errno": index}

    rules = parse(options).rules

    assert [rule.errno for rule in rules if isinstance(rule, InjectError)] == list(range(40))


def test_configuration_is_read_anew_where_only_a_type_differs() -> None:
    assert parse_injection(once=True).once
    assert complaint(injection(once=1)) == "Parameter 'once' expects 'on' or 'off'"
    assert parse_injection(errno=1).errno == 1
    assert complaint(injection(errno=True)) == "Parameter 'errno' expects a number"


def test_configuration_is_read_anew_where_its_file_or_the_switches_differ() -> None:
    text = '[inject-error]\nevent = "cluster_alloc_space"\n'
    (rule,) = parse({}, text).rules

    assert rule.event is Event.CLUSTER_ALLOC_SPACE
    assert parse({}, "").rules == ()
    assert "cluster_alloc_space" in complaint({}, text, SEED)


def test_state_change_has_qemus_defaults() -> None:
    assert parse({"set-state.event": "l2_load"}).rules == (SetState(Event.L2_LOAD, new_state=0),)


def test_state_change_may_say_everything() -> None:
    options: Options = {
        "set-state.event": "l2_load",
        "set-state.state": "1",
        "set-state.new_state": "2",
    }
    assert parse(options).rules == (SetState(Event.L2_LOAD, new_state=2, state=1),)


def test_rules_of_both_kinds_may_be_told_to_fire_only_maybe() -> None:
    options: Options = injection(maybe="on") | {
        "set-state.event": "l2_load",
        "set-state.maybe": True,
    }
    assert parse(options).rules == (
        InjectError(Event.READ_AIO, maybe=True),
        SetState(Event.L2_LOAD, new_state=0, maybe=True),
    )
    assert parse({}, '[inject-error]\nevent = "read_aio"\nmaybe = "on"\n').rules == (
        InjectError(Event.READ_AIO, maybe=True),
    )


@pytest.mark.parametrize("compat", [QEMU_7_2, SEED])
def test_no_rule_fires_maybe_where_qemu_is_followed(compat: Compat) -> None:
    message = "Unknown option 'maybe' for [inject-error]"
    assert complaint(injection(maybe="on"), compat=compat).endswith(message)


def test_rules_that_fire_maybe_are_spelt_again_as_they_were_read() -> None:
    rules = (InjectError(Event.READ_AIO, maybe=True), SetState(Event.L2_LOAD, 2, maybe=True))
    assert parse(spell_options(BlkdebugConfig(), rules)).rules == rules


def test_injections_come_first_and_those_of_the_file_before_others() -> None:
    ini = """
[set-state]
event = "read_aio"
new_state = "5"
[inject-error]
event = "read_aio"
errno = "1"
"""
    options: Options = {
        "set-state.0.event": "write_aio",
        "set-state.0.new_state": 6,
        "inject-error.0.event": "write_aio",
        "inject-error.0.errno": 28,
        "inject-error.1.event": "none",
    }
    expected: tuple[Rule, ...] = (
        InjectError(Event.READ_AIO, errno=EPERM),
        InjectError(Event.WRITE_AIO, errno=ENOSPC),
        InjectError(Event.NONE),
        SetState(Event.READ_AIO, new_state=5),
        SetState(Event.WRITE_AIO, new_state=6),
    )
    assert parse(options, ini).rules == expected


@pytest.mark.parametrize(
    ("number", "sector"),
    [("-1", None), ("18446744073709551615", None), ("36028797018963968", 0), ("0", 0)],
)
def test_sector_is_any_for_minus_one_and_starts_again_after_64_bits_of_bytes(
    number: str, sector: int | None
) -> None:
    assert parse_injection(sector=number).sector == sector


def test_sector_below_minus_one_is_beyond_every_image() -> None:
    sector = parse_injection(sector=-2).sector
    assert sector is not None
    assert sector * 512 > 1 << 63


@pytest.mark.parametrize(
    ("number", "state"),
    [("4294967296", 0), ("4294967297", 1), ("-1", -1), ("2147483648", -(1 << 31))],
)
def test_states_have_32_bits(number: str, state: int) -> None:
    assert parse_injection(state=number).state == state
    options: Options = {"set-state.event": "none", "set-state.new_state": number}
    assert parse(options).rules == (SetState(Event.NONE, new_state=state),)


@pytest.mark.parametrize("number", ["-5", "4096", "4294967301"])
def test_impossible_errno_is_refused(number: str) -> None:
    message = complaint(injection(errno=number))
    assert message == f"errno must be between 0 and 4095, but is {number}"


@pytest.mark.parametrize(
    ("number", "errno"), [("-5", -5), ("5000", 5000), ("4294967301", 5), ("0", 0)]
)
def test_any_errno_is_accepted_in_32_bits_where_qemu_is_followed(number: str, errno: int) -> None:
    assert parse_injection(QEMU_7_2, errno=number).errno == errno


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inject-error.iotype": "y"}, "Missing event name for rule"),
        ({"inject-error.event": ""}, "invalid parameter value: "),
        (injection(event="x", iotype="y"), "invalid parameter value: x"),
        (injection(iotype="truncate"), "invalid parameter value: truncate"),
        ({"set-state.event": "foo", **injection(iotype="y")}, "invalid parameter value: y"),
        (injection(errno="many"), "Parameter 'errno' expects a number"),
        (injection(once="1"), "Parameter 'once' expects 'on' or 'off'"),
        (injection(foo="1"), "Unknown option 'foo' for [inject-error]"),
        ({"align": "x", **injection(event="x")}, "expects a non-negative number below 2^64"),
        ({"foo": 1}, "Block protocol 'blkdebug' doesn't support the option 'foo'"),
    ],
)
@pytest.mark.parametrize("compat", [SAFE, QEMU_7_2])
def test_bad_options_are_refused_as_in_qemu(options: Options, message: str, compat: Compat) -> None:
    assert complaint(options, compat=compat).endswith(message)


# --- files ---


def test_config_name_is_taken() -> None:
    reader = OptionReader({"config": "a.conf"}, driver="blkdebug")
    assert take_config_name(reader) == "a.conf"
    reader.finish()


def test_ill_formed_size_is_refused_before_the_config_file_is_looked_for() -> None:
    reader = OptionReader({"config": "absent", "align": "x"}, driver="blkdebug")
    with pytest.raises(OptionError, match="Parameter 'align'"):
        take_config_name(reader)


@pytest.mark.parametrize(
    ("ini", "place", "message"),
    [
        ("[inject-error]\n", "1", "Missing event name for rule"),
        ('#\n[set-state]\nstate = "1"\nevent = "foo"\n', "4", "invalid parameter value: foo"),
        ('[set-state]\nevent = "foo"\nevent = "bar"\n', "3", "invalid parameter value: bar"),
        (
            '[inject-error]\niotype = "foo"\nevent = "none"\n',
            "2",
            "invalid parameter value: foo",
        ),
        ('[inject-error]\nbar = "1"\n', "2", "Invalid parameter 'bar'"),
        ("[foo]\n", "1", "There is no option group 'foo'"),
    ],
)
def test_mistake_in_a_file_is_told_with_its_place_unless_qemu_is_followed(
    ini: str, place: str, message: str
) -> None:
    assert complaint({}, ini) == f"rules.conf:{place}: {message}"
    assert complaint({}, ini, QEMU_7_2) == message


def test_impossible_errno_in_a_file_is_told_with_its_place() -> None:
    ini = '[inject-error]\nevent = "none"\n\nerrno = "5000"\n'
    message = "errno must be between 0 and 4095, but is 5000"
    assert complaint({}, ini) == f"rules.conf:4: {message}"


def test_mistake_in_a_file_is_told_with_the_name_that_was_given() -> None:
    assert complaint({"config": "my.conf"}, "[foo]\n").startswith("my.conf:1: ")


def test_ids_of_a_file_are_taken() -> None:
    ini = '[inject-error "inject-error.0"]\nevent = "none"\n'
    options: Options = {"inject-error.0.event": "none"}
    message = complaint(options, ini, QEMU_7_2)
    assert message == "Duplicate ID 'inject-error.0' for inject-error"


def test_ids_of_a_file_in_another_group_are_free() -> None:
    ini = '[set-state "inject-error.0"]\nevent = "none"\n'
    options: Options = {"inject-error.0.event": "none"}
    assert len(parse(options, ini).rules) == 2


# --- 2018 ---


@pytest.mark.parametrize("event", ["none", "cluster_alloc_space"])
def test_of_2018_later_events_are_unknown(event: str) -> None:
    assert complaint(injection(event=event), compat=SEED) == f"invalid parameter value: {event}"


def test_of_2018_iotype_is_unknown() -> None:
    message = complaint(injection(iotype="read"), compat=SEED)
    assert message == "Unknown option 'iotype' for [inject-error]"


def test_of_2018_permission_lists_are_unknown() -> None:
    message = complaint({"take-child-perms.0": "write"}, compat=SEED)
    assert message.endswith("doesn't support the option 'take-child-perms.0'")


def test_of_2018_other_rules_are_as_later() -> None:
    assert parse_injection(SEED) == parse_injection()


# --- permissions ---


def test_permissions_are_taken_and_not_shared() -> None:
    config = parse(
        {
            "take-child-perms.0": "write",
            "take-child-perms.1": "resize",
            "unshare-child-perms.0": "write",
        }
    )
    assert config.take_perms == WRITE | RESIZE
    assert config.unshare_perms == WRITE


def test_unknown_permission_is_refused() -> None:
    message = complaint({"take-child-perms.0": "graph-mod"})
    assert message == "Parameter 'null' does not accept value 'graph-mod'"


# --- limits ---

LIMITS = ("max-transfer", "opt-write-zero", "max-write-zero", "opt-discard", "max-discard")


def test_limits_are_sizes() -> None:
    config = parse(
        {
            "align": "4k",
            "max-transfer": 65536,
            "opt-write-zero": "8k",
            "max-write-zero": "16k",
            "opt-discard": "12k",
            "max-discard": "0x6000",
        }
    )
    assert config == BlkdebugConfig(
        align=4096,
        max_transfer=65536,
        opt_write_zero=8192,
        max_write_zero=16384,
        opt_discard=12288,
        max_discard=24576,
    )


@pytest.mark.parametrize("name", ["align", *LIMITS])
def test_zero_means_no_limit(name: str) -> None:
    assert parse({name: "0"}) == BlkdebugConfig()


def limits_complaint(options: Options, child_alignment: int = 1) -> str | None:
    config = parse(options)
    try:
        check_limits(config, child_alignment)
    except OptionError as error:
        return error.strerror.removeprefix("Cannot meet constraints with ")
    return None


@pytest.mark.parametrize("size", [3, 4097, INT_MAX, 1 << 31, (1 << 64) - 1])
def test_alignment_must_be_a_power_of_two_below_int_max(size: int) -> None:
    assert limits_complaint({"align": size}) == f"align {size}"


def test_limits_that_cannot_be_met_are_an_invalid_argument() -> None:
    with pytest.raises(OptionError) as caught:
        check_limits(BlkdebugConfig(align=3), 1)
    assert caught.value.errno == EINVAL


@pytest.mark.parametrize("size", [1, 512, 1 << 30])
def test_alignment_may_be_any_smaller_power_of_two(size: int) -> None:
    assert limits_complaint({"align": size}) is None


@pytest.mark.parametrize("name", LIMITS)
def test_limit_must_be_a_multiple_of_both_alignments(name: str) -> None:
    assert limits_complaint({name: "1.5k"}) is None
    assert limits_complaint({name: "1.5k", "align": "1k"}) == f"{name} 1536"
    assert limits_complaint({name: "1.5k"}, 1024) == f"{name} 1536"
    assert limits_complaint({name: "2k", "align": 512}, 1024) is None


@pytest.mark.parametrize("name", LIMITS)
def test_limit_must_be_below_int_max(name: str) -> None:
    assert limits_complaint({name: INT_MAX}) == f"{name} {INT_MAX}"
    assert limits_complaint({name: INT_MAX - 1}) is None


@pytest.mark.parametrize("kind", ["write-zero", "discard"])
def test_maximum_must_be_a_multiple_of_the_best_alignment(kind: str) -> None:
    options: Options = {f"opt-{kind}": "8k", f"max-{kind}": "12k", "align": "4k"}
    assert limits_complaint(options) == f"max-{kind} 12288"
    assert limits_complaint({**options, f"max-{kind}": "16k"}) is None


def test_first_limit_in_qemus_order_is_complained_about() -> None:
    options: Options = dict.fromkeys(LIMITS, 513)
    seen = []
    for name in LIMITS:
        seen.append(limits_complaint(options, 512))
        del options[name]
    assert seen == [f"{name} 513" for name in LIMITS]


def test_limits_that_were_given_replace_those_of_the_child() -> None:
    child = Limits(request_alignment=4096, max_transfer=1 << 20, max_iov=16)
    config = BlkdebugConfig(
        align=512,
        max_transfer=2048,
        opt_write_zero=1024,
        max_write_zero=3072,
        opt_discard=4096,
        max_discard=8192,
    )
    assert apply_limits(config, child) == Limits(
        request_alignment=512,
        max_transfer=2048,
        pwrite_zeroes_alignment=1024,
        max_pwrite_zeroes=3072,
        pdiscard_alignment=4096,
        max_pdiscard=8192,
        max_iov=16,
    )


@given(
    st.builds(
        Limits,
        request_alignment=st.sampled_from([1, 512, 4096]),
        max_transfer=st.none() | st.integers(1, 1 << 30),
        pwrite_zeroes_alignment=st.none() | st.integers(1, 1 << 30),
        max_pwrite_zeroes=st.none() | st.integers(1, 1 << 30),
        pdiscard_alignment=st.none() | st.integers(1, 1 << 30),
        max_pdiscard=st.none() | st.integers(1, 1 << 30),
    )
)
def test_limits_that_were_not_given_stay(limits: Limits) -> None:
    assert apply_limits(BlkdebugConfig(), limits) == limits
    assert apply_limits(BlkdebugConfig(align=8), limits) == replace(limits, request_alignment=8)
