from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.permissions import (
    ALL,
    CONSISTENT_READ,
    RESIZE,
    WRITE,
    WRITE_UNCHANGED,
    Permissions,
    Role,
    child_permissions,
    describe,
    find_conflict,
    together,
)

READ = CONSISTENT_READ
FILTER = Role.FILTERED | Role.PRIMARY
STORAGE = Role.DATA | Role.PRIMARY
FORMAT = Role.DATA | Role.METADATA | Role.PRIMARY


@pytest.mark.parametrize(
    ("perms", "spelt"),
    [
        (0, "none"),
        (READ, "consistent read"),
        (RESIZE | WRITE, "write, resize"),
        (ALL, "consistent read, write, write unchanged, resize"),
    ],
)
def test_permissions_are_spelt_in_the_order_of_qapi(perms: int, spelt: str) -> None:
    assert describe(perms) == spelt


@pytest.mark.parametrize("taken", range(ALL + 1))
@pytest.mark.parametrize("shared", [0, WRITE, ALL])
def test_a_filter_passes_its_parents_wishes_on(taken: int, shared: int) -> None:
    parents = Permissions(taken, shared)
    assert child_permissions(FILTER, parents, writable=True) == parents


def test_a_backing_child_is_only_read() -> None:
    below = child_permissions(Role.COW, Permissions(READ | WRITE | RESIZE, ALL), writable=True)
    assert below == Permissions(READ, ALL)


def test_a_backing_child_may_not_change_under_a_parent_that_shares_no_writing() -> None:
    below = child_permissions(Role.COW, Permissions(READ, READ), writable=True)
    assert below == Permissions(READ, READ | WRITE_UNCHANGED)


def test_whoever_writes_to_a_storage_child_may_also_make_it_longer() -> None:
    below = child_permissions(STORAGE, Permissions(READ | WRITE, ALL), writable=True)
    assert below == Permissions(READ | WRITE | RESIZE, ALL & ~RESIZE)


def test_a_storage_child_needs_write_where_the_parent_has_write_unchanged() -> None:
    below = child_permissions(STORAGE, Permissions(WRITE_UNCHANGED, ALL), writable=True)
    assert below.taken == WRITE_UNCHANGED | WRITE | RESIZE


def test_a_storage_child_that_is_only_read_may_be_written_by_others() -> None:
    below = child_permissions(STORAGE, Permissions(READ, ALL), writable=True)
    assert below == Permissions(READ, ALL & ~RESIZE)


def test_a_writable_format_keeps_its_tables_for_itself() -> None:
    below = child_permissions(FORMAT, Permissions(READ, ALL), writable=True)
    assert below == Permissions(READ | WRITE | RESIZE, READ | WRITE_UNCHANGED)


def test_a_read_only_format_takes_nothing_but_reading() -> None:
    below = child_permissions(FORMAT, Permissions(0, ALL), writable=False)
    assert below == Permissions(READ, READ | WRITE_UNCHANGED)


def test_parents_together_take_all_and_share_what_all_share() -> None:
    parents = [Permissions(READ, ALL), Permissions(WRITE, READ | WRITE)]
    assert together(parents) == Permissions(READ | WRITE, READ | WRITE)


def test_nobody_takes_nothing_and_shares_everything() -> None:
    assert together([]) == Permissions(0, ALL)


permissions = st.builds(Permissions, st.integers(0, ALL), st.integers(0, ALL))


@given(st.lists(permissions, max_size=6))
def test_the_latest_parent_that_does_not_share_what_another_takes_is_found(
    edges: list[Permissions],
) -> None:
    latest_first = range(len(edges) - 1, -1, -1)
    conflicts = [
        (other, taker, edges[taker].taken & ~edges[other].shared)
        for other in latest_first
        for taker in latest_first
        if taker != other and edges[taker].taken & ~edges[other].shared
    ]

    assert find_conflict(edges) == (conflicts[0] if conflicts else None)


@given(st.lists(permissions, max_size=6))
def test_parents_together_take_what_any_takes_and_share_what_all_share(
    edges: list[Permissions],
) -> None:
    taken, shared = together(edges)

    for bit in (READ, WRITE, WRITE_UNCHANGED, RESIZE):
        assert bool(taken & bit) == any(edge.taken & bit for edge in edges)
        assert bool(shared & bit) == all(edge.shared & bit for edge in edges)
