from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block import permissions as perms
from blkdebug_async.block.driver import FilterDriver, NodeSource, Opener
from blkdebug_async.block.graph import node_permissions, parents_first
from blkdebug_async.block.permissions import FILTERED_CHILD, Permissions, Role
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.opening import open_disk
from blkdebug_async.options.reader import ChildOptions, OptionReader


@st.composite
def graphs(draw: st.DrawFn) -> list[list[int]]:
    # A node has only later ones below it, so there are no cycles, and 0 is above some of them.
    size = draw(st.integers(1, 9))
    return [
        draw(st.lists(st.integers(node + 1, size - 1), unique=True)) if node + 1 < size else []
        for node in range(size)
    ]


@given(graphs())
def test_each_node_is_listed_once_and_after_all_of_its_parents(graph: list[list[int]]) -> None:
    def below(node: int) -> Sequence[int]:
        return graph[node]

    listed = parents_first(0, below)

    reachable = {0}
    for node in range(len(graph)):
        if node in reachable:
            reachable.update(graph[node])
    assert len(listed) == len(reachable)
    assert set(listed) == reachable
    for parent in listed:
        assert all(listed.index(parent) < listed.index(child) for child in graph[parent])


def test_of_two_branches_the_first_is_listed_first() -> None:
    branches = {"top": ["a", "b"], "a": ["a1"], "b": ["b1"], "a1": [], "b1": []}

    assert parents_first("top", branches.__getitem__) == ["top", "a", "a1", "b", "b1"]


class Pair(FilterDriver):
    # Reaches the node below by two edges.

    name = "pair"

    def __init__(self, source: NodeSource) -> None:
        super().__init__()
        self._source = source

    @classmethod
    def from_options(cls, reader: OptionReader) -> Pair:
        raise NotImplementedError

    async def open(self, opener: Opener) -> None:
        self.file = await opener.open_child("file", self._source, FILTERED_CHILD)
        again = ChildOptions("other", self.file.node_name, None, {})
        await opener.open_child("other", again, Role.FILTERED)


class Counting(MemoryDriver):
    name = "counting"

    def __init__(self) -> None:
        super().__init__(1024)
        self.heard: frozenset[str] = frozenset()
        self.told: list[Permissions] = []

    def permissions_changed(self, permissions: Permissions) -> None:
        self.told.append(permissions)


async def test_node_with_many_ways_to_it_is_asked_once() -> None:
    bottom = Counting()
    source: NodeSource = bottom
    for _ in range(12):
        source = Pair(source)
    async with open_disk(source) as disk:
        bottom.told.clear()
        node_permissions(disk.root)
        assert bottom.told == [Permissions(perms.CONSISTENT_READ | perms.WRITE, perms.ALL)]


async def test_node_is_not_asked_again_where_nothing_changes_for_it() -> None:
    bottom = Counting()
    async with open_disk(Pair(bottom)) as disk:
        bottom.told.clear()
        node_permissions(disk.root, all_below=False)
        assert bottom.told == []


async def test_refused_permissions_are_given_back_on_all_ways() -> None:
    class Refusing(Counting):
        def permissions_changed(self, permissions: Permissions) -> None:
            super().permissions_changed(permissions)
            if permissions.taken & perms.RESIZE:
                raise BlockError(1, "no")

    bottom = Refusing()
    async with open_disk(Pair(Pair(bottom))) as disk:
        before = [edge.permissions for node in disk.root.walk() for edge in node.parents]
        with pytest.raises(BlockError, match="no"):
            disk.acquire(perms.RESIZE)
        assert [edge.permissions for node in disk.root.walk() for edge in node.parents] == before
