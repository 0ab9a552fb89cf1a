from __future__ import annotations

import pickle
from errno import EBUSY, EINVAL, EIO, ENOENT, ENOSPC, EPROTO

import pytest

from blkdebug_async.errors import (
    BlockError,
    CorruptImageError,
    InjectedError,
    OptionError,
    SuspendedError,
    WireError,
)


def test_an_error_reads_as_its_message_and_keeps_its_errno() -> None:
    error = InjectedError(ENOSPC, "no room for 512 bytes")
    assert str(error) == "no room for 512 bytes"
    assert error.errno == ENOSPC


def test_code_that_knows_nothing_of_us_catches_an_os_error() -> None:
    with pytest.raises(OSError, match="held") as caught:
        raise SuspendedError(EBUSY, "still held")
    assert caught.value.errno == EBUSY


@pytest.mark.parametrize(
    ("error", "errno"),
    [
        (OptionError("size is invalid: x"), EINVAL),
        (CorruptImageError("two tables for one cluster"), EIO),
        (WireError("magic is 0"), EPROTO),
    ],
    ids=["option", "corrupt image", "wire"],
)
def test_kinds_of_error_have_an_errno_of_their_own(error: BlockError, errno: int) -> None:
    assert error.errno == errno


def test_the_errno_of_a_kind_can_be_another_one() -> None:
    assert OptionError("no such event", errno=ENOENT).errno == ENOENT


@pytest.mark.parametrize(
    "error",
    [
        BlockError(EIO, "read of 512 bytes", hint="try again"),
        OptionError("size is invalid: x", hint="a number", errno=ENOENT),
        CorruptImageError("two tables for one cluster"),
    ],
    ids=["block", "option", "corrupt image"],
)
def test_errors_travel_between_processes_whole(error: BlockError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (copy.errno, str(copy), copy.hint) == (error.errno, str(error), error.hint)
