from __future__ import annotations

import pytest

from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.permissions import Role
from blkdebug_async.errors import OptionError
from blkdebug_async.generic import (
    NodeOptions,
    Place,
    fill_in,
    inherit,
    is_opened_as_protocol,
    take_policies,
    take_switches,
)
from blkdebug_async.options.tree import Options

STORAGE = Role.DATA | Role.METADATA | Role.PRIMARY
FILTERED = Role.FILTERED | Role.PRIMARY


def test_what_is_said_counts_more_than_flags() -> None:
    options: Options = {"read-only": "off"}
    fill_in(options, OpenFlags(read_only=True, direct=True))
    assert (options["read-only"], options["cache.direct"]) == ("off", True)


def test_force_share_is_passed_on_only_where_it_is_wanted() -> None:
    # An option that nobody gave would be one that cannot be changed later.
    options: Options = {}
    fill_in(options, OpenFlags())
    assert "force-share" not in options
    fill_in(options, OpenFlags(force_share=True))
    assert options["force-share"] is True


def test_children_get_the_very_words() -> None:
    options: Options = {"cache.no-flush": "yes"}
    inherit(options, STORAGE, {"read-only": "nonsense", "cache.no-flush": "on", "discard": "off"})
    assert options == {"read-only": "nonsense", "cache.no-flush": "yes", "discard": "unmap"}


def test_a_backing_child_is_read_only_whatever_the_parent_is() -> None:
    options: Options = {}
    inherit(options, Role.COW, {"read-only": "off", "auto-read-only": "on"})
    assert (options["read-only"], options["auto-read-only"]) == ("on", "off")


@pytest.mark.parametrize(
    ("role", "is_format", "is_protocol", "expected"),
    [
        (STORAGE, True, False, True),
        (Role.COW, True, False, False),
        (FILTERED, False, True, True),
        (FILTERED, False, False, False),
        (Role.DATA, False, True, False),
        (Role.METADATA, False, False, True),
    ],
)
def test_only_images_of_unknown_format_are_looked_into(
    role: Role, is_format: bool, is_protocol: bool, expected: bool
) -> None:
    protocol = is_opened_as_protocol(
        role, parent_is_format=is_format, parent_is_protocol=is_protocol
    )
    assert protocol is expected


def test_switches_that_are_not_given_are_off() -> None:
    flags = take_switches({"cache.direct": "on"}, OpenFlags(read_only=True))
    assert (flags.direct, flags.read_only) == (True, False)


def test_the_first_bad_switch_is_the_one_that_qemu_meets_first() -> None:
    bad: Options = {"cache.direct": "x", "force-share": "x", "read-only": "x"}
    with pytest.raises(OptionError, match="'read-only' expects 'on' or 'off'"):
        take_switches(bad, OpenFlags())


def test_what_was_taken_is_gone() -> None:
    options: Options = {"read-only": True, "discard": "off", "detect-zeroes": "on", "size": 1}
    take_policies(options, take_switches(options, OpenFlags()))
    assert options == {"size": 1}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"discard": "x", "detect-zeroes": "x"}, "Invalid discard option"),
        ({"detect-zeroes": "x"}, "invalid parameter value: x"),
        (
            {"detect-zeroes": "unmap"},
            "setting detect-zeroes to unmap is not allowed without setting discard operation to "
            "unmap",
        ),
    ],
)
def test_policies_that_do_not_exist_are_refused(options: Options, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        take_policies(options, OpenFlags())
    assert str(caught.value) == message


def test_zeroes_may_be_discarded_where_discards_go_through() -> None:
    flags = take_policies({"detect-zeroes": "unmap", "discard": "unmap"}, OpenFlags())
    assert (flags.detect_zeroes, flags.unmap) == ("unmap", True)


def test_a_tree_has_no_more_levels_than_a_request_can_pass() -> None:
    parent: NodeOptions | None = None
    for _ in range(32):
        parent = NodeOptions({}, {}, parent)
    assert parent is not None
    assert parent.inherits_from is not None
    Place(OpenFlags(), False, (parent.inherits_from, STORAGE)).check_depth()
    with pytest.raises(OptionError, match="More than 32 nodes"):
        Place(OpenFlags(), False, (parent, STORAGE)).check_depth()
