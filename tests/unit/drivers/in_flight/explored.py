"""Disks in runs whose requests complete as a test says."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from blkdebug_async import Disk
from blkdebug_async.explore.actions import Action, Kind, Scheduler
from blkdebug_async.explore.loop import ExploringLoop
from blkdebug_async.units import KIB
from tests.unit.explore.loop_schedulers import Listed

_T = TypeVar("_T")

MEMORY: Mapping[str, object] = {"driver": "memory", "size": 4 * KIB}


@dataclass
class Completing(Listed):
    """Completes requests in an order, when nothing else can happen but what would anyway."""

    #: Parts of the keys of requests: what is named earlier completes earlier. Of what is not
    #: named, the oldest first, after all that is.
    order: Sequence[str] = ()
    #: Parts of the keys of what happens as soon as it can.
    first: Sequence[str] = ()
    #: Parts of the keys of choices, and what is chosen there; elsewhere 0.
    chosen: Mapping[str, int] = field(default_factory=dict)
    #: What was asked: in how many ways, and about what.
    asked: list[tuple[int, str]] = field(default_factory=list)

    def pick(self, actions: Sequence[Action]) -> int:
        for number, action in enumerate(actions):
            if any(part in action.key for part in self.first):
                return number
        if actions[0].kind is not Kind.REQUEST:
            return 0
        ranks = [self._rank(action.key) for action in actions]
        return ranks.index(min(ranks))

    def _rank(self, key: str) -> int:
        return next((n for n, part in enumerate(self.order) if part in key), len(self.order))

    def choose(self, n: int, key: str) -> int:
        self.asked.append((n, key))
        return min(n - 1, next((way for part, way in self.chosen.items() if part in key), 0))

    @property
    def requests(self) -> list[str]:
        """Keys of the requests that completed, in that order."""
        return [action.key for action, _ in self.steps if action.kind is Kind.REQUEST]


def explored(
    scenario: Callable[[], Coroutine[object, object, _T]],
    scheduler: Scheduler | None = None,
    *,
    atomic_unit: int | None = None,
) -> _T:
    """Make one run and give what the scenario returned."""
    loop = ExploringLoop(scheduler or Listed(), step_limit=10_000)
    loop.exploration.atomic_unit = atomic_unit
    try:
        return loop.run_until_complete(loop.create_task(scenario(), name="main"))
    finally:
        loop.abandon()


async def write(disk: Disk, offset: int, letter: str, length: int = 512) -> None:
    await disk.pwrite(offset, letter.encode() * length)


async def seen(disk: Disk, offset: int = 0, length: int = 512) -> str:
    """Read, and say in letters what is in each sector."""
    data = await disk.pread(offset, length)
    letters = [data[start : start + 512] for start in range(0, length, 512)]
    assert all(len(set(sector)) == 1 for sector in letters)
    return "".join(chr(sector[0] or ord(".")) for sector in letters)
