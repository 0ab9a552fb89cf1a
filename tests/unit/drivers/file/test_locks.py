from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EAGAIN, EBADF
from pathlib import Path

import pytest

from blkdebug_async.block.permissions import (
    ALL,
    CONSISTENT_READ,
    RESIZE,
    WRITE,
    WRITE_UNCHANGED,
    Permissions,
)
from blkdebug_async.drivers.file.locks import PermissionLocks
from blkdebug_async.errors import BlockError

pytestmark = pytest.mark.skipif(
    not PermissionLocks.available(), reason="locks belong to processes here"
)

NOTHING = Permissions(0, ALL)


class Holder:
    """Somebody who has the file open."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR)
        self.locks = PermissionLocks("the image")

    def change(self, taken: int, shared: int) -> None:
        self.locks.change(self.fd, Permissions(taken, shared))

    def may(self, taken: int, shared: int) -> bool:
        try:
            self.change(taken, shared)
        except BlockError as error:
            if error.errno != EAGAIN:
                raise
            return False
        self.change(*NOTHING)
        return True


@pytest.fixture
def holders(tmp_path: Path) -> Iterator[tuple[Holder, Holder]]:
    path = tmp_path / "image"
    path.touch()
    both = Holder(path), Holder(path)
    yield both
    for holder in both:
        os.close(holder.fd)


@pytest.mark.parametrize("bit", [CONSISTENT_READ, WRITE, WRITE_UNCHANGED, RESIZE])
def test_what_one_does_not_share_another_cannot_take(
    holders: tuple[Holder, Holder], bit: int
) -> None:
    one, other = holders
    one.change(0, ALL & ~bit)
    assert not other.may(bit, ALL)
    assert other.may(ALL & ~bit, ALL)


@pytest.mark.parametrize("bit", [CONSISTENT_READ, WRITE, WRITE_UNCHANGED, RESIZE])
def test_what_one_takes_another_must_share(holders: tuple[Holder, Holder], bit: int) -> None:
    one, other = holders
    one.change(bit, ALL)
    assert not other.may(0, ALL & ~bit)
    assert other.may(ALL, bit)


@pytest.mark.parametrize(
    ("held", "wanted", "message"),
    [
        (Permissions(0, ALL & ~WRITE), Permissions(WRITE, ALL), 'Failed to get "write" lock'),
        (
            Permissions(WRITE | RESIZE, ALL),
            Permissions(CONSISTENT_READ, CONSISTENT_READ),
            'Failed to get shared "write" lock',
        ),
        (Permissions(0, 0), Permissions(ALL, ALL), 'Failed to get "consistent read" lock'),
    ],
)
def test_the_refusal_names_the_permission(
    holders: tuple[Holder, Holder], held: Permissions, wanted: Permissions, message: str
) -> None:
    one, other = holders
    one.change(*held)
    with pytest.raises(BlockError) as caught:
        other.change(*wanted)
    assert str(caught.value) == message
    assert caught.value.hint == "Is another process using the image [the image]?"


def test_who_was_refused_holds_what_he_held_before(holders: tuple[Holder, Holder]) -> None:
    one, other = holders
    one.change(0, ALL & ~WRITE)
    other.change(CONSISTENT_READ, ALL)
    with pytest.raises(BlockError):
        other.change(CONSISTENT_READ | WRITE, ALL & ~RESIZE)
    one.change(*NOTHING)
    assert one.may(RESIZE, ALL)
    assert one.may(0, ALL & ~WRITE)
    assert not one.may(0, ALL & ~CONSISTENT_READ)


def test_what_is_given_up_is_free_at_once(holders: tuple[Holder, Holder]) -> None:
    one, other = holders
    one.change(ALL, 0)
    one.change(CONSISTENT_READ, ALL & ~RESIZE)
    assert other.may(WRITE, ALL)
    assert not other.may(RESIZE, ALL)


def test_giving_up_succeeds_whatever_others_do(holders: tuple[Holder, Holder]) -> None:
    one, other = holders
    one.change(WRITE | RESIZE, ALL)
    other.change(CONSISTENT_READ, ALL)
    one.change(WRITE, ALL)


def test_locks_move_to_another_descriptor(holders: tuple[Holder, Holder], tmp_path: Path) -> None:
    one, other = holders
    one.change(WRITE, ALL & ~WRITE_UNCHANGED)
    old, one.fd = one.fd, os.open(tmp_path / "image", os.O_RDONLY)
    one.locks.move(one.fd)
    os.close(old)
    assert not other.may(0, ALL & ~WRITE)
    assert not other.may(WRITE_UNCHANGED, ALL)
    one.change(*NOTHING)
    assert other.may(ALL, 0)


def test_locks_end_when_the_file_is_closed(holders: tuple[Holder, Holder]) -> None:
    one, other = holders
    one.change(ALL, 0)
    os.close(one.fd)
    assert other.may(ALL, 0)
    one.fd = os.dup(other.fd)


def test_a_byte_that_cannot_be_locked_is_named() -> None:
    with pytest.raises(BlockError) as caught:
        PermissionLocks("x").change(999_999, Permissions(WRITE, ALL))
    assert str(caught.value) == "Failed to lock byte 101: Bad file descriptor"
    assert caught.value.errno == EBADF
